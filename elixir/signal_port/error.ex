defmodule SignalPort.Error do
  @moduledoc """
  What a function with a bang raises if the one without it returns `{:error, reason}`.

  `operation` is the name of the function, `reason` the atom. The message has both, and no argument
  of the call.
  """
  defexception [:operation, :reason]

  @type t :: %__MODULE__{operation: atom, reason: atom}

  @impl true
  def message(error),
    do: "SignalPort.#{error.operation} returned the error #{inspect(error.reason)}"
end
