defmodule SignalPort.ApplicationTest do
  @moduledoc "What mix builds is the application that rebar3 builds, and the modules of Elixir."
  use ExUnit.Case, async: true

  setup_all do
    {:ok, [{:application, :signal_port, source}]} = :file.consult("erlang/signal_port.app.src")

    {:ok, [{:application, :signal_port, built}]} =
      :file.consult(:code.where_is_file(~c"signal_port.app"))

    %{source: source, built: built}
  end

  test "properties are those of the app.src", %{source: source, built: built} do
    for key <- [:description, :vsn, :registered, :mod, :env] do
      assert {key, built[key]} == {key, source[key]}
    end

    assert built[:applications] -- [:elixir] == source[:applications]
  end

  test "modules are all of Erlang and Elixir", %{built: built} do
    erlang =
      for file <- Path.wildcard("erlang/src/*.erl"), do: String.to_atom(Path.basename(file, ".erl"))

    assert erlang -- built[:modules] == []
    assert SignalPort in built[:modules]
  end

  test "priv has the installer and the Python side" do
    priv = :code.priv_dir(:signal_port)

    for name <- ["install", "installer", "python/signal_port", "requirements/runtime.txt"] do
      assert File.exists?(Path.join(priv, name)), name
    end
  end

  test "package has every file that mix compiles", %{source: source} do
    packaged = Enum.flat_map(source[:files], &Path.wildcard(to_string(&1)))
    assert ["mix.exs" | Path.wildcard("elixir/**/*.ex")] -- packaged == []
  end

  test "documentation of the Erlang module is there" do
    assert {:docs_v1, _, :erlang, _, %{}, _, _} = Code.fetch_docs(:signal_port)
  end
end
