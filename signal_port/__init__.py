"""The Signal Protocol's operations, and the worker that serves them to an Erlang VM.

Read `x3dh` (key agreement), `double_ratchet` (sessions) and `primitives` (below both) first. All
functions work on values; no state is kept between two calls. A refused call raises
`errors.SignalError`.

Bob publishes a bundle. Alice agrees on a secret with it and writes. Bob agrees on the same secret
and reads:

>>> from signal_port import double_ratchet, primitives, x3dh
>>> alice_identity, alice_secret = primitives.generate_ed25519_keypair()
>>> bob_identity, bob_secret = primitives.generate_ed25519_keypair()
>>> key_id, signed_pre_key, signed_private, signature = x3dh.generate_signed_pre_key(bob_secret, 1)
>>> bundle = bob_identity + signed_pre_key + signature

>>> secret, ephemeral = x3dh.initiate(alice_secret, bundle)
>>> alice = double_ratchet.init(secret, alice_identity, bob_identity, alice_secret, 1)
>>> wire, alice = double_ratchet.encrypt(alice, b"Hello")

>>> secret = x3dh.respond(bob_secret, signed_private, b"", alice_identity, ephemeral)
>>> bob = double_ratchet.init(secret, bob_identity, alice_identity, bob_secret, 0)
>>> plaintext, bob = double_ratchet.decrypt(bob, wire)
>>> plaintext
b'Hello'

A session is bytes: store the new one after each step. A step that fails changes nothing:

>>> double_ratchet.decrypt(bob, wire)
Traceback (most recent call last):
signal_port.errors.SignalError: bad_mac
"""

__version__ = "0.1.0"
