import Config

config :consumer, :signal_port, python: "/opt/venv/bin/python3", pool_size: 1
