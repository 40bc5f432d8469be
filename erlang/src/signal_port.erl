%% @doc The Signal Protocol's operations: the calls of `libsignal_protocol_nif', answered without a NIF.
%%
%% Every function of the NIF's two modules is here under its own name, with its answers, its error atoms and its bytes on
%% the wire and in the session. The work is done by a pool of Python processes that the application `signal_port' keeps
%% running; it must have been started. A crash on that side is a restarted process and never the end of this VM. Where the
%% NIF itself is installed, and answered well in a child VM, it does the work (see the option `backend'); what it lacks,
%% `x25519/2', `hkdf_sha256/4' and the static-key session, is then still answered by a worker, started at the first such
%% call.
%%
%% Unless a function says otherwise:
%% <ul>
%% <li>it returns `{ok, Value}' or `{error, Atom}', and a failed call changes nothing;</li>
%% <li>a wrong type raises `error:badarg' in the caller: binaries must be binaries, not iolists or bitstrings, and
%%     integers must fit 32 bits, signed;</li>
%% <li>sizes are in bytes; an Ed25519 secret key has 64, its seed and its public key; every other key has 32;</li>
%% <li>it may also return `{error, timeout}', `{error, unavailable}' (no worker can be had) and `{error, too_large}' (the
%%     call, or its answer, is over the option `max_frame').</li>
%% </ul>
%% A session is a value: the caller stores the new one that each step returns, and gives it to the next step.
-module(signal_port).

%% The short names, and what the NIF has not.
-export([encrypt/2, decrypt/2, x25519/2, hkdf_sha256/4]).
%% libsignal_protocol_nif: keys, X3DH, the Double Ratchet
-export([init/0, generate_identity_key_pair/0, generate_pre_key/1, generate_signed_pre_key/2,
         process_pre_key_bundle/2, process_pre_key_bundle_bob/5,
         dr_init/5, dr_encrypt/2, dr_encrypt_prekey/3, dr_decrypt/2, pksm_decode/1]).
%% libsignal_protocol_nif 0.1 and 0.2: the static-key session
-export([create_session/2, encrypt_message/2, decrypt_message/2]).
%% signal_nif: primitives
-export([sha256/1, sha512/1, hmac_sha256/2, generate_curve25519_keypair/0, generate_ed25519_keypair/0,
         sign_data/2, verify_signature/3, ed25519_sk_to_curve25519/1, ed25519_pk_to_curve25519/1,
         aes_gcm_encrypt/5, aes_gcm_decrypt/6]).
%% Many at once, and in flight
-export([batch/1, send_request/2, send_request/3, receive_response/1, receive_response/2, check_response/2]).
%% The application itself
-export([info/0, child_spec/1, doctor/0]).

-export_type([key/0, secret_key/0, signature/0, shared_secret/0, bundle/0, session/0, message/0, pre_key_info/0,
              key_id/0, uint32/0, bridge_error/0, operation/0, request_id/0, option/0]).

-type key() :: <<_:256>>.
%% 32 bytes: an X25519 key, an Ed25519 public key or a symmetric key.
-type secret_key() :: <<_:512>>.
%% 64 bytes: an Ed25519 seed followed by its public key.
-type signature() :: <<_:512>>.
%% 64 bytes, Ed25519.
-type shared_secret() :: <<_:768>>.
%% 96 bytes: what X3DH agrees on.
-type bundle() :: binary().
%% Identity key (32), signed pre-key (32), its signature (64) and, if there is one, a one-time pre-key (32).
-type session() :: binary().
%% 7740 bytes, the NIF's own struct: a session of a node with the NIF goes on here, and back. It is secret.
-type message() :: binary().
%% A message as it travels.
-type uint32() :: 0..4294967295.
%% An id as it travels in a PreKeySignalMessage.
-type key_id() :: -2147483648..2147483647.
%% An id that the caller chose, and gets back as it is.
-type pre_key_info() ::
    {RegistrationId :: uint32(), OneTimePreKeyId :: uint32() | undefined, SignedPreKeyId :: uint32(), BaseKey :: key()}.
