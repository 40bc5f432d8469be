%% Storms over a cluster: recorded answers through nodes that are killed in turn, and a random walk
%% of everything that can happen to nodes. A failed walk prints its seed; SEED repeats it.
-module(signal_port_storm_SUITE).
-compile([export_all, nowarn_export_all]).

-define(THIN, [{use_nodes, fallback}, {pool_size, 0}, {stall_timeout, 500},
               {call_timeout, 60_000}]).
-define(SERVER, [{serve_nodes, true}, {backend, port}, {pool_size, 2}]).
-define(CALLERS, 12).

%% What can happen to a node in a state, and the state afterwards.
-define(EVENTS, [{up, kill, dead}, {up, pause, paused}, {up, cut, away}, {up, lose_workers, up},
                 {up, restart_application, up}, {up, end_sessions, up}, {up, nothing, up},
                 {paused, resume, up}, {paused, kill, dead}, {away, heal, up}, {away, kill, dead},
                 {dead, start, away}]).

all() ->
    [{group, storms}].

groups() ->
    [{storms, [recorded_answers_match_while_nodes_are_killed_in_turn,
               random_walk_loses_no_call]}].

init_per_suite(Config) ->
    [{epmd, signal_port_cluster:start_epmd()} | Config].

end_per_suite(Config) ->
    signal_port_cluster:stop_epmd(proplists:get_value(epmd, Config)).

%% --- Recorded answers ---

%% The next node is killed when the last one is used again, so one node at least is there.
recorded_answers_match_while_nodes_are_killed_in_turn(Config) ->
    Thin = signal_port_cluster:start(thin, ?THIN),
    [One, Two] = [signal_port_cluster:start(Name, ?SERVER) || Name <- [one, two]],
    ok = signal_port_cluster:await_nodes(Thin, [One, Two]),
    Kills = signal_port_stage:thorough(4, 30),
    Nodes = kill_in_turn(Thin, [One, Two], {0, Kills}, check(Thin, Config)),
    lists:foreach(fun signal_port_cluster:stop/1, [Thin | Nodes]).

%% Checks all recorded answers again and again while nodes are killed.
kill_in_turn(Thin, [Next, Other], {Count, Kills}, Checker) ->
    case has_passed(Checker) of
        true when Count >= Kills ->
            [Next, Other];
        true ->
            kill_in_turn(Thin, [Next, Other], {Count, Kills}, check(Thin, []));
        false ->
            await_progress(Thin, Checker),
            ok = signal_port_cluster:kill(Next),
            Again = signal_port_cluster:restart(Next),
            ok = signal_port_cluster:await_nodes(Thin, [Again]),
            kill_in_turn(Thin, [Other, Again], {Count + 1, Kills}, Checker)
    end.

check(Thin, Config) ->
    signal_port_stage:async(fun() ->
        signal_port_cluster:call(Thin, signal_port_SUITE,
                                 recorded_calls_return_what_the_nif_returned, [Config])
    end).

%% A checker that fails ends this process, which is linked.
has_passed(Checker) ->
    receive {Checker, _} -> true after 0 -> false end.

await_progress(Thin, Checker) ->
    Before = signal_port_cluster:answered(Thin),
    signal_port_stage:until(fun() ->
        signal_port_cluster:answered(Thin) > Before + 20 orelse not is_process_alive(Checker)
    end).

%% --- A random walk ---

%% While a node is up, every call is answered, and rightly. When all are up again, nothing is left
%% of what happened.
random_walk_loses_no_call(_) ->
    Seed = list_to_integer(os:getenv("SEED", integer_to_list(erlang:system_time(second)))),
    _ = rand:seed(exsss, Seed),
    io:format("SEED=~b repeats this walk~n", [Seed]),
    Thin = signal_port_cluster:start(thin, ?THIN),
    Nodes = [{signal_port_cluster:start(Name, ?SERVER), up} || Name <- [one, two, three]],
    ok = signal_port_cluster:await_nodes(Thin, [Vm || {Vm, up} <- Nodes]),
    Walked = walk(signal_port_stage:thorough(15, 150), Thin, Nodes),
    Recovered = [recover(Node, Thin) || Node <- Walked],
    ok = nothing_is_left(Thin, Recovered),
    lists:foreach(fun signal_port_cluster:stop/1, [Thin | Recovered]),
    signal_port_stage:comment("SEED=~b", [Seed]).

