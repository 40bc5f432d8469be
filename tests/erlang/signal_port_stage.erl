%% The stage of a test: starts the application with the test's options and shows what an operator
%% can see of it. Tests wait in one way only: for a condition, with a deadline.
-module(signal_port_stage).

-export([start/1, start_with/2, start_ready/1, stop/0, root/1, stand_in/1, paths/1]).
-export([os_pids/0, workers/0, worker/0, calls/0, restarts/0, in_flight/0, last_reason/0, pid/0,
         are_ready/0]).
-export([is_alive/1, signal/2, kill/1]).
-export([until/1, until_gone/1, await_ready/0, await_in_flight/1]).
-export([in_parallel/2, async/1, await/1]).
-export([switch/1, marker/0, thorough/2, comment/2]).

-define(DEADLINE, 15_000).  % milliseconds; far more than any condition takes
-define(PATIENT, 60_000).   % milliseconds; for answers of processes that a test started

%% --- Start and stop ---

%% @doc Starts the application with these options and no other.
-spec start([{atom(), term()}]) -> ok | {error, term()}.
start(Options) ->
    stop(),
    ok = application:load(signal_port),
    [application:set_env(signal_port, Name, Value) || {Name, Value} <- Options],
    application:start(signal_port).

%% @doc Starts the application with a stand-in for its workers.
-spec start_with(file:filename(), [{atom(), term()}]) -> ok | {error, term()}.
start_with(StandIn, Options) ->
    start([{python, stand_in(StandIn)} | Options]).

%% @doc Starts the application, and waits until all workers are ready.
-spec start_ready([{atom(), term()}]) -> ok.
start_ready(Options) ->
    ok = start(Options),
    _ = await_ready(),
    ok.

-spec stop() -> ok.
stop() ->
    %% Stand-ins end slowly. Tests of a regular stop call application:stop/1 themselves.
    kill(try os_pids() catch exit:_ -> [] end),
    _ = application:stop(signal_port),
    _ = application:unload(signal_port),
    _ = persistent_term:erase(signal_port_app),  % a failed start
    ok.

%% @doc Returns the path of a file of this repository. The build's `priv' is in it or links to it.
-spec root(file:filename()) -> file:filename().
root(File) ->
    Ebin = filename:dirname(code:where_is_file("signal_port.app")),
    filename:join([filename:dirname(Ebin), "priv", "..", File]).

%% @doc Returns the code path for another VM: the application's beams and a suite's. code:which/1
%% does not know beams that are compiled for coverage.
-spec paths(module()) -> [file:filename()].
paths(Suite) ->
    [filename:absname(filename:dirname(code:where_is_file(File)))
     || File <- ["signal_port.app", atom_to_list(Suite) ++ ".beam"]].

-spec stand_in(file:filename()) -> file:filename().
stand_in(Name) ->
    root(filename:join("tests/workers", Name)).

%% @doc Returns the bytes that make some stand-ins misbehave.
-spec marker() -> binary().
marker() ->
    <<"the stand-in acts up at these bytes">>.

%% @doc Returns a path, where no file is yet, that stand-ins wait for or obey. Its variable has the
%% name of a locale, because workers do not get most others.
-spec switch(Config :: [{atom(), term()}]) -> file:filename().
switch(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "switch"),
    _ = file:delete(File),
    os:putenv("LC_STAND_IN_SWITCH", File),
    File.

%% @doc Returns how much to test: the whole if THOROUGH is set, as in the CI, otherwise less.
-spec thorough(Less :: Amount, Whole :: Amount) -> Amount.
thorough(Less, Whole) ->
    case os:getenv("THOROUGH", "") of
        "" -> Less;
        _ -> Whole
    end.

%% @doc Returns a comment for the page of a case.
-spec comment(io:format(), [term()]) -> {comment, string()}.
comment(Format, Args) ->
    {comment, lists:flatten(io_lib:format(Format, Args))}.

%% --- What an operator sees ---

-spec workers() -> [map()].
workers() ->
    maps:get(workers, signal_port:info()).

%% @doc Returns the worker of a pool of one.
-spec worker() -> map().
worker() ->
    [Worker] = workers(),
    Worker.

