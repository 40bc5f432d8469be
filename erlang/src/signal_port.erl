%% @doc The operations of the Signal Protocol: the calls of `libsignal_protocol_nif' without a NIF.
%%
%% This module has every function of the NIF's two modules under the same name, with the same
%% return values, error atoms and bytes. A pool of Python processes does the work. The application
%% `signal_port' starts the pool and must be running. If a Python process crashes, the pool
%% restarts it, and this VM is not affected.
%%
%% If a NIF is installed and has passed its test in a child VM, the calls use the NIF (see the
%% option `backend'). A worker handles the operations that the NIF lacks: `x25519/2',
%% `hkdf_sha256/4' and the static-key session. The first such call starts the workers.
%%
%% Unless a function says otherwise:
%% <ul>
%% <li>It returns `{ok, Value}' or `{error, Atom}'. A failed call changes nothing.</li>
%% <li>It raises `error:badarg' for an argument of a wrong type. The shell shows which one. A binary
%%     must be a binary: iolists and bitstrings are refused. An integer must fit 32 bits,
%%     signed.</li>
%% <li>Sizes are in bytes. An Ed25519 secret key has 64: its seed, then its public key. Every other
%%     key has 32.</li>
%% <li>It can also return `{error, timeout}', `{error, unavailable}' if no worker can be started,
%%     `{error, too_large}' if the call or its answer is over the option `max_frame', and
%%     `{error, overloaded}' if the option `max_queue' is set and as many calls wait.</li>
%% </ul>
%% A session is a value. Store the new session that a step returns, and pass it to the next step.
-module(signal_port).

%% Short names, and operations that the NIF lacks
-export([encrypt/2, decrypt/2, x25519/2, hkdf_sha256/4]).
%% libsignal_protocol_nif: keys, X3DH, the Double Ratchet
-export([init/0, generate_identity_key_pair/0, generate_pre_key/1, generate_signed_pre_key/2,
         process_pre_key_bundle/2, process_pre_key_bundle_bob/5,
         dr_init/5, dr_encrypt/2, dr_encrypt_prekey/3, dr_decrypt/2, pksm_decode/1]).
%% libsignal_protocol_nif 0.1 and 0.2: the static-key session
-export([create_session/2, encrypt_message/2, decrypt_message/2]).
%% signal_nif: primitives
-export([sha256/1, sha512/1, hmac_sha256/2,
         generate_curve25519_keypair/0, generate_ed25519_keypair/0,
         sign_data/2, verify_signature/3, ed25519_sk_to_curve25519/1, ed25519_pk_to_curve25519/1,
         aes_gcm_encrypt/5, aes_gcm_decrypt/6]).
%% Batches and asynchronous calls
-export([batch/1, send_request/2, send_request/3, receive_response/1, receive_response/2,
         check_response/2]).
%% The application
-export([info/0, metrics/0, dispatch_stats/0, top/0, ready/0, replace_workers/0, resize/1,
         child_spec/1, doctor/0]).

-export_type([key/0, secret_key/0, signature/0, shared_secret/0, bundle/0, session/0, message/0,
              pre_key_info/0, key_id/0, uint32/0, bridge_error/0, operation/0, request_id/0,
              option/0]).

-type key() :: <<_:256>>.
%% 32 bytes: an X25519 key, an Ed25519 public key or a symmetric key.
-type secret_key() :: <<_:512>>.
%% 64 bytes: an Ed25519 seed, then its public key.
-type signature() :: <<_:512>>.
%% 64 bytes, Ed25519.
-type shared_secret() :: <<_:768>>.
%% 96 bytes: the result of X3DH.
-type bundle() :: binary().
%% Identity key (32), signed pre-key (32), its signature (64) and an optional one-time pre-key (32).
-type session() :: binary().
%% 7740 bytes, the NIF's own struct. A session of a NIF node works here, and vice versa. It is
%% secret.
-type message() :: binary().
%% An encrypted message, as it is sent.
-type uint32() :: 0..4294967295.
%% An id inside a PreKeySignalMessage.
-type key_id() :: -2147483648..2147483647.
%% An id that the caller chooses. It is returned unchanged.
-type pre_key_info() ::
    {RegistrationId :: uint32(), OneTimePreKeyId :: uint32() | undefined,
     SignedPreKeyId :: uint32(), BaseKey :: key()}.
%% What the responder needs for X3DH. The base key is the ephemeral key of
%% {@link process_pre_key_bundle/2}.
-type bridge_error() :: {error, timeout | unavailable | too_large | overloaded}.
%% The errors of the bridge. No NIF has them.
-type operation() :: atom().
%% The name of a function of this module that is an operation, for example `dr_encrypt', or its
%% short name `encrypt'.
-opaque request_id() :: signal_port_async:id().
%% An asynchronous call: the result of {@link send_request/2}.
-type option() ::
    {backend, auto | probe | port | nif}
    | {python, auto | file:filename_all()}
    | {command, none | [unicode:chardata()]}
    | {socket, none | file:filename_all()}
    | {start_without_worker, boolean()}
    | {log, default_handler | none}
    | {sandbox, auto | required | off}
    | {max_memory, auto | infinity | pos_integer()}
    | {pool_size, auto | non_neg_integer()}
    | {busy_wait, auto | non_neg_integer()}
    | {max_queue, infinity | pos_integer()}
    | {call_timeout, timeout()}
    | {stall_timeout, pos_integer()}
    | {start_timeout, pos_integer()}
    | {max_frame, pos_integer()}
    | {serve_nodes, boolean()}
    | {serve_limit, pos_integer()}
    | {use_nodes, never | fallback | overflow}
    | {node_max_frame, pos_integer()}
    | {distribution, encrypted | clear_text}.
%% An option of the application. Timeouts are in milliseconds, `busy_wait' is in microseconds,
%% `max_frame', `node_max_frame' and `max_memory' are in bytes.

%% --- Short names, and operations that the NIF lacks ---

%% @doc Returns an encrypted message and the next session: the short name of
%% {@link dr_encrypt/2}.
-spec encrypt(session(), Plaintext :: binary()) -> {ok, {message(), session()}} | {error, atom()}.
encrypt(Session, Plaintext) ->
    call(encrypt, dr_encrypt, [Session, Plaintext]).

%% @doc Returns a decrypted message and the next session: the short name of {@link dr_decrypt/2}.
-spec decrypt(session(), message()) -> {ok, {Plaintext :: binary(), session()}} | {error, atom()}.
decrypt(Session, Message) ->
    call(decrypt, dr_decrypt, [Session, Message]).

%% @doc Returns the shared secret, 32 bytes, of a private and a public X25519 key (RFC 7748).
%% Errors: `invalid_key_sizes'; `key_agreement_failed' if the secret would be all zero.
-spec x25519(Private :: key(), Public :: key()) -> {ok, key()} | {error, atom()}.
x25519(Private, Public) ->
    call(x25519, [Private, Public]).

%% @doc Returns `Length' bytes, 0 to 8160, of HKDF-SHA-256 (RFC 5869). An empty salt stands for 32
%% zero bytes. Error: `invalid_length'.
-spec hkdf_sha256(Ikm :: binary(), Salt :: binary(), Info :: binary(), Length :: integer()) ->
    {ok, binary()} | {error, atom()}.
hkdf_sha256(Ikm, Salt, Info, Length) ->
    call(hkdf_sha256, [Ikm, Salt, Info, Length]).

%% --- Keys and X3DH ---

%% @doc Returns `ok', as the NIF does. With the port, `ok' means that a worker is ready.
-spec init() -> ok | bridge_error().
init() ->
    call(init, []).

%% @doc Returns a fresh Ed25519 identity key pair, public key first.
-spec generate_identity_key_pair() -> {ok, {Public :: key(), secret_key()}} | bridge_error().
generate_identity_key_pair() ->
    call(generate_identity_key_pair, []).

%% @doc Returns a fresh X25519 one-time pre-key with the given id.
-spec generate_pre_key(key_id()) ->
    {ok, {key_id(), Public :: key(), Private :: key()}} | bridge_error().
generate_pre_key(Id) ->
    call(generate_pre_key, [Id]).

%% @doc Returns a fresh X25519 signed pre-key with the given id. The signature is the identity's,
%% over the public key. Errors: `invalid_identity_key_size'; `signature_failed' if the public half
%% of the secret key does not belong to its seed.
-spec generate_signed_pre_key(IdentitySecret :: secret_key(), key_id()) ->
    {ok, {key_id(), Public :: key(), Private :: key(), signature()}} | {error, atom()}.
generate_signed_pre_key(IdentitySecret, Id) ->
    call(generate_signed_pre_key, [IdentitySecret, Id]).

%% @doc Returns the initiator's shared secret of X3DH (X3DH 3.3) and the ephemeral public key. Send
%% the ephemeral key to the owner of the bundle in the first message (see
%% {@link dr_encrypt_prekey/3}). Errors, in the order checked:
%% `invalid_local_identity_key_size', `invalid_bundle_size', `signature_verification_failed',
%% `identity_pub_conversion_failed', `dh1_calculation_failed' to `dh4_calculation_failed'.
-spec process_pre_key_bundle(IdentitySecret :: secret_key(), bundle()) ->
    {ok, {shared_secret(), Ephemeral :: key()}} | {error, atom()}.
process_pre_key_bundle(IdentitySecret, Bundle) ->
    call(process_pre_key_bundle, [IdentitySecret, Bundle]).

%% @doc Returns the responder's shared secret of X3DH (X3DH 3.4). `OneTimePreKey' is `<<>>' if the
%% bundle had none. Errors, in the order checked: `invalid_identity_priv_size',
%% `invalid_signed_pre_key_priv_size', `invalid_one_time_pre_key_priv_size',
%% `invalid_remote_identity_pub_size', `invalid_remote_ephemeral_pub_size',
%% `identity_pub_conversion_failed', `dh1_calculation_failed' to `dh4_calculation_failed'.
-spec process_pre_key_bundle_bob(IdentitySecret :: secret_key(), SignedPreKey :: key(),
                                 OneTimePreKey :: key() | <<>>, RemoteIdentity :: key(),
                                 RemoteEphemeral :: key()) ->
    {ok, shared_secret()} | {error, atom()}.
process_pre_key_bundle_bob(IdentitySecret, SignedPreKey, OneTimePreKey, RemoteIdentity,
                           RemoteEphemeral) ->
    call(process_pre_key_bundle_bob,
         [IdentitySecret, SignedPreKey, OneTimePreKey, RemoteIdentity, RemoteEphemeral]).

%% --- The Double Ratchet ---

%% @doc Returns the first session after X3DH. Any `Role' but 0 is the initiator, who can send at
%% once. 0 is the responder, who must receive first. `SelfSecret' is the responder's identity
%% secret; for the initiator it can be any binary. Errors, in the order checked:
%% `invalid_shared_secret_size', `invalid_identity_pub_size', `identity_pub_conversion_failed',
%% `dh_failed' (initiator), `invalid_self_priv_size' (responder).
-spec dr_init(shared_secret(), LocalIdentity :: key(), RemoteIdentity :: key(),
              SelfSecret :: binary(), Role :: integer()) -> {ok, session()} | {error, atom()}.
dr_init(SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role) ->
    call(dr_init, [SharedSecret, LocalIdentity, RemoteIdentity, SelfSecret, Role]).

%% @doc Returns an encrypted message and the next session. Errors, in the order checked:
%% `invalid_session_size', `invalid_session', `session_not_initialized', `must_receive_first'.
-spec dr_encrypt(session(), Plaintext :: binary()) ->
    {ok, {message(), session()}} | {error, atom()}.
dr_encrypt(Session, Plaintext) ->
    call(dr_encrypt, [Session, Plaintext]).

%% @doc Returns an encrypted message inside a PreKeySignalMessage, and the next session. That
%% message has the keys that the responder needs for X3DH. Errors: those of {@link dr_encrypt/2}.
%% Raises `badarg' if the base key is not 32 bytes or an id is not in 0..2^32-1.
-spec dr_encrypt_prekey(session(), Plaintext :: binary(), pre_key_info()) ->
    {ok, {message(), session()}} | {error, atom()}.
dr_encrypt_prekey(Session, Plaintext, PreKeyInfo) ->
    call(dr_encrypt_prekey, [Session, Plaintext, PreKeyInfo]).

%% @doc Returns a decrypted message and the next session. Messages can be late or out of order: up
%% to 32 messages of a chain can be missing before this one, and the session keeps the keys of 96
%% missing messages. Errors, in the order checked: those of {@link dr_encrypt/2} without
%% `must_receive_first'; `message_too_short', `unsupported_version', `malformed_message'; `bad_mac'
%% for a forged message, a duplicate or a message of another session; `too_many_skipped',
%% `dh_ratchet_failed', `decryption_failed'.
-spec dr_decrypt(session(), message()) ->
    {ok, {Plaintext :: binary(), session()}} | {error, atom()}.
dr_decrypt(Session, Message) ->
    call(dr_decrypt, [Session, Message]).

%% @doc Returns the parts of a PreKeySignalMessage. The last part is a message for
%% {@link dr_decrypt/2}. Error: `malformed_message'.
-spec pksm_decode(message()) ->
    {ok, {RegistrationId :: uint32(), BaseKey :: key(), IdentityKey :: key(),
          OneTimePreKeyId :: uint32() | undefined, SignedPreKeyId :: uint32(), message()}}
    | {error, atom()}.
pksm_decode(Message) ->
    call(pksm_decode, [Message]).

%% --- The static-key session of 0.1 and 0.2 ---

%% @doc Returns a session, 64 bytes, that has one key for all messages. Use {@link dr_init/5} in
%% new code. Errors: `invalid_key_sizes', `key_agreement_failed'.
-spec create_session(Private :: key(), Public :: key()) -> {ok, binary()} | {error, atom()}.
create_session(Private, Public) ->
    call(create_session, [Private, Public]).

%% @doc Returns a message encrypted by ChaCha20-Poly1305 (RFC 8439): nonce (12), ciphertext, tag
%% (16). Error: `invalid_session' if the session is shorter than 32 bytes.
-spec encrypt_message(Session :: binary(), Plaintext :: binary()) ->
    {ok, binary()} | {error, atom()}.
encrypt_message(Session, Plaintext) ->
    call(encrypt_message, [Session, Plaintext]).

%% @doc Returns the plaintext of an {@link encrypt_message/2} message. Errors: `invalid_session' if
%% the session is shorter than 32 bytes; `invalid_message' if the message is shorter than 28;
%% `decryption_failed'.
-spec decrypt_message(Session :: binary(), Message :: binary()) -> {ok, binary()} | {error, atom()}.
decrypt_message(Session, Message) ->
    call(decrypt_message, [Session, Message]).

%% --- Primitives ---

%% @doc Returns the SHA-256 digest, 32 bytes (FIPS 180-4).
-spec sha256(binary()) -> {ok, <<_:256>>} | bridge_error().
sha256(Data) ->
    call(sha256, [Data]).

%% @doc Returns the SHA-512 digest, 64 bytes (FIPS 180-4).
-spec sha512(binary()) -> {ok, <<_:512>>} | bridge_error().
sha512(Data) ->
    call(sha512, [Data]).

%% @doc Returns the HMAC-SHA-256, 32 bytes (RFC 2104). The key can have any length, 0 included.
-spec hmac_sha256(Key :: binary(), Data :: binary()) -> {ok, <<_:256>>} | bridge_error().
hmac_sha256(Key, Data) ->
    call(hmac_sha256, [Key, Data]).

%% @doc Returns a fresh X25519 key pair, public key first (RFC 7748).
-spec generate_curve25519_keypair() -> {ok, {Public :: key(), Private :: key()}} | bridge_error().
generate_curve25519_keypair() ->
    call(generate_curve25519_keypair, []).

%% @doc Returns a fresh Ed25519 key pair, public key first (RFC 8032).
-spec generate_ed25519_keypair() -> {ok, {Public :: key(), secret_key()}} | bridge_error().
generate_ed25519_keypair() ->
    call(generate_ed25519_keypair, []).

%% @doc Returns the Ed25519 signature of a message (RFC 8032). Errors: `invalid_private_key' if the
%% key is not 64 bytes; `signing_failed' if its public half does not belong to its seed, because
%% such a signature would leak the key.
-spec sign_data(secret_key(), Message :: binary()) -> {ok, signature()} | {error, atom()}.
sign_data(SecretKey, Message) ->
    call(sign_data, [SecretKey, Message]).

%% @doc Returns the bare atom `ok' or `invalid_signature': whether an Ed25519 signature is valid by
%% libsodium's rules. Errors: `{error, invalid_public_key}' and `{error, invalid_signature}' for a
%% wrong size.
-spec verify_signature(Public :: key(), Message :: binary(), signature()) ->
    ok | invalid_signature | {error, atom()}.
verify_signature(Public, Message, Signature) ->
    call(verify_signature, [Public, Message, Signature]).

%% @doc Returns the X25519 private key of an Ed25519 secret key. Error: `invalid_secret_key_size'.
-spec ed25519_sk_to_curve25519(secret_key()) -> {ok, key()} | {error, atom()}.
ed25519_sk_to_curve25519(SecretKey) ->
    call(ed25519_sk_to_curve25519, [SecretKey]).

%% @doc Returns the X25519 public key of an Ed25519 public key. Errors: `invalid_public_key_size';
%% `conversion_failed' if the key is not a point of the prime-order subgroup in canonical form.
-spec ed25519_pk_to_curve25519(key()) -> {ok, key()} | {error, atom()}.
ed25519_pk_to_curve25519(Public) ->
    call(ed25519_pk_to_curve25519, [Public]).

%% @doc Returns ciphertext and tag of AES-256-GCM (NIST SP 800-38D) as a 3-tuple. Error:
%% `invalid_parameters' if the key is not 32 bytes, the IV not 12 or the tag size not 16.
-spec aes_gcm_encrypt(key(), Iv :: binary(), Plaintext :: binary(), Aad :: binary(),
                      TagSize :: 16 | integer()) ->
    {ok, Ciphertext :: binary(), Tag :: <<_:128>>} | {error, atom()}.
aes_gcm_encrypt(Key, Iv, Plaintext, Aad, TagSize) ->
    call(aes_gcm_encrypt, [Key, Iv, Plaintext, Aad, TagSize]).

%% @doc Returns the plaintext of {@link aes_gcm_encrypt/5}; `Length' is its size. Errors:
%% `invalid_parameters' if the key is not 32 bytes, the IV not 12, the tag not 16, or `Length' is
%% not the size of the ciphertext; `decryption_failed'.
-spec aes_gcm_decrypt(key(), Iv :: binary(), Ciphertext :: binary(), Aad :: binary(),
                      Tag :: <<_:128>> | binary(), Length :: integer()) ->
    {ok, Plaintext :: binary()} | {error, atom()}.
aes_gcm_decrypt(Key, Iv, Ciphertext, Aad, Tag, Length) ->
    call(aes_gcm_decrypt, [Key, Iv, Ciphertext, Aad, Tag, Length]).

%% --- Batches and asynchronous calls ---

%% @doc Returns the answers of many calls, in the order of the calls. The calls travel in frames of
%% up to 64 and are spread over the workers. Each answer is that of the call alone, with one
%% exception: `call_timeout', and so `{error, timeout}', applies to a frame. The batch itself has
%% no time limit. To bound the total time, send smaller batches.
%%
%% Raises `badarg' before anything is sent if one call is invalid. Put calls that depend on each
%% other, for example two messages in one session, into different batches.
-spec batch([{operation(), Args :: [term()]}]) -> [Answer :: term()].
batch(Calls) ->
    Checked = try all_checked(Calls) catch error:badarg -> signal_port_badarg:in_batch(Calls) end,
    case signal_port_table:nif(sha256) of
        undefined ->
            Requests = [Request || {_, _, Request} <- Checked],
            observed({batch, length(Checked)}, fun(Seen) ->
                signal_port_batch:call(Requests, Seen)
            end);
        _ ->
            [call(Operation, Args) || {Operation, Args, _} <- Checked]
    end.

%% @doc Returns a request id at once, and makes the call in the background with the default
%% `call_timeout'. A process can have any number of calls in flight. Get the answer with
%% {@link receive_response/1} or {@link check_response/2}, as with `gen_server:send_request/2'.
-spec send_request(operation(), Args :: [term()]) -> request_id().
send_request(Operation, Args) ->
    send_request(2, Operation, Args, default).

%% @doc Like {@link send_request/2}, with a timeout in milliseconds that replaces `call_timeout'.
-spec send_request(operation(), Args :: [term()], default | timeout()) -> request_id().
send_request(Operation, Args, Timeout) ->
    is_timeout(Timeout) orelse signal_port_badarg:in_timeout(3),
    send_request(3, Operation, Args, Timeout).

%% @doc Returns the answer to a request. Waits until there is one; after the timeout of the call
%% the answer is `{error, timeout}'.
-spec receive_response(request_id()) -> {reply, Answer :: term()}.
receive_response(RequestId) ->
    {reply, _} = receive_response(RequestId, infinity).

%% @doc Returns the answer to a request, or `timeout' after these milliseconds. After `timeout' the
%% call is cancelled.
-spec receive_response(request_id(), timeout()) -> {reply, Answer :: term()} | timeout.
receive_response(RequestId, Timeout) ->
    signal_port_async:receive_response(RequestId, Timeout).

%% @doc Returns the answer to a request if `Message' carries it, else `no_reply'. Use it in
%% `handle_info/2'.
-spec check_response(Message :: term(), request_id()) -> {reply, Answer :: term()} | no_reply.
check_response(Message, RequestId) ->
    signal_port_async:check_response(Message, RequestId).

%% --- The application ---

%% @doc Returns the state of the application: the backend and the reason for it, the versions of
%% the Python side, and for each worker its state (`idle' before its first use, `starting',
%% `ready', `waiting' for its next start), its OS process id (if it is a child of this VM), its
%% versions with the path of its Python (`executable'), its sandbox, the calls answered, in flight,
%% and `queued' (in flight, but not yet written to the OS process), the restarts, and why the last
%% worker ended. `totals' has the sums, with the calls that wait for a worker among those `queued',
%% and the calls that were `refused' as `overloaded'. `nodes' has the other nodes that serve calls,
%% if the option `use_nodes' is on. Exits with `noproc' if the application is not running.
-spec info() ->
    #{backend := port | nif,
      reason := string(),
      versions := #{atom() => binary()},
      totals := #{calls := non_neg_integer(), in_flight := integer(), queued := integer(),
                  refused := non_neg_integer(), restarts := non_neg_integer()},
      workers := [#{state := idle | starting | ready | waiting,
                    os_pid := pos_integer() | undefined, versions := #{atom() => binary()},
                    sandbox := seccomp | {none, Why :: binary()} | undefined,
                    calls := non_neg_integer(), in_flight := integer(), queued := integer(),
                    restarts := non_neg_integer(), last_reason := string() | undefined}],
      nodes := [#{node := node(), state := starting | ready | refused | gone,
                  version := binary() | undefined, backend := port | nif | undefined,
                  calls := non_neg_integer(), in_flight := integer(),
                  last_reason := string() | undefined}]}.
