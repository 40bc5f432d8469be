%% The drop-in: the NIF's own names, each with the NIF's own answers, and no NIF.
-module(signal_port_drop_in_SUITE).
-compile([export_all, nowarn_export_all]).

-define(APPLICATION, libsignal_protocol_nif).
-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(CALLERS, 20).

all() ->
    [exports_what_the_nif_exports, answers_as_the_nif_did, wrong_type_is_badarg, answers_the_test_functions_of_0_2,
     every_function_is_that_of_the_door, starts_the_application_on_first_use, starts_it_for_callers_who_come_at_once,
     takes_the_application_as_it_runs, starts_it_again_after_a_stop, is_unavailable_where_it_cannot_start,
     does_not_try_each_time_to_start_it,
     leaves_the_backend_at_port, is_release_0_3_0, depends_on_signal_port, starts_as_an_application,
     loads_no_crypto].

init_per_suite(Config) ->
    signal_port_stage:stop(),
    Path = code:get_path(),
    [{path, Path}, {ebin, build(Config)} | Config].

end_per_suite(Config) ->
    stop(),
    true = code:set_path(proplists:get_value(path, Config)),
    [begin code:purge(Module), code:delete(Module), code:purge(Module) end || Module <- ?MODULES],
    ok.

init_per_testcase(_, Config) ->
    stop(),
    ok = application:load(signal_port),
    ok = application:set_env(signal_port, pool_size, 1),
    Config.

end_per_testcase(_, _) ->
    stop().

stop() ->
    _ = application:stop(?APPLICATION),
    _ = application:unload(?APPLICATION),
    signal_port_stage:stop().

%% @doc Compiles the drop-in and puts it first on the code path; gives its folder.
build(Config) ->
    Source = signal_port_stage:root("erlang/drop_in/libsignal_protocol_nif/src"),
    Ebin = filename:join([proplists:get_value(priv_dir, Config), "drop_in", "ebin"]),
    ok = filelib:ensure_path(Ebin),
    [{ok, Module} = compile:file(filename:join(Source, Module), [{outdir, Ebin}, report]) || Module <- ?MODULES],
    {ok, _} = file:copy(filename:join(Source, "libsignal_protocol_nif.app.src"),
                        filename:join(Ebin, "libsignal_protocol_nif.app")),
    true = code:add_patha(Ebin),
    Ebin.

%% --- Its interface ---

exports_what_the_nif_exports(_) ->
    [{Module, Missing, Excess} = {Module, [], []}
     || {Module, Documented} <- documented(), Exported <- [exported(Module)],
        Missing <- [Documented -- Exported], Excess <- [Exported -- Documented]].

documented() ->
    [{libsignal_protocol_nif,
      [{init, 0}, {generate_identity_key_pair, 0}, {generate_pre_key, 1}, {generate_signed_pre_key, 2},
       {process_pre_key_bundle, 2}, {process_pre_key_bundle_bob, 5}, {dr_init, 5}, {dr_encrypt, 2},
       {dr_encrypt_prekey, 3}, {dr_decrypt, 2}, {pksm_decode, 1}, {create_session, 2}, {encrypt_message, 2},
       {decrypt_message, 2}]},
     {signal_nif,
      [{sha256, 1}, {sha512, 1}, {hmac_sha256, 2}, {generate_curve25519_keypair, 0}, {generate_ed25519_keypair, 0},
       {sign_data, 2}, {verify_signature, 3}, {ed25519_sk_to_curve25519, 1}, {ed25519_pk_to_curve25519, 1},
       {aes_gcm_encrypt, 5}, {aes_gcm_decrypt, 6}, {test_function, 0}, {test_crypto, 0}]}].

exported(Module) ->
    Module:module_info(exports) -- [{module_info, 0}, {module_info, 1}].

%% --- Its answers ---

answers_as_the_nif_did(_) ->
    [] = wrong_answers().

