# The Elixir of the documents: see evaluate.erl.
defmodule Evaluate do
  def loop(binding) do
    case IO.gets("") do
      line when is_binary(line) ->
        [verb, document, number, path] = line |> String.trim() |> String.split("\t")
        loop(answered(verb, [file: document, line: String.to_integer(number)], path, binding))

      _ ->
        System.halt(0)
    end
  end

  defp answered(verb, place, path, binding) do
    new = perform(verb, place, path, binding)
    IO.puts("\n-- ok")
    new
  catch
    kind, reason ->
      IO.puts(Exception.format(kind, reason, __STACKTRACE__) <> "\n-- failed")
      binding
  end

  defp perform("run", place, path, binding) do
    {_, new} = Code.eval_string(File.read!(path), binding, place)
    new
  end

  defp perform("config", _place, path, binding) do
    options = path |> Config.Reader.read!() |> Keyword.get(:signal_port, [])
    {:ok, _} = :signal_port_config.check(options)
    binding
  end
end

:telemetry.start()
Evaluate.loop([])
