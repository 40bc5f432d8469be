"""The primitives: known answers first, then wrong sizes, then keys and signatures made to deceive."""

from typing import Any

import edwards
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from refusal import refused

from signal_port import ed25519, primitives

RFC7748: dict[str, Any] = vectors.known("rfc7748.json")
SMALL_ORDER = sorted(edwards.small_order_encodings())
NOT_CANONICAL = [y | sign << 255 for y in range(edwards.P, 2**255) for sign in (0, 1)]
TORSION = edwards.small_order_points()[1:]
ORDER_8_U = {int.from_bytes(edwards.to_montgomery(point), "little") for point in TORSION[::2]}
X25519_ZERO = sorted({0, 1, edwards.P - 1, edwards.P, edwards.P + 1} | ORDER_8_U)
NO_KEY_SIZES = [0, 1, 31, 33, 64]


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in vectors.known(name)["cases"]]


def decoded(case: dict[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in case.items() if key != "name"}
    return {
        key: bytes.fromhex(value) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def secret_key(seed: bytes) -> bytes:
    """Return the 64-byte secret key of a seed, by the plain arithmetic of the tests."""
    return seed + edwards.compress(edwards.multiply(scalar_of(seed), edwards.BASE))


def scalar_of(seed: bytes) -> int:
    clamped = ed25519.ed25519_sk_to_curve25519(seed + bytes(32))
    return int.from_bytes(clamped, "little")


# --- Hashes, MAC, key derivation ---


@pytest.mark.parametrize("case", cases("fips180.json"))
def test_sha256_known_answer(case: dict[str, Any]) -> None:
    assert primitives.sha256(bytes.fromhex(case["data"]) * case["repeat"]).hex() == case["sha256"]


@pytest.mark.parametrize("case", cases("fips180.json"))
def test_sha512_known_answer(case: dict[str, Any]) -> None:
    assert primitives.sha512(bytes.fromhex(case["data"]) * case["repeat"]).hex() == case["sha512"]


@pytest.mark.parametrize("case", cases("rfc4231.json"))
def test_hmac_sha256_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    assert primitives.hmac_sha256(given["key"], given["data"])[: len(given["mac"])] == given["mac"]


@given(key=st.binary(max_size=100), first=st.binary(max_size=100), second=st.binary(max_size=100))
def test_a_pair_of_macs_is_two_macs(key: bytes, first: bytes, second: bytes) -> None:
    pair = primitives.hmac_sha256_pair(key, first, second)
    assert pair == (primitives.hmac_sha256(key, first), primitives.hmac_sha256(key, second))


@pytest.mark.parametrize("case", cases("rfc5869.json"))
def test_hkdf_sha256_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    assert (
        primitives.hkdf_sha256(given["ikm"], given["salt"], given["info"], given["length"])
        == given["okm"]
    )


def test_an_empty_salt_is_32_zeros() -> None:
    assert primitives.hkdf_sha256(b"ikm", b"", b"", 32) == primitives.hkdf_sha256(
        b"ikm", bytes(32), b"", 32
    )


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 8159, 8160])
def test_hkdf_gives_any_length_up_to_255_blocks(length: int) -> None:
    longest = primitives.hkdf_sha256(b"ikm", b"salt", b"info", 8160)
    assert primitives.hkdf_sha256(b"ikm", b"salt", b"info", length) == longest[:length]


@pytest.mark.parametrize("length", [-1, 8161])
def test_hkdf_refuses_other_lengths(length: int) -> None:
    with refused("invalid_length"):
        primitives.hkdf_sha256(b"ikm", b"salt", b"info", length)


# --- X25519 ---


@pytest.mark.parametrize("case", cases("rfc7748.json"))
def test_x25519_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    assert primitives.x25519(given["private"], given["public"]) == given["shared"]


@pytest.mark.parametrize("count", RFC7748["iterated"]["after"])
def test_x25519_iterated(count: str) -> None:
    scalar = point = bytes.fromhex(RFC7748["iterated"]["start"])
    for _ in range(int(count)):
        scalar, point = primitives.x25519(scalar, point), scalar
    assert scalar.hex() == RFC7748["iterated"]["after"][count]


def test_there_are_seven_points_that_give_zero() -> None:
    assert len(X25519_ZERO) == 7


