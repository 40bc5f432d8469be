defmodule Mix.Tasks.SignalPort.Doctor do
  @shortdoc "Examines this machine: Erlang, its NIFs, the port"
  @moduledoc """
  Examines this machine, and prints what is sick there, why, and what to do.

      mix signal_port.doctor

  Each check runs in a VM of its own. The port is tested with the configuration of the project. The
  exit status is 0 if calls can be answered, else 1.
  """
  use Mix.Task

  @requirements ["app.config"]

  @impl true
  def run([]) do
    :signal_port_doctor.is_well(SignalPort.doctor()) || exit({:shutdown, 1})
  end

  def run(_), do: Mix.raise("mix signal_port.doctor takes no arguments")
end
