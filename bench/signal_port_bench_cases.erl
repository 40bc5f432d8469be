%% What is measured: every operation, with the sizes that matter to it and each state that changes
%% its cost. This module makes arguments; it measures nothing and knows no engine but the port.
%%
%% "Known identity": the arguments are the same in every call, and a worker keeps the converted keys
%% of the last 4096 identities (`MAX_CACHED_IDENTITIES' in limits.py). So only a first call converts
%% them. "New identity": each call has an identity that no worker has met. The NIF keeps nothing.
-module(signal_port_bench_cases).

-export([all/1, find/2]).
-export_type([spec/0]).

%% With `fresh' the arguments are new for each call, and are made before the call is timed.
-type spec() :: #{name := binary(), operation := atom(), size := non_neg_integer() | null,
                  args := fun(() -> [term()]), fresh := boolean()}.

-define(DEFAULT_SIZE, 64). % bytes

%% @doc Returns all cases, with these sizes in bytes. The application must be running.
-spec all([non_neg_integer()]) -> [spec()].
all(Sizes) ->
    Alice = identity(),
    Bob = identity(),
    {Bundle, _, _} = PreKeys = bundle(Bob),
    {ok, {Secret, Ephemeral}} =
        signal_port:process_pre_key_bundle(maps:get(secret, Alice), Bundle),
    hashes(Sizes) ++ ciphers(Sizes) ++ curves() ++ signatures(Sizes, Alice)
        ++ x3dh(Alice, Bob, PreKeys, Ephemeral) ++ ratchet(Sizes, Alice, Bob, Secret, Ephemeral)
        ++ static_session(Sizes).

%% @doc Returns the case of that name, in the default size.
-spec find(binary(), [spec()]) -> spec().
find(Name, Cases) ->
    hd([Case || #{name := N, size := Size} = Case <- Cases,
                N =:= Name, Size =:= null orelse Size =:= ?DEFAULT_SIZE]).

%% --- The cases ---

hashes(Sizes) ->
    Key = data(32),
    [same(init, [])]
        ++ sized(sha256, Sizes, fun(Data) -> [Data] end)
        ++ sized(sha512, Sizes, fun(Data) -> [Data] end)
        ++ sized(hmac_sha256, Sizes, fun(Data) -> [Key, Data] end)
        ++ [same(hkdf_sha256, [Key, <<>>, <<"info">>, 64])].

ciphers(Sizes) ->
    {Key, Iv} = {data(32), data(12)},
    sized(aes_gcm_encrypt, Sizes, fun(Data) -> [Key, Iv, Data, <<>>, 16] end)
        ++ sized(aes_gcm_decrypt, Sizes, fun(Data) ->
            {ok, Sealed, Tag} = signal_port:aes_gcm_encrypt(Key, Iv, Data, <<>>, 16),
            [Key, Iv, Sealed, <<>>, Tag, byte_size(Sealed)]
        end).

curves() ->
    {ok, {Public, Private}} = signal_port:generate_curve25519_keypair(),
    [same(generate_curve25519_keypair, []), same(x25519, [Private, Public]),
     same(generate_ed25519_keypair, []), same(generate_identity_key_pair, [])].

