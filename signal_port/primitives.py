"""The primitives, answering as libsodium does. The only module that imports `cryptography`.

Where OpenSSL and libsodium differ (small-order and non-canonical Ed25519 points), the rule that makes them equal stands
beside the function. Sizes are in bytes. A wrong size is the caller's to check, where the contract has an atom for it.
"""

from functools import lru_cache
from hashlib import blake2b
from os import urandom as random_bytes

from cryptography import __version__ as _cryptography_version
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.backends.openssl import backend as _openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signal_port.errors import SignalError
from signal_port.limits import MAX_CACHED_IDENTITIES, MAX_HKDF_LENGTH

__all__ = [
    "BLOCK_SIZE",
    "KEY_SIZE",
    "NONCE_SIZE",
    "SECRET_KEY_SIZE",
    "SIGNATURE_SIZE",
    "TAG_SIZE",
    "aes_cbc_decrypt",
    "aes_cbc_encrypt",
    "aes_gcm_decrypt",
    "aes_gcm_encrypt",
    "blake2b_256",
    "bytes_eq",
    "chacha20_poly1305_decrypt",
    "chacha20_poly1305_encrypt",
    "ed25519_pk_to_curve25519",
    "ed25519_sign",
    "ed25519_sk_to_curve25519",
    "ed25519_verify",
    "generate_curve25519_keypair",
    "generate_ed25519_keypair",
    "generate_x25519",
    "hkdf_sha256",
    "hmac_sha256",
    "hmac_sha256_pair",
    "random_bytes",
    "sha256",
    "sha512",
    "sign_data",
    "verify_signature",
    "versions",
    "x25519",
    "x25519_exchange",
    "x25519_private_key",
    "x25519_public_bytes",
]

KEY_SIZE = 32  # X25519 both halves, Ed25519 public key and seed, symmetric keys, shared secrets
SECRET_KEY_SIZE = 64  # Ed25519 as libsodium keeps it: seed, then public key
SIGNATURE_SIZE = 64
NONCE_SIZE = 12
TAG_SIZE = 16
BLOCK_SIZE = 16

_SHA256 = SHA256()


def versions() -> dict[str, str]:
    """Return the versions of `cryptography` and of the OpenSSL in it."""
    return {
        "cryptography": _cryptography_version,
        "openssl": _openssl.openssl_version_text(),
    }


# --- Hashes, MAC, key derivation ---


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of the data, 32 bytes (FIPS 180-4)."""
    digest = Hash(_SHA256)
    digest.update(data)
    return digest.finalize()


def sha512(data: bytes) -> bytes:
    """Return SHA-512 of the data, 64 bytes (FIPS 180-4)."""
    digest = Hash(SHA512())
    digest.update(data)
    return digest.finalize()


def blake2b_256(data: bytes) -> bytes:
    """Return BLAKE2b of the data with a 32-byte digest (RFC 7693), libsodium's `crypto_generichash`."""
    return blake2b(data, digest_size=32).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256, 32 bytes (RFC 2104); the key may have any length, 0 included."""
    mac = HMAC(key, _SHA256)
    mac.update(data)
    return mac.finalize()


def hmac_sha256_pair(key: bytes, first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Return HMAC-SHA-256 of two inputs under one key, 32 bytes each, cheaper than two calls."""
    mac = HMAC(key, _SHA256)
    other = mac.copy()
    mac.update(first)
    other.update(second)
    return mac.finalize(), other.finalize()


