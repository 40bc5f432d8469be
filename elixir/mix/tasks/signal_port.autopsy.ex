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
    words = Enum.map(["autopsy" | arguments], &to_charlist/1)

    case :signal_port_command.python_command(words) do
      {:ok, command} -> command |> perform() |> stop()
      {:error, why} -> Mix.raise("no library was read: #{:signal_port_reason.explain(why)}")
    end
  end

  # In Erlang `false` removes a variable, in Elixir `nil`.
  defp perform(%{program: program, args: arguments, env: environment}) do
    variables = for {name, value} <- environment, do: {"#{name}", if(value, do: "#{value}")}
    arguments = Enum.map(arguments, &to_string/1)
    {_, status} = System.cmd("#{program}", arguments, env: variables, into: IO.stream())
    status
  end

  defp stop(0), do: :ok
  defp stop(status), do: exit({:shutdown, status})
end
