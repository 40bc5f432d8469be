"""Ed25519 keys: they sign, verify by libsodium's rules, and become X25519 keys."""

from collections.abc import Iterator
from typing import Any

import edwards
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from refusal import refused

from signal_port import ed25519, edwards25519, primitives

SMALL_ORDER = sorted(edwards.small_order_encodings())
NOT_CANONICAL = [y | sign << 255 for y in range(edwards.P, 2**255) for sign in (0, 1)]
TORSION = edwards.small_order_points()[1:]
WRONG_KEY_SIZES = [0, 1, 31, 33, 64]


def secret_key(seed: bytes) -> bytes:
    """Return the 64-byte secret key of a seed, computed by the arithmetic of the tests."""
    return seed + edwards.compress(edwards.multiply(scalar_of(seed), edwards.BASE))


def scalar_of(seed: bytes) -> int:
    """Return the secret scalar of a seed."""
    clamped = ed25519.ed25519_sk_to_curve25519(seed + bytes(32))
    return int.from_bytes(clamped, "little")


def messages() -> Iterator[bytes]:
    """Yield messages until one has the wanted challenge."""
    return (b"message %d" % index for index in range(1000))


class TestSigning:
    """Ed25519 keys and signatures."""

    @pytest.mark.parametrize("case", vectors.cases("rfc8032.json"))
    def test_signature_is_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        assert (
            ed25519.sign_data(given["seed"] + given["public"], given["message"])
            == given["signature"]
        )

    @pytest.mark.parametrize("case", vectors.cases("rfc8032.json"))
    def test_known_signature_is_valid(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        assert ed25519.verify_signature(given["public"], given["message"], given["signature"])

    def test_fresh_secret_is_seed_and_public_key(self) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        assert len(secret) == 64
        assert secret == secret_key(secret[:32])
        assert secret[32:] == public

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_secret_of_a_wrong_size_is_refused(self, size: int) -> None:
        with refused("invalid_private_key"):
            ed25519.sign_data(bytes(size), b"")

    @pytest.mark.parametrize("byte", [32, 63])
    def test_public_half_of_another_seed_is_refused(self, byte: int) -> None:
        secret = bytearray(primitives.generate_ed25519_keypair()[1])
        secret[byte] ^= 1
        with refused("signing_failed"):
            ed25519.sign_data(bytes(secret), b"")


class TestVerifying:
    """Signatures made to deceive, by libsodium's rules."""

    @settings(max_examples=30)
    @given(message=st.binary(max_size=50), place=st.integers(0, 95), bit=st.integers(0, 7))
    def test_flipped_bit_of_key_or_signature_is_invalid(
        self, message: bytes, place: int, bit: int
    ) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        forged = bytearray(public + ed25519.sign_data(secret, message))
        forged[place] ^= 1 << bit
        assert not ed25519.verify_signature(bytes(forged[:32]), message, bytes(forged[32:]))

    def test_signature_of_another_message_is_invalid(self) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        assert not ed25519.verify_signature(public, b"another", ed25519.sign_data(secret, b"one"))

    @pytest.mark.parametrize("size", WRONG_KEY_SIZES)
    def test_key_of_a_wrong_size_is_refused_before_the_signature(self, size: int) -> None:
        with refused("invalid_public_key"):
            ed25519.verify_signature(bytes(size), b"", b"")

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_signature_of_a_wrong_size_is_refused(self, size: int) -> None:
        with refused("invalid_signature"):
            ed25519.verify_signature(bytes(32), b"", bytes(size))

    def test_signature_with_unreduced_s_is_invalid(self) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        signature = ed25519.sign_data(secret, b"message")
        scalar = int.from_bytes(signature[32:], "little") + edwards.L
        malleable = signature[:32] + scalar.to_bytes(32, "little")
        assert edwards.plain_verify(public, b"message", malleable)
        assert not ed25519.verify_signature(public, b"message", malleable)

    def test_small_order_encodings_are_fourteen(self) -> None:
        assert len(SMALL_ORDER) == 14
        assert sorted(edwards25519.SMALL_ORDER) == SMALL_ORDER

    @pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
    def test_small_order_public_key_is_invalid_though_the_equation_holds(
        self, public: bytes
    ) -> None:
        scalar = 12345
        commitment = edwards.compress(edwards.multiply(scalar, edwards.BASE))
        message = next(m for m in messages() if edwards.challenge(commitment, public, m) % 8 == 0)
        signature = commitment + scalar.to_bytes(32, "little")
        assert edwards.plain_verify(public, message, signature)
        assert not ed25519.verify_signature(public, message, signature)

    @pytest.mark.parametrize("commitment", SMALL_ORDER, ids=bytes.hex)
    def test_small_order_commitment_is_invalid(self, commitment: bytes) -> None:
        secret = secret_key(b"\x07" * 32)
        public = secret[32:]
        scalar = (
            edwards.challenge(commitment, public, b"message") * scalar_of(secret[:32]) % edwards.L
        )
        assert not ed25519.verify_signature(
            public, b"message", commitment + scalar.to_bytes(32, "little")
        )

    def test_neutral_commitment_is_invalid_though_the_equation_holds(self) -> None:
        secret = secret_key(b"\x07" * 32)
        commitment = edwards.compress(edwards.NEUTRAL)
        scalar = (
            edwards.challenge(commitment, secret[32:], b"message")
            * scalar_of(secret[:32])
            % edwards.L
        )
        signature = commitment + scalar.to_bytes(32, "little")
        assert edwards.plain_verify(secret[32:], b"message", signature)
        assert not ed25519.verify_signature(secret[32:], b"message", signature)

    @pytest.mark.parametrize("y", NOT_CANONICAL)
    def test_public_key_that_is_not_canonical_is_invalid(self, y: int) -> None:
        public = y.to_bytes(32, "little")
        assert not ed25519.verify_signature(
            public, b"", edwards.compress(edwards.BASE) + (1).to_bytes(32, "little")
        )

    @pytest.mark.parametrize("torsion", TORSION)
    def test_mixed_order_key_is_valid_if_the_equation_holds(self, torsion: edwards.Point) -> None:
        seed = b"\x07" * 32
        public = edwards.compress(
            edwards.add(edwards.multiply(scalar_of(seed), edwards.BASE), torsion)
        )
        nonce = 12345
        commitment = edwards.compress(edwards.multiply(nonce, edwards.BASE))
        message = next(m for m in messages() if edwards.challenge(commitment, public, m) % 8 == 0)
        scalar = (
            nonce + edwards.challenge(commitment, public, message) * scalar_of(seed)
        ) % edwards.L
        assert ed25519.verify_signature(public, message, commitment + scalar.to_bytes(32, "little"))


class TestConversion:
    """Ed25519 keys as X25519 keys."""

    def test_converted_pair_belongs_together(self) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        private = ed25519.ed25519_sk_to_curve25519(secret)
        converted = ed25519.ed25519_pk_to_curve25519(public)
        assert primitives.x25519(private, b"\x09" + bytes(31)) == converted

    @settings(max_examples=20)
    @given(scalar=st.integers(1, edwards.L - 1))
    def test_point_of_the_subgroup_is_converted(self, scalar: int) -> None:
        point = edwards.multiply(scalar, edwards.BASE)
        assert ed25519.ed25519_pk_to_curve25519(edwards.compress(point)) == edwards.to_montgomery(
            point
        )

    @settings(max_examples=40)
    @given(encoding=st.binary(min_size=32, max_size=32))
    def test_other_32_bytes_are_refused(self, encoding: bytes) -> None:
        point = edwards.decompress(encoding)
        if (
            point
            and edwards.multiply(edwards.L, point) == edwards.NEUTRAL
            and encoding == edwards.compress(point)
        ):
            return
        with refused("conversion_failed"):
            ed25519.ed25519_pk_to_curve25519(encoding)

    @pytest.mark.parametrize("torsion", TORSION)
    def test_mixed_order_key_is_refused(self, torsion: edwards.Point) -> None:
        mixed = edwards.compress(edwards.add(edwards.multiply(12345, edwards.BASE), torsion))
        with refused("conversion_failed"):
            ed25519.ed25519_pk_to_curve25519(mixed)

    @pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
    def test_small_order_key_is_refused(self, public: bytes) -> None:
        with refused("conversion_failed"):
            ed25519.ed25519_pk_to_curve25519(public)

    @pytest.mark.parametrize("y", NOT_CANONICAL)
    def test_key_that_is_not_canonical_is_refused(self, y: int) -> None:
        with refused("conversion_failed"):
            ed25519.ed25519_pk_to_curve25519(y.to_bytes(32, "little"))

    @pytest.mark.parametrize("size", WRONG_KEY_SIZES)
    def test_public_key_of_a_wrong_size_is_refused(self, size: int) -> None:
        with refused("invalid_public_key_size"):
            ed25519.ed25519_pk_to_curve25519(bytes(size))

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_secret_key_of_a_wrong_size_is_refused(self, size: int) -> None:
        with refused("invalid_secret_key_size"):
            ed25519.ed25519_sk_to_curve25519(bytes(size))

    def test_public_half_of_a_secret_key_is_ignored(self) -> None:
        converted = ed25519.ed25519_sk_to_curve25519(bytes(64))
        assert ed25519.ed25519_sk_to_curve25519(bytes(32) + b"\x01" * 32) == converted

    @settings(max_examples=20)
    @given(seed=st.binary(min_size=32, max_size=32))
    def test_converted_secret_is_clamped(self, seed: bytes) -> None:
        scalar = int.from_bytes(ed25519.ed25519_sk_to_curve25519(seed + bytes(32)), "little")
        assert scalar % 8 == 0
        assert scalar >> 254 == 1
