defmodule SignalPort.SessionTest do
  @moduledoc "Sessions with a storage in a table, which is told to fail."
  use ExUnit.Case, async: false
  alias SignalPort.{Session, SessionTest.Table}

  @text "planted text"

  defmodule Table do
    @moduledoc "Keeps each session and step; `fault` is called in place of the next store."
    @behaviour SignalPort.Session.Storage

    def new(name, session) do
      table = :ets.new(name, [:public])
      :ets.insert(table, [{:session, session}, {:steps, []}])
      table
    end

    def session(table), do: :ets.lookup_element(table, :session, 2)
    def steps(table), do: :ets.lookup_element(table, :steps, 2)
    def fail_once(table, fault), do: :ets.insert(table, {:fault, fault})

    @impl true
    def load(table) when is_reference(table) do
      case :ets.take(table, :lost) do
        [] -> {:ok, session(table)}
        [_] -> {:error, :enoent}
      end
    end

    def load({:answers, answer}), do: answer
    def load(:raises), do: raise("the session is planted text")

    @impl true
    def store(table, session, step) do
      case :ets.take(table, :fault) do
        [fault: fault] ->
          fault.(session)

        [] ->
          :ets.insert(table, [{:session, session}, {:steps, steps(table) ++ [step]}])
          :ok
      end
    end
  end

  setup do
    alice = SignalPort.generate_identity_key_pair!()
    bob = SignalPort.generate_identity_key_pair!()
    shared = :binary.copy(<<7>>, 96)
    at_alice = Table.new(:alice, SignalPort.dr_init!(shared, alice, bob.public, :initiator))
    at_bob = Table.new(:bob, SignalPort.dr_init!(shared, bob, alice.public, :responder))
    start_supervised!({Session, name: :alice, storage: {Table, at_alice}})
    start_supervised!({Session, name: :bob, storage: {Table, at_bob}})
    %{at_alice: at_alice, at_bob: at_bob}
  end

  describe "a step" do
    test "is stored before it is returned", %{at_alice: at_alice, at_bob: at_bob} do
      {:ok, message} = Session.encrypt(:alice, @text)
      assert Table.steps(at_alice) == [encrypted: message]
      assert Session.decrypt(:bob, message) == {:ok, @text}
      assert Table.steps(at_bob) == [decrypted: @text]
      assert Session.decrypt!(:alice, Session.encrypt!(:bob, "answer")) == "answer"
    end

    test "that fails changes nothing", %{at_bob: at_bob} do
      session = Table.session(at_bob)
      assert Session.encrypt(:bob, @text) == {:error, :must_receive_first}
      assert Session.decrypt(:bob, "no message") == {:error, :unsupported_version}
      assert {Table.session(at_bob), Table.steps(at_bob)} == {session, []}
    end

    test "with a bang raises its reason" do
      error = assert_raise SignalPort.Error, fn -> Session.encrypt!(:bob, @text) end
      assert error.reason == :must_receive_first
    end

    test "with data of a wrong type raises in the caller, and without the data" do
      pid = Process.whereis(:alice)
      error = assert_raise ArgumentError, fn -> Session.encrypt(:alice, [@text]) end
      refute Exception.message(error) =~ @text
      assert Process.whereis(:alice) == pid
    end

    test "of a process that does not run is unavailable" do
      assert Session.encrypt(:nobody, @text) == {:error, :unavailable}
    end
  end

  describe "a session that could not be stored" do
    for {name, fault} <- [
          refused: quote(do: fn _ -> {:error, :disk_full} end),
          mistaken: quote(do: fn _ -> :stored end),
          raised: quote(do: fn session -> raise("no room for " <> session) end),
          thrown: quote(do: fn session -> throw(session) end),
          exited: quote(do: fn session -> exit({:timeout, session}) end)
        ] do
      test "is not used: #{name}", %{at_alice: at_alice, at_bob: at_bob} do
        silently(fn ->
          Table.fail_once(at_alice, unquote(fault))
          assert Session.encrypt(:alice, "never sent") == {:error, :not_stored}
          {:ok, message} = Session.encrypt(:alice, @text)
          Table.fail_once(at_bob, unquote(fault))
          assert Session.decrypt(:bob, message) == {:error, :not_stored}
          assert Session.decrypt(:bob, message) == {:ok, @text}
          assert Table.steps(at_alice) == [encrypted: message]
        end)
      end
    end

    test "is used if it was stored all the same, so that no key is used twice",
         %{at_alice: at_alice} do
      silently(fn ->
        Table.fail_once(at_alice, fn session ->
          :ets.insert(at_alice, {:session, session})
          raise "the answer of the database was lost"
        end)

        assert Session.encrypt(:alice, "never sent") == {:error, :not_stored}
        {:ok, message} = Session.encrypt(:alice, @text)
        assert Session.decrypt(:bob, message) == {:ok, @text}
        # The number of the next message stands in byte 72 of a session.
        assert <<_::binary-72, 2::little-32, _::binary>> = Table.session(at_alice)
      end)
    end

    test "has to be loaded before the next step", %{at_alice: at_alice} do
      Table.fail_once(at_alice, fn _ -> {:error, :disk_full} end)
      :ets.insert(at_alice, {:lost})
      assert Session.encrypt(:alice, "never sent") == {:error, :not_stored}
      assert Session.encrypt(:alice, "never sent") == {:error, :not_loaded}
      assert {:ok, _} = Session.encrypt(:alice, @text)
    end

    test "is logged by kind and place, and not by its bytes", %{at_alice: at_alice} do
      Table.fail_once(at_alice, fn session -> raise("no room for " <> session) end)

      [event] = logged(fn -> {:error, :not_stored} = Session.encrypt(:alice, @text) end)

      assert {:string, text} = event.msg
      assert text =~ "Table.store/3 of a session's storage failed: RuntimeError at "
      assert text =~ "session_test.exs:"
      refute_secret(event, at_alice)
    end
  end

  describe "a process" do
    test "that is started again has the session that was stored", %{at_bob: at_bob} do
      {:ok, message} = Session.encrypt(:alice, @text)
      {:ok, @text} = Session.decrypt(:bob, message)
      stop_supervised!({Session, :bob})
      start_supervised!({Session, name: :bob, storage: {Table, at_bob}})
      assert Session.decrypt(:bob, message) == {:error, :bad_mac}
      assert Session.decrypt!(:alice, Session.encrypt!(:bob, "answer")) == "answer"
    end

    test "is the only one of its name", %{at_alice: at_alice} do
      pid = Process.whereis(:alice)

      assert {:error, {:already_started, ^pid}} =
               Session.start_link(name: :alice, storage: {Table, at_alice})
    end

    test "starts only with a session" do
      Process.flag(:trap_exit, true)

      for {argument, reason} <- [
            {{:answers, {:error, :enoent}}, :enoent},
            {{:answers, {:ok, nil}}, :no_session},
            {:raises, "RuntimeError"}
          ] do
        silently(fn ->
          assert {:error, {:not_loaded, ^reason}} =
                   Session.start_link(name: :carol, storage: {Table, argument})
        end)
      end
    end

    test "goes on after calls and messages that it does not know" do
      pid = Process.whereis(:alice)
      assert GenServer.call(:alice, {:other, @text}) == {:error, :unknown_step}
      GenServer.cast(:alice, :other)
      send(:alice, :other)
      assert {:ok, _} = Session.encrypt(:alice, @text)
      assert Process.whereis(:alice) == pid
    end
  end

  describe "without a pool" do
    setup do
      silently(fn -> :ok = Application.stop(:signal_port) end)
      on_exit(fn -> {:ok, _} = Application.ensure_all_started(:signal_port) end)
    end

    test "a step is unavailable, and the session stays", %{at_alice: at_alice} do
      pid = Process.whereis(:alice)
      assert Session.encrypt(:alice, @text) == {:error, :unavailable}
      assert {Process.whereis(:alice), Table.steps(at_alice)} == {pid, []}
    end
  end

  describe "a secret" do
    test "is not in the status", %{at_alice: at_alice} do
      refute_secret(:sys.get_status(:alice), at_alice)
    end

    test "is not in the reports of a crash", %{at_alice: at_alice} do
      pid = Process.whereis(:alice)
      monitor = Process.monitor(pid)

      events =
        logged(fn ->
          # What no caller can send: it ends the process in the midst of a step.
          send(pid, {:"$gen_call", {self(), make_ref()}, {:encrypt, [@text]}})
          receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
        end)

      assert [_ | _] = events
      for event <- events, do: refute_secret(event, at_alice)
    end
  end

  defp refute_secret(term, table) do
    bytes = :erlang.term_to_binary(term)
    assert :binary.match(bytes, [Table.session(table), @text]) == :nomatch
  end

  # The events of the log during a function, which appear nowhere else.
  defp logged(function) do
    silently(fn ->
      :ok = :logger.add_handler(__MODULE__, __MODULE__, %{config: self()})
      function.()
      :ok = :logger.remove_handler(__MODULE__)
      received()
    end)
  end

  def log(event, %{config: test}), do: send(test, {:logged, event})

  defp received do
    receive do
      {:logged, event} -> [event | received()]
    after
      0 -> []
    end
  end

  defp silently(function) do
    handlers = for id <- :logger.get_handler_ids(), do: elem(:logger.get_handler_config(id), 1)
    for handler <- handlers, do: :ok = :logger.remove_handler(handler.id)
    result = function.()
    for handler <- handlers, do: :ok = :logger.add_handler(handler.id, handler.module, handler)
    result
  end
end