@pytest.mark.parametrize("high_bit", [0, 1 << 255])
@pytest.mark.parametrize("u", X25519_ZERO)
def test_an_all_zero_shared_secret_is_refused(u: int, high_bit: int) -> None:
    with refused("key_agreement_failed"):
        primitives.x25519(b"\x11" * 32, (u | high_bit).to_bytes(32, "little"))


@pytest.mark.parametrize("size", NO_KEY_SIZES)
def test_x25519_refuses_a_wrong_size_of_either_key(size: int) -> None:
    with refused("invalid_key_sizes"):
        primitives.x25519(bytes(size), b"\x09" + bytes(31))
    with refused("invalid_key_sizes"):
        primitives.x25519(bytes(32), bytes(size))


def test_a_fresh_x25519_pair_belongs_together() -> None:
    public, private = primitives.generate_curve25519_keypair()
    assert primitives.x25519(private, b"\x09" + bytes(31)) == public


def test_x25519_secrets_are_kept_as_drawn_not_clamped() -> None:
    low_bits = {primitives.generate_curve25519_keypair()[1][0] & 7 for _ in range(200)}
    assert len(low_bits) > 1


def test_fresh_x25519_pairs_differ() -> None:
    assert primitives.generate_curve25519_keypair() != primitives.generate_curve25519_keypair()


# --- Ed25519: signing ---


@pytest.mark.parametrize("case", cases("rfc8032.json"))
def test_sign_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    assert (
        ed25519.sign_data(given["seed"] + given["public"], given["message"]) == given["signature"]
    )


@pytest.mark.parametrize("case", cases("rfc8032.json"))
def test_verify_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    assert ed25519.verify_signature(given["public"], given["message"], given["signature"])


def test_a_fresh_ed25519_secret_is_its_seed_and_its_public_key() -> None:
    public, secret = primitives.generate_ed25519_keypair()
    assert len(secret) == 64
    assert secret == secret_key(secret[:32])
    assert secret[32:] == public


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_sign_refuses_a_wrong_size(size: int) -> None:
    with refused("invalid_private_key"):
        ed25519.sign_data(bytes(size), b"")


@pytest.mark.parametrize("byte", [32, 63])
def test_sign_refuses_a_public_half_that_is_not_the_seed_s(byte: int) -> None:
    secret = bytearray(primitives.generate_ed25519_keypair()[1])
    secret[byte] ^= 1
    with refused("signing_failed"):
        ed25519.sign_data(bytes(secret), b"")


# --- Ed25519: verifying ---


@settings(max_examples=30)
@given(message=st.binary(max_size=50), place=st.integers(0, 95), bit=st.integers(0, 7))
def test_one_flipped_bit_of_key_or_signature_is_refused(
    message: bytes, place: int, bit: int
) -> None:
    public, secret = primitives.generate_ed25519_keypair()
    forged = bytearray(public + ed25519.sign_data(secret, message))
    forged[place] ^= 1 << bit
    assert not ed25519.verify_signature(bytes(forged[:32]), message, bytes(forged[32:]))


def test_another_message_is_refused() -> None:
    public, secret = primitives.generate_ed25519_keypair()
    assert not ed25519.verify_signature(public, b"another", ed25519.sign_data(secret, b"one"))


@pytest.mark.parametrize("size", NO_KEY_SIZES)
def test_verify_refuses_a_wrong_size_of_the_key_before_that_of_the_signature(size: int) -> None:
    with refused("invalid_public_key"):
        ed25519.verify_signature(bytes(size), b"", b"")


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_verify_refuses_a_wrong_size_of_the_signature(size: int) -> None:
    with refused("invalid_signature"):
        ed25519.verify_signature(bytes(32), b"", bytes(size))


def test_a_signature_with_s_not_reduced_is_refused() -> None:
    public, secret = primitives.generate_ed25519_keypair()
    signature = ed25519.sign_data(secret, b"message")
    scalar = int.from_bytes(signature[32:], "little") + edwards.L
    malleable = signature[:32] + scalar.to_bytes(32, "little")
    assert edwards.plain_verify(public, b"message", malleable)
    assert not ed25519.verify_signature(public, b"message", malleable)


def test_there_are_fourteen_small_order_encodings() -> None:
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
def test_a_small_order_public_key_is_refused_though_the_equation_holds(public: bytes) -> None:
    scalar = 12345
    commitment = edwards.compress(edwards.multiply(scalar, edwards.BASE))
    message = next(m for m in messages() if edwards.challenge(commitment, public, m) % 8 == 0)
    signature = commitment + scalar.to_bytes(32, "little")
    assert edwards.plain_verify(public, message, signature)
    assert not ed25519.verify_signature(public, message, signature)


