#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The kinds of a worker's channel beside each other: a child process, the option `command', and the
%% option `socket' with a real `signal-port serve'. The application restarts for each measurement,
%% and each round measures every kind, so that a ratio compares neighbours in time.
%%
%%   escript bench/channels.escript [ROUNDS]     default: 5 rounds of about 6 seconds
-mode(compile).

-define(WARM_UP, 500).       % calls
-define(CALLS, 3000).        % calls of one caller
-define(CALLERS, 128).
-define(DURATION, 1000).     % milliseconds of the many callers
-define(DATA, <<0:512>>).    % 64 bytes

main(Args) ->
    Rounds = case Args of [] -> 5; [Number] -> list_to_integer(Number) end,
    Root = filename:dirname(filename:dirname(filename:absname(escript:script_name()))),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    ok = logger:set_primary_config(level, error),
    Folder = string:trim(os:cmd("mktemp -d")),
    Socket = filename:join(Folder, "bench.sock"),
    {Python, Package} = {filename:join(Root, "priv/venv/bin/python3"),
                         filename:join(Root, "priv/python/signal_port")},
    Server = serve(Python, Package, Socket),
    Kinds = [{child, []},
             {command, [{command, [Python, "-I", "-B", Package, "worker"]}]},
             {socket, [{socket, Socket}]}],
    Measured = [[{Kind, measure(Options)} || {Kind, Options} <- Kinds]
                || _ <- lists:seq(1, Rounds)],
    application:stop(signal_port),
    os:cmd("kill " ++ integer_to_list(Server)),
    os:cmd("rm -r " ++ Folder),
    report(Measured).

serve(Python, Package, Socket) ->
    Port = open_port({spawn_executable, Python},
                     [{args, ["-I", "-B", Package, "serve", "--socket", Socket]}, stderr_to_stdout]),
    {os_pid, OsPid} = erlang:port_info(Port, os_pid),
    ok = wait_for(Socket, 200),
    OsPid.

wait_for(Socket, Tries) when Tries > 0 ->
    case gen_tcp:connect({local, Socket}, 0, [local]) of
        {ok, Connection} -> gen_tcp:close(Connection);
        {error, _} -> timer:sleep(50), wait_for(Socket, Tries - 1)
    end.

%% --- Measuring ---

measure(Options) ->
    _ = application:stop(signal_port),
    _ = application:unload(signal_port),
    ok = application:load(signal_port),
    [application:set_env(signal_port, Name, Value) || {Name, Value} <- [{backend, port} | Options]],
    ok = application:start(signal_port),
    all_ready(),
    _ = [call() || _ <- lists:seq(1, ?WARM_UP)],
    Times = lists:sort([element(1, timer:tc(fun call/0)) || _ <- lists:seq(1, ?CALLS)]),
    #{median => lists:nth(?CALLS div 2, Times), least => hd(Times), rate => rate()}.

all_ready() ->
    #{workers := Workers} = signal_port:info(),
    case [State || #{state := State} <- Workers, State =/= ready] of
        [] -> ok;
        _ -> timer:sleep(20), all_ready()
    end.

call() ->
    {ok, _} = signal_port:sha256(?DATA).

rate() ->
    End = erlang:monotonic_time(millisecond) + ?DURATION,
    Callers = [spawn_monitor(fun() -> exit({calls, call_until(End, 0)}) end)
               || _ <- lists:seq(1, ?CALLERS)],
    Calls = [receive {'DOWN', Monitor, process, _, {calls, Count}} -> Count end
             || {_, Monitor} <- Callers],
    lists:sum(Calls) * 1000 div ?DURATION.

call_until(End, Count) ->
    _ = call(),
    case erlang:monotonic_time(millisecond) < End of
        true -> call_until(End, Count + 1);
        false -> Count + 1
    end.

%% --- Report ---

report([First | _] = Measured) ->
    io:format("sha256 of 64 B          one caller, us          ~b callers, calls a second~n"
              "channel       median  least  ratio to child    median  ratio to child~n", [?CALLERS]),
    [row(Kind, Measured) || {Kind, _} <- First].

row(Kind, Measured) ->
    Own = [proplists:get_value(Kind, Round) || Round <- Measured],
    Child = [proplists:get_value(child, Round) || Round <- Measured],
    io:format("~-12s ~7b ~6b ~15.2f ~9b ~15.2f~n",
              [Kind, median(values(median, Own)), lists:min(values(least, Own)),
               median(ratios(median, Own, Child)), median(values(rate, Own)),
               median(ratios(rate, Own, Child))]).

values(Key, Rounds) ->
    [maps:get(Key, Round) || Round <- Rounds].

ratios(Key, Own, Child) ->
    [One / Other || {One, Other} <- lists:zip(values(Key, Own), values(Key, Child))].

median(Values) ->
    lists:nth((length(Values) + 1) div 2, lists:sort(Values)).
