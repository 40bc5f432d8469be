defmodule LibsignalProtocolNif.MixProject do
  use Mix.Project

  def project do
    [
      app: :libsignal_protocol_nif,
      version: "0.3.0",
      language: :erlang,
      deps: [{:signal_port, path: "../../.."}]
    ]
  end
end
