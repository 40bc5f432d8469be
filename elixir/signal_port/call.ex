defmodule SignalPort.Call do
  @moduledoc false
  # Owns the way from the structs of Elixir to the tuples of the Erlang module, and back. A call with
  # an invalid argument raises `ArgumentError`, whose message has no argument: it can be a secret.

  alias SignalPort.{Bundle, KeyPair, PreKey, PreKeyInfo, PreKeyMessage, SignedPreKey}

  @key_pairs [:generate_identity_key_pair, :generate_ed25519_keypair, :generate_curve25519_keypair]
  @secret_first [
    :generate_signed_pre_key,
    :sign_data,
    :x25519,
    :ed25519_sk_to_curve25519,
    :create_session
  ]
  @tag_size 16

  @doc "Returns `:ok`, `{:ok, value}` or `{:error, reason}`."
  def answer(operation, arguments) do
    answered(operation, apply(:signal_port, operation, arguments(operation, arguments)))
  end

  @doc "Returns `:ok` or the value, or raises `SignalPort.Error`."
  def value!(operation, arguments) do
    case answer(operation, arguments) do
      :ok -> :ok
      {:ok, value} -> value
      {:error, reason} -> raise SignalPort.Error, operation: operation, reason: reason
    end
  end

  @doc "Returns the answers of many calls, in their order."
  def batch(calls) do
    answers = :signal_port.batch(erlang_calls(calls))
    Enum.zip_with(calls, answers, fn {operation, _}, answer -> answered(operation, answer) end)
  end

  # A comprehension would raise an error that has the calls in it.
  defp erlang_calls([{operation, arguments} | calls]),
    do: [{operation, arguments(operation, arguments)} | erlang_calls(calls)]

  defp erlang_calls([]), do: []
  defp erlang_calls(_), do: raise(ArgumentError, "a batch must be a list of {operation, arguments}")

  defp arguments(:process_pre_key_bundle, [identity, bundle]),
    do: [secret(identity), bundle(bundle)]

  defp arguments(:process_pre_key_bundle_bob, [identity, signed, one_time, remote, ephemeral]),
    do: [secret(identity), secret(signed), secret(one_time || ""), remote, ephemeral]

  defp arguments(:dr_init, [shared_secret, %KeyPair{} = identity, remote, role]),
    do: [shared_secret, identity.public, remote, identity.secret, role(role)]

  defp arguments(:dr_init, _),
    do: raise(ArgumentError, "dr_init takes four arguments, and the identity must be a KeyPair")

  defp arguments(:dr_encrypt_prekey, [session, plaintext, info]),
    do: [session, plaintext, info(info)]

  defp arguments(:aes_gcm_encrypt, [key, iv, plaintext, aad]),
    do: [key, iv, plaintext, aad, @tag_size]

  defp arguments(:aes_gcm_decrypt, [key, iv, ciphertext, aad, tag]),
    do: [key, iv, ciphertext, aad, tag, size(ciphertext)]

  defp arguments(operation, [first | rest]) when operation in @secret_first,
    do: [secret(first) | rest]

  defp arguments(_, arguments), do: arguments

  defp secret(%kind{secret: secret}) when kind in [KeyPair, PreKey, SignedPreKey], do: secret
  defp secret(other), do: other

  defp bundle(%Bundle{} = bundle), do: Bundle.to_binary(bundle)
  defp bundle(other), do: other

  defp role(:initiator), do: 1
  defp role(:responder), do: 0
  defp role(_), do: raise(ArgumentError, "the role must be :initiator or :responder")

  # The Erlang module refuses what is no binary.
  defp size(data), do: if(is_binary(data), do: byte_size(data), else: 0)

  defp info(%PreKeyInfo{} = info),
    do:
      {info.registration_id, info.one_time_pre_key_id || :undefined, info.signed_pre_key_id,
       info.base_key}

  defp info(_), do: raise(ArgumentError, "the third argument must be a SignalPort.PreKeyInfo")

  defp answered(:verify_signature, :invalid_signature), do: {:error, :invalid_signature}
  defp answered(:aes_gcm_encrypt, {:ok, ciphertext, tag}), do: {:ok, {ciphertext, tag}}
  defp answered(operation, {:ok, value}), do: {:ok, value(operation, value)}
  defp answered(_, answer), do: answer

  defp value(operation, {public, secret}) when operation in @key_pairs,
    do: %KeyPair{public: public, secret: secret}

  defp value(:generate_pre_key, {id, public, secret}),
    do: %PreKey{id: id, public: public, secret: secret}

  defp value(:generate_signed_pre_key, {id, public, secret, signature}),
    do: %SignedPreKey{id: id, public: public, secret: secret, signature: signature}

  defp value(:pksm_decode, {registration_id, base_key, identity_key, one_time, signed, message}) do
    %PreKeyMessage{
      registration_id: registration_id,
      base_key: base_key,
      identity_key: identity_key,
      one_time_pre_key_id: if(one_time != :undefined, do: one_time),
      signed_pre_key_id: signed,
      message: message
    }
  end

  defp value(_, value), do: value
end
