defmodule SignalPort.MixProject do
  use Mix.Project

  # rebar3 reads the same file. All that mix needs to know of the application is in it.
  {:ok, [{:application, :signal_port, properties}]} =
    :file.consult(Path.expand("erlang/signal_port.app.src", __DIR__))

  @properties properties

  def project do
    [
      app: :signal_port,
      version: to_string(@properties[:vsn]),
      description: to_string(@properties[:description]),
      elixir: "~> 1.14",
      erlc_paths: ["erlang/src"],
      elixirc_paths: ["elixir"],
      # rebar3 has its own _build/test.
      build_path: "_build/mix",
      test_paths: ["tests/elixir"],
      compilers: Mix.compilers() ++ [:signal_port_priv],
      package: package(),
      deps: []
    ]
  end

  def application do
    [extra_applications: @properties[:applications]] ++
      Keyword.take(@properties, [:mod, :registered, :env])
  end

  # For `mix hex.build`. mix and rebar3 can both compile the package.
  defp package do
    [
      name: "signal_port",
      files: Enum.map(@properties[:files], &to_string/1),
      licenses: Enum.map(@properties[:licenses], &to_string/1),
      links: Map.new(@properties[:links], fn {name, url} -> {to_string(name), to_string(url)} end)
    ]
  end
end

defmodule Mix.Tasks.Compile.SignalPortPriv do
  @moduledoc """
  Copies to `priv` what the application needs at run time beside its modules, and writes what
  `h :signal_port` shows. rebar3 runs the same scripts by its hooks.
  """
  use Mix.Task.Compiler

  @impl true
  def run(_arguments) do
    sh("scripts/copy_python.sh")
    Mix.Project.build_structure()
    sh("scripts/make_chunk.sh")
    {:ok, []}
  end

  defp sh(script) do
    environment = [{"REBAR_BARE_COMPILER_OUTPUT_DIR", Mix.Project.app_path()}]

    case System.cmd("sh", [script], env: environment, into: IO.stream()) do
      {_, 0} -> :ok
      {_, status} -> Mix.raise("signal_port: #{script} ended with status #{status}")
    end
  end
end
