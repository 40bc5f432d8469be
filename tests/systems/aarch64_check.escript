#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The Erlang side on ARM64, without Common Test, which the root does not have: aarch64_test.sh runs
%% it there. The cases are those of two groups of signal_port_SUITE.
-mode(compile).

-define(GROUPS, [vectors, conversation]).

main([]) ->
    "aarch64" ++ _ = Architecture = erlang:system_info(system_architecture),
    code:add_pathsa(filelib:wildcard("_build/default/lib/*/ebin")),
    [load(filename:join("tests/erlang", Module))
     || Module <- ["signal_port_vectors", "signal_port_stage", "signal_port_parties",
                   "signal_port_SUITE"]],
    ok = application:start(signal_port),
    #{backend := port} = signal_port:info(),
    Groups = signal_port_SUITE:groups(),
    [run(Case) || Group <- ?GROUPS, Case <- proplists:get_value(Group, Groups)],
    false = code:is_loaded(crypto),
    ok = application:stop(signal_port),
    io:format("~s, OTP ~s: the backend is the port, and crypto is not loaded~n",
              [Architecture, erlang:system_info(otp_release)]).

run(Case) ->
    {Time, _} = timer:tc(signal_port_SUITE, Case, [[]]),
    io:format("~-48s ok ~6b ms~n", [Case, Time div 1000]).

load(File) ->
    {ok, Module, Beam} = compile:file(File, [binary]),
    {module, Module} = code:load_binary(Module, File, Beam).
