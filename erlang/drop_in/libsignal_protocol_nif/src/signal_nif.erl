%% @doc The primitives of libsignal_protocol_nif 0.3.0. The application signal_port handles them
%% without a NIF. Callers change nothing. The first call starts that application if it is not
%% running.
-module(signal_nif).

-export([sha256/1, sha512/1, hmac_sha256/2,
         generate_curve25519_keypair/0, generate_ed25519_keypair/0,
         sign_data/2, verify_signature/3, ed25519_sk_to_curve25519/1, ed25519_pk_to_curve25519/1,
         aes_gcm_encrypt/5, aes_gcm_decrypt/6, test_function/0, test_crypto/0]).

%% @doc See {@link //signal_port/signal_port:sha256/1}.
-spec sha256(Data :: binary()) -> {ok, binary()} | {error, atom()}.
sha256(Data) ->
    signal_port_app:ensure_started(),
    signal_port:sha256(Data).

%% @doc See {@link //signal_port/signal_port:sha512/1}.
-spec sha512(Data :: binary()) -> {ok, binary()} | {error, atom()}.
sha512(Data) ->
    signal_port_app:ensure_started(),
    signal_port:sha512(Data).

%% @doc See {@link //signal_port/signal_port:hmac_sha256/2}.
-spec hmac_sha256(Key :: binary(), Data :: binary()) -> {ok, binary()} | {error, atom()}.
hmac_sha256(Key, Data) ->
    signal_port_app:ensure_started(),
    signal_port:hmac_sha256(Key, Data).

%% @doc See {@link //signal_port/signal_port:generate_curve25519_keypair/0}.
-spec generate_curve25519_keypair() ->
    {ok, {Public :: binary(), Private :: binary()}} | {error, atom()}.
generate_curve25519_keypair() ->
    signal_port_app:ensure_started(),
    signal_port:generate_curve25519_keypair().

%% @doc See {@link //signal_port/signal_port:generate_ed25519_keypair/0}.
-spec generate_ed25519_keypair() ->
    {ok, {Public :: binary(), Secret :: binary()}} | {error, atom()}.
generate_ed25519_keypair() ->
    signal_port_app:ensure_started(),
    signal_port:generate_ed25519_keypair().

%% @doc See {@link //signal_port/signal_port:sign_data/2}.
-spec sign_data(SecretKey :: binary(), Message :: binary()) -> {ok, binary()} | {error, atom()}.
sign_data(SecretKey, Message) ->
    signal_port_app:ensure_started(),
    signal_port:sign_data(SecretKey, Message).

%% @doc See {@link //signal_port/signal_port:verify_signature/3}.
-spec verify_signature(Public :: binary(), Message :: binary(), Signature :: binary()) ->
    ok | invalid_signature | {error, atom()}.
verify_signature(Public, Message, Signature) ->
    signal_port_app:ensure_started(),
    signal_port:verify_signature(Public, Message, Signature).

%% @doc See {@link //signal_port/signal_port:ed25519_sk_to_curve25519/1}.
-spec ed25519_sk_to_curve25519(SecretKey :: binary()) -> {ok, binary()} | {error, atom()}.
ed25519_sk_to_curve25519(SecretKey) ->
    signal_port_app:ensure_started(),
    signal_port:ed25519_sk_to_curve25519(SecretKey).

%% @doc See {@link //signal_port/signal_port:ed25519_pk_to_curve25519/1}.
-spec ed25519_pk_to_curve25519(Public :: binary()) -> {ok, binary()} | {error, atom()}.
ed25519_pk_to_curve25519(Public) ->
    signal_port_app:ensure_started(),
    signal_port:ed25519_pk_to_curve25519(Public).

%% @doc See {@link //signal_port/signal_port:aes_gcm_encrypt/5}.
-spec aes_gcm_encrypt(Key :: binary(), Iv :: binary(), Plaintext :: binary(), Aad :: binary(),
                      TagSize :: integer()) ->
    {ok, Ciphertext :: binary(), Tag :: binary()} | {error, atom()}.
aes_gcm_encrypt(Key, Iv, Plaintext, Aad, TagSize) ->
    signal_port_app:ensure_started(),
    signal_port:aes_gcm_encrypt(Key, Iv, Plaintext, Aad, TagSize).

%% @doc See {@link //signal_port/signal_port:aes_gcm_decrypt/6}.
-spec aes_gcm_decrypt(Key :: binary(), Iv :: binary(), Ciphertext :: binary(), Aad :: binary(),
                      Tag :: binary(), Length :: integer()) ->
    {ok, binary()} | {error, atom()}.
aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, Length) ->
    signal_port_app:ensure_started(),
    signal_port:aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, Length).

%% @doc Returns `ok', as release 0.2.0 did.
-spec test_function() -> ok.
test_function() ->
    ok.

%% @doc Returns `crypto_ok', as release 0.2.0 did.
-spec test_crypto() -> crypto_ok.
test_crypto() ->
    crypto_ok.
