defmodule Consumer.MixProject do
  use Mix.Project

  def project, do: [app: :consumer, version: "1.0.0", deps: deps()]

  def application, do: []

  defp deps do
    [
      {:signal_port, git: "URL-OF-THIS-REPOSITORY", branch: "main", manager: :rebar3}
    ]
  end
end
