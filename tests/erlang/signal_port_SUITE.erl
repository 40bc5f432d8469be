%% The facade with a real worker: what every function returns, and what belongs to the application.
-module(signal_port_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MIB, 1024 * 1024).
-define(MAX_FRAME, 64 * ?MIB + 1024).
-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches

all() ->
    [{group, vectors}, {group, conversation}, {group, errors}, {group, types},
     {group, application}, {group, sizes}].

groups() ->
    [{vectors, [recorded_calls_return_what_the_nif_returned, recorded_encryptions_are_readable,
                x25519_matches_rfc7748, ed25519_matches_rfc8032, hkdf_matches_rfc5869,
                hmac_matches_rfc4231, sha_matches_fips180, aes_gcm_matches_its_vectors]},
     {conversation, [two_parties_hold_a_conversation, short_names_equal_long_names,
                     static_session_is_readable, session_continues_in_any_worker]},
     {errors, [x25519_of_wrong_sizes_is_an_error, x25519_of_zero_secret_is_an_error,
               hkdf_of_wrong_length_is_an_error, hkdf_of_huge_length_is_an_error]},
     {types, [wrong_type_is_badarg, wrong_type_reaches_no_worker,
              wrong_type_without_application_is_badarg, badarg_has_no_argument,
              unknown_function_is_undefined]},
     {application, [info_has_all_fields, info_counts_calls, info_without_application_exits,
                    child_spec_runs_in_own_supervisor, child_spec_with_wrong_option_fails,
                    child_spec_without_python_fails, call_without_application_is_unavailable]},
     {sizes, [message_of_64_mib_is_encrypted, call_of_max_frame_is_answered,
              call_over_max_frame_is_too_large, answer_over_max_frame_is_too_large,
              worker_survives_too_large]}].

init_per_suite(Config) ->
    Config.

end_per_suite(_) ->
    signal_port_stage:stop().

init_per_testcase(_, Config) ->
    case catch signal_port:info() of
        #{} -> ok;
        _ -> ok = signal_port_stage:start([{pool_size, 2}, {max_frame, ?MAX_FRAME},
                                           {call_timeout, ?PATIENT}, {stall_timeout, ?PATIENT}])
    end,
    Config.

%% --- Recorded and published answers ---

