"""A mistake that mypy must find by the types of the package."""

from signal_port import x3dh

x3dh.generate_pre_key("1")
