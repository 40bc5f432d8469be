"""The primitives: known answers, wrong sizes, forgeries."""

from typing import Any

import edwards
import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st
from refusal import refused

from signal_port import primitives

RFC7748: dict[str, Any] = vectors.known("rfc7748.json")
TORSION = edwards.small_order_points()[1:]
ORDER_8_U = {int.from_bytes(edwards.to_montgomery(point), "little") for point in TORSION[::2]}
X25519_ZERO = sorted({0, 1, edwards.P - 1, edwards.P, edwards.P + 1} | ORDER_8_U)
WRONG_KEY_SIZES = [0, 1, 31, 33, 64]


class TestHashes:
    """Hashes, MAC, key derivation."""

    @pytest.mark.parametrize("case", vectors.cases("fips180.json"))
    def test_sha256_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        assert (
            primitives.sha256(bytes.fromhex(case["data"]) * case["repeat"]).hex() == case["sha256"]
        )

    @pytest.mark.parametrize("case", vectors.cases("fips180.json"))
    def test_sha512_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        assert (
            primitives.sha512(bytes.fromhex(case["data"]) * case["repeat"]).hex() == case["sha512"]
        )

    @pytest.mark.parametrize("case", vectors.cases("rfc4231.json"))
    def test_hmac_sha256_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        assert (
            primitives.hmac_sha256(given["key"], given["data"])[: len(given["mac"])] == given["mac"]
        )

    @given(
        key=st.binary(max_size=100), first=st.binary(max_size=100), second=st.binary(max_size=100)
    )
    def test_hmac_pair_is_two_macs(self, key: bytes, first: bytes, second: bytes) -> None:
        pair = primitives.hmac_sha256_pair(key, first, second)
        assert pair == (primitives.hmac_sha256(key, first), primitives.hmac_sha256(key, second))

    @pytest.mark.parametrize("case", vectors.cases("rfc5869.json"))
    def test_hkdf_sha256_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        assert (
            primitives.hkdf_sha256(given["ikm"], given["salt"], given["info"], given["length"])
            == given["okm"]
        )

    def test_hkdf_with_an_empty_salt_uses_32_zeros(self) -> None:
        assert primitives.hkdf_sha256(b"ikm", b"", b"", 32) == primitives.hkdf_sha256(
            b"ikm", bytes(32), b"", 32
        )

    @pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 8159, 8160])
    def test_hkdf_length_up_to_255_blocks_is_given(self, length: int) -> None:
        longest = primitives.hkdf_sha256(b"ikm", b"salt", b"info", 8160)
        assert primitives.hkdf_sha256(b"ikm", b"salt", b"info", length) == longest[:length]

    @pytest.mark.parametrize("length", [-1, 8161])
    def test_hkdf_length_out_of_range_is_refused(self, length: int) -> None:
        with refused("invalid_length"):
            primitives.hkdf_sha256(b"ikm", b"salt", b"info", length)


class TestX25519:
    """X25519, with the all-zero secret refused."""

    @pytest.mark.parametrize("case", vectors.cases("rfc7748.json"))
    def test_x25519_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        assert primitives.x25519(given["private"], given["public"]) == given["shared"]

    @pytest.mark.parametrize("count", RFC7748["iterated"]["after"])
    def test_x25519_iterated_gives_the_known_answer(self, count: str) -> None:
        scalar = point = bytes.fromhex(RFC7748["iterated"]["start"])
        for _ in range(int(count)):
            scalar, point = primitives.x25519(scalar, point), scalar
        assert scalar.hex() == RFC7748["iterated"]["after"][count]

    def test_points_that_give_zero_are_seven(self) -> None:
        assert len(X25519_ZERO) == 7

    @pytest.mark.parametrize("high_bit", [0, 1 << 255])
    @pytest.mark.parametrize("u", X25519_ZERO)
    def test_all_zero_shared_secret_is_refused(self, u: int, high_bit: int) -> None:
        with refused("key_agreement_failed"):
            primitives.x25519(b"\x11" * 32, (u | high_bit).to_bytes(32, "little"))

    @pytest.mark.parametrize("size", WRONG_KEY_SIZES)
    def test_key_of_a_wrong_size_is_refused(self, size: int) -> None:
        with refused("invalid_key_sizes"):
            primitives.x25519(bytes(size), b"\x09" + bytes(31))
        with refused("invalid_key_sizes"):
            primitives.x25519(bytes(32), bytes(size))

    def test_fresh_pair_belongs_together(self) -> None:
        public, private = primitives.generate_curve25519_keypair()
        assert primitives.x25519(private, b"\x09" + bytes(31)) == public

    def test_fresh_private_key_is_not_clamped(self) -> None:
        low_bits = {primitives.generate_curve25519_keypair()[1][0] & 7 for _ in range(200)}
        assert len(low_bits) > 1

    def test_fresh_pairs_differ(self) -> None:
        assert primitives.generate_curve25519_keypair() != primitives.generate_curve25519_keypair()


