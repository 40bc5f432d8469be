# The Elixir API as Markdown, one file for each public module: what the `Docs` chunk of the compiled
# module has, its types and its specs. Run by `mix run --no-start guides/site/elixir_docs.exs FOLDER`.
# It does not know how the files become pages.

defmodule ElixirDocs do
  @sections [type: "Types", callback: "Callbacks", macro: "Macros", function: "Functions"]

  @doc "Writes the file of a module, if the module has documentation."
  def write(module, folder) do
    with {:docs_v1, _, :elixir, _, %{"en" => text}, _, entries} <- Code.fetch_docs(module) do
      specs = specs(module)
      sections = for {kind, title} <- @sections, do: section(kind, title, entries, specs)

      File.write!(Path.join(folder, "#{inspect(module)}.md"), [
        "# #{inspect(module)}\n\n#{text}\n" | sections
      ])
    end
  end

  defp section(kind, title, entries, specs) do
    shown = for {{^kind, _, _}, _, _, doc, _} = entry <- entries, doc != :hidden, do: entry
    if shown == [], do: [], else: ["\n## #{title}\n" | Enum.map(shown, &entry(&1, specs))]
  end

  defp entry({{kind, name, arity}, _, signature, doc, _}, specs) do
    code = Map.get(specs, {kind, name, arity}, signature)
    text = if is_map(doc), do: doc["en"], else: ""
    ["\n### #{name}/#{arity}\n\n```elixir\n", Enum.intersperse(code, "\n"), "\n```\n\n", text, "\n"]
  end

  # The types, callbacks and specs of a module, as source text.
  defp specs(module) do
    {:ok, types} = Code.Typespec.fetch_types(module)
    {:ok, callbacks} = Code.Typespec.fetch_callbacks(module)
    {:ok, functions} = Code.Typespec.fetch_specs(module)

    Map.new(
      for {kind, {name, _, arguments} = type} <- types do
        {{:type, name, length(arguments)},
         ["@#{kind} " <> source(Code.Typespec.type_to_quoted(type))]}
      end ++
        for {kind, word, specs} <- [
              {:callback, "callback", callbacks},
              {:function, "spec", functions}
            ],
            {{name, arity}, variants} <- specs do
          {{kind, name, arity},
           Enum.map(variants, &"@#{word} #{source(Code.Typespec.spec_to_quoted(name, &1))}")}
        end
    )
  end

  defp source(quoted), do: quoted |> Macro.to_string() |> Code.format_string!() |> to_string()
end

[folder] = System.argv()
File.mkdir_p!(folder)
{:ok, modules} = :application.get_key(:signal_port, :modules)

for module <- Enum.sort(modules), match?("Elixir." <> _, Atom.to_string(module)) do
  ElixirDocs.write(module, folder)
end
