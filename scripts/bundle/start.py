"""The program of the bundle: `signal-port` and its commands."""

from signal_port.command_line import run

run()
