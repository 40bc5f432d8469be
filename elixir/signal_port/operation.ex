defmodule SignalPort.Operation do
  @moduledoc false
  # Owns what a function of `SignalPort` is made of: from one line, two functions with their specs.
  # It does not know what the operations mean.

  @doc """
  Defines an operation's function, which returns an answer, and the one with a bang, which returns
  its value or raises:

      operation sha256(data :: binary) :: <<_::256>>
  """
  defmacro operation({:"::", _, [{name, _, arguments}, result]}) do
    arguments = arguments || []
    variables = for {:"::", _, [variable, _]} <- arguments, do: variable
    bang = :"#{name}!"

    doc =
      "Like `#{name}/#{length(arguments)}`, but returns the value, or raises `SignalPort.Error`."

    quote do
      @spec unquote(name)(unquote_splicing(arguments)) :: unquote(answer(result))
      def unquote(name)(unquote_splicing(variables)) do
        SignalPort.Call.answer(unquote(name), unquote(variables))
      end

      @doc unquote(doc)
      @spec unquote(bang)(unquote_splicing(arguments)) :: unquote(result)
      def unquote(bang)(unquote_splicing(variables)) do
        SignalPort.Call.value!(unquote(name), unquote(variables))
      end
    end
  end

  defp answer(:ok), do: quote(do: :ok | {:error, atom})
  defp answer(result), do: quote(do: {:ok, unquote(result)} | {:error, atom})
end
