#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% Alice and Bob are two Erlang nodes, each with its own folder. Their network reorders, repeats
%% and loses messages. Both VMs are killed at the worst moment, start again, and continue from the
%% session that they stored: no message is lost, and none is read twice. chat_node.erl has what a
%% node does, and in which order.
-mode(compile).

main([]) ->
    Here = filename:dirname(filename:absname(escript:script_name())),
    Root = filename:dirname(filename:dirname(Here)),
    Ebins = filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin")),
    {ok, chat_node, Beam} = compile:file(filename:join(Here, "chat_node"), [binary, report]),
    Temporary = string:trim(os:cmd("mktemp -d")),  % only its owner may read it
    try
        story({Ebins, Beam, Temporary})
    after
        ok = file:del_dir_r(Temporary)
    end,
    say("~nEach message was read once. The order of storing and sending ensures it.", []).

story(Setup) ->
    Alice = start("Alice", Setup),
    Bob = start("Bob", Setup),
    Lost = meet(Alice, Bob),
    Alice1 = crash_before_sending(Alice, Bob, Lost, Setup),
    Bob1 = crash_before_acknowledging(Alice1, Bob, Lost, Setup),
    continue(Alice1, Bob1),
    [ok = peer:stop(Vm) || {_, Vm} <- [Alice1, Bob1]].

%% --- The acts ---

meet(Alice, Bob) ->
    heading("They meet; the network reorders, repeats, forges, and loses the third message"),
    ok = on(Alice, meet, [on(Bob, publish, [])]),
    [One, Two, Three] = [write(Alice, Text)
                         || Text <- [<<"Bob?">>, <<"It is Alice.">>, <<"I sit by the window.">>]],
    {read, <<"It is Alice.">>} = deliver(Two, Bob, Alice),
    {read, <<"Bob?">>} = deliver(One, Bob, Alice),
    duplicate = deliver(One, Bob, Alice),
    {error, _} = deliver(forged(Three), Bob, Alice),
    {read, <<"Here I am.">>} = deliver(write(Bob, <<"Here I am.">>), Alice, Bob),
    Three.

crash_before_sending(Alice, Bob, Lost, Setup) ->
    heading("Alice's VM is killed after it stored a message, before it sent it"),
    Unsent = write(Alice, <<"Come over.">>),
    kill(Alice),
    Alice1 = start("Alice", Setup),
    [Lost, Unsent] = on(Alice1, outbox, []),
    say("  Alice has two unacknowledged messages in her outbox: one was lost, one never sent", []),
    {read, <<"Come over.">>} = deliver(Unsent, Bob, Alice1),
    Alice1.

crash_before_acknowledging(Alice, Bob, Lost, Setup) ->
    heading("Bob's VM is killed after it stored a message, before it acknowledged it"),
    {read, <<"I sit by the window.">>} = on(Bob, read, [Lost]),
    say("  Bob   reads   I sit by the window.", []),
    kill(Bob),
    Bob1 = start("Bob", Setup),
    [Lost] = on(Alice, outbox, []),
    duplicate = deliver(Lost, Bob1, Alice),
    Bob1.

continue(Alice, Bob) ->
    heading("They continue"),
    {read, <<"On my way.">>} = deliver(write(Bob, <<"On my way.">>), Alice, Bob),
    {read, <<"Good.">>} = deliver(write(Alice, <<"Good.">>), Bob, Alice),
    [] = on(Alice, outbox, []) ++ on(Bob, outbox, []),
    [<<"It is Alice.">>, <<"Bob?">>, <<"Come over.">>, <<"I sit by the window.">>, <<"Good.">>] =
        on(Bob, texts, []),
    [<<"Here I am.">>, <<"On my way.">>] = on(Alice, texts, []).

%% --- The network ---

write({Name, _} = From, Text) ->
    {ok, Message} = on(From, write, [Text]),
    say("  ~-5s writes  ~ts", [Name, Text]),
    Message.

%% Delivers a message, and its acknowledgement.
deliver(Message, {Name, _} = To, From) ->
    Answer = on(To, read, [Message]),
    case Answer of
        {error, Reason} ->
            say("  ~-5s refuses a forged message: ~s", [Name, Reason]);
        {read, Text} ->
            say("  ~-5s reads   ~ts", [Name, Text]),
            ok = on(From, acknowledged, [Message]);
        duplicate ->
            say("  ~-5s only acknowledges a message that it has read before", [Name]),
            ok = on(From, acknowledged, [Message])
    end,
    Answer.

forged({Kind, Wire}) ->
    Size = byte_size(Wire) - 1,
    <<Start:Size/binary, Last>> = Wire,
    {Kind, <<Start/binary, (Last bxor 1)>>}.

%% --- The nodes: VMs that this one controls by their standard input and output, without epmd ---

start(Name, {Ebins, Beam, Temporary}) ->
    Folder = filename:join(Temporary, Name),
    ok = filelib:ensure_path(Folder),
    Args = ["-signal_port", "pool_size", "1", "-kernel", "logger_level", "error", "-pa" | Ebins],
    {ok, Vm, _} = peer:start(#{connection => standard_io, wait_boot => 60_000, args => Args}),
    {module, chat_node} =
        peer:call(Vm, code, load_binary, [chat_node, "chat_node.erl", Beam], infinity),
    {ok, _} = peer:call(Vm, chat_node, start, [Folder], infinity),
    false = peer:call(Vm, code, is_loaded, [crypto]),
    say("  ~-5s starts, OS process ~s", [Name, peer:call(Vm, os, getpid, [])]),
    {Name, Vm}.

on({_, Vm}, Function, Args) ->
    peer:call(Vm, chat_node, Function, Args, infinity).

kill({Name, Vm}) ->
    Monitor = monitor(process, Vm),
    OsPid = peer:call(Vm, os, getpid, []),
    "" = os:cmd("kill -9 " ++ OsPid),
    receive {'DOWN', Monitor, process, Vm, _} -> say("  ~-5s dies, kill -9 ~s", [Name, OsPid]) end.

heading(Text) -> io:format("~n~ts~n~ts~n", [Text, lists:duplicate(string:length(Text), $-)]).

say(Format, Args) -> io:format(Format ++ "~n", Args).
