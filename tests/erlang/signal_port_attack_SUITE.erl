%% What a peer may send: mutated sessions, messages, bundles, keys and signatures, through the door to a true worker. Each is
%% answered by an atom of the contract or well, or is badarg; no worker ends of it, and no atom is made. MUTATIONS in the
%% environment says how many; make it 100000 where there is time.
-module(signal_port_attack_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MUTATIONS, 10_000).
-define(AT_ONCE, 250).        % calls of one batch
-define(NAMES, 512).          % atoms that a worker makes up; the VM may make a few of its own meanwhile
-define(SLACK, 64).

all() ->
    [mutations_are_refused_or_read, mutated_types_are_badarg, a_mutated_message_changes_nothing,
     a_worker_makes_no_atom, a_peer_makes_no_atom].

init_per_suite(Config) ->
    Seed = erlang:unique_integer([positive]),
    ct:log("seed ~p", [Seed]),
    _ = rand:seed(exsss, Seed),
    [{seed, rand:export_seed()} | Config].

end_per_suite(_) ->
    ok.

init_per_testcase(_, Config) ->
    _ = rand:seed(proplists:get_value(seed, Config)),
    Config.

end_per_testcase(_, _) ->
    signal_port_stage:stop().

count() ->
    list_to_integer(os:getenv("MUTATIONS", integer_to_list(?MUTATIONS))).

mutations_are_refused_or_read(_) ->
    start(),
    Sound = list_to_tuple(sound()),
    Count = count(),
    {Refused, Read} = attack(Count, Sound, {0, 0}),
    true = Refused > Count div 4,  % or the mutations would be none
    0 = signal_port_stage:restarts(),
    ok = signal_port_parties:conversation(),
    {comment, lists:flatten(io_lib:format("~b refused, ~b read", [Refused, Read]))}.

attack(Left, _Sound, Seen) when Left =< 0 ->
    Seen;
attack(Left, Sound, Seen) ->
    Calls = [mutated(element(rand:uniform(tuple_size(Sound)), Sound)) || _ <- lists:seq(1, min(Left, ?AT_ONCE))],
    Answers = signal_port:batch(Calls),
    attack(Left - ?AT_ONCE, Sound, lists:foldl(fun judge/2, Seen, lists:zip(Calls, Answers))).

judge({{Operation, Args}, Answer}, {Refused, Read}) ->
    case is_contract(Answer) of
        refused -> {Refused + 1, Read};
        read -> {Refused, Read + 1};
        false -> error({no_contract, Operation, Args, Answer})
    end.

is_contract({error, Atom}) -> lists:member(Atom, atoms()) andalso refused;
is_contract(invalid_signature) -> refused;
is_contract(ok) -> read;
is_contract(Answer) when element(1, Answer) =:= ok -> read;
is_contract(_) -> false.

%% The atoms of the NIF, as the door's documentation has them; the bridge's own would be a loss here.
atoms() ->
    [invalid_private_key, invalid_public_key, invalid_signature, invalid_secret_key_size, invalid_public_key_size,
     conversion_failed, invalid_parameters, decryption_failed, signing_failed, signature_failed,
     invalid_identity_key_size, invalid_local_identity_key_size, invalid_bundle_size, signature_verification_failed,
     identity_pub_conversion_failed, dh1_calculation_failed, dh2_calculation_failed, dh3_calculation_failed,
     dh4_calculation_failed, invalid_identity_priv_size, invalid_signed_pre_key_priv_size,
     invalid_one_time_pre_key_priv_size, invalid_remote_identity_pub_size, invalid_remote_ephemeral_pub_size,
     invalid_shared_secret_size, invalid_identity_pub_size, invalid_self_priv_size, dh_failed, dh_ratchet_failed,
     invalid_session_size, invalid_session, session_not_initialized, must_receive_first, message_too_short,
     unsupported_version, malformed_message, bad_mac, too_many_skipped, invalid_key_sizes, key_agreement_failed,
     invalid_message, invalid_length].

