"""What is random: how many bytes are drawn from the system, where they go, and that they vary."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from parties import Parties

from signal_port import double_ratchet, primitives, ratchet_keys, session, static_session, x3dh
from signal_port.double_ratchet import Role

SAMPLES = 64
HEADER_IV = slice(3, 19)  # of a message: behind its version, and the header's tag and length


class Source:
    """Stands for the system's random numbers: no byte is drawn twice. It keeps what was drawn."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []
        self._next = 1

    def __call__(self, size: int) -> bytes:
        drawn = bytes((self._next + place) % 256 for place in range(size))
        self._next += size
        self.drawn.append(drawn)
        return drawn


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Have every module draw from one source."""
    stand_in = Source()
    for module in primitives, ratchet_keys, static_session:
        monkeypatch.setattr(module, "random_bytes", stand_in)
    return stand_in


def private_key(_: Parties) -> bytes:
    """Return the private key of a fresh X25519 pair."""
    return primitives.generate_curve25519_keypair()[1]


def seed(_: Parties) -> bytes:
    """Return the seed of a fresh Ed25519 pair."""
    return primitives.generate_ed25519_keypair()[1][:32]


def pre_key(_: Parties) -> bytes:
    """Return the private key of a fresh one-time pre-key."""
    return x3dh.generate_pre_key(1)[2]


def signed_pre_key(parties: Parties) -> bytes:
    """Return the private key of a fresh signed pre-key."""
    return x3dh.generate_signed_pre_key(parties.bob_secret, 1)[2]


def ratchet_key(parties: Parties) -> bytes:
    """Return the private key of an initiator's first ratchet pair."""
    secret, ours, theirs = parties.secret, parties.alice_identity, parties.bob_identity
    return double_ratchet.init(secret, ours, theirs, b"", Role.INITIATOR)[
        session.RATCHET_PRIVATE_KEY
    ]


def header_iv(parties: Parties) -> bytes:
    """Return the IV of a message's header."""
    return double_ratchet.encrypt(parties.alice, b"")[0][HEADER_IV]


def static_nonce(_: Parties) -> bytes:
    """Return the nonce of a message of a static-key session."""
    return static_session.encrypt_message(bytes(64), b"")[:12]


def static_rest(_: Parties) -> bytes:
    """Return the half of a static-key session that no call reads."""
    return static_session.create_session(bytes([9]) * 32, bytes([9]) * 32)[32:]


RANDOM: dict[str, tuple[Callable[[Parties], bytes], int]] = {
    "private key": (private_key, 32),
    "seed": (seed, 32),
    "one-time pre-key": (pre_key, 32),
    "signed pre-key": (signed_pre_key, 32),
    "ratchet key": (ratchet_key, 32),
    "header IV": (header_iv, 16),
    "nonce of a static-key session": (static_nonce, 12),
    "rest of a static-key session": (static_rest, 32),
}


@pytest.mark.parametrize(("make", "size"), RANDOM.values(), ids=RANDOM)
class TestRandom:
    """Every key and IV that is made."""

    def test_system_is_asked_once_for_all_its_bytes(
        self, make: Callable[[Parties], bytes], size: int, source: Source, parties: Parties
    ) -> None:
        made = make(parties)
        assert source.drawn == [made]
        assert len(made) == size

    def test_each_byte_varies_by_itself(
        self, make: Callable[[Parties], bytes], size: int, parties: Parties
    ) -> None:
        made = [make(parties) for _ in range(SAMPLES)]
        columns = list(zip(*made, strict=True))
        assert len(set(columns)) == size  # none repeats another
        assert all(len(set(column)) > 1 for column in columns)


class TestSource:
    """Where random numbers come from."""

    def test_source_is_the_system(self) -> None:
        sources: list[Any] = [primitives, ratchet_keys, static_session]
        assert all(module.random_bytes is os.urandom for module in sources)

    def test_ephemeral_key_of_an_agreement_is_drawn(self, source: Source, parties: Parties) -> None:
        _, key, _, signature = x3dh.generate_signed_pre_key(parties.bob_secret, 1)
        source.drawn.clear()
        bundle = parties.bob_identity + key + signature
        _, ephemeral = x3dh.initiate(parties.bob_secret, bundle)
        (private,) = source.drawn
        assert len(private) == 32
        assert ephemeral == primitives.x25519_public_bytes(primitives.x25519_private_key(private))

    def test_ratchet_key_of_a_reply_is_drawn(self, source: Source, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"")
        source.drawn.clear()
        _, bob = double_ratchet.decrypt(parties.bob, wire)
        assert source.drawn == [bob[session.RATCHET_PRIVATE_KEY]]
        assert len(source.drawn[0]) == 32