info() ->
    #{versions := Versions, workers := Workers, others := Others} = signal_port_pool:info(),
    {Backend, Reason} = signal_port_table:choice(),
    Totals = maps:from_list([{Key, lists:sum([maps:get(Key, Counted, 0)
                                              || Counted <- [Others | Workers]])}
                             || Key <- [calls, in_flight, queued, refused, restarts]]),
    #{backend => Backend, reason => Reason, versions => Versions, totals => Totals,
      workers => Workers, nodes => signal_port_nodes:info()}.

%% @doc Returns metrics of the workers in Prometheus' text format 0.0.4, to serve under `/metrics'.
%% If the application is not running, they say so.
-spec metrics() -> binary().
metrics() ->
    signal_port_metrics:text(info_if_running()).

%% @doc Gives telemetry the event `[signal_port, pool, stats]', with the `totals' of {@link info/0},
%% the number of `workers' and how many are `ready'. It is a measurement for `telemetry_poller':
%% `{signal_port, dispatch_stats, []}'. It never raises.
-spec dispatch_stats() -> ok.
dispatch_stats() ->
    signal_port_metrics:dispatch(info_if_running()).

%% @doc Shows a live table in the terminal: the workers with their calls a second, and how long the
%% calls of each operation take. Leave it with `q' and Enter. Calls are measured only while a table
%% is shown. There is one table in a VM; a second one returns an error.
-spec top() -> ok | {error, Sentence :: string()}.
top() ->
    signal_port_top:run(fun info_if_running/0).

