%% The door, with a true worker behind it: every function's answers and errors, and what belongs to the application.
-module(signal_port_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MIB, 1024 * 1024).
-define(MAX_FRAME, 64 * ?MIB + 1024).

all() ->
    [answers_as_the_nif_did, follows_up_what_it_encrypted,
     knows_x25519, knows_ed25519, knows_hkdf, knows_hmac, knows_sha, knows_aes_gcm,
     holds_a_conversation, short_names_are_the_long_ones, static_session_round_trip, continues_from_any_node,
     refuses_unequal_key_sizes, refuses_an_all_zero_secret, refuses_a_length_of_hkdf, keeps_any_integer_as_a_length,
     wrong_type_is_badarg, wrong_type_costs_no_worker, wrong_type_is_badarg_without_the_application,
     badarg_shows_no_argument, unknown_function_of_the_door_is_undefined,
     info_has_its_shape, info_counts_calls, info_exits_without_the_application,
     runs_under_a_supervisor_of_ones_own, a_wrong_option_stops_a_supervisor_of_ones_own,
     takes_a_message_of_64_mib, refuses_a_call_over_a_frame, refuses_an_answer_over_a_frame, lives_on_after_too_large,
     is_unavailable_without_the_application].

init_per_suite(Config) ->
    Config.

end_per_suite(_) ->
    signal_port_stage:stop().

init_per_testcase(_, Config) ->
    case catch signal_port:info() of
        #{} -> ok;
        _ -> ok = signal_port_stage:start([{pool_size, 2}, {max_frame, ?MAX_FRAME}])
    end,
    Config.

%% --- Recorded and published answers ---

