defmodule Consumer.MixProject do
  use Mix.Project

  def project do
    [
      app: :consumer,
      version: "1.0.0",
      deps: deps(),
      releases: [consumer: [applications: [signal_port: :load]]]
    ]
  end

  def application, do: [mod: {Consumer, []}]

  defp deps do
    [
      {:signal_port, git: "URL-OF-THIS-REPOSITORY", branch: "main", runtime: false}
    ]
  end
end
