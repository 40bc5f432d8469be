# A conversation by SignalPort.Session. Two of these processes talk. One is killed, and its
# supervisor starts it again with the stored session. A step that cannot be stored did not happen. A
# crash report has neither a key nor a text.

defmodule SessionFile do
  @moduledoc "A storage: the argument is the path of the file. Encrypt what you write; this does not."
  @behaviour SignalPort.Session.Storage

  @impl true
  def load(path), do: File.read(path)

  # Replaces the file completely or not at all.
  @impl true
  def store(path, session, _step) do
    with :ok <- File.write(path <> ".new", session, [:sync]), do: File.rename(path <> ".new", path)
  end
end

defmodule Story do
  def run(folder) do
    :ok = :logger.set_primary_config(:level, :none)

    for {name, session} <- Enum.zip([:alice, :bob], meet()),
        do: :ok = SessionFile.store(path(folder, name), session, :first)

    sessions =
      for name <- [:alice, :bob],
          do: {SignalPort.Session, name: name, storage: {SessionFile, path(folder, name)}}

    {:ok, _} = Supervisor.start_link(sessions, strategy: :one_for_one)
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
    File.mkdir!(path(folder, :alice) <> ".new")
    {:error, :not_stored} = SignalPort.Session.encrypt(:alice, "Never sent.")
    File.rmdir!(path(folder, :alice) <> ".new")
    IO.puts("  alice cannot store a session, so there is no message")
    talk(:alice, :bob, "Now it is stored.")
  end

  # No function sends this. It is a bug, and ends the process.
  defp hide(folder) do
    bob = Process.whereis(:bob)
    {:ok, session} = SessionFile.load(path(folder, :bob))
    true = has?(:sys.get_state(bob), session)
    false = has?(:sys.get_status(bob), session)
    for handler <- :logger.get_handler_ids(), do: :ok = :logger.remove_handler(handler)
    :ok = :logger.set_primary_config(:level, :error)
    :ok = :logger.add_handler(:story, __MODULE__, %{config: self()})
    send(bob, {:"$gen_call", {self(), make_ref()}, {:encrypt, ["secret plan"]}})
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
    {:ok, message} = SignalPort.Session.encrypt(from, text)
    {:ok, ^text} = SignalPort.Session.decrypt(to, message)
    {:error, :bad_mac} = SignalPort.Session.decrypt(to, message)
    IO.puts("  #{from} to #{to}: #{text}")
  end

  defp await_another(name, old) do
    if Process.whereis(name) in [nil, old], do: Process.sleep(1) && await_another(name, old)
  end

  # The first sessions of both sides, by X3DH, as in the project's README.
  defp meet do
    bob = SignalPort.generate_identity_key_pair!()
    signed_pre_key = SignalPort.generate_signed_pre_key!(bob, 1)
    bundle = SignalPort.Bundle.new(bob, signed_pre_key)

    alice = SignalPort.generate_identity_key_pair!()
    {shared, ephemeral} = SignalPort.process_pre_key_bundle!(alice, bundle)
    initiator = SignalPort.dr_init!(shared, alice, bundle.identity_key, :initiator)

    shared =
      SignalPort.process_pre_key_bundle_bob!(bob, signed_pre_key, nil, alice.public, ephemeral)

    [initiator, SignalPort.dr_init!(shared, bob, alice.public, :responder)]
  end

  defp path(folder, name), do: Path.join(folder, "#{name}.session")
end

# A session is a secret: only the owner may read this folder.
{folder, 0} = System.cmd("mktemp", ["-d"])

try do
  Story.run(String.trim(folder))
after
  File.rm_rf!(String.trim(folder))
end
