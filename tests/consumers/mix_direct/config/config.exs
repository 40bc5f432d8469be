import Config

config :signal_port, python: "/opt/venv/bin/python3", pool_size: 2
