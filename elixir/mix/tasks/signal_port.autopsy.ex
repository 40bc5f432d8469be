defmodule Mix.Tasks.SignalPort.Autopsy do
  @shortdoc "Finds out why a NIF library kills the VM, without loading it"
  @moduledoc """
  Reads NIF libraries as files, and prints why they kill the VM or are refused by it.

      mix signal_port.autopsy             # all libraries of the project's build
      mix signal_port.autopsy PATH ...    # libraries, or folders of libraries
      mix signal_port.autopsy --help      # options, effects, exit status

  The Python of `signal_port` does it. `AUTOPSY=1 mix signal_port.install` installs what it needs.
  The project is not compiled, so that a library that kills the compiler can be examined.
  """
  use Mix.Task

  @requirements ["loadpaths"]

  @impl true
  def run([]), do: run([Mix.Project.build_path()])

  def run(arguments) do
    case :signal_port_command.python_command(["autopsy" | arguments]) do
      {:ok, command} -> command |> perform() |> stop()
      {:error, why} -> Mix.raise("no library was read: #{:signal_port_reason.explain(why)}")
    end
  end

  defp perform(%{program: program, args: arguments, env: environment}) do
    variables = for {name, value} <- environment, do: {to_string(name), value && to_string(value)}
    options = [env: for({name, value} <- variables, do: {name, value || nil}), into: IO.stream()]
    {_, status} = System.cmd(to_string(program), Enum.map(arguments, &to_string/1), options)
    status
  end

  defp stop(0), do: :ok
  defp stop(status), do: exit({:shutdown, status})
end
