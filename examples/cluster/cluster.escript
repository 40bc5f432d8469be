#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% Three nodes on this machine: a thin one, which has no worker, and two that serve. One of these is
%% killed, and starts again. A table shows where the calls go; no call fails.
%%
%% This VM is no node. It controls the others by their standard input and output. All listen on
%% 127.0.0.1 only.
-mode(compile).

-define(CALLERS, 16).
-define(AT_MOST, 60_000).  % milliseconds for all, also on a busy machine
-define(BAR, 200).         % calls a second for one character
-define(NAMES, $n).        % epmd's request for the names of all nodes

main([]) ->
    _ = spawn(fun end_late/0),
    Here = filename:dirname(filename:absname(escript:script_name())),
    Root = filename:dirname(filename:dirname(Here)),
    Ebins = filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin")),
    {ok, cluster_callers, Beam} = compile:file(filename:join(Here, "cluster_callers"),
                                               [binary, report]),
    Home = string:trim(os:cmd("mktemp -d")),  % for the cookie; only its owner may read it
    Epmd = start_epmd(),
    try
        story(Beam, {Ebins, Home})
    after
        stop_epmd(Epmd),
        ok = file:del_dir_r(Home)
    end.

end_late() ->
    timer:sleep(?AT_MOST),
    io:format(standard_error, "The example did not end within a minute.~n", []),
    halt(1).

story(Beam, Setup) ->
    persistent_term:put(?MODULE, output()),
    Serves = [{serve_nodes, true}, {pool_size, 1}],
    One = start(one, Serves, Setup),
    Two = start(two, Serves, Setup),
    Thin = start(thin, [{use_nodes, fallback}, {pool_size, 0}], Setup),
    [connect(Thin, Vm) || Vm <- [One, Two]],
    {module, _} = on(Thin, code, load_binary, [cluster_callers, "cluster_callers.erl", Beam]),
    ok = on(Thin, cluster_callers, start, [?CALLERS]),
    say("~b callers on the thin node encrypt and decrypt", [?CALLERS]),
    Both = watch(Thin, 2000),
    kill(Two),
    Without = watch(Thin, 2000),
    Two1 = start(two, Serves, Setup),
    connect(Thin, Two1),
    Again = watch(Thin, 2000),
    conclude(Thin, [Both, Without, Again]),
    [ok = peer:stop(Vm) || {_, Vm, _} <- [Thin, One, Two1]].

%% Fails if a call failed, or if a node that should have calls got none.
conclude(Thin, [Both, Without, Again]) ->
    {Read, Failed} = on(Thin, cluster_callers, counted, []),
    _ = erase(lines),  % the last table stays
    say("~b messages were encrypted and read; ~b failed", [Read, Failed]),
    0 = Failed,
    [true, true] = [maps:get(Name, Both) > 0 || Name <- ["one", "two"]],
    true = maps:get("one", Without) > maps:get("one", Both),
    true = maps:get("two", Again) > maps:get("two", Without).

%% --- The nodes ---

start(Name, Options, {Ebins, Home}) ->
    Application = [[atom_to_list(Key), io_lib:format("~p", [Value])]
                   || {Key, Value} <- [{distribution, clear_text} | Options]],
    Args = ["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
            "logger_level", "error", "-signal_port" | lists:append(Application)],
    {ok, Vm, Node} = peer:start(#{
        name => Name, host => "127.0.0.1", longnames => true, connection => standard_io,
        wait_boot => ?AT_MOST, env => [{"HOME", Home}],
        args => [lists:flatten(Arg) || Arg <- Args] ++ ["-pa" | Ebins]}),
    {ok, _} = peer:call(Vm, application, ensure_all_started, [signal_port], infinity),
    OsPid = peer:call(Vm, os, getpid, []),
    say("~-4s starts, OS process ~s: ~s", [Name, OsPid, role(Options)]),
    {Node, Vm, OsPid}.

role([{serve_nodes, true} | _]) -> "serves, with one worker";
role([{use_nodes, _} | _]) -> "uses the others, without a worker".

connect(From, {Node, _, _}) ->
    true = on(From, net_kernel, connect_node, [Node]).

kill({Node, Vm, OsPid}) ->
    Monitor = monitor(process, Vm),
    "" = os:cmd("kill -9 " ++ OsPid),
    receive {'DOWN', Monitor, process, Vm, _} -> ok end,
    say("~-4s is killed, kill -9 ~s", [name(Node), OsPid]).