def hkdf_sha256(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes of HKDF-SHA-256 (RFC 5869); an empty salt stands for 32 zero bytes.

    Raises:
        SignalError: `invalid_length`, outside 0..8160.
    """
    if not 0 <= length <= MAX_HKDF_LENGTH:
        raise SignalError("invalid_length")
    if length == 0:
        return b""
    return HKDF(_SHA256, length, salt, info).derive(ikm)


# --- X25519 (RFC 7748) ---


def x25519_private_key(private: bytes) -> X25519PrivateKey:
    """Return the key object of 32 bytes: dear to make (the public key is derived), so made once per call."""
    return X25519PrivateKey.from_private_bytes(private)


def x25519_public_bytes(key: X25519PrivateKey) -> bytes:
    """Return the public half of a key object, 32 bytes."""
    return key.public_key().public_bytes_raw()


def x25519_exchange(key: X25519PrivateKey, public: bytes, error: str) -> bytes:
    """Return the raw shared secret, 32 bytes.

    Raises:
        SignalError: with the given atom, if it would be all zero (a small-order public key).
    """
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise SignalError(error) from None


def x25519(private: bytes, public: bytes) -> bytes:
    """Return the raw shared secret of two 32-byte keys.

    Raises:
        SignalError: `invalid_key_sizes`; `key_agreement_failed`, if it would be all zero.
    """
    if len(private) != KEY_SIZE or len(public) != KEY_SIZE:
        raise SignalError("invalid_key_sizes")
    return x25519_exchange(x25519_private_key(private), public, "key_agreement_failed")


def generate_x25519() -> tuple[bytes, X25519PrivateKey]:
    """Return a fresh secret as drawn, 32 bytes and not clamped (as libsodium keeps it), and its key object."""
    private = random_bytes(KEY_SIZE)
    return private, x25519_private_key(private)


def generate_curve25519_keypair() -> tuple[bytes, bytes]:
    """Return a fresh X25519 pair: public key, private key, 32 bytes each."""
    private, key = generate_x25519()
    return x25519_public_bytes(key), private


# --- Ed25519 (RFC 8032), with libsodium's refusals ---

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT = 1 << 255


def _with_both_signs(ys: list[int]) -> frozenset[bytes]:
    return frozenset((y | sign).to_bytes(32, "little") for y in ys for sign in (0, _SIGN_BIT))


# The y coordinates of the points whose order divides 8; 0, 1 and p - 1 are below, these two are of order 8.
_ORDER_8 = [
    int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    ),
    int.from_bytes(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
    ),
]
_SMALL_ORDER = _with_both_signs([0, 1, *_ORDER_8, _P - 1, _P, _P + 1])
# libsodium takes no public key with y >= p either, OpenSSL does.
_REFUSED_PUBLIC_KEYS = _SMALL_ORDER | _with_both_signs(list(range(_P, 2**255)))


def generate_ed25519_keypair() -> tuple[bytes, bytes]:
    """Return a fresh Ed25519 pair: public key (32), secret key (64: seed, then public key)."""
    seed = random_bytes(KEY_SIZE)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return public, seed + public


def ed25519_sign(secret: bytes, message: bytes, error: str) -> bytes:
    """Return the signature, 64 bytes, by a 64-byte secret key.

    Raises:
        SignalError: with the given atom, if the stored public half is not the seed's. Signing the same message under
            two public keys gives the secret scalar away; libsodium would do it.
    """
    key = Ed25519PrivateKey.from_private_bytes(secret[:KEY_SIZE])
    if not bytes_eq(key.public_key().public_bytes_raw(), secret[KEY_SIZE:]):
        raise SignalError(error)
    return key.sign(message)


def sign_data(secret: bytes, message: bytes) -> bytes:
    """Return the Ed25519 signature of the message, 64 bytes.

    Raises:
        SignalError: `invalid_private_key`, not 64 bytes; `signing_failed`, its public half is not its seed's.
    """
    if len(secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_private_key")
    return ed25519_sign(secret, message, "signing_failed")


def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is the key's, by libsodium's rules.

    Raises:
        SignalError: `invalid_public_key`, not 32 bytes; `invalid_signature`, not 64 bytes.
    """
    if len(public) != KEY_SIZE:
        raise SignalError("invalid_public_key")
    if len(signature) != SIGNATURE_SIZE:
        raise SignalError("invalid_signature")
    return ed25519_verify(public, message, signature)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a 64-byte signature is the 32-byte key's, by libsodium's rules."""
    # R is the signature's first half. OpenSSL itself refuses S >= L, and an R that is not canonical never matches.
    if public in _REFUSED_PUBLIC_KEYS or signature[:32] in _SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- Ed25519 keys as X25519 keys ---

# With K = -1 mod L, K*P is -P, and has P's u coordinate, exactly for P on the curve and in the subgroup of prime order.
# K is a multiple of 8 and has bit 254 set, so that clamping leaves it alone. K is no secret.
_SUBGROUP_CHECK = X25519PrivateKey.from_private_bytes((5 * _L - 1).to_bytes(32, "little"))


def ed25519_sk_to_curve25519(secret: bytes) -> bytes:
    """Return the X25519 private key of an Ed25519 secret key (64): the clamped first half of SHA-512 of its seed.

    Raises:
        SignalError: `invalid_secret_key_size`.
    """
    if len(secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_secret_key_size")
    scalar = bytearray(sha512(secret[:KEY_SIZE])[:KEY_SIZE])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    return bytes(scalar)


@lru_cache(maxsize=MAX_CACHED_IDENTITIES)
def _to_curve25519(public: bytes) -> bytes:
    if public not in _REFUSED_PUBLIC_KEYS:
        y = int.from_bytes(public, "little") & ~_SIGN_BIT
        u = ((1 + y) * pow(1 - y, -1, _P) % _P).to_bytes(32, "little")
        if x25519_exchange(_SUBGROUP_CHECK, u, "conversion_failed") == u:
            return u
    raise SignalError("conversion_failed")


def ed25519_pk_to_curve25519(public: bytes) -> bytes:
    """Return the X25519 public key of an Ed25519 public key, 32 bytes each.

    Raises:
        SignalError: `invalid_public_key_size`; `conversion_failed`, not a point of the prime-order subgroup, or not in
            canonical form.
    """
    if len(public) != KEY_SIZE:
        raise SignalError("invalid_public_key_size")
    return _to_curve25519(public)


# --- Ciphers ---


def aes_gcm_encrypt(
    key: bytes, iv: bytes, plaintext: bytes, aad: bytes, tag_size: int
) -> tuple[bytes, bytes]:
    """Return AES-256-GCM's ciphertext and its 16-byte tag (NIST SP 800-38D).

    Raises:
        SignalError: `invalid_parameters`: key not 32, IV not 12 or tag not 16 bytes.
    """
    if len(key) != KEY_SIZE or len(iv) != NONCE_SIZE or tag_size != TAG_SIZE:
        raise SignalError("invalid_parameters")
    sealed = AESGCM(key).encrypt(iv, plaintext, aad)
    return sealed[:-TAG_SIZE], sealed[-TAG_SIZE:]


def aes_gcm_decrypt(
    key: bytes, iv: bytes, ciphertext: bytes, aad: bytes, tag: bytes, length: int
) -> bytes:
    """Return the plaintext of AES-256-GCM.

    Raises:
        SignalError: `invalid_parameters`: key not 32, IV not 12 or tag not 16 bytes, or `length` not the ciphertext's;
            `decryption_failed`: forged.
    """
    if (
        len(key) != KEY_SIZE
        or len(iv) != NONCE_SIZE
        or len(tag) != TAG_SIZE
        or length != len(ciphertext)
    ):
        raise SignalError("invalid_parameters")
    try:
        return AESGCM(key).decrypt(iv, ciphertext + tag, aad)
    except InvalidTag:
        raise SignalError("decryption_failed") from None


def chacha20_poly1305_encrypt(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """Return ciphertext and 16-byte tag (RFC 8439), without associated data; key 32, nonce 12 bytes."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, None)


def chacha20_poly1305_decrypt(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Return the plaintext of what `chacha20_poly1305_encrypt` made (RFC 8439); at least 16 bytes.

    Raises:
        SignalError: `decryption_failed`: forged.
    """
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise SignalError("decryption_failed") from None


def aes_cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return AES-256-CBC of the plaintext with PKCS#7 padding: 1 to 16 bytes longer; key 32, IV 16 bytes."""
    pad = BLOCK_SIZE - len(plaintext) % BLOCK_SIZE
    return Cipher(AES(key), CBC(iv)).encryptor().update(plaintext + bytes([pad]) * pad)


def aes_cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes | None:
    """Return the plaintext of a positive multiple of 16 bytes, or None if its padding is wrong.

    To be called on authenticated bytes only, so that the padding tells a forger nothing.
    """
    padded = Cipher(AES(key), CBC(iv)).decryptor().update(ciphertext)
    pad = padded[-1]
    if not 1 <= pad <= BLOCK_SIZE or padded[-pad:] != bytes([pad]) * pad:
        return None
    return padded[:-pad]