%% @doc Returns whether new calls are answered now: a worker is ready, or the NIF is used. For a
%% readiness probe: it never exits, and costs one look at a table. Returns `false' before the start,
%% while no worker is ready, and as soon as the application stops.
-spec ready() -> boolean().
ready() ->
    signal_port_table:is_ready().

%% @doc Replaces all workers, one after the other, for example to load new Python packages. The next
%% worker is ready before the old one gets no more calls, and the old one answers those that it has:
%% callers notice nothing. Meanwhile the pool has one OS process more. Returns `ok' when all old
%% workers have ended. If a new worker does not get ready, the old one stays, the others are left as
%% they are, and the sentence says why.
-spec replace_workers() -> ok | {error, Sentence :: string()}.
replace_workers() ->
    signal_port_pool:replace_workers().

%% @doc Changes the number of workers, from 1 to 256, until the application is started anew. Returns
%% at once: new workers then start, and workers that are too many end after the calls that they
%% have. Raises `badarg' for any other argument. Exits with `noproc' if the application is not
%% running.
-spec resize(PoolSize :: pos_integer()) -> ok.
resize(PoolSize) ->
    signal_port_config:is_workers(PoolSize) orelse signal_port_badarg:in_resize(),
    signal_port_pool:resize(PoolSize).

