defmodule SignalPort.Session.Storage do
  @moduledoc """
  Where a `SignalPort.Session` keeps its session. Implement it with your database.

  The module is given with an argument, for example a path or the name of a repository, which both
  callbacks get first. A session is secret: encrypt it before it is written to a disk.
  """

  @typedoc """
  What made the session: a step with the message to send or the text that was read. `:first` is for a
  session of `SignalPort.dr_init/4`, which you store yourself.
  """
  @type step :: :first | {:encrypted, SignalPort.message()} | {:decrypted, plaintext :: binary}

  @doc """
  Returns the session that was stored last. The process calls it when it starts, so store the first
  session before that. It calls it again before the step after one that could not be stored.
  """
  @callback load(argument :: term) :: {:ok, SignalPort.session()} | {:error, reason :: term}

  @doc """
  Stores a session in place of the last one, completely or not at all, and returns `:ok` when it is
  safe. If it returns anything else, or raises, the step did not happen.

  A step is returned to its caller after this. If the node ends in between, the message was not
  sent, or the text was not seen. To lose neither, store the step in the same transaction, as an
  outbox and an inbox.
  """
  @callback store(argument :: term, SignalPort.session(), step) :: :ok | {:error, reason :: term}
end
