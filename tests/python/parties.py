"""Two parties before their first message. Sessions are values, so all tests can share them."""

from typing import NamedTuple

from signal_port import double_ratchet, primitives, x3dh
from signal_port.double_ratchet import Role


class Parties(NamedTuple):
    """Two identities and their first sessions."""

    alice: bytes  # the initiator's session
    bob: bytes  # the responder's
    secret: bytes  # what both agreed on
    alice_identity: bytes
    bob_identity: bytes
    bob_secret: bytes  # the secret key of Bob's identity


def begin() -> Parties:
    """Return two parties after X3DH."""
    alice_identity, alice_secret = primitives.generate_ed25519_keypair()
    bob_identity, bob_secret = primitives.generate_ed25519_keypair()
    _, signed, signed_private, signature = x3dh.generate_signed_pre_key(bob_secret, 1)
    secret, ephemeral = x3dh.initiate(alice_secret, bob_identity + signed + signature)
    assert secret == x3dh.respond(bob_secret, signed_private, b"", alice_identity, ephemeral)
    return Parties(
        double_ratchet.init(secret, alice_identity, bob_identity, b"", Role.INITIATOR),
        double_ratchet.init(secret, bob_identity, alice_identity, bob_secret, Role.RESPONDER),
        secret,
        alice_identity,
        bob_identity,
        bob_secret,
    )
