defmodule Consumer.MixProject do
  use Mix.Project

  def project, do: [app: :consumer, version: "1.0.0", deps: [{:signal_port, path: "../clone"}]]
end
