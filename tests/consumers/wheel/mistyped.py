"""Mistakes that a type checker must find by the types of the package, each in a line."""

from signal_port import double_ratchet, x3dh

x3dh.generate_pre_key("1")
double_ratchet.init(bytes(96), bytes(32), bytes(32), b"", "responder")
print(x3dh.generate_pre_key(1).secret)
