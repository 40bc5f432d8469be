defmodule Consumer do
  @moduledoc "It has the pool under a supervisor of its own."
  use Application

  @impl true
  def start(_type, _args) do
    children = [{SignalPort, Application.fetch_env!(:consumer, :signal_port)}]
    Supervisor.start_link(children, strategy: :one_for_one)
  end

  @doc "Two people meet and talk, and the pool is that of this application."
  def check do
    bob = SignalPort.generate_identity_key_pair!()
    alice = SignalPort.generate_identity_key_pair!()
    shared = :binary.copy(<<7>>, 96)
    at_alice = SignalPort.dr_init!(shared, alice, bob.public, :initiator)
    at_bob = SignalPort.dr_init!(shared, bob, alice.public, :responder)
    {message, _} = SignalPort.encrypt!(at_alice, "Hello")
    {"Hello", _} = SignalPort.decrypt!(at_bob, message)
    [%{state: :ready}] = SignalPort.info().workers
    false = List.keymember?(Application.started_applications(), :signal_port, 0)
    :ok
  end
end
