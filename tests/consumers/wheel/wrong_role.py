"""A program that names its role by a word: it must not become the initiator."""

from signal_port import double_ratchet

double_ratchet.init(bytes(96), bytes(32), bytes(32), b"", "responder")
