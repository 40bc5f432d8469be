defmodule Consumer.MixProject do
  use Mix.Project

  def project do
    [
      app: :consumer,
      version: "1.0.0",
      deps: deps(),
      aliases: [compile: ["compile", "signal_port.install"]],
      releases: [consumer: [steps: [:assemble, &install_python/1]]]
    ]
  end

  def application, do: []

  defp deps do
    [
      {:signal_port, git: "URL-OF-THIS-REPOSITORY", branch: "main"}
    ]
  end

  # For a release that is made in another place than it runs: its own environment, after assembly.
  defp install_python(release) do
    [install] = Path.wildcard(Path.join(release.path, "lib/signal_port-*/priv/install"))
    {_, 0} = System.cmd("sh", [install], into: IO.stream())
    release
  end
end