%% @doc The recorded answers that are not given, by their lines. Every recorded call is of a documented name.
wrong_answers() ->
    Recorded = signal_port_vectors:recorded(),
    true = length(Recorded) > 1000,
    [{Line, Op} || #{line := Line, op := Op} = One <- Recorded, not is_as_recorded(One)].

is_as_recorded(#{result := {raise, badarg}} = Recorded) ->
    {raised, badarg} =:= outcome(Recorded);
is_as_recorded(#{result := Result, random := Random} = Recorded) ->
    signal_port_vectors:masked(outcome(Recorded), Random) =:= signal_port_vectors:masked(Result, Random).

outcome(#{op := Op, args := Args}) ->
    try
        apply(documented_in(Op, length(Args)), Op, Args)
    catch
        error:Reason -> {raised, Reason}
    end.

documented_in(Op, Arity) ->
    [Module] = [Module || {Module, Functions} <- documented(), lists:member({Op, Arity}, Functions)],
    Module.

wrong_type_is_badarg(_) ->
    [{Module, Name, {raised, badarg}} = {Module, Name, wrong_call(Module, Name, Arity)}
     || {Module, Functions} <- documented(), {Name, Arity} <- Functions, Arity > 0].

wrong_call(Module, Name, Arity) ->
    try
        apply(Module, Name, lists:duplicate(Arity, wrong))
    catch
        error:Reason -> {raised, Reason}
    end.

answers_the_test_functions_of_0_2(_) ->
    {ok, crypto_ok} = {signal_nif:test_function(), signal_nif:test_crypto()}.

every_function_is_that_of_the_door(_) ->
    Door = signal_port:module_info(exports),
    [] = [Function || {_, Functions} <- documented(), Function <- Functions,
                      Function =/= {test_function, 0}, Function =/= {test_crypto, 0}, not lists:member(Function, Door)].

%% --- The application behind it ---

starts_the_application_on_first_use(_) ->
    undefined = whereis(signal_port_sup),
    is_right(signal_nif:sha256(<<"abc">>)),
    true = is_running().

starts_it_for_callers_who_come_at_once(_) ->
    Answers = signal_port_stage:in_parallel(?CALLERS, fun(_) -> signal_nif:sha256(<<"abc">>) end),
    ?CALLERS = length([is_right(Answer) || Answer <- Answers]).

takes_the_application_as_it_runs(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    OsPids = signal_port_stage:os_pids(),
    is_right(signal_nif:sha256(<<"abc">>)),
    OsPids = signal_port_stage:os_pids().

starts_it_again_after_a_stop(_) ->
    is_right(signal_nif:sha256(<<"abc">>)),
    ok = application:stop(signal_port),
    ok = libsignal_protocol_nif:init().

is_unavailable_where_it_cannot_start(_) ->
    ok = application:set_env(signal_port, python, "/nowhere"),
    {error, unavailable} = signal_nif:sha256(<<"abc">>),
    {error, unavailable} = libsignal_protocol_nif:init().

%% Each try takes a second, and many lines of the log.
does_not_try_each_time_to_start_it(_) ->
    Python = application:get_env(signal_port, python, auto),
    ok = application:set_env(signal_port, python, "/nowhere"),
    {error, unavailable} = libsignal_protocol_nif:init(),
    ok = application:set_env(signal_port, python, Python),
    {error, unavailable} = libsignal_protocol_nif:init(),
    undefined = whereis(signal_port_sup),
    {ok, _} = application:ensure_all_started(signal_port),  % whoever knows that it is mended
    ok = libsignal_protocol_nif:init().

leaves_the_backend_at_port(_) ->
    ok = libsignal_protocol_nif:init(),
    #{backend := port, reason := Reason} = signal_port:info(),
    true = lists:suffix("is the drop-in", Reason) orelse lists:prefix("on a", Reason).  % on ARM64 nobody looks

is_release_0_3_0(_) ->
    ok = application:load(?APPLICATION),
    {ok, "0.3.0"} = application:get_key(?APPLICATION, vsn).

depends_on_signal_port(_) ->
    ok = application:load(?APPLICATION),
    {ok, Applications} = application:get_key(?APPLICATION, applications),
    true = lists:member(signal_port, Applications).

starts_as_an_application(_) ->
    {ok, [signal_port, ?APPLICATION]} = application:ensure_all_started(?APPLICATION),
    ok = libsignal_protocol_nif:init().

is_running() ->
    lists:keymember(signal_port, 1, application:which_applications()).

is_right({ok, Digest}) ->
    <<"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD">> = binary:encode_hex(Digest).

%% --- No NIF ---

%% Distribution could load something, so the VM is talked to over its standard streams.
loads_no_crypto(Config) ->
    Paths = signal_port_stage:paths(?MODULE),
    {ok, Vm, _} = peer:start_link(#{connection => standard_io,
                                    args => ["-pa", proplists:get_value(ebin, Config) | Paths]}),
    try
        [] = peer:call(Vm, ?MODULE, wrong_answers, [], infinity),
        [{Module, false} = {Module, peer:call(Vm, code, is_loaded, [Module])}
         || Module <- [crypto, ssl, public_key, asn1rt_nif]],
        {file, _} = peer:call(Vm, code, is_loaded, [signal_nif]),
        ok = peer:call(Vm, application, stop, [signal_port])
    after
        peer:stop(Vm)
    end.
