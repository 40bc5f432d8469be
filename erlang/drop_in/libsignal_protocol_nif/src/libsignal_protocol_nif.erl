%% @doc The calls of libsignal_protocol_nif 0.3.0, and the static-key session of 0.1 and 0.2. The
%% application signal_port handles them without a NIF. Callers change nothing. The first call
%% starts that application if it is not running.
-module(libsignal_protocol_nif).

-export([init/0, generate_identity_key_pair/0, generate_pre_key/1, generate_signed_pre_key/2,
         process_pre_key_bundle/2, process_pre_key_bundle_bob/5, dr_init/5, dr_encrypt/2,
         dr_encrypt_prekey/3, dr_decrypt/2, pksm_decode/1, create_session/2, encrypt_message/2,
         decrypt_message/2]).

%% @doc See {@link //signal_port/signal_port:init/0}.
-spec init() -> ok | {error, atom()}.
init() ->
    signal_port_app:ensure_started(),
    signal_port:init().

%% @doc See {@link //signal_port/signal_port:generate_identity_key_pair/0}.
-spec generate_identity_key_pair() ->
    {ok, {Public :: binary(), Secret :: binary()}} | {error, atom()}.
generate_identity_key_pair() ->
    signal_port_app:ensure_started(),
    signal_port:generate_identity_key_pair().

%% @doc See {@link //signal_port/signal_port:generate_pre_key/1}.
-spec generate_pre_key(Id :: integer()) ->
    {ok, {integer(), Public :: binary(), Private :: binary()}} | {error, atom()}.
generate_pre_key(Id) ->
    signal_port_app:ensure_started(),
    signal_port:generate_pre_key(Id).

%% @doc See {@link //signal_port/signal_port:generate_signed_pre_key/2}.
-spec generate_signed_pre_key(IdentitySecret :: binary(), Id :: integer()) ->
    {ok, {integer(), Public :: binary(), Private :: binary(), Signature :: binary()}}
    | {error, atom()}.
generate_signed_pre_key(IdentitySecret, Id) ->
    signal_port_app:ensure_started(),
    signal_port:generate_signed_pre_key(IdentitySecret, Id).

%% @doc See {@link //signal_port/signal_port:process_pre_key_bundle/2}.
-spec process_pre_key_bundle(IdentitySecret :: binary(), Bundle :: binary()) ->
    {ok, {SharedSecret :: binary(), Ephemeral :: binary()}} | {error, atom()}.
process_pre_key_bundle(IdentitySecret, Bundle) ->
    signal_port_app:ensure_started(),
    signal_port:process_pre_key_bundle(IdentitySecret, Bundle).

%% @doc See {@link //signal_port/signal_port:process_pre_key_bundle_bob/5}.
-spec process_pre_key_bundle_bob(IdentitySecret :: binary(), SignedPreKey :: binary(),
                                 OneTimePreKey :: binary(), RemoteIdentity :: binary(),
                                 RemoteEphemeral :: binary()) ->
    {ok, binary()} | {error, atom()}.
process_pre_key_bundle_bob(IdentitySecret, SignedPreKey, OneTimePreKey, RemoteIdentity,
                           RemoteEphemeral) ->
    signal_port_app:ensure_started(),
    signal_port:process_pre_key_bundle_bob(IdentitySecret, SignedPreKey, OneTimePreKey,
                                           RemoteIdentity, RemoteEphemeral).

%% @doc See {@link //signal_port/signal_port:dr_init/5}.
-spec dr_init(SharedSecret :: binary(), LocalIdentity :: binary(), RemoteIdentity :: binary(),
              SelfSecret :: binary(), Role :: integer()) ->
    {ok, binary()} | {error, atom()}.
dr_init(SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role) ->
    signal_port_app:ensure_started(),
    signal_port:dr_init(SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role).

%% @doc See {@link //signal_port/signal_port:dr_encrypt/2}.
-spec dr_encrypt(Session :: binary(), Plaintext :: binary()) ->
    {ok, {Message :: binary(), Session :: binary()}} | {error, atom()}.
dr_encrypt(Session, Plaintext) ->
    signal_port_app:ensure_started(),
    signal_port:dr_encrypt(Session, Plaintext).

%% @doc See {@link //signal_port/signal_port:dr_encrypt_prekey/3}.
-spec dr_encrypt_prekey(Session :: binary(), Plaintext :: binary(),
                        PreKeyInfo :: signal_port:pre_key_info()) ->
    {ok, {Message :: binary(), Session :: binary()}} | {error, atom()}.
dr_encrypt_prekey(Session, Plaintext, PreKeyInfo) ->
    signal_port_app:ensure_started(),
    signal_port:dr_encrypt_prekey(Session, Plaintext, PreKeyInfo).

%% @doc See {@link //signal_port/signal_port:dr_decrypt/2}.
-spec dr_decrypt(Session :: binary(), Message :: binary()) ->
    {ok, {Plaintext :: binary(), Session :: binary()}} | {error, atom()}.
dr_decrypt(Session, Message) ->
    signal_port_app:ensure_started(),
    signal_port:dr_decrypt(Session, Message).

%% @doc See {@link //signal_port/signal_port:pksm_decode/1}.
-spec pksm_decode(Message :: binary()) ->
    {ok, {RegistrationId :: non_neg_integer(), BaseKey :: binary(), IdentityKey :: binary(),
          OneTimePreKeyId :: non_neg_integer() | undefined, SignedPreKeyId :: non_neg_integer(),
          Message :: binary()}}
    | {error, atom()}.
pksm_decode(Message) ->
    signal_port_app:ensure_started(),
    signal_port:pksm_decode(Message).

%% @doc See {@link //signal_port/signal_port:create_session/2}.
-spec create_session(Private :: binary(), Public :: binary()) -> {ok, binary()} | {error, atom()}.
create_session(Private, Public) ->
    signal_port_app:ensure_started(),
    signal_port:create_session(Private, Public).

%% @doc See {@link //signal_port/signal_port:encrypt_message/2}.
-spec encrypt_message(Session :: binary(), Plaintext :: binary()) ->
    {ok, binary()} | {error, atom()}.
encrypt_message(Session, Plaintext) ->
    signal_port_app:ensure_started(),
    signal_port:encrypt_message(Session, Plaintext).

%% @doc See {@link //signal_port/signal_port:decrypt_message/2}.
-spec decrypt_message(Session :: binary(), Message :: binary()) -> {ok, binary()} | {error, atom()}.
decrypt_message(Session, Message) ->
    signal_port_app:ensure_started(),
    signal_port:decrypt_message(Session, Message).
