#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The Erlang side on ARM64, where Common Test might be missing: aarch64_test.sh runs it there. The
%% cases are those of signal_port_SUITE.
-mode(compile).

main([]) ->
    "aarch64" ++ _ = Architecture = erlang:system_info(system_architecture),
    Root = filename:join([filename:dirname(filename:absname(escript:script_name())), "..", ".."]),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    [load(filename:join([Root, "tests/erlang", Module]))
     || Module <- ["signal_port_vectors", "signal_port_stage", "signal_port_parties",
                   "signal_port_SUITE"]],
    ok = application:start(signal_port),
    #{backend := port} = signal_port:info(),
    {ok, _, _} = signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, <<"Hello">>, <<>>, 16),
    [run(Case)
     || Case <- [recorded_calls_return_what_the_nif_returned, recorded_encryptions_are_readable,
                 x25519_matches_rfc7748, ed25519_matches_rfc8032, hkdf_matches_rfc5869,
                 hmac_matches_rfc4231, sha_matches_fips180, aes_gcm_matches_its_vectors,
                 two_parties_hold_a_conversation, static_session_is_readable]],
    false = code:is_loaded(crypto),
    ok = application:stop(signal_port),
    io:format("~s, OTP ~s: the backend is the port, and crypto was not loaded~n",
              [Architecture, erlang:system_info(otp_release)]).

run(Case) ->
    {Time, _} = timer:tc(signal_port_SUITE, Case, [[]]),
    io:format("~-44s ok ~6b ms~n", [Case, Time div 1000]).

load(File) ->
    {ok, Module, Beam} = compile:file(File, [binary]),
    {module, Module} = code:load_binary(Module, File, Beam).