signatures(Sizes, #{public := Public, secret := Secret}) ->
    sized(sign_data, Sizes, fun(Data) -> [Secret, Data] end)
        ++ sized(verify_signature, Sizes, fun(Data) ->
            {ok, Signature} = signal_port:sign_data(Secret, Data),
            [Public, Data, Signature]
        end)
        ++ [same(ed25519_sk_to_curve25519, [Secret]),
            same(ed25519_pk_to_curve25519, "known identity", [Public]),
            fresh(ed25519_pk_to_curve25519, "new identity", fun() -> [new_public()] end)].

x3dh(#{public := AlicePublic, secret := AliceSecret}, #{secret := BobSecret},
     {Bundle, SignedPrivate, OneTimePrivate}, Ephemeral) ->
    Respond = fun(Public) -> [BobSecret, SignedPrivate, OneTimePrivate, Public, Ephemeral] end,
    [same(generate_pre_key, [1]),
     same(generate_signed_pre_key, [AliceSecret, 1]),
     same(process_pre_key_bundle, "known identity", [AliceSecret, Bundle]),
     fresh(process_pre_key_bundle, "new identity",
           fun() -> [AliceSecret, element(1, bundle(identity()))] end),
     same(process_pre_key_bundle_bob, "known identity", Respond(AlicePublic)),
     fresh(process_pre_key_bundle_bob, "new identity", fun() -> Respond(new_public()) end)].

ratchet(Sizes, #{public := AlicePublic, secret := AliceSecret},
        #{public := BobPublic, secret := BobSecret}, Secret, Ephemeral) ->
    {ok, AliceFirst} = signal_port:dr_init(Secret, AlicePublic, BobPublic, AliceSecret, 1),
    {ok, BobFirst} = signal_port:dr_init(Secret, BobPublic, AlicePublic, BobSecret, 0),
    {AliceSession, BobSession} = converse(AliceFirst, BobFirst),
    PreKeyInfo = {1, 2, 3, Ephemeral},
    {ok, {PreKeyWire, _}} =
        signal_port:dr_encrypt_prekey(AliceFirst, data(?DEFAULT_SIZE), PreKeyInfo),
    [same(dr_init, "known identities", [Secret, AlicePublic, BobPublic, AliceSecret, 1]),
     fresh(dr_init, "new identities",
           fun() -> [Secret, new_public(), new_public(), AliceSecret, 1] end)]
        ++ sized(dr_encrypt, Sizes, fun(Data) -> [AliceSession, Data] end)
        ++ [same(dr_encrypt_prekey, [AliceFirst, data(?DEFAULT_SIZE), PreKeyInfo])]
        ++ sized(dr_decrypt, "in the chain", Sizes, fun(Data) ->
            {ok, {Wire, _}} = signal_port:dr_encrypt(AliceSession, Data),
            [BobSession, Wire]
        end)
        ++ [same(dr_decrypt, "ratchet step", first_reply(AliceSession, BobSession)),
            same(pksm_decode, [PreKeyWire])].

static_session(Sizes) ->
    {ok, {Public, Private}} = signal_port:generate_curve25519_keypair(),
    {ok, Session} = signal_port:create_session(Private, Public),
    [same(create_session, [Private, Public])]
        ++ sized(encrypt_message, Sizes, fun(Data) -> [Session, Data] end)
        ++ sized(decrypt_message, Sizes, fun(Data) ->
            {ok, Message} = signal_port:encrypt_message(Session, Data),
            [Session, Message]
        end).

%% --- Making a case ---

same(Operation, Args) ->
    #{name => atom_to_binary(Operation), operation => Operation, size => null,
      args => fun() -> Args end, fresh => false}.

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

new_public() ->
    maps:get(public, identity()).

bundle(#{public := Public, secret := Secret}) ->
    {ok, {1, SignedPublic, SignedPrivate, Signature}} =
        signal_port:generate_signed_pre_key(Secret, 1),
    {ok, {2, OneTimePublic, OneTimePrivate}} = signal_port:generate_pre_key(2),
    Bundle = <<Public/binary, SignedPublic/binary, Signature/binary, OneTimePublic/binary>>,
    {Bundle, SignedPrivate, OneTimePrivate}.

%% Sessions in the middle of a conversation: both sides have sent and received.
converse(Alice, Bob) ->
    {Alice1, Bob1} = send(Alice, Bob),
    {Bob2, Alice2} = send(Bob1, Alice1),
    send(Alice2, Bob2).

%% The arguments that decrypt the first message after the other side has replied.
first_reply(Alice, Bob) ->
    {ok, {Wire, _}} = signal_port:dr_encrypt(Bob, data(?DEFAULT_SIZE)),
    [Alice, Wire].

send(Sender, Receiver) ->
    {ok, {Wire, Sender1}} = signal_port:dr_encrypt(Sender, <<"hello">>),
    {ok, {<<"hello">>, Receiver1}} = signal_port:dr_decrypt(Receiver, Wire),
    {Sender1, Receiver1}.