%% What the responder needs for X3DH; the base key is the ephemeral one of {@link process_pre_key_bundle/2}.
-type bridge_error() :: {error, timeout | unavailable | too_large}.
%% The errors that no NIF has.
-type operation() :: atom().
%% The name of any function here that answers a call, for example `dr_encrypt' or its short name `encrypt'.
-opaque request_id() :: signal_port_async:id().
%% A call in flight: what {@link send_request/2} returned.
-type option() ::
    {backend, auto | port | nif} | {python, auto | file:filename_all()} | {pool_size, auto | pos_integer()}
    | {busy_wait, auto | non_neg_integer()} | {call_timeout, timeout()} | {stall_timeout, pos_integer()}
    | {start_timeout, pos_integer()} | {max_frame, pos_integer()}.
%% An option of the application. Times are in milliseconds, but `busy_wait' in microseconds; `max_frame' is in bytes.

%% --- The short names, and what the NIF has not ---

%% @doc Encrypts a message in a session: the short name of {@link dr_encrypt/2}.
-spec encrypt(session(), Plaintext :: binary()) -> {ok, {message(), session()}} | {error, atom()}.
encrypt(Session, Plaintext) ->
    dr_encrypt(Session, Plaintext).

%% @doc Decrypts a message in a session: the short name of {@link dr_decrypt/2}.
-spec decrypt(session(), message()) -> {ok, {Plaintext :: binary(), session()}} | {error, atom()}.
decrypt(Session, Wire) ->
    dr_decrypt(Session, Wire).

%% @doc The raw shared secret of a private and a public X25519 key (RFC 7748). Errors: `invalid_key_sizes';
%% `key_agreement_failed', where it would be all zero.
-spec x25519(key(), key()) -> {ok, key()} | {error, atom()}.
x25519(Private, Public) ->
    call(x25519, [Private, Public]).

%% @doc `Length' bytes of HKDF-SHA-256 (RFC 5869), 0 to 8160; an empty salt stands for 32 zero bytes. Error:
%% `invalid_length'.
-spec hkdf_sha256(Ikm :: binary(), Salt :: binary(), Info :: binary(), Length :: integer()) ->
    {ok, binary()} | {error, atom()}.
hkdf_sha256(Ikm, Salt, Info, Length) ->
    call(hkdf_sha256, [Ikm, Salt, Info, Length]).

%% --- Keys and X3DH ---

%% @doc Answers `ok', as the NIF does; a way to see that a worker is there.
-spec init() -> ok | bridge_error().
init() ->
    call(init, []).

%% @doc A fresh Ed25519 identity, public key first.
-spec generate_identity_key_pair() -> {ok, {Public :: key(), secret_key()}} | bridge_error().
generate_identity_key_pair() ->
    call(generate_identity_key_pair, []).

%% @doc A fresh X25519 one-time pre-key, with the id as given.
-spec generate_pre_key(key_id()) -> {ok, {key_id(), Public :: key(), Private :: key()}} | bridge_error().
generate_pre_key(Id) ->
    call(generate_pre_key, [Id]).

%% @doc A fresh X25519 signed pre-key, with the id as given; the signature is the identity's, of the public key. Errors:
%% `invalid_identity_key_size'; `signature_failed', where the public half of the secret key is not its seed's.
-spec generate_signed_pre_key(IdentitySecret :: secret_key(), key_id()) ->
    {ok, {key_id(), Public :: key(), Private :: key(), signature()}} | {error, atom()}.
generate_signed_pre_key(IdentitySecret, Id) ->
    call(generate_signed_pre_key, [IdentitySecret, Id]).