-spec os_pids() -> [pos_integer()].
os_pids() ->
    [OsPid || #{os_pid := OsPid} <- workers(), is_integer(OsPid)].

%% @doc Returns the calls answered by all workers.
-spec calls() -> non_neg_integer().
calls() ->
    total(calls).

-spec restarts() -> non_neg_integer().
restarts() ->
    total(restarts).

-spec in_flight() -> integer().
in_flight() ->
    total(in_flight).

total(Key) ->
    lists:sum([maps:get(Key, Worker) || Worker <- workers()]).

%% @doc Returns the last reason of a pool of one.
-spec last_reason() -> string() | undefined.
last_reason() ->
    maps:get(last_reason, worker()).

-spec are_ready() -> boolean().
are_ready() ->
    lists:all(fun(#{state := State}) -> State =:= ready end, workers()).

%% @doc Returns the process of the worker of a pool of one.
-spec pid() -> pid().
pid() ->
    [{_, Pid, _, _}] = supervisor:which_children(signal_port_worker_sup),
    Pid.

%% @doc Returns whether there is such an OS process. A zombie counts.
-spec is_alive(pos_integer()) -> boolean().
is_alive(OsPid) ->
    signal("0", OsPid) =:= "".

-spec signal(string(), pos_integer()) -> string().
signal(Name, OsPid) ->
    os:cmd("kill -s " ++ Name ++ " " ++ integer_to_list(OsPid) ++ " 2>&1").

%% @doc Sends KILL to OS processes. They can be gone already.
-spec kill([pos_integer()]) -> ok.
kill([]) ->
    ok;
kill(OsPids) ->
    Numbers = lists:join(" ", [integer_to_list(OsPid) || OsPid <- OsPids]),
    _ = os:cmd("kill -s KILL " ++ Numbers ++ " 2>&1"),
    ok.

%% --- Waiting ---

%% @doc Waits until a condition holds, and returns its value. A condition that raises does not hold.
-spec until(fun(() -> term())) -> term().
until(Condition) ->
    until(Condition, erlang:monotonic_time(millisecond) + ?DEADLINE).

until(Condition, Deadline) ->
    case {catch Condition(), erlang:monotonic_time(millisecond) < Deadline} of
        {Value, _} when Value =/= false,
                        not (is_tuple(Value) andalso element(1, Value) =:= 'EXIT') -> Value;
        {_, true} -> timer:sleep(5), until(Condition, Deadline);
        {Last, false} -> error({never_came_true, Last})
    end.

-spec until_gone([pos_integer()]) -> true.
until_gone(OsPids) ->
    until(fun() -> not lists:any(fun is_alive/1, OsPids) end).

%% @doc Waits until all workers are ready, and returns them.
-spec await_ready() -> [map()].
await_ready() ->
    until(fun() -> are_ready() andalso workers() end).

%% @doc Waits until so many calls are in flight.
-spec await_in_flight(non_neg_integer()) -> true.
await_in_flight(Count) ->
    until(fun() -> in_flight() =:= Count end).

%% --- Processes of a test ---

%% @doc Runs a function in a process. Its value is for await/1.
-spec async(fun(() -> term())) -> pid().
async(Fun) ->
    Parent = self(),
    spawn_link(fun() -> Parent ! {self(), Fun()} end).

-spec await(pid()) -> term().
await(Pid) ->
    receive {Pid, Value} -> Value after ?PATIENT -> error(no_answer) end.

%% @doc Returns the values of a function in so many processes at once.
-spec in_parallel(pos_integer(), fun((pos_integer()) -> term())) -> [term()].
in_parallel(Count, Fun) ->
    Parent = self(),
    Monitors = [spawn_monitor(fun() -> Parent ! {self(), Fun(Number)} end)
                || Number <- lists:seq(1, Count)],
    [receive
         {Pid, Value} -> demonitor(Monitor, [flush]), Value;
         {'DOWN', Monitor, process, Pid, Reason} -> error({ended, Reason})
     after ?PATIENT -> error(no_answer)
     end || {Pid, Monitor} <- Monitors].