@pytest.mark.parametrize("commitment", SMALL_ORDER, ids=bytes.hex)
def test_a_small_order_commitment_is_refused(commitment: bytes) -> None:
    secret = secret_key(b"\x07" * 32)
    public = secret[32:]
    scalar = edwards.challenge(commitment, public, b"message") * scalar_of(secret[:32]) % edwards.L
    assert not ed25519.verify_signature(
        public, b"message", commitment + scalar.to_bytes(32, "little")
    )


def test_a_neutral_commitment_is_refused_though_the_equation_holds() -> None:
    secret = secret_key(b"\x07" * 32)
    commitment = edwards.compress(edwards.NEUTRAL)
    scalar = (
        edwards.challenge(commitment, secret[32:], b"message") * scalar_of(secret[:32]) % edwards.L
    )
    signature = commitment + scalar.to_bytes(32, "little")
    assert edwards.plain_verify(secret[32:], b"message", signature)
    assert not ed25519.verify_signature(secret[32:], b"message", signature)


@pytest.mark.parametrize("y", NOT_CANONICAL)
def test_a_public_key_that_is_not_canonical_is_refused(y: int) -> None:
    public = y.to_bytes(32, "little")
    assert not ed25519.verify_signature(
        public, b"", edwards.compress(edwards.BASE) + (1).to_bytes(32, "little")
    )


@pytest.mark.parametrize("torsion", TORSION)
def test_a_mixed_order_key_verifies_where_the_equation_holds(torsion: edwards.Point) -> None:
    seed = b"\x07" * 32
    public = edwards.compress(edwards.add(edwards.multiply(scalar_of(seed), edwards.BASE), torsion))
    nonce = 12345
    commitment = edwards.compress(edwards.multiply(nonce, edwards.BASE))
    message = next(m for m in messages() if edwards.challenge(commitment, public, m) % 8 == 0)
    scalar = (nonce + edwards.challenge(commitment, public, message) * scalar_of(seed)) % edwards.L
    assert ed25519.verify_signature(public, message, commitment + scalar.to_bytes(32, "little"))


def messages() -> Any:
    return (b"message %d" % index for index in range(1000))


# --- Ed25519 keys as X25519 keys ---


def test_both_halves_of_a_converted_pair_belong_together() -> None:
    public, secret = primitives.generate_ed25519_keypair()
    private = ed25519.ed25519_sk_to_curve25519(secret)
    converted = ed25519.ed25519_pk_to_curve25519(public)
    assert primitives.x25519(private, b"\x09" + bytes(31)) == converted


@settings(max_examples=20)
@given(scalar=st.integers(1, edwards.L - 1))
def test_a_point_of_the_subgroup_is_converted(scalar: int) -> None:
    point = edwards.multiply(scalar, edwards.BASE)
    assert ed25519.ed25519_pk_to_curve25519(edwards.compress(point)) == edwards.to_montgomery(point)


@settings(max_examples=40)
@given(encoding=st.binary(min_size=32, max_size=32))
def test_any_other_32_bytes_are_not_converted(encoding: bytes) -> None:
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
def test_a_mixed_order_key_is_not_converted(torsion: edwards.Point) -> None:
    mixed = edwards.compress(edwards.add(edwards.multiply(12345, edwards.BASE), torsion))
    with refused("conversion_failed"):
        ed25519.ed25519_pk_to_curve25519(mixed)


@pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
def test_a_small_order_key_is_not_converted(public: bytes) -> None:
    with refused("conversion_failed"):
        ed25519.ed25519_pk_to_curve25519(public)


@pytest.mark.parametrize("y", NOT_CANONICAL)
def test_a_key_that_is_not_canonical_is_not_converted(y: int) -> None:
    with refused("conversion_failed"):
        ed25519.ed25519_pk_to_curve25519(y.to_bytes(32, "little"))


@pytest.mark.parametrize("size", NO_KEY_SIZES)
def test_conversion_refuses_a_wrong_size_of_the_public_key(size: int) -> None:
    with refused("invalid_public_key_size"):
        ed25519.ed25519_pk_to_curve25519(bytes(size))


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_conversion_refuses_a_wrong_size_of_the_secret_key(size: int) -> None:
    with refused("invalid_secret_key_size"):
        ed25519.ed25519_sk_to_curve25519(bytes(size))


