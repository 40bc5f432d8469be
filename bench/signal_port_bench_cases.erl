%% What is measured: every operation, with the sizes that matter to it and the states in which it costs another amount.
-module(signal_port_bench_cases).

-export([all/1, find/2]).
-export_type([spec/0]).

-type spec() :: #{name := binary(), operation := atom(), size := non_neg_integer() | null,
                  args := fun(() -> [term()]),
                  fresh := boolean()}.  % the arguments are new for each call, and made before it is timed

-define(DEFAULT_SIZE, 64).

%% @doc All cases, with these sizes in bytes. The application must be running.
-spec all([non_neg_integer()]) -> [spec()].
all(Sizes) ->
    Alice = identity(),
    Bob = identity(),
    {Bundle, SignedPrivate, OneTimePrivate} = bundle(Bob),
    #{public := AlicePublic, secret := AliceSecret} = Alice,
    #{public := BobPublic, secret := BobSecret} = Bob,
    {ok, {Secret, Ephemeral}} = signal_port:process_pre_key_bundle(AliceSecret, Bundle),
    {ok, AliceFirst} = signal_port:dr_init(Secret, AlicePublic, BobPublic, AliceSecret, 1),
    {ok, BobFirst} = signal_port:dr_init(Secret, BobPublic, AlicePublic, BobSecret, 0),
    {AliceSession, BobSession} = acquainted(AliceFirst, BobFirst),
    PreKeyInfo = {1, 2, 3, Ephemeral},
    {ok, {PreKeyWire, _}} = signal_port:dr_encrypt_prekey(AliceFirst, data(?DEFAULT_SIZE), PreKeyInfo),
    {ok, {CurvePublic, CurvePrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, Static} = signal_port:create_session(CurvePrivate, CurvePublic),
    {Key, Iv} = {data(32), data(12)},
    lists:append([
        [same(init, [])],
        sized(sha256, Sizes, fun(Data) -> [Data] end),
        sized(sha512, Sizes, fun(Data) -> [Data] end),
        sized(hmac_sha256, Sizes, fun(Data) -> [Key, Data] end),
        [same(hkdf_sha256, [Key, <<>>, <<"info">>, 64])],
        sized(aes_gcm_encrypt, Sizes, fun(Data) -> [Key, Iv, Data, <<>>, 16] end),
        sized(aes_gcm_decrypt, Sizes, fun(Data) ->
            {ok, Sealed, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Data, <<>>, 16),
            [Key, Iv, Sealed, <<>>, Tag, byte_size(Sealed)]
        end),
        [same(generate_curve25519_keypair, []), same(x25519, [CurvePrivate, CurvePublic])],
        [same(generate_ed25519_keypair, []), same(generate_identity_key_pair, [])],
        sized(sign_data, Sizes, fun(Data) -> [AliceSecret, Data] end),
        sized(verify_signature, Sizes, fun(Data) ->
            {ok, Signature} = signal_port:sign_data(AliceSecret, Data),
            [AlicePublic, Data, Signature]
        end),
        [same(ed25519_sk_to_curve25519, [AliceSecret])],
        [same(ed25519_pk_to_curve25519, "known identity", [AlicePublic])],
        [fresh(ed25519_pk_to_curve25519, "new identity", fun() -> [maps:get(public, identity())] end)],
        [same(generate_pre_key, [1]), same(generate_signed_pre_key, [AliceSecret, 1])],
        [same(process_pre_key_bundle, "known identity", [AliceSecret, Bundle])],
        [fresh(process_pre_key_bundle, "new identity", fun() -> [AliceSecret, element(1, bundle(identity()))] end)],
        [same(process_pre_key_bundle_bob, "known identity",
              [BobSecret, SignedPrivate, OneTimePrivate, AlicePublic, Ephemeral])],
        [fresh(process_pre_key_bundle_bob, "new identity", fun() ->
            [BobSecret, SignedPrivate, OneTimePrivate, maps:get(public, identity()), Ephemeral]
        end)],
        [same(dr_init, "known identities", [Secret, AlicePublic, BobPublic, AliceSecret, 1])],
        [fresh(dr_init, "new identities", fun() ->
            [Secret, maps:get(public, identity()), maps:get(public, identity()), AliceSecret, 1]
        end)],
        sized(dr_encrypt, Sizes, fun(Data) -> [AliceSession, Data] end),
        [same(dr_encrypt_prekey, [AliceFirst, data(?DEFAULT_SIZE), PreKeyInfo])],
        sized(dr_decrypt, "in the chain", Sizes, fun(Data) ->
            {ok, {Wire, _}} = signal_port:dr_encrypt(AliceSession, Data),
            [BobSession, Wire]
        end),
        [same(dr_decrypt, "ratchet step", turned(AliceSession, BobSession))],
        [same(pksm_decode, [PreKeyWire])],
        [same(create_session, [CurvePrivate, CurvePublic])],
        sized(encrypt_message, Sizes, fun(Data) -> [Static, Data] end),
        sized(decrypt_message, Sizes, fun(Data) ->
            {ok, Message} = signal_port:encrypt_message(Static, Data),
            [Static, Message]
        end)
    ]).

%% @doc The case of that name, in the default size.
-spec find(binary(), [spec()]) -> spec().
find(Name, Cases) ->
    hd([Case || #{name := N, size := Size} = Case <- Cases, N =:= Name, Size =:= null orelse Size =:= ?DEFAULT_SIZE]).

%% --- Cases ---

same(Operation, Args) ->
    #{name => atom_to_binary(Operation), operation => Operation, size => null, args => fun() -> Args end,
      fresh => false}.

same(Operation, Variant, Args) ->
    (same(Operation, Args))#{name := name(Operation, Variant)}.

fresh(Operation, Variant, Make) ->
    (same(Operation, Variant, []))#{args := Make, fresh := true}.

sized(Operation, Sizes, Make) ->
    [(same(Operation, []))#{size := Size, args := fun() -> Make(data(Size)) end} || Size <- Sizes].

sized(Operation, Variant, Sizes, Make) ->
    [Case#{name := name(Operation, Variant)} || Case <- sized(Operation, Sizes, Make)].

name(Operation, Variant) ->
    unicode:characters_to_binary([atom_to_list(Operation), ", ", Variant]).

data(Size) ->
    binary:copy(<<"d">>, Size).

%% --- Parties ---

identity() ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    #{public => Public, secret => Secret}.

bundle(#{public := Public, secret := Secret}) ->
    {ok, {1, SignedPublic, SignedPrivate, Signature}} = signal_port:generate_signed_pre_key(Secret, 1),
    {ok, {2, OneTimePublic, OneTimePrivate}} = signal_port:generate_pre_key(2),
    {<<Public/binary, SignedPublic/binary, Signature/binary, OneTimePublic/binary>>, SignedPrivate, OneTimePrivate}.

%% Sessions in the midst of a conversation: both have sent and received.
acquainted(Alice, Bob) ->
    {Alice1, Bob1} = tell(Alice, Bob),
    {Bob2, Alice2} = tell(Bob1, Alice1),
    tell(Alice2, Bob2).

%% The arguments that decrypt the first message after the other side has answered.
turned(Alice, Bob) ->
    {ok, {Wire, _}} = signal_port:dr_encrypt(Bob, data(?DEFAULT_SIZE)),
    [Alice, Wire].

tell(Sender, Receiver) ->
    {ok, {Wire, Sender1}} = signal_port:dr_encrypt(Sender, <<"hello">>),
    {ok, {<<"hello">>, Receiver1}} = signal_port:dr_decrypt(Receiver, Wire),
    {Sender1, Receiver1}.