%% @doc X3DH, the initiator's side (X3DH 3.3): agrees on a secret with the owner of a bundle. The ephemeral public key goes
%% to the owner, in the first message (see {@link dr_encrypt_prekey/3}). Errors, in the order checked:
%% `invalid_local_identity_key_size', `invalid_bundle_size', `signature_verification_failed',
%% `identity_pub_conversion_failed', `dh1_calculation_failed' to `dh4_calculation_failed'.
-spec process_pre_key_bundle(IdentitySecret :: secret_key(), bundle()) ->
    {ok, {shared_secret(), Ephemeral :: key()}} | {error, atom()}.
process_pre_key_bundle(IdentitySecret, Bundle) ->
    call(process_pre_key_bundle, [IdentitySecret, Bundle]).

%% @doc X3DH, the responder's side (X3DH 3.4): the secret that the initiator agreed on with our bundle. `OneTimePreKey' is
%% `<<>>' where the bundle had none. Errors, in the order checked: `invalid_identity_priv_size',
%% `invalid_signed_pre_key_priv_size', `invalid_one_time_pre_key_priv_size', `invalid_remote_identity_pub_size',
%% `invalid_remote_ephemeral_pub_size', `identity_pub_conversion_failed', `dh1_calculation_failed' to
%% `dh4_calculation_failed'.
-spec process_pre_key_bundle_bob(IdentitySecret :: secret_key(), SignedPreKey :: key(), OneTimePreKey :: key() | <<>>,
                                 RemoteIdentity :: key(), RemoteEphemeral :: key()) ->
    {ok, shared_secret()} | {error, atom()}.
process_pre_key_bundle_bob(IdentitySecret, SignedPreKey, OneTimePreKey, RemoteIdentity, RemoteEphemeral) ->
    call(process_pre_key_bundle_bob, [IdentitySecret, SignedPreKey, OneTimePreKey, RemoteIdentity, RemoteEphemeral]).

%% --- The Double Ratchet ---

%% @doc The first session after X3DH. `Role' is not zero for the initiator, who may send at once, and zero for the
%% responder, who must receive first. `SelfSecret' is the responder's identity secret; the initiator's may be any binary.
%% Errors, in the order checked: `invalid_shared_secret_size', `invalid_identity_pub_size',
%% `identity_pub_conversion_failed', `dh_failed' (initiator), `invalid_self_priv_size' (responder).
-spec dr_init(shared_secret(), LocalIdentity :: key(), RemoteIdentity :: key(), SelfSecret :: binary(),
              Role :: integer()) -> {ok, session()} | {error, atom()}.
dr_init(SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role) ->
    call(dr_init, [SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role]).

%% @doc Encrypts a message. Errors, in the order checked: `invalid_session_size', `invalid_session',
%% `session_not_initialized', `must_receive_first'.
-spec dr_encrypt(session(), Plaintext :: binary()) -> {ok, {message(), session()}} | {error, atom()}.
dr_encrypt(Session, Plaintext) ->
    call(dr_encrypt, [Session, Plaintext]).

%% @doc Encrypts a message and wraps it in a PreKeySignalMessage, which tells the responder the keys it needs for X3DH.
%% Errors as of {@link dr_encrypt/2}; `badarg' where the base key has not 32 bytes or an id is not in 0..2^32-1.
-spec dr_encrypt_prekey(session(), Plaintext :: binary(), pre_key_info()) -> {ok, {message(), session()}} | {error, atom()}.
dr_encrypt_prekey(Session, Plaintext, PreKeyInfo) ->
    call(dr_encrypt_prekey, [Session, Plaintext, PreKeyInfo]).

%% @doc Decrypts a message, which may be late or out of order: up to 32 messages of a chain may be missing before it, and 96
%% keys of such messages are kept. Errors, in the order checked: as of {@link dr_encrypt/2} without
%% `must_receive_first'; `message_too_short', `unsupported_version', `malformed_message'; `bad_mac' (forged, doubled or
%% not of this session), `too_many_skipped', `dh_ratchet_failed', `decryption_failed'.
-spec dr_decrypt(session(), message()) -> {ok, {Plaintext :: binary(), session()}} | {error, atom()}.
dr_decrypt(Session, Wire) ->
    call(dr_decrypt, [Session, Wire]).

