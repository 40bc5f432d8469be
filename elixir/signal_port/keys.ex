defmodule SignalPort.KeyPair do
  @moduledoc """
  A public key and its secret key. `inspect/1` leaves out the secret key.

  The secret key of an Ed25519 pair has 64 bytes, its seed and then the public key. All other keys
  have 32. Store both binaries, and make the struct of them again.
  """
  @derive {Inspect, except: [:secret]}
  @enforce_keys [:public, :secret]
  defstruct [:public, :secret]

  @type t :: %__MODULE__{public: <<_::256>>, secret: binary}
end

defmodule SignalPort.PreKey do
  @moduledoc """
  A one-time pre-key: an X25519 pair with an id. `inspect/1` leaves out the secret key, 32 bytes.
  """
  @derive {Inspect, except: [:secret]}
  @enforce_keys [:id, :public, :secret]
  defstruct [:id, :public, :secret]

  @type t :: %__MODULE__{id: integer, public: <<_::256>>, secret: <<_::256>>}
end

defmodule SignalPort.SignedPreKey do
  @moduledoc """
  A signed pre-key: an X25519 pair with an id, and the signature of its public key by the identity.
  `inspect/1` leaves out the secret key, 32 bytes.
  """
  @derive {Inspect, except: [:secret]}
  @enforce_keys [:id, :public, :secret, :signature]
  defstruct [:id, :public, :secret, :signature]

  @type t :: %__MODULE__{
          id: integer,
          public: <<_::256>>,
          secret: <<_::256>>,
          signature: <<_::512>>
        }
end