recorded_calls_return_what_the_nif_returned(_) ->
    Recorded = signal_port_vectors:recorded(),
    true = length(Recorded) > 1000,
    [] = [{Line, Op} || #{line := Line, op := Op} = One <- Recorded, not is_as_recorded(One)].

is_as_recorded(#{op := Op, args := Args, result := {raise, badarg}}) ->
    {raised, badarg} =:= outcome(Op, Args);
is_as_recorded(#{op := Op, args := Args, result := Result, random := Random}) ->
    signal_port_vectors:masked(outcome(Op, Args), Random)
        =:= signal_port_vectors:masked(Result, Random).

recorded_encryptions_are_readable(_) ->
    Followed = [One || #{follow := _} = One <- signal_port_vectors:recorded()],
    true = length(Followed) > 100,
    [] = [Line || #{line := Line} = One <- Followed, not is_followed(One)].

is_followed(#{op := Op, args := Args,
              follow := #{op := FollowOp, session := Session, plaintext := Plain}}) ->
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

x25519_matches_rfc7748(_) ->
    [{ok, Shared} = signal_port:x25519(Private, Public)
     || #{private := Private, public := Public, shared := Shared} <- known("rfc7748.json")].

ed25519_matches_rfc8032(_) ->
    [begin
         {ok, Signature} = signal_port:sign_data(<<Seed/binary, Public/binary>>, Message),
         ok = signal_port:verify_signature(Public, Message, Signature),
         invalid_signature = signal_port:verify_signature(Public, <<Message/binary, 0>>, Signature)
     end || #{seed := Seed, public := Public, message := Message, signature := Signature}
                <- known("rfc8032.json")].

hkdf_matches_rfc5869(_) ->
    [{ok, Okm} = signal_port:hkdf_sha256(Ikm, Salt, Info, Length)
     || #{ikm := Ikm, salt := Salt, info := Info, length := Length, okm := Okm}
            <- known("rfc5869.json")].

%% One case of the RFC has only the first half of the code.
hmac_matches_rfc4231(_) ->
    [begin
         {ok, Whole} = signal_port:hmac_sha256(Key, Data),
         Mac = binary:part(Whole, 0, byte_size(Mac))
     end || #{key := Key, data := Data, mac := Mac} <- known("rfc4231.json")].

sha_matches_fips180(_) ->
    [begin
         Bytes = binary:copy(Data, Repeat),
         {{ok, Sha256}, {ok, Sha512}} = {signal_port:sha256(Bytes), signal_port:sha512(Bytes)}
     end || #{data := Data, repeat := Repeat, sha256 := Sha256, sha512 := Sha512}
                <- known("fips180.json")].

aes_gcm_matches_its_vectors(_) ->
    [begin
         {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Plain, Aad, 16),
         {ok, Plain} = signal_port:aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, byte_size(Plain))
     end || #{key := Key, iv := Iv, plaintext := Plain, aad := Aad, ciphertext := Ciphertext,
              tag := Tag}
                <- known("aes_gcm.json")].

known(File) ->
    [_ | _] = signal_port_vectors:cases(File).

%% --- Conversations ---

two_parties_hold_a_conversation(_) ->
    ok = signal_port_parties:conversation().

short_names_equal_long_names(_) ->
    {Alice, Bob} = signal_port_parties:sessions(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"short">>),
    {ok, {<<"short">>, _}} = signal_port:dr_decrypt(Bob, Wire),
    {ok, {Wire2, _}} = signal_port:dr_encrypt(Alice, <<"long">>),
    {ok, {<<"long">>, _}} = signal_port:decrypt(Bob, Wire2).

static_session_is_readable(_) ->
    {ok, {AlicePublic, AlicePrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, {BobPublic, BobPrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, Alice} = signal_port:create_session(AlicePrivate, BobPublic),
    {ok, Bob} = signal_port:create_session(BobPrivate, AlicePublic),
    {ok, Message} = signal_port:encrypt_message(Alice, <<"to Bob">>),
    {ok, <<"to Bob">>} = signal_port:decrypt_message(Bob, Message).

%% A session is a value: any worker can do a step, and do it twice.
session_continues_in_any_worker(_) ->
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"again">>),
    [{ok, {<<"again">>, _}} = Answer
     || Answer <- signal_port_stage:in_parallel(8, fun(_) -> signal_port:decrypt(Bob, Wire) end)].

%% --- Errors of operations that no NIF has ---

x25519_of_wrong_sizes_is_an_error(_) ->
    [{error, invalid_key_sizes} = signal_port:x25519(<<7:(8 * Private)>>, <<9:(8 * Public)>>)
     || {Private, Public} <- [{0, 32}, {31, 32}, {33, 32}, {32, 0}, {32, 31}, {32, 33}, {64, 64}]].

x25519_of_zero_secret_is_an_error(_) ->
    {error, key_agreement_failed} = signal_port:x25519(binary:copy(<<7>>, 32), <<0:256>>).

hkdf_of_wrong_length_is_an_error(_) ->
    [{error, invalid_length} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, Length)
     || Length <- [-1, 8161, 16#7FFFFFFF, -16#80000000]].

hkdf_of_huge_length_is_an_error(_) ->
    [{error, invalid_length} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, Length)
     || Length <- [1 bsl 31, 1 bsl 32, (1 bsl 32) + 42, 1 bsl 64, 1 bsl 500, -(1 bsl 31) - 1,
                   -(1 bsl 500)]].

%% --- Wrong types ---

wrong_type_is_badarg(_) ->
    [] = [{Op, Args, Outcome} || {Op, Args} <- wrong_calls(), Outcome <- [outcome(Op, Args)],
                                 Outcome =/= {raised, badarg}].

wrong_type_reaches_no_worker(_) ->
    Before = {signal_port_stage:calls(), signal_port_stage:os_pids()},
    [outcome(Op, Args) || {Op, Args} <- wrong_calls()],
    Before = {signal_port_stage:calls(), signal_port_stage:os_pids()}.

wrong_type_without_application_is_badarg(_) ->
    signal_port_stage:stop(),
    [{raised, badarg} = outcome(Op, Args) || {Op, Args} <- wrong_calls()].

badarg_has_no_argument(_) ->
    [] = [{Op, Args, Call} || {Op, Args} <- wrong_calls(),
                              {_, _, Arity, _} = Call <- trace(Op, Args), not is_integer(Arity)].

unknown_function_is_undefined(_) ->
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

%% Calls of every function with one argument of a wrong type.
wrong_calls() ->
    [{Op, replaced(Index, Wrong, Args)}
     || {Op, Types} <- operations(), Args <- [[right(Type) || Type <- Types]],
        {Index, Type} <- lists:enumerate(Types), Wrong <- wrong(Type)].

replaced(Index, New, Args) ->
    {Before, [_ | After]} = lists:split(Index - 1, Args),
    Before ++ [New | After].

operations() ->
    Operations = [{Name, Types} || {Name, Types, _} <- signal_port_operations:all()],
    Short = [{encrypt, dr_encrypt}, {decrypt, dr_decrypt}],
    Operations ++ [{Name, proplists:get_value(Long, Operations)} || {Name, Long} <- Short].

right(binary) -> <<7:256>>;
right(pre_key_info) -> {1, undefined, 3, <<9:256>>};
right(_) -> 16.

wrong(binary) ->
    [undefined, 'an atom', [], "a list", [<<"iodata">>], <<1:7>>, <<7:256, 1:1>>, 7, 1.5, {<<>>},
     #{}, self()];
wrong(int32) ->
    [1 bsl 31, -(1 bsl 31) - 1, 1 bsl 64, 1 bsl 500 | wrong(integer)];
wrong(integer) ->
    [undefined, [], "1", <<1>>, 1.0, {1}, #{}, self()];
wrong(pre_key_info) ->
    Right = {1, undefined, 3, <<9:256>>},
    [undefined, [1, undefined, 3, <<9:256>>], <<>>, {}, {1, undefined, 3},
     {1, undefined, 3, <<9:256>>, 5}]
        ++ [setelement(Index, Right, Wrong)
            || {Index, Values} <- [{1, [undefined | wrong_ids()]}, {2, [null | wrong_ids()]},
                                   {3, [undefined | wrong_ids()]},
                                   {4, [undefined, <<>>, <<9:248>>, <<9:264>>, <<9:255>>, "key"]}],
               Wrong <- Values].

wrong_ids() ->
    [-1, 1 bsl 32, 1 bsl 64, 1.0, <<1>>, "1", {1}].

%% --- The application ---

info_has_all_fields(_) ->
    #{backend := port, versions := Versions, workers := [_, _] = Workers} = signal_port:info(),
    [First | _] = [Worker || #{state := ready} = Worker <- Workers],
    [cryptography, executable, openssl, python, signal_port] = lists:sort(maps:keys(Versions)),
    true = lists:all(fun is_binary/1, maps:values(Versions)),
    [calls, in_flight, last_reason, os_pid, queued, restarts, sandbox, state, versions] =
        lists:sort(maps:keys(First)),
    #{os_pid := OsPid, in_flight := 0, restarts := 0, last_reason := undefined} = First,
    true = signal_port_stage:is_alive(OsPid).

info_counts_calls(_) ->
    Before = signal_port_stage:calls(),
    [ok = signal_port:init() || _ <- lists:seq(1, 10)],
    10 = signal_port_stage:calls() - Before.

info_without_application_exits(_) ->
    signal_port_stage:stop(),
    try signal_port:info() of
        Info -> error({returned, Info})
    catch
        exit:{noproc, _} -> ok
    end.

child_spec_runs_in_own_supervisor(_) ->
    signal_port_stage:stop(),
    {ok, Supervisor} = supervised([{pool_size, 1}]),
    ok = signal_port_parties:conversation(),
    OsPids = signal_port_stage:os_pids(),
    ok = supervisor:terminate_child(Supervisor, signal_port),
    signal_port_stage:until_gone(OsPids),
    end_supervisor(Supervisor).

child_spec_with_wrong_option_fails(_) ->
    signal_port_stage:stop(),
    process_flag(trap_exit, true),
    {error, {shutdown, {failed_to_start_child, signal_port, Sentence}}} =
        supervised([{pool_sise, 1}]),
    "signal_port has no option pool_sise;" ++ _ = Sentence.

child_spec_without_python_fails(_) ->
    signal_port_stage:stop(),
    {error, {shutdown, {failed_to_start_child, signal_port, Sentence}}} =
        supervised([{python, "no-python-has-this-name"}]),
    "no Python was found: " ++ _ = Sentence,
    undefined = whereis(signal_port_sup).

supervised(Options) ->
    process_flag(trap_exit, true),
    supervisor:start_link(?MODULE, [signal_port:child_spec(Options)]).

end_supervisor(Supervisor) ->
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end.

%% The callback of the test's supervisor.
init(Children) ->
    {ok, {#{strategy => one_for_one}, Children}}.

%% --- Sizes ---

message_of_64_mib_is_encrypted(_) ->
    {Key, Iv, Plain} = {<<1:256>>, <<2:96>>, binary:copy(<<"0123456789abcdef">>, 4 * ?MIB)},
    {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Plain, <<>>, 16),
    {ok, Plain} = signal_port:aes_gcm_decrypt(Key, Iv, Ciphertext, <<>>, Tag, 64 * ?MIB),
    ok.  % the return value of a test goes to its log

%% The frame has 20 bytes around the data, 7 of them the tag. The limit is both sides' own.
call_of_max_frame_is_answered(_) ->
    Restarts = signal_port_stage:restarts(),
    {ok, <<_:256>>} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME - 20)),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME - 19)),
    Restarts = signal_port_stage:restarts().

call_over_max_frame_is_too_large(_) ->
    Before = signal_port_stage:calls(),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME)),
    Before = signal_port_stage:calls().

%% The encrypted message is longer than its plaintext: the call fits a frame, the answer does not.
answer_over_max_frame_is_too_large(_) ->
    {Alice, _} = signal_port_parties:sessions(),
    {error, too_large} = signal_port:encrypt(Alice, binary:copy(<<0>>, ?MAX_FRAME - 7740 - 40)).

worker_survives_too_large(_) ->
    OsPids = signal_port_stage:os_pids(),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, ?MAX_FRAME)),
    ok = signal_port:init(),
    OsPids = signal_port_stage:os_pids().

call_without_application_is_unavailable(_) ->
    signal_port_stage:stop(),
    {error, unavailable} = signal_port:sha256(<<"nobody there">>).