%% @doc Takes a PreKeySignalMessage apart; the message inside is for {@link dr_decrypt/2}. Error: `malformed_message'.
-spec pksm_decode(message()) ->
    {ok, {RegistrationId :: uint32(), BaseKey :: key(), IdentityKey :: key(), OneTimePreKeyId :: uint32() | undefined,
          SignedPreKeyId :: uint32(), message()}}
    | {error, atom()}.
pksm_decode(PreKeyWire) ->
    call(pksm_decode, [PreKeyWire]).

%% --- The static-key session of 0.1 and 0.2 ---

%% @doc A session of one key for all messages, 64 bytes. New code takes {@link dr_init/5}. Errors: `invalid_key_sizes',
%% `key_agreement_failed'.
-spec create_session(Private :: key(), Public :: key()) -> {ok, binary()} | {error, atom()}.
create_session(Private, Public) ->
    call(create_session, [Private, Public]).

%% @doc Encrypts with ChaCha20-Poly1305 (RFC 8439): nonce (12), ciphertext, tag (16). Error: `invalid_session', under 32
%% bytes.
-spec encrypt_message(Session :: binary(), Plaintext :: binary()) -> {ok, binary()} | {error, atom()}.
encrypt_message(Session, Plaintext) ->
    call(encrypt_message, [Session, Plaintext]).

%% @doc The inverse of {@link encrypt_message/2}. Errors: `invalid_session', under 32 bytes; `invalid_message', under 28;
%% `decryption_failed'.
-spec decrypt_message(Session :: binary(), Message :: binary()) -> {ok, binary()} | {error, atom()}.
decrypt_message(Session, Message) ->
    call(decrypt_message, [Session, Message]).

%% --- Primitives ---

%% @doc SHA-256, 32 bytes (FIPS 180-4).
-spec sha256(binary()) -> {ok, <<_:256>>} | bridge_error().
sha256(Data) ->
    call(sha256, [Data]).

%% @doc SHA-512, 64 bytes (FIPS 180-4).
-spec sha512(binary()) -> {ok, <<_:512>>} | bridge_error().
sha512(Data) ->
    call(sha512, [Data]).

%% @doc HMAC-SHA-256, 32 bytes (RFC 2104); the key may have any length, 0 included.
-spec hmac_sha256(Key :: binary(), Data :: binary()) -> {ok, <<_:256>>} | bridge_error().
hmac_sha256(Key, Data) ->
    call(hmac_sha256, [Key, Data]).

%% @doc A fresh X25519 pair, public key first (RFC 7748).
-spec generate_curve25519_keypair() -> {ok, {Public :: key(), Private :: key()}} | bridge_error().
generate_curve25519_keypair() ->
    call(generate_curve25519_keypair, []).

%% @doc A fresh Ed25519 pair, public key first (RFC 8032).
-spec generate_ed25519_keypair() -> {ok, {Public :: key(), secret_key()}} | bridge_error().
generate_ed25519_keypair() ->
    call(generate_ed25519_keypair, []).

%% @doc The Ed25519 signature of a message (RFC 8032). Errors: `invalid_private_key', its size; `signing_failed', where the
%% public half of the key is not its seed's (signing with it would give the key away).
-spec sign_data(secret_key(), Message :: binary()) -> {ok, signature()} | {error, atom()}.
sign_data(SecretKey, Message) ->
    call(sign_data, [SecretKey, Message]).

%% @doc Verifies an Ed25519 signature, by libsodium's rules. Answers the bare atom `ok' or `invalid_signature'; sizes:
%% `{error, invalid_public_key}', `{error, invalid_signature}'.
-spec verify_signature(Public :: key(), Message :: binary(), signature()) -> ok | invalid_signature | {error, atom()}.
verify_signature(Public, Message, Signature) ->
    call(verify_signature, [Public, Message, Signature]).

