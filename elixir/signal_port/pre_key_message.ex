defmodule SignalPort.PreKeyInfo do
  @moduledoc """
  What the initiator adds to the first messages, so that the responder can make the same session.

  `registration_id` is the sender's own number. The other ids are those of the bundle. `base_key` is
  the ephemeral key of `SignalPort.process_pre_key_bundle/2`. Ids are 0 to 2^32-1.
  """
  @enforce_keys [:registration_id, :signed_pre_key_id, :base_key]
  defstruct [:registration_id, :one_time_pre_key_id, :signed_pre_key_id, :base_key]

  @type t :: %__MODULE__{
          registration_id: 0..0xFFFFFFFF,
          one_time_pre_key_id: 0..0xFFFFFFFF | nil,
          signed_pre_key_id: 0..0xFFFFFFFF,
          base_key: <<_::256>>
        }
end

defmodule SignalPort.PreKeyMessage do
  @moduledoc """
  The parts of a first message. `message` is encrypted, and is for `SignalPort.decrypt/2`.

  The responder finds the pre-keys by their ids, and takes `identity_key` and `base_key` for
  `SignalPort.process_pre_key_bundle_bob/5`. `inspect/1` leaves out the message.
  """
  @derive {Inspect, except: [:message]}
  @enforce_keys [:registration_id, :base_key, :identity_key, :signed_pre_key_id, :message]
  defstruct [
    :registration_id,
    :base_key,
    :identity_key,
    :one_time_pre_key_id,
    :signed_pre_key_id,
    :message
  ]

  @type t :: %__MODULE__{
          registration_id: 0..0xFFFFFFFF,
          base_key: <<_::256>>,
          identity_key: <<_::256>>,
          one_time_pre_key_id: 0..0xFFFFFFFF | nil,
          signed_pre_key_id: 0..0xFFFFFFFF,
          message: binary
        }
end
