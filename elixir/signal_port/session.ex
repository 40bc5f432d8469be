defmodule SignalPort.Session do
  @moduledoc """
  A process that holds one session, takes one step after the other, and stores the new session before
  it returns a message or a text.

      children = [
        {SignalPort.Session, name: :to_bob, storage: {MyApp.SessionStorage, "bob"}}
      ]

      {:ok, message} = SignalPort.Session.encrypt(:to_bob, "Hello")
      {:ok, "Hello"} = SignalPort.Session.decrypt(:to_alice, message)

  Options, all required:

    * `:name` - the name of the process, as for `GenServer.start_link/3`. A session must be used by one
      process alone: with two, a message key is used twice. A second process with the name is not
      started. Use `{:global, name}` if several nodes can start the same session.
    * `:storage` - `{module, argument}`: a `SignalPort.Session.Storage` and what its callbacks get.

  Rules that it keeps:

    * A step whose session could not be stored did not happen: its message or text is thrown away.
      The next step loads the session again, since a storage can fail after it has stored.
    * A step that fails changes nothing.
    * If the process ends, its supervisor starts it with the session that was stored last.
    * Crash reports, `:sys.get_status/1` and failed calls show neither session nor message nor text. The
      options are not secret: a supervisor prints them.
  """
  use GenServer

  @type option :: {:name, GenServer.name()} | {:storage, {module, argument :: term}}

  @typedoc """
  Why a step did not happen: `:not_stored`; `:not_loaded` if that was so before, and the session cannot
  be loaded again; `:unavailable` if the process is not running or ended during the step; or a reason
  of `SignalPort.encrypt/2` and `SignalPort.decrypt/2`.
  """
  @type reason :: :not_stored | :not_loaded | :unavailable | atom

  @doc "Returns a child specification. Its id is the name, so that a supervisor can have many."
  @spec child_spec([option]) :: Supervisor.child_spec()
  def child_spec(options) do
    %{id: {__MODULE__, options[:name]}, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  Starts the process, and loads its session. Errors: `{:already_started, pid}`; `{:not_loaded, reason}`,
  with the storage's reason, or the module of the exception that it raised.
  """
  @spec start_link([option]) :: GenServer.on_start()
  def start_link(options) do
    {module, argument} = Keyword.fetch!(options, :storage)
    GenServer.start_link(__MODULE__, {module, argument}, name: Keyword.fetch!(options, :name))
  end

  @doc "Returns the message to send. The session after it is stored."
  @spec encrypt(GenServer.server(), plaintext :: binary) ::
          {:ok, SignalPort.message()} | {:error, reason}
  def encrypt(session, plaintext), do: step(session, :encrypt, plaintext)

  @doc """
  Returns the text of a message. The session after it is stored. `{:error, :bad_mac}` is also the answer
  to a message that was read already.
  """
  @spec decrypt(GenServer.server(), SignalPort.message()) ::
          {:ok, plaintext :: binary} | {:error, reason}
  def decrypt(session, message), do: step(session, :decrypt, message)

  @doc "Like `encrypt/2`, but returns the message, or raises `SignalPort.Error`."
  @spec encrypt!(GenServer.server(), plaintext :: binary) :: SignalPort.message()
  def encrypt!(session, plaintext), do: value!(:encrypt, encrypt(session, plaintext))

  @doc "Like `decrypt/2`, but returns the text, or raises `SignalPort.Error`."
  @spec decrypt!(GenServer.server(), SignalPort.message()) :: plaintext :: binary
  def decrypt!(session, message), do: value!(:decrypt, decrypt(session, message))

  defp value!(_, {:ok, value}), do: value

  defp value!(operation, {:error, reason}),
    do: raise(SignalPort.Error, operation: :"Session.#{operation}", reason: reason)

  # There is no timeout: `call_timeout` limits the call, and the storage limits itself. A step that
  # comes too late would be stored, and its message lost. The exit of a failed call has the data in it.
  defp step(session, operation, data) when is_binary(data) do
    GenServer.call(session, {operation, data}, :infinity)
  catch
    :exit, _ -> {:error, :unavailable}
  end

  defp step(_, operation, _), do: raise(ArgumentError, "#{operation} takes a binary")

  # The session is nil if the storage alone knows which one is the last.
  @impl true
  def init({module, argument}) do
    Process.flag(:sensitive, true)

    case load(%{session: nil, storage: module, argument: argument}) do
      {:ok, state} -> {:ok, state}
      {:error, reason} -> {:stop, {:not_loaded, reason}}
    end
  end

  @impl true
  def handle_call({:encrypt, plaintext}, _from, state),
    do: advance(:encrypted, state, &SignalPort.encrypt(&1, plaintext))

  def handle_call({:decrypt, message}, _from, state),
    do: advance(:decrypted, state, &SignalPort.decrypt(&1, message))

  # A clause that fits nothing would show the state.
  def handle_call(_, _from, state), do: {:reply, {:error, :unknown_step}, state}

  @impl true
  def handle_cast(_, state), do: {:noreply, state}

  @impl true
  def handle_info(_, state), do: {:noreply, state}

  defp advance(step, state, operation) do
    case load(state) do
      {:ok, state} -> store(step, state, operation.(state.session))
      {:error, _} -> {:reply, {:error, :not_loaded}, state}
    end
  end

  defp store(step, state, {:ok, {output, session}}) do
    case call_storage(state.storage, :store, [state.argument, session, {step, output}]) do
      :ok -> {:reply, {:ok, output}, %{state | session: session}}
      # The storage's own reason can have anything in it, and is not returned.
      _ -> {:reply, {:error, :not_stored}, %{state | session: nil}}
    end
  end

  defp store(_, state, {:error, reason}), do: {:reply, {:error, reason}, state}

  defp load(%{session: nil} = state) do
    case call_storage(state.storage, :load, [state.argument]) do
      {:ok, session} when is_binary(session) -> {:ok, %{state | session: session}}
      {:error, reason} -> {:error, reason}
      _ -> {:error, :no_session}
    end
  end

  defp load(state), do: {:ok, state}

  # An exception can have the session among its arguments, and in its message. Only where it was
  # raised and its kind are logged.
  defp call_storage(module, function, arguments) do
    apply(module, function, arguments)
  catch
    kind, reason ->
      what = kind_of(kind, reason)
      place = "#{inspect(module)}.#{function}/#{length(arguments)}"
      text = "#{place} of a session's storage failed: #{what}#{where(__STACKTRACE__)}"
      :logger.error(text, %{domain: [:signal_port]})
      {:error, what}
  end

  defp kind_of(:error, reason), do: inspect(Exception.normalize(:error, reason).__struct__)
  defp kind_of(kind, _), do: to_string(kind)

  defp where([{_, _, _, [_ | _] = location} | _]), do: " at #{location[:file]}:#{location[:line]}"
  defp where(_), do: ""

  # What :sys.get_status/1 and a crash report show. OTP calls it; it is a callback of GenServer since
  # Elixir 1.17.
  @impl {:format_status, 1} in GenServer.behaviour_info(:callbacks)
  @doc false
  def format_status(status) do
    Map.new(status, fn
      {:log, _} -> {:log, []}
      {:reason, reason} -> {:reason, reason}
      {hidden, _} -> {hidden, :hidden}
    end)
  end
end