%% @doc Returns a child specification of the whole pool, for a supervisor of your own. Load the
%% application then, but do not start it. The options replace the application's environment.
-spec child_spec([option()]) -> supervisor:child_spec().
child_spec(Options) ->
    #{id => ?MODULE, start => {signal_port_sup, start_link, [Options]}, type => supervisor}.

%% @doc Returns a report on this machine, and prints it as a table with advice. The doctor tests
%% Erlang, OTP's `crypto', the NIF and the port, each in a child VM. The application need not be
%% running.
-spec doctor() -> signal_port_doctor:report().
doctor() ->
    Report = signal_port_doctor:examine(),
    signal_port_doctor:print(Report),
    Report.

%% --- Internals ---

info_if_running() ->
    try
        info()
    catch
        exit:_ -> not_running;
        error:badarg -> not_running  % the table is gone
    end.

send_request(Arity, Name, Args, Timeout) ->
    {Operation, _, Request} =
        try checked({Name, Args})
        catch error:badarg -> signal_port_badarg:in_request(Arity, Name, Args)
        end,
    Call = case signal_port_table:nif(Operation) of
        undefined -> fun(Seen) -> signal_port_dispatch:call(Request, Timeout, Seen) end;
        Module -> fun(_) -> call_nif(Module, Operation, Operation, Args) end
    end,
    signal_port_async:send(fun() -> observed(Operation, Call) end).

