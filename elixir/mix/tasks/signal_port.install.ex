defmodule Mix.Tasks.SignalPort.Install do
  @shortdoc "Makes the virtual environment in which signal_port runs"
  @moduledoc """
  Makes `priv/venv` of `signal_port`, a virtual environment with the Python packages in it.

      mix signal_port.install

  It changes nothing if the environment is as it should be. It is deleted with the dependency, by
  `mix deps.clean` or `mix deps.update`: run this again then, or let each compilation do it:

      aliases: [compile: ["compile", "signal_port.install"]]

  Variables of the environment are options. `PYTHON=path` is the Python to make it of, 3.10 or later,
  by default the fastest on the path. `AUTOPSY=1` adds what `mix signal_port.autopsy` needs. The
  others stand in `priv/install`, the script that this runs.
  """
  use Mix.Task

  @requirements ["loadpaths"]

  @impl true
  def run([]) do
    install = Path.join(:code.priv_dir(:signal_port), "install")

    case System.cmd("sh", [install], into: IO.stream()) do
      {_, 0} -> :ok
      # It has printed why.
      {_, status} -> exit({:shutdown, status})
    end
  end

  def run(_),
    do: Mix.raise("mix signal_port.install takes no arguments: see mix help signal_port.install")
end