answers_as_the_nif_did(_) ->
    Recorded = signal_port_vectors:recorded(),
    true = length(Recorded) > 1000,
    [] = [{Line, Op} || #{line := Line, op := Op} = One <- Recorded, not is_as_recorded(One)].

is_as_recorded(#{op := Op, args := Args, result := {raise, badarg}}) ->
    {raised, badarg} =:= outcome(Op, Args);
is_as_recorded(#{op := Op, args := Args, result := Result, random := Random}) ->
    signal_port_vectors:masked(outcome(Op, Args), Random) =:= signal_port_vectors:masked(Result, Random).

follows_up_what_it_encrypted(_) ->
    Followed = [One || #{follow := _} = One <- signal_port_vectors:recorded()],
    true = length(Followed) > 100,
    [] = [Line || #{line := Line} = One <- Followed, not is_followed(One)].

is_followed(#{op := Op, args := Args, follow := #{op := FollowOp, session := Session, plaintext := Plain}}) ->
    {ok, {Wire, _}} = apply(signal_port, Op, Args),
    case signal_port:dr_decrypt(Session, inner(FollowOp, Wire)) of
        {ok, {Plain, _}} -> true;
        _ -> false
    end.

inner(<<"dr_decrypt">>, Wire) ->
    Wire;
inner(<<"dr_decrypt_prekey">>, Wire) ->
    {ok, {_, _, _, _, _, Inner}} = signal_port:pksm_decode(Wire),
    Inner.

knows_x25519(_) ->
    [{ok, Shared} = signal_port:x25519(Private, Public)
     || #{private := Private, public := Public, shared := Shared} <- known("rfc7748.json")].

knows_ed25519(_) ->
    [begin
         {ok, Signature} = signal_port:sign_data(<<Seed/binary, Public/binary>>, Message),
         ok = signal_port:verify_signature(Public, Message, Signature),
         invalid_signature = signal_port:verify_signature(Public, <<Message/binary, 0>>, Signature)
     end || #{seed := Seed, public := Public, message := Message, signature := Signature} <- known("rfc8032.json")].

knows_hkdf(_) ->
    [{ok, Okm} = signal_port:hkdf_sha256(Ikm, Salt, Info, Length)
     || #{ikm := Ikm, salt := Salt, info := Info, length := Length, okm := Okm} <- known("rfc5869.json")].

%% One case of the RFC has only the first half of its code.
knows_hmac(_) ->
    [begin
         {ok, Whole} = signal_port:hmac_sha256(Key, Data),
         Mac = binary:part(Whole, 0, byte_size(Mac))
     end || #{key := Key, data := Data, mac := Mac} <- known("rfc4231.json")].

knows_sha(_) ->
    [begin
         Bytes = binary:copy(Data, Repeat),
         {{ok, Sha256}, {ok, Sha512}} = {signal_port:sha256(Bytes), signal_port:sha512(Bytes)}
     end || #{data := Data, repeat := Repeat, sha256 := Sha256, sha512 := Sha512} <- known("fips180.json")].

knows_aes_gcm(_) ->
    [begin
         {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Plain, Aad, 16),
         {ok, Plain} = signal_port:aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, byte_size(Plain))
     end || #{key := Key, iv := Iv, plaintext := Plain, aad := Aad, ciphertext := Ciphertext, tag := Tag}
                <- known("aes_gcm.json")].

known(File) ->
    [_ | _] = signal_port_vectors:cases(File).

%% --- What belongs together ---

holds_a_conversation(_) ->
    ok = signal_port_parties:conversation().

short_names_are_the_long_ones(_) ->
    {Alice, Bob} = signal_port_parties:sessions(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"short">>),
    {ok, {<<"short">>, _}} = signal_port:dr_decrypt(Bob, Wire),
    {ok, {Wire2, _}} = signal_port:dr_encrypt(Alice, <<"long">>),
    {ok, {<<"long">>, _}} = signal_port:decrypt(Bob, Wire2).

static_session_round_trip(_) ->
    {ok, {AlicePublic, AlicePrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, {BobPublic, BobPrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, Alice} = signal_port:create_session(AlicePrivate, BobPublic),
    {ok, Bob} = signal_port:create_session(BobPrivate, AlicePublic),
    {ok, Message} = signal_port:encrypt_message(Alice, <<"to Bob">>),
    {ok, <<"to Bob">>} = signal_port:decrypt_message(Bob, Message).

%% A session is a value: a step from it can be done twice, by any worker.
continues_from_any_node(_) ->
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"again">>),
    [{ok, {<<"again">>, _}} = Answer
     || Answer <- signal_port_stage:in_parallel(8, fun(_) -> signal_port:decrypt(Bob, Wire) end)].

%% --- Errors of what is beside the NIF ---

refuses_unequal_key_sizes(_) ->
    [{error, invalid_key_sizes} = signal_port:x25519(<<7:(8 * Private)>>, <<9:(8 * Public)>>)
     || {Private, Public} <- [{0, 32}, {31, 32}, {33, 32}, {32, 0}, {32, 31}, {32, 33}, {64, 64}]].

refuses_an_all_zero_secret(_) ->
    {error, key_agreement_failed} = signal_port:x25519(binary:copy(<<7>>, 32), <<0:256>>).

refuses_a_length_of_hkdf(_) ->
    [{error, invalid_length} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, Length)
     || Length <- [-1, 8161, 16#7FFFFFFF, -16#80000000]].

keeps_any_integer_as_a_length(_) ->
    [{error, invalid_length} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, Length)
     || Length <- [1 bsl 31, 1 bsl 32, (1 bsl 32) + 42, 1 bsl 64, 1 bsl 500, -(1 bsl 31) - 1, -(1 bsl 500)]].

%% --- Wrong types ---

wrong_type_is_badarg(_) ->
    [] = [{Op, Args, Outcome} || {Op, Args} <- wrong_calls(), Outcome <- [outcome(Op, Args)],
                                 Outcome =/= {raised, badarg}].

wrong_type_costs_no_worker(_) ->
    Before = {signal_port_stage:calls(), signal_port_stage:os_pids()},
    [outcome(Op, Args) || {Op, Args} <- wrong_calls()],
    Before = {signal_port_stage:calls(), signal_port_stage:os_pids()}.

wrong_type_is_badarg_without_the_application(_) ->
    signal_port_stage:stop(),
    [{raised, badarg} = outcome(Op, Args) || {Op, Args} <- wrong_calls()].

badarg_shows_no_argument(_) ->
    [[{Op, Call} || {_, _, Arity, _} = Call <- trace(Op, Args), not is_integer(Arity)] =:= [] orelse error({Op, Args})
     || {Op, Args} <- wrong_calls()].

unknown_function_of_the_door_is_undefined(_) ->
    {raised, undef} = outcome(dr_delete, [<<>>]).

trace(Op, Args) ->
    try apply(signal_port, Op, Args) of
        Answer -> error({answered, Answer})
    catch
        error:badarg:Trace -> Trace
    end.

outcome(Op, Args) ->
    try
        apply(signal_port, Op, Args)
    catch
        error:Reason -> {raised, Reason}
    end.

%% Every function, with one argument at a time of a wrong type.
wrong_calls() ->
    [{Op, replaced(Index, Wrong, Args)}
     || {Op, Types} <- operations(), Args <- [[right(Type) || Type <- Types]],
        {Index, Type} <- lists:zip(lists:seq(1, length(Types)), Types), Wrong <- wrong(Type)].

replaced(Index, New, Args) ->
    {Before, [_ | After]} = lists:split(Index - 1, Args),
    Before ++ [New | After].

operations() ->
    [{sha256, [binary]}, {sha512, [binary]}, {hmac_sha256, [binary, binary]}, {sign_data, [binary, binary]},
     {verify_signature, [binary, binary, binary]}, {ed25519_sk_to_curve25519, [binary]},
     {ed25519_pk_to_curve25519, [binary]}, {aes_gcm_encrypt, [binary, binary, binary, binary, int32]},
     {aes_gcm_decrypt, [binary, binary, binary, binary, binary, int32]},
     {generate_pre_key, [int32]}, {generate_signed_pre_key, [binary, int32]},
     {process_pre_key_bundle, [binary, binary]},
     {process_pre_key_bundle_bob, [binary, binary, binary, binary, binary]},
     {dr_init, [binary, binary, binary, binary, int32]}, {dr_encrypt, [binary, binary]}, {encrypt, [binary, binary]},
     {dr_encrypt_prekey, [binary, binary, info]}, {dr_decrypt, [binary, binary]}, {decrypt, [binary, binary]},
     {pksm_decode, [binary]}, {create_session, [binary, binary]}, {encrypt_message, [binary, binary]},
     {decrypt_message, [binary, binary]}, {x25519, [binary, binary]},
     {hkdf_sha256, [binary, binary, binary, integer]}].

right(binary) -> <<7:256>>;
right(info) -> {1, undefined, 3, <<9:256>>};
right(_) -> 16.

wrong(binary) ->
    [undefined, 'an atom', [], "a list", [<<"iodata">>], <<1:7>>, <<7:256, 1:1>>, 7, 1.5, {<<>>}, #{}, self()];
wrong(int32) ->
    [1 bsl 31, -(1 bsl 31) - 1, 1 bsl 64, 1 bsl 500 | wrong(integer)];
wrong(integer) ->
    [undefined, [], "1", <<1>>, 1.0, {1}, #{}, self()];
wrong(info) ->
    Right = {1, undefined, 3, <<9:256>>},
    [undefined, [1, undefined, 3, <<9:256>>], <<>>, {}, {1, undefined, 3}, {1, undefined, 3, <<9:256>>, 5}]
        ++ [setelement(Index, Right, Wrong)
            || {Index, Values} <- [{1, [undefined | wrong_ids()]}, {2, [null | wrong_ids()]},
                                   {3, [undefined | wrong_ids()]},
                                   {4, [undefined, <<>>, <<9:248>>, <<9:264>>, <<9:255>>, "key"]}],
               Wrong <- Values].

wrong_ids() ->
    [-1, 1 bsl 32, 1 bsl 64, 1.0, <<1>>, "1", {1}].

%% --- The application itself ---

info_has_its_shape(_) ->
    #{backend := port, versions := Versions, workers := [_, _] = Workers} = signal_port:info(),
    [First | _] = [Worker || #{state := ready} = Worker <- Workers],
    [cryptography, openssl, python, signal_port] = lists:sort(maps:keys(Versions)),
    true = lists:all(fun is_binary/1, maps:values(Versions)),
    [calls, in_flight, last_reason, os_pid, restarts, state] = lists:sort(maps:keys(First)),
    #{os_pid := OsPid, in_flight := 0, restarts := 0, last_reason := undefined} = First,
    true = signal_port_stage:is_alive(OsPid).

info_counts_calls(_) ->
    Before = signal_port_stage:calls(),
    [ok = signal_port:init() || _ <- lists:seq(1, 10)],
    10 = signal_port_stage:calls() - Before.

info_exits_without_the_application(_) ->
    signal_port_stage:stop(),
    try signal_port:info() of
        Info -> error({told, Info})
    catch
        exit:{noproc, _} -> ok
    end.

runs_under_a_supervisor_of_ones_own(_) ->
    signal_port_stage:stop(),
    {ok, Supervisor} = supervised([{pool_size, 1}]),
    ok = signal_port_parties:conversation(),
    OsPids = signal_port_stage:os_pids(),
    ok = supervisor:terminate_child(Supervisor, signal_port),
    signal_port_stage:until_gone(OsPids),
    end_supervisor(Supervisor).

a_wrong_option_stops_a_supervisor_of_ones_own(_) ->
    signal_port_stage:stop(),
    process_flag(trap_exit, true),
    {error, {shutdown, {failed_to_start_child, signal_port, Sentence}}} = supervised([{pool_sise, 1}]),
    "signal_port has no option pool_sise;" ++ _ = Sentence.

supervised(Options) ->
    process_flag(trap_exit, true),
    supervisor:start_link(?MODULE, [signal_port:child_spec(Options)]).

end_supervisor(Supervisor) ->
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end.

%% The callback of the supervisor above.
init(Children) ->
    {ok, {#{strategy => one_for_one}, Children}}.

%% --- Sizes ---

takes_a_message_of_64_mib(_) ->
    {Key, Iv, Plain} = {<<1:256>>, <<2:96>>, binary:copy(<<"0123456789abcdef">>, 4 * ?MIB)},
    {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Plain, <<>>, 16),
    {ok, Plain} = signal_port:aes_gcm_decrypt(Key, Iv, Ciphertext, <<>>, Tag, 64 * ?MIB),
    ok. % what a test returns is written to its log

refuses_a_call_over_a_frame(_) ->
    Before = signal_port_stage:calls(),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME)),
    Before = signal_port_stage:calls().

%% The wire message is longer than the plaintext, so the call fits a frame that its answer does not.
refuses_an_answer_over_a_frame(_) ->
    {Alice, _} = signal_port_parties:sessions(),
    {error, too_large} = signal_port:encrypt(Alice, binary:copy(<<0>>, ?MAX_FRAME - 7740 - 40)).

lives_on_after_too_large(_) ->
    OsPids = signal_port_stage:os_pids(),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME)),
    ok = signal_port:init(),
    OsPids = signal_port_stage:os_pids().

is_unavailable_without_the_application(_) ->
    signal_port_stage:stop(),
    {error, unavailable} = signal_port:sha256(<<"nobody there">>).
