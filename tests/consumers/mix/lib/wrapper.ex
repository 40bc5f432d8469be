defmodule Wrapper do
  @moduledoc """
  As Elixir wraps the NIF: guards, `nil` for no one-time pre-key, names of its own. It knows nothing
  of signal_port.
  """
  @nif :libsignal_protocol_nif

  def agree(identity_secret, bundle) when is_binary(identity_secret) and is_binary(bundle),
    do: @nif.process_pre_key_bundle(identity_secret, bundle)

  def first_message(session, text, {registration_id, one_time_id, signed_id, ephemeral}) do
    info = {registration_id, one_time_id || :undefined, signed_id, ephemeral}
    @nif.dr_encrypt_prekey(session, text, info)
  end

  def parts(message) when is_binary(message) do
    with {:ok, {registration_id, base, identity, :undefined, signed_id, inner}} <-
           @nif.pksm_decode(message),
         do: {:ok, {registration_id, base, identity, nil, signed_id, inner}}
  end

  @doc "Two people meet and talk."
  def check do
    {:ok, {bob, bob_secret}} = @nif.generate_identity_key_pair()
    {:ok, {alice, alice_secret}} = @nif.generate_identity_key_pair()
    {:ok, {3, signed, private, signature}} = @nif.generate_signed_pre_key(bob_secret, 3)
    {:ok, {shared, ephemeral}} = agree(alice_secret, bob <> signed <> signature)
    {:ok, at_alice} = @nif.dr_init(shared, alice, bob, "", 1)
    {:ok, {message, _}} = first_message(at_alice, "Hello", {5, nil, 3, ephemeral})
    {:ok, {5, ^ephemeral, ^alice, nil, 3, inner}} = parts(message)

    {:ok, ^shared} = @nif.process_pre_key_bundle_bob(bob_secret, private, "", alice, ephemeral)
    {:ok, at_bob} = @nif.dr_init(shared, bob, alice, bob_secret, 0)
    {:ok, {"Hello", _}} = @nif.dr_decrypt(at_bob, inner)
    {:ok, digest} = :signal_nif.sha256("abc")
    32 = byte_size(digest)
    :ok
  end
end
