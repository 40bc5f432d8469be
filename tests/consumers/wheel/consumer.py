"""What somebody writes who has the Python package alone: X3DH, a conversation, a stored session.

python3 consumer.py FILE    writes Bob's session, which has one skipped message key
"""

# pyright: strict

import sys
from pathlib import Path

from signal_port import SignalError, double_ratchet, primitives, x3dh
from signal_port.double_ratchet import Role


def refusal(session: bytes, wire: bytes) -> str:
    """Return the name of the error for a message that the session refuses."""
    try:
        double_ratchet.decrypt(session, wire)
    except SignalError as error:
        return error.atom
    return "none"


alice_identity, alice_secret = primitives.generate_ed25519_keypair()
bob_identity, bob_secret = primitives.generate_ed25519_keypair()
pre_key = x3dh.generate_signed_pre_key(bob_secret, 1)
bundle = bob_identity + pre_key.public + pre_key.signature
secret, ephemeral = x3dh.initiate(alice_secret, bundle)
alice = double_ratchet.init(secret, alice_identity, bob_identity, b"", Role.INITIATOR)
assert secret == x3dh.respond(bob_secret, pre_key.private, None, alice_identity, ephemeral)
bob = double_ratchet.init(secret, bob_identity, alice_identity, bob_secret, Role.RESPONDER)

wires: list[bytes] = []
for text in (b"first", b"late", b"third"):
    wire, alice = double_ratchet.encrypt(alice, text)
    wires.append(wire)
for wire, text in ((wires[0], b"first"), (wires[2], b"third")):
    plaintext, bob = double_ratchet.decrypt(bob, wire)
    assert plaintext == text
assert refusal(bob, wires[0]) == "bad_mac"
Path(sys.argv[1]).write_bytes(bob)
