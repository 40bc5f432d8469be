defmodule Consumer.MixProject do
  use Mix.Project

  def project, do: [app: :consumer, version: "1.0.0", deps: deps()]

  def application, do: []

  defp deps do
    [
      {:libsignal_protocol_nif,
       git: "URL-OF-THIS-REPOSITORY",
       branch: "main",
       subdir: "erlang/drop_in/libsignal_protocol_nif",
       override: true}
    ]
  end
end
