%% Load: callers without a pause, whose answers are known. Also the stand-ins and states that suites
%% under load share.
-module(signal_port_load).

-export([known/0, start/1, stop/1, starting/0, linked/2]).

-define(PATIENT, 60_000).  % milliseconds

-type known() :: tuple().
%% Operations with their arguments and correct answers.

%% @doc Makes calls and their correct answers.
-spec known() -> known().
known() ->
    Calls = [Call || Size <- lists:seq(1, 1024, 64), Data <- [rand:bytes(Size)],
                     Call <- [{hmac_sha256, [rand:bytes(32), Data]}, {sha512, [Data]}]],
    list_to_tuple([{Operation, Args, Answer}
                   || {{Operation, Args}, Answer} <- lists:zip(Calls, signal_port:batch(Calls))]).

%% @doc Starts callers that call without a pause.
-spec start(Callers :: pos_integer()) -> [pid()].
start(Callers) ->
    Known = known(),
    Parent = self(),
    [spawn_link(fun() -> Parent ! {self(), call(Known, Number, {0, 0, []})} end)
     || Number <- lists:seq(1, Callers)].

call(Known, Number, {Calls, Slowest, Wrong}) ->
    receive
        stop -> {Calls, Slowest, Wrong}
    after 0 ->
        {Operation, Args, Right} = element(1 + Number rem tuple_size(Known), Known),
        {Micros, Answer} = timer:tc(signal_port, Operation, Args),
        Others = case Answer of Right -> Wrong; _ -> [{Operation, Answer} | Wrong] end,
        call(Known, Number + 1, {Calls + 1, max(Slowest, Micros div 1000), Others})
    end.

%% @doc Stops the callers. Returns the number of calls, the slowest in milliseconds, and a few of
%% the wrong answers.
-spec stop([pid()]) -> {non_neg_integer(), Slowest :: non_neg_integer(), Wrong :: list()}.
stop(Callers) ->
    [Pid ! stop || Pid <- Callers],
    All = [receive {Pid, Outcome} -> Outcome after ?PATIENT -> error(no_answer) end
           || Pid <- Callers],
    {Calls, Slowest, Wrong} = lists:unzip3(All),
    {lists:sum(Calls), lists:max(Slowest), lists:sublist(lists:append(Wrong), 5)}.

%% @doc Returns the OS processes of workers that start. Raises an error if there is none.
-spec starting() -> [pos_integer()].
starting() ->
    [_ | _] = [OsPid || #{state := starting, os_pid := OsPid} <- signal_port_stage:workers(),
                        is_integer(OsPid)].

%% @doc Links a stand-in into the folder of a case, where it looks for its instructions.
-spec linked(file:filename(), [{atom(), term()}]) ->
    {Link :: file:filename(), Folder :: file:filename()}.
linked(Name, Config) ->
    Folder = proplists:get_value(folder, Config),
    Link = filename:join(Folder, Name),
    ok = file:make_symlink(filename:absname(signal_port_stage:stand_in(Name)), Link),
    {Link, Folder}.
