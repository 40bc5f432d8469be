"""The static-key session of the NIF's releases 0.1 and 0.2."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import refused

from signal_port import primitives, static_session

SESSION = bytes(range(64))


class TestMessages:
    """Messages, whole and forged."""

    @given(plaintext=st.binary(max_size=200))
    def test_message_is_decrypted(self, plaintext: bytes) -> None:
        message = static_session.encrypt_message(SESSION, plaintext)
        assert len(message) == len(plaintext) + 28
        assert static_session.decrypt_message(SESSION, message) == plaintext

    def test_key_alone_is_a_session(self) -> None:
        message = static_session.encrypt_message(SESSION[:32], b"plain")
        assert static_session.decrypt_message(SESSION, message) == b"plain"

    def test_two_messages_have_two_nonces(self) -> None:
        first, second = (static_session.encrypt_message(SESSION, b"") for _ in range(2))
        assert first[:12] != second[:12]

    @pytest.mark.parametrize("place", [0, 11, 12, 16, 17, -1])
    def test_flipped_bit_is_refused(self, place: int) -> None:
        message = bytearray(static_session.encrypt_message(SESSION, b"plain"))
        message[place] ^= 1
        with refused("decryption_failed"):
            static_session.decrypt_message(SESSION, bytes(message))

    def test_message_of_another_session_is_refused(self) -> None:
        with refused("decryption_failed"):
            static_session.decrypt_message(
                bytes(64), static_session.encrypt_message(SESSION, b"plain")
            )

    @pytest.mark.parametrize("size", [0, 1, 31])
    def test_short_session_is_refused_before_the_message(self, size: int) -> None:
        with refused("invalid_session"):
            static_session.encrypt_message(bytes(size), b"")
        with refused("invalid_session"):
            static_session.decrypt_message(bytes(size), b"")

    @pytest.mark.parametrize("size", [0, 12, 27])
    def test_short_message_is_refused(self, size: int) -> None:
        with refused("invalid_message"):
            static_session.decrypt_message(SESSION, bytes(size))


class TestSessions:
    """The key of a session."""

    def test_both_sides_have_the_same_key(self) -> None:
        (one_public, one), (other_public, other) = (
            primitives.generate_curve25519_keypair() for _ in range(2)
        )
        first = static_session.create_session(one, other_public)
        second = static_session.create_session(other, one_public)
        assert len(first) == len(second) == 64
        assert first[:32] == second[:32]
        assert first[32:] != second[32:]

    def test_key_is_blake2b_of_the_shared_secret(self) -> None:
        private, public = bytes([1] * 32), bytes([9] + [0] * 31)
        shared = primitives.x25519(private, public)
        assert (
            static_session.create_session(private, public)[:32]
            == hashlib.blake2b(shared, digest_size=32).digest()
        )

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_keys_of_other_sizes_are_refused(self, size: int) -> None:
        with refused("invalid_key_sizes"):
            static_session.create_session(bytes(size), bytes(32))
        with refused("invalid_key_sizes"):
            static_session.create_session(bytes(32), bytes(size))

    def test_all_zero_shared_secret_is_refused(self) -> None:
        with refused("key_agreement_failed"):
            static_session.create_session(bytes(range(32)), bytes(32))