%% @doc The X25519 private key of an Ed25519 secret key. Error: `invalid_secret_key_size'.
-spec ed25519_sk_to_curve25519(secret_key()) -> {ok, key()} | {error, atom()}.
ed25519_sk_to_curve25519(SecretKey) ->
    call(ed25519_sk_to_curve25519, [SecretKey]).

%% @doc The X25519 public key of an Ed25519 public key. Errors: `invalid_public_key_size'; `conversion_failed', not a point
%% of the prime-order subgroup in canonical form.
-spec ed25519_pk_to_curve25519(key()) -> {ok, key()} | {error, atom()}.
ed25519_pk_to_curve25519(Public) ->
    call(ed25519_pk_to_curve25519, [Public]).

%% @doc AES-256-GCM (NIST SP 800-38D). Answers a 3-tuple. Error: `invalid_parameters': key not 32, IV not 12 bytes or tag
%% size not 16.
-spec aes_gcm_encrypt(key(), Iv :: binary(), Plaintext :: binary(), Aad :: binary(), TagSize :: 16 | integer()) ->
    {ok, Ciphertext :: binary(), Tag :: <<_:128>>} | {error, atom()}.
aes_gcm_encrypt(Key, Iv, Plaintext, Aad, TagSize) ->
    call(aes_gcm_encrypt, [Key, Iv, Plaintext, Aad, TagSize]).

%% @doc The inverse of {@link aes_gcm_encrypt/5}; `Length' is the plaintext's. Errors: `invalid_parameters': key not 32, IV
%% not 12, tag not 16 bytes, or `Length' not the ciphertext's size; `decryption_failed'.
-spec aes_gcm_decrypt(key(), Iv :: binary(), Ciphertext :: binary(), Aad :: binary(), Tag :: <<_:128>> | binary(),
                      Length :: integer()) -> {ok, Plaintext :: binary()} | {error, atom()}.
aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, Length) ->
    call(aes_gcm_decrypt, [Key, Iv, Ciphertext, Aad, Tag, Length]).

%% --- Many at once, and in flight ---

%% @doc Makes many calls at once, and returns their answers in the same order: one message to many sessions, say. They
%% travel together, up to 64 in a frame, and are spread over the workers. Each is answered as if it were alone, but that
%% `call_timeout', and with it `{error, timeout}', is of a frame, and not of the batch, which takes as long as its length
%% asks for. All are checked for `badarg' before any is sent. Calls that depend on each other, two messages in one session
%% say, do not belong in one batch.
-spec batch([{operation(), Args :: [term()]}]) -> [Answer :: term()].
batch(Calls) ->
    Checked = all_checked(Calls),
    case signal_port_table:nif(sha256) of
        undefined -> observed(batch, fun() -> signal_port_batch:call([Request || {_, _, Request} <- Checked]) end);
        _ -> [call(Operation, Args) || {Operation, Args, _} <- Checked]
    end.

%% @doc Begins a call, and does not wait for its answer; a process may have any number in flight. As of
%% `gen_server:send_request/2'; the answer is had by {@link receive_response/1} or {@link check_response/2}.
-spec send_request(operation(), Args :: [term()]) -> request_id().
send_request(Operation, Args) ->
    send_request(Operation, Args, default).

%% @doc The same, with the milliseconds that the call may take in all in place of `call_timeout'.
-spec send_request(operation(), Args :: [term()], default | timeout()) -> request_id().
send_request(Name, Args, Timeout) ->
    is_timeout(Timeout) orelse error(badarg),
    {Operation, _, Request} = checked({Name, Args}),
    Call = case signal_port_table:nif(Operation) of
        undefined -> fun() -> signal_port_dispatch:call(Request, Timeout) end;
        Module -> fun() -> by_nif(Module, Operation, Args) end
    end,
    signal_port_async:send(fun() -> observed(Operation, Call) end).

%% @doc Waits for the answer of a request; at the latest its `call_timeout' is one.
-spec receive_response(request_id()) -> {reply, Answer :: term()}.
receive_response(RequestId) ->
    {reply, _} = receive_response(RequestId, infinity).

