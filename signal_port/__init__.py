"""The Signal Protocol's operations, and the worker that serves them to an Erlang VM.

Read `x3dh` (key agreement), `double_ratchet` (sessions) and `primitives` (below both) first. All
functions work on values; no state is kept between two calls. A refused call raises `SignalError`,
an argument of a wrong type a `TypeError` with its name. A result of several parts is a NamedTuple.

Bob publishes a bundle. Alice agrees on a secret with it and writes. Bob agrees on the same secret
and reads:

>>> from signal_port import double_ratchet, primitives, x3dh
>>> from signal_port.double_ratchet import Role
>>> alice_identity, alice_secret = primitives.generate_ed25519_keypair()
>>> bob_identity, bob_secret = primitives.generate_ed25519_keypair()
>>> signed = x3dh.generate_signed_pre_key(bob_secret, 1)
>>> bundle = bob_identity + signed.public + signed.signature

>>> secret, ephemeral = x3dh.initiate(alice_secret, bundle)
>>> alice = double_ratchet.init(secret, alice_identity, bob_identity, b"", Role.INITIATOR)
>>> message, alice = double_ratchet.encrypt(alice, b"Hello")

>>> secret = x3dh.respond(bob_secret, signed.private, None, alice_identity, ephemeral)
>>> bob = double_ratchet.init(secret, bob_identity, alice_identity, bob_secret, Role.RESPONDER)
>>> plaintext, bob = double_ratchet.decrypt(bob, message)
>>> plaintext
b'Hello'

A session is bytes: store the new one after each step. A step that fails changes nothing:

>>> double_ratchet.decrypt(bob, message)
Traceback (most recent call last):
signal_port.SignalError: bad_mac
"""

from signal_port.errors import SignalError as SignalError

__version__ = "0.2.0"
