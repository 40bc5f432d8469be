defmodule SignalPort.Bundle do
  @moduledoc """
  What the responder publishes for X3DH. Everything in it is public.

  The ids are not part of the bytes of a bundle. The initiator needs them for
  `SignalPort.PreKeyInfo`.
  """
  alias SignalPort.{KeyPair, PreKey, SignedPreKey}

  @enforce_keys [:identity_key, :signed_pre_key, :signature]
  defstruct [
    :identity_key,
    :signed_pre_key_id,
    :signed_pre_key,
    :signature,
    :one_time_pre_key_id,
    :one_time_pre_key
  ]

  @type t :: %__MODULE__{
          identity_key: <<_::256>>,
          signed_pre_key_id: integer | nil,
          signed_pre_key: <<_::256>>,
          signature: <<_::512>>,
          one_time_pre_key_id: integer | nil,
          one_time_pre_key: <<_::256>> | nil
        }

  @doc """
  Returns the bundle of the public parts of these keys.

      iex> identity = SignalPort.generate_identity_key_pair!()
      iex> signed_pre_key = SignalPort.generate_signed_pre_key!(identity, 7)
      iex> bundle = SignalPort.Bundle.new(identity, signed_pre_key)
      iex> {bundle.signed_pre_key_id, bundle.one_time_pre_key}
      {7, nil}
  """
  @spec new(KeyPair.t(), SignedPreKey.t(), PreKey.t() | nil) :: t
  def new(identity, signed_pre_key, one_time_pre_key \\ nil)

  def new(%KeyPair{} = identity, %SignedPreKey{} = signed_pre_key, nil) do
    %__MODULE__{
      identity_key: identity.public,
      signed_pre_key_id: signed_pre_key.id,
      signed_pre_key: signed_pre_key.public,
      signature: signed_pre_key.signature
    }
  end

  def new(identity, signed_pre_key, %PreKey{} = one_time_pre_key) do
    %{
      new(identity, signed_pre_key)
      | one_time_pre_key_id: one_time_pre_key.id,
        one_time_pre_key: one_time_pre_key.public
    }
  end

  # A clause that fits nothing would show the keys.
  def new(_, _, _),
    do: raise(ArgumentError, "a bundle is made of a KeyPair, a SignedPreKey, a PreKey")

  @doc """
  Returns the bytes of a bundle, as the NIF takes them: 128, or 160 with a one-time pre-key.

      iex> bundle = SignalPort.Bundle.from_binary!(<<1::256, 2::256, 3::512, 4::256>>)
      iex> SignalPort.Bundle.to_binary(bundle)
      <<1::256, 2::256, 3::512, 4::256>>
  """
  @spec to_binary(t) :: binary
  def to_binary(%__MODULE__{} = bundle) do
    bundle.identity_key <>
      bundle.signed_pre_key <> bundle.signature <> (bundle.one_time_pre_key || "")
  end

  @doc """
  Returns the bundle of 128 or 160 bytes, without ids. Error: `:invalid_bundle_size`.

      iex> {:ok, bundle} = SignalPort.Bundle.from_binary(<<1::256, 2::256, 3::512>>)
      iex> bundle.one_time_pre_key
      nil
      iex> SignalPort.Bundle.from_binary("short")
      {:error, :invalid_bundle_size}
  """
  @spec from_binary(binary) :: {:ok, t} | {:error, :invalid_bundle_size}
  def from_binary(<<identity_key::binary-32, signed::binary-32, signature::binary-64>>) do
    {:ok, %__MODULE__{identity_key: identity_key, signed_pre_key: signed, signature: signature}}
  end

  def from_binary(<<first::binary-128, one_time_pre_key::binary-32>>) do
    {:ok, bundle} = from_binary(first)
    {:ok, %{bundle | one_time_pre_key: one_time_pre_key}}
  end

  def from_binary(_), do: {:error, :invalid_bundle_size}

  @doc "Like `from_binary/1`, but returns the bundle, or raises `SignalPort.Error`."
  @spec from_binary!(binary) :: t
  def from_binary!(binary) do
    case from_binary(binary) do
      {:ok, bundle} -> bundle
      {:error, reason} -> raise SignalPort.Error, operation: :"Bundle.from_binary", reason: reason
    end
  end
end