%% @doc Waits for the answer, but no longer than these milliseconds: after `timeout' the request is given up.
-spec receive_response(request_id(), timeout()) -> {reply, Answer :: term()} | timeout.
receive_response(RequestId, Timeout) ->
    signal_port_async:receive_response(RequestId, Timeout).

%% @doc Tells whether a message that a process has received brings the answer of this request; for a `handle_info/2'.
-spec check_response(Message :: term(), request_id()) -> {reply, Answer :: term()} | no_reply.
check_response(Message, RequestId) ->
    signal_port_async:check_response(Message, RequestId).

%% --- The application itself ---

%% @doc What answers the calls: the backend and why it was chosen, the versions of the Python side, and each worker's state
%% (`idle' until it is needed, `starting', `ready', `waiting' for its next start), OS process id, calls answered, calls
%% in flight, restarts and why the last one ended. Exits with `noproc' where the application is not running.
-spec info() ->
    #{backend := port | nif,
      reason := string(),
      versions := #{atom() => binary()},
      totals := #{calls := non_neg_integer(), in_flight := integer(), restarts := non_neg_integer()},
      workers := [#{state := idle | starting | ready | waiting, os_pid := pos_integer() | undefined,
                    calls := non_neg_integer(), in_flight := integer(), restarts := non_neg_integer(),
                    last_reason := string() | undefined}]}.
info() ->
    {{Backend, Reason}, Versions, Workers} = signal_port_pool:info(),
    Totals = maps:from_list([{Key, lists:sum([maps:get(Key, Worker) || Worker <- Workers])}
                             || Key <- [calls, in_flight, restarts]]),
    #{backend => Backend, reason => Reason, versions => Versions, totals => Totals, workers => Workers}.

%% @doc A child specification of the whole pool, for a supervisor of your own; the application is then loaded and not
%% started. The options are those of the application's environment, which is not read.
-spec child_spec([option()]) -> supervisor:child_spec().
child_spec(Options) ->
    #{id => ?MODULE, start => {signal_port_sup, start_link, [Options]}, type => supervisor}.

%% @doc Examines this machine: Erlang, OTP's crypto, the NIF and the port, each in a child VM. Prints a table and what to do,
%% and returns both as a term. The application need not be running.
-spec doctor() -> signal_port_doctor:report().
doctor() ->
    Report = signal_port_doctor:examine(),
    signal_port_doctor:print(Report),
    Report.

%% --- Internals ---

%% An operation under its own name, its arguments, and the request: making it checks them.
checked({encrypt, Args}) -> checked({dr_encrypt, Args});
checked({decrypt, Args}) -> checked({dr_decrypt, Args});
checked({Operation, Args}) -> {Operation, Args, signal_port_codec:request(Operation, Args)};
checked(_) -> error(badarg).

%% A comprehension would name what is no list in its error, arguments and all.
all_checked([Call | Calls]) -> [checked(Call) | all_checked(Calls)];
all_checked([]) -> [];
all_checked(_) -> error(badarg).

is_timeout(Timeout) when is_integer(Timeout) -> 0 =< Timeout andalso Timeout =< 16#FFFFFFFF;
is_timeout(Timeout) -> Timeout =:= infinity orelse Timeout =:= default.

call(Operation, Args) ->
    observed(Operation, fun() -> answer(Operation, Args) end).

answer(Operation, Args) ->
    case signal_port_table:nif(Operation) of
        undefined -> signal_port_dispatch:call(signal_port_codec:request(Operation, Args));
        Module -> by_nif(Module, Operation, Args)
    end.

%% The trace of a NIF's own badarg has its arguments.
by_nif(Module, Operation, Args) ->
    try
        apply(Module, Operation, Args)
    catch
        error:badarg -> error(badarg)
    end.

observed(Operation, Call) ->
    case signal_port_event:is_observed() of
        true -> signal_port_event:observe(Operation, Call);
        false -> Call()
    end.
