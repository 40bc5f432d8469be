defmodule SignalPort do
  @moduledoc """
  The operations of the Signal Protocol, without a NIF: the Erlang module `:signal_port` for Elixir.

  A pool of Python processes does the work. The application `:signal_port` starts the pool. If a
  Python process crashes, the pool restarts it, and this VM is not affected.

  Bob publishes a bundle. Alice makes a session with it, and writes:

      iex> bob = SignalPort.generate_identity_key_pair!()
      iex> signed_pre_key = SignalPort.generate_signed_pre_key!(bob, 1)
      iex> bundle = SignalPort.Bundle.new(bob, signed_pre_key)
      iex> alice = SignalPort.generate_identity_key_pair!()
      iex> {secret, ephemeral} = SignalPort.process_pre_key_bundle!(alice, bundle)
      iex> session = SignalPort.dr_init!(secret, alice, bob.public, :initiator)
      iex> {message, _next_session} = SignalPort.encrypt!(session, "Hello Bob!")
      iex> # Bob has Alice's identity key, the ephemeral key and the message.
      iex> secret =
      ...>   SignalPort.process_pre_key_bundle_bob!(bob, signed_pre_key, nil, alice.public, ephemeral)
      iex> session = SignalPort.dr_init!(secret, bob, alice.public, :responder)
      iex> {plaintext, _next_session} = SignalPort.decrypt!(session, message)
      iex> plaintext
      "Hello Bob!"

  A session is a binary of 7740 bytes. It is secret. Store the new session that a step returns, then
  send the message, and pass the new session to the next step. `SignalPort.Session` is a process
  that does so.

  For all functions:

    * They return `{:ok, value}` or `{:error, reason}`. Those with a bang return the value, or raise
      `SignalPort.Error`. A failed call changes nothing.
    * An argument of a wrong type raises `ArgumentError`. Binaries must be binaries, not iodata.
    * Where an identity or a private key is expected, a key struct or the binary can be given.
    * Sizes are in bytes. An Ed25519 secret key has 64. Every other key has 32.
    * `reason` can also be `:timeout`, `:unavailable` if no worker can be started, `:too_large` if
      the call or its answer is over the option `max_frame`, and `:overloaded` if the option
      `max_queue` is set and as many calls wait.

  The functions have the names of the Erlang module. `encrypt/2` and `decrypt/2` are its
  `dr_encrypt/2` and `dr_decrypt/2`.
  """
  import SignalPort.Operation

  alias SignalPort.{Bundle, KeyPair, PreKey, PreKeyInfo, PreKeyMessage, SignedPreKey}

  @typedoc "32 bytes: an X25519 key, an Ed25519 public key or a symmetric key."
  @type key :: <<_::256>>
  @typedoc "An Ed25519 secret key: the pair, or 64 bytes, its seed and then its public key."
  @type identity :: KeyPair.t() | <<_::512>>
  @typedoc "An X25519 private key: a struct that has it, or 32 bytes."
  @type private :: KeyPair.t() | PreKey.t() | SignedPreKey.t() | key
  @typedoc "96 bytes: the result of X3DH."
  @type shared_secret :: <<_::768>>
  @typedoc "7740 bytes: the NIF's own struct. It is secret."
  @type session :: binary
  @typedoc "An encrypted message, as it is sent."
  @type message :: binary
  @typedoc "64 bytes, Ed25519."
  @type signature :: <<_::512>>
  @typedoc "An id that the caller chooses. It is returned unchanged."
  @type key_id :: -0x80000000..0x7FFFFFFF

  ## Keys and X3DH

  @doc """
  Returns `:ok`. With the port, `:ok` means that a worker is ready.

      iex> SignalPort.init()
      :ok
  """
  operation init() :: :ok

  @doc """
  Returns a fresh Ed25519 identity key pair.

      iex> {:ok, identity} = SignalPort.generate_identity_key_pair()
      iex> {byte_size(identity.public), byte_size(identity.secret)}
      {32, 64}
  """
  operation generate_identity_key_pair() :: KeyPair.t()

  @doc """
  Returns a fresh X25519 one-time pre-key with the given id.

      iex> {:ok, pre_key} = SignalPort.generate_pre_key(7)
      iex> pre_key.id
      7
  """
  operation generate_pre_key(id :: key_id) :: PreKey.t()

  @doc """
  Returns a fresh X25519 signed pre-key with the given id. The signature is the identity's, over the
  public key. Errors: `:invalid_identity_key_size`; `:signature_failed` if the public half of the
  secret key does not belong to its seed.

      iex> identity = SignalPort.generate_identity_key_pair!()
      iex> {:ok, signed} = SignalPort.generate_signed_pre_key(identity, 1)
      iex> SignalPort.verify_signature(identity.public, signed.public, signed.signature)
      :ok
  """
  operation generate_signed_pre_key(identity :: identity, id :: key_id) :: SignedPreKey.t()

  @doc """
  Returns the initiator's shared secret of X3DH (X3DH 3.3) and the ephemeral public key. Send the
  ephemeral key to the owner of the bundle in the first message, see `dr_encrypt_prekey/3`. Errors,
  in the order checked: `:invalid_local_identity_key_size`, `:invalid_bundle_size`,
  `:signature_verification_failed`, `:identity_pub_conversion_failed`, `:dh1_calculation_failed` to
  `:dh4_calculation_failed`.

      iex> identity = SignalPort.generate_identity_key_pair!()
      iex> SignalPort.process_pre_key_bundle(identity, "short")
      {:error, :invalid_bundle_size}
  """
  operation process_pre_key_bundle(identity :: identity, bundle :: Bundle.t() | binary) ::
              {shared_secret, ephemeral :: key}

  @doc """
  Returns the responder's shared secret of X3DH (X3DH 3.4). `one_time_pre_key` is `nil` if the bundle
  had none. Errors, in the order checked: `:invalid_identity_priv_size`,
  `:invalid_signed_pre_key_priv_size`, `:invalid_one_time_pre_key_priv_size`,
  `:invalid_remote_identity_pub_size`, `:invalid_remote_ephemeral_pub_size`,
  `:identity_pub_conversion_failed`, `:dh1_calculation_failed` to `:dh4_calculation_failed`.

      iex> bob = SignalPort.generate_identity_key_pair!()
      iex> signed_pre_key = SignalPort.generate_signed_pre_key!(bob, 1)
      iex> SignalPort.process_pre_key_bundle_bob(bob, signed_pre_key, nil, bob.public, "short")
      {:error, :invalid_remote_ephemeral_pub_size}
  """
  operation process_pre_key_bundle_bob(
              identity :: identity,
              signed_pre_key :: private,
              one_time_pre_key :: private | nil,
              remote_identity :: key,
              remote_ephemeral :: key
            ) :: shared_secret

  ## The Double Ratchet

  @doc """
  Returns the first session after X3DH. The `:initiator` can send at once. The `:responder` must
  receive first. Errors, in the order checked: `:invalid_shared_secret_size`,
  `:invalid_identity_pub_size`, `:identity_pub_conversion_failed`, `:dh_failed` (initiator),
  `:invalid_self_priv_size` (responder).

      iex> bob = SignalPort.generate_identity_key_pair!()
      iex> alice = SignalPort.generate_identity_key_pair!()
      iex> {:ok, session} = SignalPort.dr_init(<<0::768>>, bob, alice.public, :responder)
      iex> SignalPort.encrypt(session, "too early")
      {:error, :must_receive_first}
  """
  operation dr_init(
              shared_secret :: shared_secret,
              identity :: KeyPair.t(),
              remote_identity :: key,
              role :: :initiator | :responder
            ) :: session

  @doc """
  Returns an encrypted message and the next session. Errors, in the order checked:
  `:invalid_session_size`, `:invalid_session`, `:session_not_initialized`, `:must_receive_first`.

      iex> SignalPort.encrypt("no session", "Hello")
      {:error, :invalid_session_size}
  """
  operation encrypt(session :: session, plaintext :: binary) :: {message, session}

  @doc """
  Returns a decrypted message and the next session. Messages can be late or out of order: up to 32
  messages of a chain can be missing before this one, and the session keeps the keys of 96 missing
  messages. Errors, in the order checked: those of `encrypt/2` without `:must_receive_first`;
  `:message_too_short`, `:unsupported_version`, `:malformed_message`; `:bad_mac` for a forged
  message, a duplicate or a message of another session; `:too_many_skipped`, `:dh_ratchet_failed`,
  `:decryption_failed`.

      iex> SignalPort.decrypt("no session", "no message")
      {:error, :invalid_session_size}
  """
  operation decrypt(session :: session, message :: message) :: {plaintext :: binary, session}

  @doc """
  Returns an encrypted message inside a PreKeySignalMessage, and the next session. That message has
  the keys that the responder needs for X3DH. Errors: those of `encrypt/2`. Raises `ArgumentError` if
  the base key is not 32 bytes or an id is not in 0 to 2^32-1.

      iex> alice = SignalPort.generate_identity_key_pair!()
      iex> bob = SignalPort.generate_identity_key_pair!()
      iex> session = SignalPort.dr_init!(<<0::768>>, alice, bob.public, :initiator)
      iex> info = %SignalPort.PreKeyInfo{
      ...>   registration_id: 5,
      ...>   signed_pre_key_id: 1,
      ...>   base_key: <<9::256>>
      ...> }
      iex> {:ok, {message, _next_session}} = SignalPort.dr_encrypt_prekey(session, "Hello", info)
      iex> {:ok, parts} = SignalPort.pksm_decode(message)
      iex> {parts.registration_id, parts.one_time_pre_key_id, parts.identity_key == alice.public}
      {5, nil, true}
  """
  operation dr_encrypt_prekey(session :: session, plaintext :: binary, info :: PreKeyInfo.t()) ::
              {message, session}

  @doc """
  Returns the parts of a PreKeySignalMessage. Error: `:malformed_message`.

      iex> SignalPort.pksm_decode("no message")
      {:error, :malformed_message}
  """
  operation pksm_decode(message :: message) :: PreKeyMessage.t()

  ## The static-key session of 0.1 and 0.2

  @doc """
  Returns a session, 64 bytes, that has one key for all messages. Use `dr_init/4` in new code.
  Errors: `:invalid_key_sizes`, `:key_agreement_failed`.

      iex> pair = SignalPort.generate_curve25519_keypair!()
      iex> session = SignalPort.create_session!(pair, pair.public)
      iex> message = SignalPort.encrypt_message!(session, "Hello")
      iex> SignalPort.decrypt_message(session, message)
      {:ok, "Hello"}
  """
  operation create_session(private :: private, public :: key) :: session

  @doc """
  Returns a message encrypted by ChaCha20-Poly1305 (RFC 8439): nonce (12), ciphertext, tag (16).
  Error: `:invalid_session` if the session is shorter than 32 bytes.

      iex> SignalPort.encrypt_message("short", "Hello")
      {:error, :invalid_session}
  """
  operation encrypt_message(session :: session, plaintext :: binary) :: message

  @doc """
  Returns the plaintext of an `encrypt_message/2` message. Errors: `:invalid_session` if the session
  is shorter than 32 bytes; `:invalid_message` if the message is shorter than 28;
  `:decryption_failed`.

      iex> SignalPort.decrypt_message(<<0::512>>, "short")
      {:error, :invalid_message}
  """
  operation decrypt_message(session :: session, message :: message) :: plaintext :: binary

  ## Primitives

  @doc """
  Returns the SHA-256 digest, 32 bytes (FIPS 180-4).

      iex> SignalPort.sha256!("abc") |> Base.encode16(case: :lower)
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  """
  operation sha256(data :: binary) :: <<_::256>>

  @doc """
  Returns the SHA-512 digest, 64 bytes (FIPS 180-4).

      iex> SignalPort.sha512!("abc") |> binary_part(0, 4) |> Base.encode16(case: :lower)
      "ddaf35a1"
  """
  operation sha512(data :: binary) :: <<_::512>>

  @doc """
  Returns the HMAC-SHA-256, 32 bytes (RFC 2104). The key can have any length, 0 included.

      iex> mac = SignalPort.hmac_sha256!("Jefe", "what do ya want for nothing?")
      iex> mac |> binary_part(0, 4) |> Base.encode16(case: :lower)
      "5bdcc146"
  """
  operation hmac_sha256(key :: binary, data :: binary) :: <<_::256>>

  @doc """
  Returns `length` bytes, 0 to 8160, of HKDF-SHA-256 (RFC 5869). An empty salt stands for 32 zero
  bytes. Error: `:invalid_length`.

      iex> ikm = :binary.copy(<<0x0B>>, 22)
      iex> SignalPort.hkdf_sha256!(ikm, "", "", 4) |> Base.encode16(case: :lower)
      "8da4e775"
  """
  operation hkdf_sha256(ikm :: binary, salt :: binary, info :: binary, length :: integer) :: binary

  @doc """
  Returns a fresh X25519 key pair (RFC 7748).

      iex> {:ok, pair} = SignalPort.generate_curve25519_keypair()
      iex> {byte_size(pair.public), byte_size(pair.secret)}
      {32, 32}
  """
  operation generate_curve25519_keypair() :: KeyPair.t()

  @doc """
  Returns the shared secret, 32 bytes, of a private and a public X25519 key (RFC 7748). Errors:
  `:invalid_key_sizes`; `:key_agreement_failed` if the secret would be all zero.

      iex> alice = SignalPort.generate_curve25519_keypair!()
      iex> bob = SignalPort.generate_curve25519_keypair!()
      iex> SignalPort.x25519!(alice, bob.public) == SignalPort.x25519!(bob, alice.public)
      true
  """
  operation x25519(private :: private, public :: key) :: key

  @doc """
  Returns a fresh Ed25519 key pair (RFC 8032).

      iex> {:ok, pair} = SignalPort.generate_ed25519_keypair()
      iex> {byte_size(pair.public), byte_size(pair.secret)}
      {32, 64}
  """
  operation generate_ed25519_keypair() :: KeyPair.t()

  @doc """
  Returns the Ed25519 signature of a message (RFC 8032). Errors: `:invalid_private_key` if the key is
  not 64 bytes; `:signing_failed` if its public half does not belong to its seed, because such a
  signature would leak the key.

      iex> pair = SignalPort.generate_ed25519_keypair!()
      iex> {:ok, signature} = SignalPort.sign_data(pair, "a message")
      iex> byte_size(signature)
      64
  """
  operation sign_data(secret :: identity, message :: binary) :: signature

  @doc """
  Returns `:ok` if an Ed25519 signature is valid by libsodium's rules. Errors: `:invalid_signature`,
  also for a wrong size; `:invalid_public_key` for a wrong size of the key.

      iex> pair = SignalPort.generate_ed25519_keypair!()
      iex> signature = SignalPort.sign_data!(pair, "a message")
      iex> SignalPort.verify_signature(pair.public, "a message", signature)
      :ok
      iex> SignalPort.verify_signature(pair.public, "another", signature)
      {:error, :invalid_signature}
  """
  operation verify_signature(public :: key, message :: binary, signature :: signature) :: :ok

  @doc """
  Returns the X25519 private key of an Ed25519 secret key. Error: `:invalid_secret_key_size`.

      iex> SignalPort.ed25519_sk_to_curve25519("short")
      {:error, :invalid_secret_key_size}
  """
  operation ed25519_sk_to_curve25519(secret :: identity) :: key

  @doc """
  Returns the X25519 public key of an Ed25519 public key. Errors: `:invalid_public_key_size`;
  `:conversion_failed` if the key is not a point of the prime-order subgroup in canonical form.

      iex> SignalPort.ed25519_pk_to_curve25519(<<0::256>>)
      {:error, :conversion_failed}
  """
  operation ed25519_pk_to_curve25519(public :: key) :: key

  @doc """
  Returns ciphertext and tag of AES-256-GCM (NIST SP 800-38D). Error: `:invalid_parameters` if the key
  is not 32 bytes or the IV not 12. Never use an IV twice with a key.

      iex> {"", tag} = SignalPort.aes_gcm_encrypt!(<<0::256>>, <<0::96>>, "", "")
      iex> Base.encode16(tag, case: :lower)
      "530f8afbc74536b9a963b4f1c4cb738b"
  """
  operation aes_gcm_encrypt(key :: key, iv :: <<_::96>>, plaintext :: binary, aad :: binary) ::
              {ciphertext :: binary, tag :: <<_::128>>}

  @doc """
  Returns the plaintext of `aes_gcm_encrypt/4`. Errors: `:invalid_parameters` if the key is not 32
  bytes, the IV not 12 or the tag not 16; `:decryption_failed`.

      iex> {ciphertext, tag} = SignalPort.aes_gcm_encrypt!(<<0::256>>, <<0::96>>, "Hello", "head")
      iex> SignalPort.aes_gcm_decrypt(<<0::256>>, <<0::96>>, ciphertext, "head", tag)
      {:ok, "Hello"}
      iex> SignalPort.aes_gcm_decrypt(<<0::256>>, <<0::96>>, ciphertext, "other", tag)
      {:error, :decryption_failed}
  """
  operation aes_gcm_decrypt(
              key :: key,
              iv :: <<_::96>>,
              ciphertext :: binary,
              aad :: binary,
              tag :: <<_::128>>
            ) :: plaintext :: binary

  ## Many calls, and the application

  @doc """
  Returns the answers of many calls, in the order of the calls. The calls travel together and are
  spread over the workers. Each answer is that of the call alone. The time limit `call_timeout` is
  for 64 calls. Raises `ArgumentError` before anything is sent if one call is invalid. Put calls that
  depend on each other, for example two messages in one session, into different batches.

      iex> SignalPort.batch(sha256: ["abc"], pksm_decode: ["no message"])
      [{:ok, SignalPort.sha256!("abc")}, {:error, :malformed_message}]
  """
  @spec batch([{operation :: atom, arguments :: list}]) :: [:ok | {:ok, term} | {:error, atom}]
  def batch(calls), do: SignalPort.Call.batch(calls)

  @doc """
  Returns the state of the application: the backend and the reason for it, versions, and each
  worker's state. Exits with `:noproc` if the application is not running.

      iex> SignalPort.info().backend
      :port
  """
  @spec info() :: map
  def info, do: :signal_port.info()

  @doc """
  Returns whether new calls are answered now, for a readiness probe. It never exits: before the start
  and as soon as the application stops it returns `false`.

      iex> SignalPort.ready?()
      true
  """
  @spec ready?() :: boolean
  def ready?, do: :signal_port.ready()

  @doc """
  Replaces all workers, one after the other, for example to load new Python packages. Callers notice
  nothing. Returns the reason of the first new worker that does not get ready: then the others stay.

      iex> SignalPort.replace_workers()
      :ok
  """
  @spec replace_workers() :: :ok | {:error, charlist}
  def replace_workers, do: :signal_port.replace_workers()

  @doc """
  Changes the number of workers, from 1 to 256. Workers that are too many end after the calls that
  they have. Raises `ArgumentError` for any other argument.

      iex> SignalPort.resize(2)
      :ok
  """
  @spec resize(pool_size :: pos_integer) :: :ok
  def resize(pool_size), do: :signal_port.resize(pool_size)

  @doc """
  Returns a child specification of the whole pool, for a supervisor of your own:

      children = [{SignalPort, pool_size: 2}]

  Have the application loaded then, but not started: `{:signal_port, ..., runtime: false}`. The
  options replace the application's environment.

      iex> SignalPort.child_spec(pool_size: 2).type
      :supervisor
  """
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(options), do: :signal_port.child_spec(options)

  @doc """
  Returns a report on this machine, and prints it as a table with advice. It tests Erlang, OTP's
  crypto, the NIF and the port, each in a VM of its own. `mix signal_port.doctor` prints the same.
  """
  @spec doctor() :: map
  def doctor, do: :signal_port.doctor()
end
