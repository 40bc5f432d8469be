%% The drop-in: the names and the answers of the NIF, without a NIF.
-module(signal_port_drop_in_SUITE).
-compile([export_all, nowarn_export_all]).

-define(APPLICATION, libsignal_protocol_nif).
-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(TEST_FUNCTIONS, [{test_function, 0}, {test_crypto, 0}]).
-define(CALLERS, 20).

all() ->
    [{group, interface}, {group, start}, {group, release}].

groups() ->
    [{interface, [exports_equal_those_of_the_nif, recorded_calls_return_what_the_nif_returned,
                  wrong_type_is_badarg, test_functions_of_0_2_are_kept,
                  every_function_is_in_the_facade]},
     {start, [first_call_starts_the_application, concurrent_first_calls_are_answered,
              running_application_is_used, call_after_stop_starts_again,
              failed_start_is_unavailable, failed_start_is_not_retried_at_once,
              backend_stays_port, drop_in_starts_as_an_application]},
     {release, [release_is_0_3_0, drop_in_depends_on_signal_port, drop_in_loads_no_crypto]}].

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

%% @doc Compiles the drop-in, puts it first on the code path, and returns its folder.
build(Config) ->
    Source = signal_port_stage:root("erlang/drop_in/libsignal_protocol_nif/src"),
    Ebin = filename:join([proplists:get_value(priv_dir, Config), "drop_in", "ebin"]),
    ok = filelib:ensure_path(Ebin),
    [{ok, Module} = compile:file(filename:join(Source, Module), [{outdir, Ebin}, report])
     || Module <- ?MODULES],
    {ok, _} = file:copy(filename:join(Source, "libsignal_protocol_nif.app.src"),
                        filename:join(Ebin, "libsignal_protocol_nif.app")),
    true = code:add_patha(Ebin),
    Ebin.

%% --- The interface ---

exports_equal_those_of_the_nif(_) ->
    [{Module, Functions} = {Module, exported(Module)} || {Module, Functions} <- functions()].

%% The operations of the NIF, and the two functions of release 0.2 that are no operations.
functions() ->
    Operations = signal_port_operations:nif(),
    Primitives = ?TEST_FUNCTIONS ++ proplists:get_value(signal_nif, Operations),
    lists:keystore(signal_nif, 1, Operations, {signal_nif, lists:sort(Primitives)}).

exported(Module) ->
    lists:sort(Module:module_info(exports) -- [{module_info, 0}, {module_info, 1}]).

%% --- The answers ---

recorded_calls_return_what_the_nif_returned(_) ->
    [] = wrong_answers().

%% @doc Returns the lines of recorded calls that do not return what the NIF returned.
wrong_answers() ->
    Recorded = signal_port_vectors:recorded(),
    true = length(Recorded) > 1000,
    [{Line, Op} || #{line := Line, op := Op} = One <- Recorded, not is_as_recorded(One)].

is_as_recorded(#{result := {raise, badarg}} = Recorded) ->
    {raised, badarg} =:= outcome(Recorded);
is_as_recorded(#{result := Result, random := Random} = Recorded) ->
    signal_port_vectors:masked(outcome(Recorded), Random)
        =:= signal_port_vectors:masked(Result, Random).

outcome(#{module := Module, op := Op, args := Args}) ->
    try
        apply(Module, Op, Args)
    catch
        error:Reason -> {raised, Reason}
    end.

wrong_type_is_badarg(_) ->
    [{Module, Name, {raised, badarg}} = {Module, Name, wrong_call(Module, Name, Arity)}
     || {Module, Functions} <- functions(), {Name, Arity} <- Functions, Arity > 0].

wrong_call(Module, Name, Arity) ->
    try
        apply(Module, Name, lists:duplicate(Arity, wrong))
    catch
        error:Reason -> {raised, Reason}
    end.

test_functions_of_0_2_are_kept(_) ->
    {ok, crypto_ok} = {signal_nif:test_function(), signal_nif:test_crypto()}.

every_function_is_in_the_facade(_) ->
    Facade = signal_port:module_info(exports),
    [] = lists:append([Functions || {_, Functions} <- functions()]) -- (?TEST_FUNCTIONS ++ Facade).

%% --- The application behind it ---

first_call_starts_the_application(_) ->
    undefined = whereis(signal_port_sup),
    is_correct(signal_nif:sha256(<<"abc">>)),
    true = is_running().

concurrent_first_calls_are_answered(_) ->
    Answers = signal_port_stage:in_parallel(?CALLERS, fun(_) -> signal_nif:sha256(<<"abc">>) end),
    ?CALLERS = length([is_correct(Answer) || Answer <- Answers]).

running_application_is_used(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    OsPids = signal_port_stage:os_pids(),
    is_correct(signal_nif:sha256(<<"abc">>)),
    OsPids = signal_port_stage:os_pids().

call_after_stop_starts_again(_) ->
    is_correct(signal_nif:sha256(<<"abc">>)),
    ok = application:stop(signal_port),
    ok = libsignal_protocol_nif:init().

failed_start_is_unavailable(_) ->
    ok = application:set_env(signal_port, python, "/nowhere"),
    {error, unavailable} = signal_nif:sha256(<<"abc">>),
    {error, unavailable} = libsignal_protocol_nif:init().

%% Each try takes about a second and logs many lines.
failed_start_is_not_retried_at_once(_) ->
    Python = application:get_env(signal_port, python, auto),
    ok = application:set_env(signal_port, python, "/nowhere"),
    {error, unavailable} = libsignal_protocol_nif:init(),
    ok = application:set_env(signal_port, python, Python),
    {error, unavailable} = libsignal_protocol_nif:init(),
    undefined = whereis(signal_port_sup),
    {ok, _} = application:ensure_all_started(signal_port),  % the operator has fixed it
    ok = libsignal_protocol_nif:init().

backend_stays_port(_) ->
    ok = libsignal_protocol_nif:init(),
    #{backend := port, reason := Reason} = signal_port:info(),
    OnArm64 = lists:prefix("the port is the default", Reason),
    true = OnArm64 orelse lists:suffix("is the drop-in", Reason).

release_is_0_3_0(_) ->
    ok = application:load(?APPLICATION),
    {ok, "0.3.0"} = application:get_key(?APPLICATION, vsn).

drop_in_depends_on_signal_port(_) ->
    ok = application:load(?APPLICATION),
    {ok, Applications} = application:get_key(?APPLICATION, applications),
    true = lists:member(signal_port, Applications).

drop_in_starts_as_an_application(_) ->
    {ok, [signal_port, ?APPLICATION]} = application:ensure_all_started(?APPLICATION),
    ok = libsignal_protocol_nif:init().

is_running() ->
    lists:keymember(signal_port, 1, application:which_applications()).

is_correct({ok, Digest}) ->
    <<"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD">> =
        binary:encode_hex(Digest).

%% --- No NIF ---

%% Distribution could load something, so the VM is controlled over its standard streams.
drop_in_loads_no_crypto(Config) ->
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
