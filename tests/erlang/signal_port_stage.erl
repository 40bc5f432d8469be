%% The stage: starts the application with the options of a test, and tells what can be seen of it from outside. It also
%% has the one way in which tests wait: for a condition, up to a deadline.
-module(signal_port_stage).

-export([start/1, start_with/2, stop/0, root/1, stand_in/1, paths/1]).
-export([os_pids/0, workers/0, worker/0, calls/0, restarts/0, last_reason/0, pid/0]).
-export([is_alive/1, signal/2, until/1, until_gone/1, in_parallel/2, switch/1, marker/0, thorough/2]).

-define(DEADLINE, 15_000). % milliseconds; far more than anything that tests wait for takes

%% @doc Starts the application with these options in its environment, and no other.
-spec start([{atom(), term()}]) -> ok | {error, term()}.
start(Options) ->
    stop(),
    ok = application:load(signal_port),
    [application:set_env(signal_port, Name, Value) || {Name, Value} <- Options],
    application:start(signal_port).

%% @doc Starts the application with stand-ins for its workers.
-spec start_with(file:filename(), [{atom(), term()}]) -> ok | {error, term()}.
start_with(StandIn, Options) ->
    start([{python, stand_in(StandIn)} | Options]).

-spec stop() -> ok.
stop() ->
    %% Stand-ins end unwillingly, and how the application ends them is for tests that stop it themselves.
    _ = [signal("KILL", OsPid) || OsPid <- try os_pids() catch exit:_ -> [] end],
    _ = application:stop(signal_port),
    _ = application:unload(signal_port),
    _ = persistent_term:erase(signal_port_app),  % that a start has failed
    ok.

%% @doc A file of this repository. The build's `priv' is a link to the repository's, or is it.
-spec root(file:filename()) -> file:filename().
root(File) ->
    Ebin = filename:dirname(code:where_is_file("signal_port.app")),
    filename:join([filename:dirname(Ebin), "priv", "..", File]).

%% @doc What a child VM needs on its path: the application's beams, and a suite's. code:which/1 does not know them where
%% their coverage is measured.
-spec paths(module()) -> [file:filename()].
paths(Suite) ->
    [filename:absname(filename:dirname(code:where_is_file(File)))
     || File <- ["signal_port.app", atom_to_list(Suite) ++ ".beam"]].

-spec stand_in(file:filename()) -> file:filename().
stand_in(Name) ->
    root(filename:join("tests/workers", Name)).

%% @doc The bytes at which some stand-ins act up.
-spec marker() -> binary().
marker() ->
    <<"the stand-in acts up at these bytes">>.

%% @doc How much of a test that could go on for ever: the whole where THOROUGH is in the environment, as in continuous
%% integration, and less where somebody waits for it.
-spec thorough(Less :: Amount, Whole :: Amount) -> Amount.
thorough(Less, Whole) ->
    case os:getenv("THOROUGH", "") of
        "" -> Less;
        _ -> Whole
    end.

%% --- What can be seen ---

-spec workers() -> [map()].
workers() ->
    maps:get(workers, signal_port:info()).

%% @doc The one worker of a pool of one.
-spec worker() -> map().
worker() ->
    [Worker] = workers(),
    Worker.

-spec os_pids() -> [pos_integer()].
os_pids() ->
    [OsPid || #{os_pid := OsPid} <- workers(), is_integer(OsPid)].

%% @doc Calls answered, by all workers.
-spec calls() -> non_neg_integer().
calls() ->
    lists:sum([Calls || #{calls := Calls} <- workers()]).

-spec restarts() -> non_neg_integer().
restarts() ->
    lists:sum([Restarts || #{restarts := Restarts} <- workers()]).

-spec last_reason() -> string() | undefined.
last_reason() ->
    maps:get(last_reason, worker()).

%% @doc The process of the one worker of a pool of one.
-spec pid() -> pid().
pid() ->
    [{_, Pid, _, _}] = supervisor:which_children(signal_port_worker_sup),
    Pid.

%% @doc Whether an OS process is there, a zombie included.
-spec is_alive(pos_integer()) -> boolean().
is_alive(OsPid) ->
    signal("0", OsPid) =:= "".

-spec signal(string(), pos_integer()) -> string().
signal(Name, OsPid) ->
    os:cmd("kill -s " ++ Name ++ " " ++ integer_to_list(OsPid) ++ " 2>&1").

%% --- Waiting ---

%% @doc Waits until a condition holds, and gives what it gave. A condition that raises does not hold.
-spec until(fun(() -> term())) -> term().
until(Condition) ->
    until(Condition, erlang:monotonic_time(millisecond) + ?DEADLINE).

until(Condition, Deadline) ->
    case {catch Condition(), erlang:monotonic_time(millisecond) < Deadline} of
        {Holds, _} when Holds =/= false, not (is_tuple(Holds) andalso element(1, Holds) =:= 'EXIT') -> Holds;
        {_, true} -> timer:sleep(5), until(Condition, Deadline);
        {Last, false} -> error({never_came_true, Last})
    end.

-spec until_gone([pos_integer()]) -> true.
until_gone(OsPids) ->
    until(fun() -> not lists:any(fun is_alive/1, OsPids) end).

%% @doc What a function answers in so many processes at once.
-spec in_parallel(pos_integer(), fun((pos_integer()) -> term())) -> [term()].
in_parallel(Count, Fun) ->
    Parent = self(),
    Monitors = [spawn_monitor(fun() -> Parent ! {self(), Fun(Number)} end) || Number <- lists:seq(1, Count)],
    [receive
         {Pid, Answer} -> demonitor(Monitor, [flush]), Answer;
         {'DOWN', Monitor, process, Pid, Reason} -> error({ended, Reason})
     after 60_000 -> error(no_answer)
     end || {Pid, Monitor} <- Monitors].

%% @doc A file, not there yet, that stand-ins find in their environment and wait for or obey. Its variable has the name of a
%% locale's, for most others are kept from workers.
-spec switch(Config :: [{atom(), term()}]) -> file:filename().
switch(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "switch"),
    _ = file:delete(File),
    os:putenv("LC_STAND_IN_SWITCH", File),
    File.