class TestCiphers:
    """AES-GCM, AES-CBC, ChaCha20-Poly1305."""

    @pytest.mark.parametrize("case", vectors.cases("aes_gcm.json"))
    def test_aes_gcm_encryption_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        sealed = primitives.aes_gcm_encrypt(
            given["key"], given["iv"], given["plaintext"], given["aad"], 16
        )
        assert sealed == (given["ciphertext"], given["tag"])

    @pytest.mark.parametrize("case", vectors.cases("aes_gcm.json"))
    def test_aes_gcm_decryption_gives_the_known_answer(self, case: dict[str, Any]) -> None:
        given = vectors.decoded(case)
        sealed = given["ciphertext"]
        plain = primitives.aes_gcm_decrypt(
            given["key"], given["iv"], sealed, given["aad"], given["tag"], len(sealed)
        )
        assert plain == given["plaintext"]

    @pytest.mark.parametrize(
        ("key", "iv", "tag"),
        [
            (16, 12, 16),
            (24, 12, 16),
            (0, 12, 16),
            (33, 12, 16),
            (32, 0, 16),
            (32, 8, 16),
            (32, 13, 16),
            (32, 16, 16),
        ]
        + [(32, 12, size) for size in (0, 12, 15, 17, 32)],
    )
    def test_aes_gcm_with_other_sizes_is_refused(self, key: int, iv: int, tag: int) -> None:
        with refused("invalid_parameters"):
            primitives.aes_gcm_encrypt(bytes(key), bytes(iv), b"plain", b"", tag)
        with refused("invalid_parameters"):
            primitives.aes_gcm_decrypt(bytes(key), bytes(iv), b"cipher", b"", bytes(tag), 6)

    @pytest.mark.parametrize("tag_size", [-16, -1])
    def test_aes_gcm_with_a_negative_tag_size_is_refused(self, tag_size: int) -> None:
        with refused("invalid_parameters"):
            primitives.aes_gcm_encrypt(bytes(32), bytes(12), b"", b"", tag_size)

    @pytest.mark.parametrize("length", [-1, 0, 5, 7])
    def test_aes_gcm_with_another_length_is_refused(self, length: int) -> None:
        with refused("invalid_parameters"):
            primitives.aes_gcm_decrypt(bytes(32), bytes(12), b"cipher", b"", bytes(16), length)

    @pytest.mark.parametrize("forged", ["key", "iv", "ciphertext", "aad", "tag"])
    def test_aes_gcm_with_a_flipped_bit_is_refused(self, forged: str) -> None:
        given = dict(vectors.decoded(vectors.known("aes_gcm.json")["cases"][3]))
        given[forged] = bytes([given[forged][0] ^ 1]) + given[forged][1:]
        sealed = given["ciphertext"]
        with refused("decryption_failed"):
            primitives.aes_gcm_decrypt(
                given["key"], given["iv"], sealed, given["aad"], given["tag"], len(sealed)
            )

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 1000])
    def test_aes_cbc_adds_and_removes_1_to_16_bytes(self, size: int) -> None:
        sealed = primitives.aes_cbc_encrypt(b"k" * 32, b"i" * 16, b"p" * size)
        assert len(sealed) == size // 16 * 16 + 16
        assert primitives.aes_cbc_decrypt(b"k" * 32, b"i" * 16, sealed) == b"p" * size

    @pytest.mark.parametrize("padding", [b"\x00", b"\x11", b"\xff", b"\x01\x02", b"\x03\x02\x03"])
    def test_aes_cbc_with_wrong_padding_is_none(self, padding: bytes) -> None:
        block = b"p" * (16 - len(padding)) + padding
        sealed = primitives.aes_cbc_encrypt(b"k" * 32, b"i" * 16, block)[:16]
        assert primitives.aes_cbc_decrypt(b"k" * 32, b"i" * 16, sealed) is None

    def test_chacha20_poly1305_is_decrypted(self) -> None:
        sealed = primitives.chacha20_poly1305_encrypt(b"k" * 32, b"n" * 12, b"plain")
        assert primitives.chacha20_poly1305_decrypt(b"k" * 32, b"n" * 12, sealed) == b"plain"

    def test_chacha20_poly1305_with_a_flipped_bit_is_refused(self) -> None:
        sealed = primitives.chacha20_poly1305_encrypt(b"k" * 32, b"n" * 12, b"plain")
        with refused("decryption_failed"):
            primitives.chacha20_poly1305_decrypt(
                b"k" * 32, b"n" * 12, sealed[:-1] + bytes([sealed[-1] ^ 1])
            )