on({_, Vm, _}, Module, Function, Args) ->
    peer:call(Vm, Module, Function, Args, infinity).

name(Node) ->
    hd(string:split(atom_to_list(Node), "@")).

%% --- epmd, which the nodes find each other by: one of our own, on a free port ---

start_epmd() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    true = os:putenv("ERL_EPMD_PORT", integer_to_list(Port)),
    true = os:putenv("ERL_EPMD_ADDRESS", "127.0.0.1"),
    %% The shell ends epmd when its input ends: also if this VM is killed.
    Shell = open_port({spawn, "sh -c 'epmd & read line; kill $!; wait'"}, [exit_status]),
    ok = await_epmd(Port),
    Shell.

await_epmd(Port) ->
    case gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]) of
        {ok, Socket} ->
            ok = gen_tcp:send(Socket, <<1:16, ?NAMES>>),
            {ok, _} = gen_tcp:recv(Socket, 0),
            gen_tcp:close(Socket);
        {error, econnrefused} ->
            timer:sleep(20),
            await_epmd(Port)
    end.

stop_epmd(Shell) ->
    true = port_command(Shell, "\n"),
    receive {Shell, {exit_status, _}} -> ok end.

%% --- The table ---

%% Shows the table for this time. Returns the calls that each node has answered.
watch(Thin, Milliseconds) ->
    Nodes = nodes_of(Thin),
    watch(Thin, now_ms() + Milliseconds, now_ms(), Nodes).

watch(Thin, Until, Since, Before) ->
    timer:sleep(every(persistent_term:get(?MODULE))),
    {Now, Nodes} = {now_ms(), nodes_of(Thin)},
    {_, Failed} = on(Thin, cluster_callers, counted, []),
    show(persistent_term:get(?MODULE), rows(Nodes, Before, (Now - Since) / 1000), Failed),
    case Now < Until of
        true -> watch(Thin, Until, Now, Nodes);
        false -> maps:map(fun(_, #{calls := Calls}) -> Calls end, Nodes)
    end.

nodes_of(Thin) ->
    #{nodes := Nodes} = on(Thin, signal_port, info, []),
    maps:from_list([{name(Node), Info} || #{node := Node} = Info <- Nodes]).

rows(Nodes, Before, Seconds) ->
    [{Name, State, round((Calls - calls(Name, Before)) / Seconds), InFlight, Calls}
     || {Name, #{state := State, calls := Calls, in_flight := InFlight}}
            <- lists:sort(maps:to_list(Nodes))].

calls(Name, Nodes) ->
    maps:get(calls, maps:get(Name, Nodes, #{}), 0).

every(terminal) -> 250;
every(plain) -> 1000.

show(terminal, Rows, Failed) ->
    Lines = [io_lib:format("\e[1mnode  state      calls/s  in flight    calls\e[0m", [])]
        ++ [io_lib:format("~-5s ~-9s ~8b ~10b ~8b  \e[32m~s\e[0m",
                          [Name, State, Rate, InFlight, Calls,
                           lists:duplicate(min(30, Rate div ?BAR), $#)])
            || {Name, State, Rate, InFlight, Calls} <- Rows]
        ++ [io_lib:format("failed: ~b", [Failed])],
    erase_table(),
    io:put_chars([[Line, $\n] || Line <- Lines]),
    put(lines, length(Lines));
show(plain, Rows, Failed) ->
    Texts = [io_lib:format("~s ~s ~b calls/s, ~b in flight; ", [Name, State, Rate, InFlight])
             || {Name, State, Rate, InFlight, _} <- Rows],
    io:format("  ~sfailed: ~b~n", [Texts, Failed]).

%% Erases the table, so that what comes next stands in its place.
erase_table() ->
    case erase(lines) of
        undefined -> ok;
        Lines -> io:format("\e[~bA\e[J", [Lines])
    end.

say(Format, Args) ->
    erase_table(),
    io:format(Format ++ "~n", Args).

%% Without input, io:columns/0 knows no terminal. The port's program has our standard output.
output() ->
    Port = open_port({spawn, "test -t 1"}, [nouse_stdio, exit_status]),
    receive
        {Port, {exit_status, 0}} -> terminal;
        {Port, {exit_status, _}} -> plain
    end.

now_ms() -> erlang:monotonic_time(millisecond).
