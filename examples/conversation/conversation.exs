# A conversation as a GenServer. A process holds a session, takes one step after the other, and
# stores the new session before it returns. Two of them talk. One is killed, and its supervisor
# starts it again with the stored session. A step that cannot be stored did not happen. A crash
# report has neither a key nor a text.

Path.expand("../../_build/default/lib/*/ebin", __DIR__)
|> Path.wildcard()
|> Enum.each(&Code.append_path/1)

defmodule Conversation do
  @moduledoc """
  A session with one peer. `load` returns the stored session; `save` stores a new one and returns
  `:ok`. The session itself is not an argument of the start, because a supervisor prints those.
  """
  use GenServer

  def child_spec(options), do: %{id: options[:name], start: {__MODULE__, :start_link, [options]}}

  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: options[:name])

  @doc "Returns `{:ok, wire}`, the message to send; or `{:error, reason}`, and nothing changes."
  def encrypt(conversation, plaintext), do: call(conversation, {:encrypt, plaintext})

  @doc "Returns `{:ok, plaintext}` of a message; or `{:error, reason}`, and nothing changes."
  def decrypt(conversation, wire), do: call(conversation, {:decrypt, wire})

  # The exit of a failed call has its arguments, and the plaintext is one of them.
  defp call(conversation, step) do
    GenServer.call(conversation, step, :infinity)
  catch
    :exit, _ -> {:error, :unavailable}
  end

  @impl GenServer
  def init(options) do
    Process.flag(:sensitive, true)
    {:ok, %{session: options[:load].(), save: options[:save]}}
  end

  @impl GenServer
  def handle_call({operation, data}, _from, state) do
    with {:ok, {answer, session}} <- apply(:signal_port, operation, [state.session, data]),
         :ok <- save(state.save, session) do
      {:reply, {:ok, answer}, %{state | session: session}}
    else
      {:error, reason} -> {:reply, {:error, reason}, state}
    end
  end

  # An exception can have the session among its arguments.
  defp save(save, session) do
    if save.(session) == :ok, do: :ok, else: {:error, :not_saved}
  catch
    _, _ -> {:error, :not_saved}
  end

  # What :sys.get_status/1 and a crash report show. OTP calls it; Elixir has it as a callback of
  # GenServer since 1.17.
  def format_status(status) do
    Map.new(status, fn
      {:log, _} -> {:log, []}
      {:reason, reason} -> {:reason, reason}
      {hidden, _} -> {hidden, :hidden}
    end)
  end
end

defmodule Story do
  def run(folder) do
    :ok = :logger.set_primary_config(:level, :error)
    {:ok, _} = Application.ensure_all_started(:signal_port)
    sessions = Enum.zip([:alice, :bob], meet())
    for {name, session} <- sessions, do: :ok = save(folder, name, session)

    conversations =
      for {name, _} <- sessions do
        load = fn -> load(folder, name) end
        {Conversation, name: name, load: load, save: &save(folder, name, &1)}
      end

    {:ok, _} = Supervisor.start_link(conversations, strategy: :one_for_one)
    talk(:alice, :bob, "Hello Bob!")
    talk(:bob, :alice, "Hello Alice!")
    survive()
    refuse(folder)
    hide(folder)
    talk(:alice, :bob, "Good night.")
  end

  defp survive do
    old = Process.whereis(:bob)
    Process.exit(old, :kill)
    await_another(:bob, old)
    IO.puts("  bob is killed, and starts again with the stored session")
    talk(:bob, :alice, "Where were we?")
  end

  # A folder in the place of the new file has the effect of a full disk.
  defp refuse(folder) do
    File.mkdir!(new_path(folder, :alice))
    {:error, :not_saved} = Conversation.encrypt(:alice, "Never sent.")
    File.rmdir!(new_path(folder, :alice))
    IO.puts("  alice cannot store a session, so there is no message")
    talk(:alice, :bob, "Now it is stored.")
  end

  # A plaintext that is not a binary is a bug, and ends the process.
  defp hide(folder) do
    bob = Process.whereis(:bob)
    session = load(folder, :bob)
    true = has?(:sys.get_state(bob), session)
    false = has?(:sys.get_status(bob), session)
    for handler <- :logger.get_handler_ids(), do: :ok = :logger.remove_handler(handler)
    :ok = :logger.add_handler(:story, __MODULE__, %{config: self()})
    {:error, :unavailable} = Conversation.encrypt(:bob, ["secret plan"])
    await_another(:bob, bob)
    [_, _ | _] = reports = logged()
    false = Enum.any?(reports, &(has?(&1, session) or has?(&1, "secret plan")))
    IO.puts("  bob crashes; its #{length(reports)} reports have neither his session nor his text")
  end

  def log(event, %{config: story}), do: send(story, {:logged, event})

  defp logged do
    receive do
      {:logged, event} -> [event | logged()]
    after
      0 -> []
    end
  end

  defp has?(term, secret), do: :binary.match(:erlang.term_to_binary(term), secret) != :nomatch

  defp talk(from, to, text) do
    {:ok, wire} = Conversation.encrypt(from, text)
    {:ok, ^text} = Conversation.decrypt(to, wire)
    {:error, :bad_mac} = Conversation.decrypt(to, wire)
    IO.puts("  #{from} to #{to}: #{text}")
  end

  defp await_another(name, old) do
    if Process.whereis(name) in [nil, old], do: Process.sleep(1) && await_another(name, old)
  end

  # The first sessions of both sides, by X3DH, as in the project's README.
  defp meet do
    {:ok, {alice, alice_secret}} = :signal_port.generate_identity_key_pair()
    {:ok, {bob, bob_secret}} = :signal_port.generate_identity_key_pair()

    {:ok, {1, signed, signed_private, signature}} =
      :signal_port.generate_signed_pre_key(bob_secret, 1)

    bundle = bob <> signed <> signature
    {:ok, {shared, ephemeral}} = :signal_port.process_pre_key_bundle(alice_secret, bundle)

    {:ok, ^shared} =
      :signal_port.process_pre_key_bundle_bob(bob_secret, signed_private, "", alice, ephemeral)

    {:ok, initiator} = :signal_port.dr_init(shared, alice, bob, alice_secret, 1)
    {:ok, responder} = :signal_port.dr_init(shared, bob, alice, bob_secret, 0)
    [initiator, responder]
  end

  # Replaces the file completely or not at all.
  defp save(folder, name, session) do
    with :ok <- File.write(new_path(folder, name), session, [:sync]),
         do: File.rename(new_path(folder, name), path(folder, name))
  end

  defp load(folder, name), do: File.read!(path(folder, name))

  defp path(folder, name), do: Path.join(folder, "#{name}.session")

  defp new_path(folder, name), do: path(folder, name) <> ".new"
end

# A session is a secret: only the owner may read this folder.
{folder, 0} = System.cmd("mktemp", ["-d"])

try do
  Story.run(String.trim(folder))
after
  File.rm_rf!(String.trim(folder))
end
