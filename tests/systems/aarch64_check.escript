#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The Erlang side on ARM64, where there may be no Common Test: tests/aarch64.sh runs it there. The cases are the suite's own.
-mode(compile).

main([]) ->
    "aarch64" ++ _ = Architecture = erlang:system_info(system_architecture),
    Root = filename:dirname(filename:dirname(filename:absname(escript:script_name()))),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    [load(filename:join([Root, "tests/erlang", Module]))
     || Module <- ["signal_port_vectors", "signal_port_stage", "signal_port_parties", "signal_port_SUITE"]],
    ok = application:start(signal_port),
    #{backend := port} = signal_port:info(),
    {ok, _, _} = signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, <<"Hello">>, <<>>, 16),
    [run(Case) || Case <- [answers_as_the_nif_did, follows_up_what_it_encrypted, knows_x25519, knows_ed25519, knows_hkdf,
                           knows_hmac, knows_sha, knows_aes_gcm, holds_a_conversation, static_session_round_trip]],
    false = code:is_loaded(crypto),
    ok = application:stop(signal_port),
    io:format("~s, OTP ~s: the backend is the port, and crypto was not loaded~n",
              [Architecture, erlang:system_info(otp_release)]).

run(Case) ->
    {Time, _} = timer:tc(signal_port_SUITE, Case, [[]]),
    io:format("~-32s ok ~6b ms~n", [Case, Time div 1000]).

load(File) ->
    {ok, Module, Beam} = compile:file(File, [binary]),
    {module, Module} = code:load_binary(Module, File, Beam).