%% Returns an operation under its full name, its arguments, and the request, which checks them.
checked({Name, Args}) ->
    Operation = signal_port_codec:full_name(Name),
    {Operation, Args, signal_port_codec:request(Operation, Args)};
checked(_) ->
    error(badarg).

%% A comprehension would raise an error that has the improper list with its arguments.
all_checked([Call | Calls]) -> [checked(Call) | all_checked(Calls)];
all_checked([]) -> [];
all_checked(_) -> error(badarg).

is_timeout(Timeout) when is_integer(Timeout) -> 0 =< Timeout andalso Timeout =< 16#FFFFFFFF;
is_timeout(Timeout) -> Timeout =:= infinity orelse Timeout =:= default.

call(Operation, Args) ->
    call(Operation, Operation, Args).

%% The function is the one that the caller called: the operation under its full or short name.
call(Function, Operation, Args) ->
    observed(Operation, fun(Seen) -> answer(Function, Operation, Args, Seen) end).

answer(Function, Operation, Args, Seen) ->
    case signal_port_table:nif(Operation) of
        undefined ->
            signal_port_dispatch:call(request(Function, Operation, Args), default, Seen);
        Module ->
            call_nif(Module, Function, Operation, Args)
    end.

request(Function, Operation, Args) ->
    try
        signal_port_codec:request(Operation, Args)
    catch
        error:badarg -> signal_port_badarg:in_call(Function, Operation, Args)
    end.

call_nif(Module, Function, Operation, Args) ->
    try
        apply(Module, Operation, Args)
    catch
        error:badarg -> signal_port_badarg:in_call(Function, Operation, Args)
    end.

observed(Name, Call) ->
    case signal_port_span:is_observed() of
        true -> signal_port_span:observe(Name, Call);
        false -> Call(none)
    end.