walk(0, _Thin, Nodes) ->
    Nodes;
walk(Steps, Thin, Nodes) ->
    {Vm, State} = Node = lists:nth(rand:uniform(length(Nodes)), Nodes),
    Possible = [{Event, Then} || {From, Event, Then} <- ?EVENTS, From =:= State],
    {Event, Then} = lists:nth(rand:uniform(length(Possible)), Possible),
    io:format("~s: ~s~n", [maps:get(name, Vm), Event]),
    Others = lists:delete(Node, Nodes),
    IsAnyUp = lists:member(up, [Then | [Other || {_, Other} <- Others]]),
    %% Calls are in flight while it happens, and more come afterwards.
    Callers = [signal_port_stage:async(fun() -> calls(Thin) end) || IsAnyUp],
    After = {happen(Event, Vm, Thin), Then},
    [[] = signal_port_stage:await(Caller) || Caller <- Callers],
    [] = case IsAnyUp of true -> calls(Thin); false -> [] end,
    walk(Steps - 1, Thin, [After | Others]).

%% Returns the wrong answers.
calls(Thin) ->
    lists:append(signal_port_cluster:call(Thin, signal_port_stage, in_parallel,
                                          [?CALLERS, fun ?MODULE:wrong_answers/1])).

%% In the thin node: a message that one node encrypts is read by whichever node gets it.
wrong_answers(Number) ->
    [Wrong || Count <- lists:seq(1, 10), Wrong <- wrong(<<Number:32, Count:32>>)].

wrong(Data) ->
    Key = <<1:256>>,
    case signal_port:aes_gcm_encrypt(Key, <<2:96>>, Data, <<>>, 16) of
        {ok, Ciphertext, Tag} ->
            Size = byte_size(Data),
            case signal_port:aes_gcm_decrypt(Key, <<2:96>>, Ciphertext, <<>>, Tag, Size) of
                {ok, Data} -> [];
                Other -> [Other]
            end;
        Other ->
            [Other]
    end.

happen(kill, Vm, _Thin) ->
    ok = signal_port_cluster:kill(Vm),
    Vm;
happen(pause, Vm, _Thin) ->
    _ = signal_port_cluster:signal("STOP", Vm),
    Vm;
happen(resume, Vm, _Thin) ->
    _ = signal_port_cluster:signal("CONT", Vm),
    Vm;
happen(cut, Vm, Thin) ->
    _ = signal_port_cluster:cut(Thin, Vm),
    Vm;
happen(heal, Vm, Thin) ->
    signal_port_cluster:connect(Thin, Vm),
    Vm;
happen(start, Vm, _Thin) ->
    signal_port_cluster:restart(Vm);
happen(lose_workers, Vm, _Thin) ->
    #{workers := Workers} = signal_port_cluster:call(Vm, info, []),
    signal_port_stage:kill([OsPid || #{os_pid := OsPid} <- Workers, is_integer(OsPid)]),
    Vm;
happen(restart_application, Vm, _Thin) ->
    ok = signal_port_cluster:call(Vm, application, stop, [signal_port]),
    ok = signal_port_cluster:call(Vm, application, start, [signal_port]),
    Vm;
happen(end_sessions, Vm, _Thin) ->
    Sessions = signal_port_cluster:call(Vm, erlang, whereis, [signal_port_session_sup]),
    true = signal_port_cluster:call(Vm, erlang, exit, [Sessions, kill]),
    Vm;
happen(nothing, Vm, _Thin) ->
    Vm.

recover({Vm, State}, Thin) ->
    Up = case State of
        dead -> signal_port_cluster:restart(Vm);
        _ -> happen(resume, Vm, Thin)
    end,
    ok = signal_port_cluster:await_nodes(Thin, [Up]),
    Up.

nothing_is_left(Thin, Vms) ->
    signal_port_stage:until(fun() ->
        [0 = InFlight || #{in_flight := InFlight}
                             <- maps:values(signal_port_cluster:peers(Thin))],
        [1 = length(signal_port_cluster:call(Vm, supervisor, which_children,
                                             [signal_port_session_sup])) || Vm <- Vms],
        [] = signal_port_cluster:call(Thin, supervisor, which_children, [signal_port_worker_sup]),
        3 = length(signal_port_cluster:call(Thin, supervisor, which_children,
                                            [signal_port_node_sup]))
    end),
    ok.