%% Calls that are answered well, to be spoilt.
sound() ->
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, Alice1}} = signal_port:encrypt(Alice, <<"a message">>),
    {ok, {Late, _}} = signal_port:encrypt(Alice1, <<"a later one">>),
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    {ok, {Public2, Secret2}} = signal_port:generate_identity_key_pair(),
    {ok, {1, Signed, SignedPrivate, Signature}} = signal_port:generate_signed_pre_key(Secret2, 1),
    {ok, {2, OneTime, OneTimePrivate}} = signal_port:generate_pre_key(2),
    Bundle = <<Public2/binary, Signed/binary, Signature/binary, OneTime/binary>>,
    {ok, {Shared, Base}} = signal_port:process_pre_key_bundle(Secret, Bundle),
    {ok, {Wrapped, _}} = signal_port:dr_encrypt_prekey(Alice, <<"a message">>, {1, 2, 3, Base}),
    {ok, {Curve, CurvePrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, Static} = signal_port:create_session(CurvePrivate, Curve),
    {ok, Sealed} = signal_port:encrypt_message(Static, <<"a message">>),
    Iv = rand:bytes(12),
    {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(CurvePrivate, Iv, <<"a message">>, <<"more">>, 16),
    Calls = [{decrypt, [Bob, Wire]}, {decrypt, [Bob, Late]}, {encrypt, [Alice, <<"a message">>]},
             {dr_encrypt_prekey, [Alice, <<"a message">>, {1, 2, 3, Base}]}, {pksm_decode, [Wrapped]},
             {process_pre_key_bundle, [Secret, Bundle]},
             {process_pre_key_bundle_bob, [Secret2, SignedPrivate, OneTimePrivate, Public, Base]},
             {dr_init, [Shared, Public, Public2, Secret, 1]}, {dr_init, [Shared, Public2, Public, Secret2, 0]},
             {sign_data, [Secret, <<"a message">>]}, {verify_signature, [Public2, Signed, Signature]},
             {generate_signed_pre_key, [Secret, 1]},
             {ed25519_sk_to_curve25519, [Secret]}, {ed25519_pk_to_curve25519, [Public]}, {x25519, [CurvePrivate, Curve]},
             {aes_gcm_decrypt, [CurvePrivate, Iv, Ciphertext, <<"more">>, Tag, 9]},
             {decrypt_message, [Static, Sealed]}, {create_session, [CurvePrivate, Curve]},
             {hkdf_sha256, [Secret, <<>>, <<"info">>, 42]}],
    [read = is_contract(Answer) || Answer <- signal_port:batch(Calls)],
    %% Those with most to read, more often.
    Calls ++ lists:append(lists:duplicate(5, lists:sublist(Calls, 6))).

%% One argument that is bytes, or two, spoilt; or a number.
mutated({Operation, Args}) ->
    Spoilt = lists:foldl(fun(_, Sofar) ->
        Which = rand:uniform(length(Sofar)),
        {Before, [Arg | After]} = lists:split(Which - 1, Sofar),
        Before ++ [spoilt(Arg) | After]
    end, Args, lists:seq(1, rand:uniform(2))),
    {Operation, Spoilt}.

spoilt(Integer) when is_integer(Integer) ->
    one([0, -1, 1, 16#7FFFFFFF, -16#80000000, rand:uniform(1 bsl 31) - 1]);
spoilt({A, B, C, Base}) ->
    one([{16#FFFFFFFF, B, C, Base}, {A, undefined, C, Base}, {A, B, 0, rand:bytes(32)}]);
spoilt(<<>>) ->
    rand:bytes(rand:uniform(64));
spoilt(Bytes) ->
    At = rand:uniform(byte_size(Bytes)) - 1,
    <<Before:At/binary, Byte, After/binary>> = Bytes,
    case rand:uniform(10) of
        1 -> Before;
        2 -> <<Bytes/binary, (rand:bytes(rand:uniform(40)))/binary>>;
        3 -> After;
        4 -> <<0:(8 * byte_size(Bytes))>>;
        5 -> binary:copy(<<255>>, byte_size(Bytes));
        6 -> <<Before/binary, (rand:bytes(byte_size(After) + 1))/binary>>;
        7 -> <<Before/binary, (one([0, 1, 127, 128, 255])), After/binary>>;
        8 -> <<Before/binary, After/binary>>;
        9 -> <<Before/binary, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, After/binary>>;  % a long varint
        10 -> <<Before/binary, (Byte bxor (1 bsl (rand:uniform(8) - 1))), After/binary>>
    end.

one(List) ->
    lists:nth(rand:uniform(length(List)), List).

%% Terms of any other type, at any place.
mutated_types_are_badarg(_) ->
    start(),
    Before = signal_port_stage:calls(),
    Sound = sound(),
    Calls = signal_port_stage:calls(),
    true = Calls > Before,
    [badarg = try apply(signal_port, Operation, replaced(Args)) catch error:badarg -> badarg end
     || {Operation, Args} <- Sound, _ <- lists:seq(1, 20)],
    Calls = signal_port_stage:calls(),
    0 = signal_port_stage:restarts().

replaced(Args) ->
    Which = rand:uniform(length(Args)),
    {Before, [_ | After]} = lists:split(Which - 1, Args),
    Before ++ [one([undefined, [], "text", [<<"io">>], <<1:3>>, 1.5, {}, {1, 2, 3}, #{}, self(), make_ref(), 1 bsl 64,
                    fun() -> ok end]) | After].

%% The session is a value, and what is refused leaves no trace in the worker either.
a_mutated_message_changes_nothing(_) ->
    start(),
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"true">>),
    Answers = signal_port:batch([{decrypt, [Bob, spoilt(Wire)]} || _ <- lists:seq(1, count() div 20)]),
    [] = [Answer || Answer <- Answers, is_contract(Answer) =/= refused, Answer =/= {ok, <<"true">>}, not is_true(Answer)],
    {ok, {<<"true">>, _}} = signal_port:decrypt(Bob, Wire),
    0 = signal_port_stage:restarts().

%% A byte replaced by itself is no mutation.
is_true({ok, {<<"true">>, _}}) -> true;
is_true(_) -> false.

%% --- Atoms ---

a_worker_makes_no_atom(_) ->
    ok = signal_port_stage:start_with("makes_up_atoms.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:init(),
    Before = erlang:system_info(atom_count),
    [{error, unavailable} = signal_port:init() || _ <- lists:seq(1, ?NAMES div 48)],  % three starts a call, 15 names a start
    true = signal_port_stage:restarts() >= ?NAMES div 16 - 3,
    Made = atoms_made(Before),
    {true, Made} = {Made < ?SLACK, Made},
    #{versions := Versions} = signal_port:info(),
    [] = maps:keys(Versions).

a_peer_makes_no_atom(_) ->
    start(),
    Sound = list_to_tuple(sound()),
    _ = attack(?AT_ONCE, Sound, {0, 0}),
    Before = erlang:system_info(atom_count),
    _ = attack(2000, Sound, {0, 0}),
    Made = atoms_made(Before),
    {true, Made} = {Made < ?SLACK, Made},
    ok.

atoms_made(Before) ->
    erlang:system_info(atom_count) - Before.

start() ->
    ok = signal_port_stage:start([{pool_size, 2}]).
