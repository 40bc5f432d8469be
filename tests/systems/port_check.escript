#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The Erlang side on a system without Common Test, in the repository's folder. The cases are those
%% of two groups of signal_port_SUITE.
%%
%%   port_check.escript ARCHITECTURE [PROGRAM ARGUMENT...]   with the option command, if there is one
-mode(compile).

-define(GROUPS, [vectors, conversation]).

main([Expected | Command]) ->
    Architecture = erlang:system_info(system_architecture),
    true = lists:prefix(Expected, Architecture),
    code:add_pathsa(filelib:wildcard("_build/default/lib/*/ebin")),
    [load(filename:join("tests/erlang", Module))
     || Module <- ["signal_port_vectors", "signal_port_stage", "signal_port_parties",
                   "signal_port_SUITE"]],
    ok = application:load(signal_port),
    [application:set_env(signal_port, command, Command) || Command =/= []],
    ok = application:start(signal_port),
    #{backend := port, versions := #{executable := Executable}} = signal_port:info(),
    [Executable = unicode:characters_to_binary(hd(Command)) || Command =/= []],
    Groups = signal_port_SUITE:groups(),
    [run(Case) || Group <- ?GROUPS, Case <- proplists:get_value(Group, Groups)],
    false = code:is_loaded(crypto),
    ok = application:stop(signal_port),
    io:format("~s, OTP ~s: ~ts answers, and crypto is not loaded~n",
              [Architecture, erlang:system_info(otp_release), Executable]).

run(Case) ->
    {Time, _} = timer:tc(signal_port_SUITE, Case, [[]]),
    io:format("~-48s ok ~6b ms~n", [Case, Time div 1000]).

load(File) ->
    {ok, Module, Beam} = compile:file(File, [binary]),
    {module, Module} = code:load_binary(Module, File, Beam).
