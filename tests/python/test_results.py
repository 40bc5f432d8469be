"""Results of several parts: plain tuples with names, and with a `repr` that shows no secret."""

from collections.abc import Callable
from typing import Any

import pytest
from parties import Parties

from signal_port import double_ratchet, messages, primitives, x3dh
from signal_port.double_ratchet import PreKeyInfo

INFO = PreKeyInfo(1, None, 2, bytes(32))
Call = Callable[[Parties], Any]
CALLS: dict[str, tuple[Call, str]] = {
    "an X25519 pair": (
        lambda _: primitives.generate_curve25519_keypair(),
        "KeyPair(public=<32 bytes>, private=<32 bytes>)",
    ),
    "an Ed25519 pair": (
        lambda _: primitives.generate_ed25519_keypair(),
        "KeyPair(public=<32 bytes>, private=<64 bytes>)",
    ),
    "a pre-key": (
        lambda _: x3dh.generate_pre_key(7),
        "PreKey(key_id=7, public=<32 bytes>, private=<32 bytes>)",
    ),
    "a signed pre-key": (
        lambda parties: x3dh.generate_signed_pre_key(parties.bob_secret, 7),
        "SignedPreKey(key_id=7, public=<32 bytes>, private=<32 bytes>, signature=<64 bytes>)",
    ),
    "an agreement": (
        lambda parties: agreement(parties),
        "Agreement(shared_secret=<96 bytes>, ephemeral=<32 bytes>)",
    ),
    "an encrypted message": (
        lambda parties: double_ratchet.encrypt(parties.alice, b"Hello"),
        "Encrypted(message=<109 bytes>, session=<7740 bytes>)",
    ),
    "an encrypted pre-key message": (
        lambda parties: double_ratchet.encrypt_pre_key(parties.alice, b"Hello", INFO),
        "Encrypted(message=<184 bytes>, session=<7740 bytes>)",
    ),
    "a decrypted message": (
        lambda parties: double_ratchet.decrypt(
            parties.bob, double_ratchet.encrypt(parties.alice, b"Hello").message
        ),
        "Decrypted(plaintext=<5 bytes>, session=<7740 bytes>)",
    ),
    "a sealed text": (
        lambda _: primitives.aes_gcm_encrypt(bytes(32), bytes(12), b"Hello", b"", 16),
        "Sealed(ciphertext=<5 bytes>, tag=<16 bytes>)",
    ),
}
EACH = pytest.mark.parametrize(("call", "text"), CALLS.values(), ids=CALLS)


def agreement(parties: Parties) -> x3dh.Agreement:
    """Return what an initiator agrees on with a fresh bundle."""
    pre_key = x3dh.generate_signed_pre_key(parties.bob_secret, 1)
    _, secret = primitives.generate_ed25519_keypair()
    return x3dh.initiate(secret, parties.bob_identity + pre_key.public + pre_key.signature)


class TestResults:
    """Every function that returns several parts."""

    @EACH
    def test_result_equals_the_tuple_of_its_parts(
        self, parties: Parties, call: Call, text: str
    ) -> None:
        result = call(parties)
        parts = tuple(getattr(result, name) for name in result._fields)
        assert type(result) is not tuple
        assert result == parts == tuple(result)
        assert hash(result) == hash(parts)

    @EACH
    def test_repr_has_sizes_and_no_bytes(self, parties: Parties, call: Call, text: str) -> None:
        assert repr(call(parties)) == text

    def test_pre_key_message_has_names(self, parties: Parties) -> None:
        encrypted = double_ratchet.encrypt_pre_key(parties.alice, b"Hello", INFO)
        message = messages.decode_pre_key_message(encrypted.message)
        assert message.one_time_pre_key_id is None
        assert double_ratchet.decrypt(parties.bob, message.message).plaintext == b"Hello"