def test_only_the_seed_of_a_secret_key_is_converted() -> None:
    converted = ed25519.ed25519_sk_to_curve25519(bytes(64))
    assert ed25519.ed25519_sk_to_curve25519(bytes(32) + b"\x01" * 32) == converted


@settings(max_examples=20)
@given(seed=st.binary(min_size=32, max_size=32))
def test_a_converted_secret_is_clamped(seed: bytes) -> None:
    scalar = int.from_bytes(ed25519.ed25519_sk_to_curve25519(seed + bytes(32)), "little")
    assert scalar % 8 == 0
    assert scalar >> 254 == 1


# --- Ciphers ---


@pytest.mark.parametrize("case", cases("aes_gcm.json"))
def test_aes_gcm_encrypt_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
    sealed = primitives.aes_gcm_encrypt(
        given["key"], given["iv"], given["plaintext"], given["aad"], 16
    )
    assert sealed == (given["ciphertext"], given["tag"])


@pytest.mark.parametrize("case", cases("aes_gcm.json"))
def test_aes_gcm_decrypt_known_answer(case: dict[str, Any]) -> None:
    given = decoded(case)
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
def test_aes_gcm_refuses_other_sizes(key: int, iv: int, tag: int) -> None:
    with refused("invalid_parameters"):
        primitives.aes_gcm_encrypt(bytes(key), bytes(iv), b"plain", b"", tag)
    with refused("invalid_parameters"):
        primitives.aes_gcm_decrypt(bytes(key), bytes(iv), b"cipher", b"", bytes(tag), 6)


@pytest.mark.parametrize("tag_size", [-16, -1])
def test_aes_gcm_refuses_a_negative_tag_size(tag_size: int) -> None:
    with refused("invalid_parameters"):
        primitives.aes_gcm_encrypt(bytes(32), bytes(12), b"", b"", tag_size)


@pytest.mark.parametrize("length", [-1, 0, 5, 7])
def test_aes_gcm_decrypt_refuses_a_length_that_is_not_the_ciphertext_s(length: int) -> None:
    with refused("invalid_parameters"):
        primitives.aes_gcm_decrypt(bytes(32), bytes(12), b"cipher", b"", bytes(16), length)


@pytest.mark.parametrize("forged", ["key", "iv", "ciphertext", "aad", "tag"])
def test_aes_gcm_decrypt_refuses_a_flipped_bit_anywhere(forged: str) -> None:
    given = dict(decoded(vectors.known("aes_gcm.json")["cases"][3]))
    given[forged] = bytes([given[forged][0] ^ 1]) + given[forged][1:]
    sealed = given["ciphertext"]
    with refused("decryption_failed"):
        primitives.aes_gcm_decrypt(
            given["key"], given["iv"], sealed, given["aad"], given["tag"], len(sealed)
        )


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 1000])
def test_cbc_pads_by_1_to_16_bytes_and_takes_them_off(size: int) -> None:
    sealed = primitives.aes_cbc_encrypt(b"k" * 32, b"i" * 16, b"p" * size)
    assert len(sealed) == size // 16 * 16 + 16
    assert primitives.aes_cbc_decrypt(b"k" * 32, b"i" * 16, sealed) == b"p" * size


@pytest.mark.parametrize("padding", [b"\x00", b"\x11", b"\xff", b"\x01\x02", b"\x03\x02\x03"])
def test_cbc_with_wrong_padding_is_none(padding: bytes) -> None:
    block = b"p" * (16 - len(padding)) + padding
    sealed = primitives.aes_cbc_encrypt(b"k" * 32, b"i" * 16, block)[:16]
    assert primitives.aes_cbc_decrypt(b"k" * 32, b"i" * 16, sealed) is None


def test_chacha20_poly1305_comes_back() -> None:
    sealed = primitives.chacha20_poly1305_encrypt(b"k" * 32, b"n" * 12, b"plain")
    assert primitives.chacha20_poly1305_decrypt(b"k" * 32, b"n" * 12, sealed) == b"plain"


def test_chacha20_poly1305_refuses_a_forgery() -> None:
    sealed = primitives.chacha20_poly1305_encrypt(b"k" * 32, b"n" * 12, b"plain")
    with refused("decryption_failed"):
        primitives.chacha20_poly1305_decrypt(
            b"k" * 32, b"n" * 12, sealed[:-1] + bytes([sealed[-1] ^ 1])
        )
