"""The cryptographic primitives, with libsodium's answers. Only this module imports `cryptography`.

Where OpenSSL and libsodium differ, the rule that makes them equal stands beside the function. Sizes
are in bytes. The caller checks sizes, unless the function names an error for them.
"""

from hashlib import blake2b
from os import urandom

from cryptography import __version__ as _cryptography_version
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.backends.openssl import backend as _openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.constant_time import bytes_eq as bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signal_port.arguments import checked
from signal_port.edwards25519 import REFUSED_PUBLIC_KEYS, SMALL_ORDER
from signal_port.errors import SignalError
from signal_port.limits import MAX_HKDF_LENGTH
from signal_port.results import KeyPair, Sealed

KEY_SIZE = 32  # X25519 both halves, Ed25519 public key and seed, symmetric keys, shared secrets
SECRET_KEY_SIZE = 64  # Ed25519 as libsodium stores it: seed, then public key
SIGNATURE_SIZE = 64
NONCE_SIZE = 12
TAG_SIZE = 16
BLOCK_SIZE = 16

_SHA256 = SHA256()

random_bytes = urandom


def versions() -> dict[str, str]:
    """Return the versions of `cryptography` and of the OpenSSL in it, by their names."""
    return {"cryptography": _cryptography_version, "openssl": _openssl.openssl_version_text()}


# --- Hashes, MAC, key derivation ---


@checked
def sha256(data: bytes) -> bytes:
    """Return SHA-256 of the data, 32 bytes (FIPS 180-4)."""
    digest = Hash(_SHA256)
    digest.update(data)
    return digest.finalize()


@checked
def sha512(data: bytes) -> bytes:
    """Return SHA-512 of the data, 64 bytes (FIPS 180-4)."""
    digest = Hash(SHA512())
    digest.update(data)
    return digest.finalize()


@checked
def blake2b_256(data: bytes) -> bytes:
    """Return BLAKE2b of the data, 32 bytes (RFC 7693): libsodium's `crypto_generichash`."""
    return blake2b(data, digest_size=32).digest()


@checked
def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256, 32 bytes (RFC 2104); the key has any length, 0 included."""
    mac = HMAC(key, _SHA256)
    mac.update(data)
    return mac.finalize()


def hmac_sha256_pair(key: bytes, first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Return HMAC-SHA-256 of two inputs under one key, 32 bytes each; faster than two calls."""
    mac = HMAC(key, _SHA256)
    other = mac.copy()
    mac.update(first)
    other.update(second)
    return mac.finalize(), other.finalize()


@checked
def hkdf_sha256(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes of HKDF-SHA-256 (RFC 5869); an empty salt means 32 zero bytes.

    Raises:
        SignalError: `invalid_length`, if it is not in 0..8160.
    """
    if not 0 <= length <= MAX_HKDF_LENGTH:
        raise SignalError("invalid_length")
    if length == 0:
        return b""
    return HKDF(_SHA256, length, salt, info).derive(ikm)


# --- X25519 (RFC 7748) ---


def x25519_private_key(private: bytes) -> X25519PrivateKey:
    """Return the key object of 32 bytes. It is slow to make, because the public key is derived."""
    return X25519PrivateKey.from_private_bytes(private)


def x25519_public_bytes(key: X25519PrivateKey) -> bytes:
    """Return the public half of a key object, 32 bytes."""
    return key.public_key().public_bytes_raw()


def x25519_exchange(key: X25519PrivateKey, public: bytes, error: str) -> bytes:
    """Return the raw shared secret, 32 bytes.

    Raises:
        SignalError: the given atom, if the secret is all zero: a public key of small order.
    """
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise SignalError(error) from None


@checked
def x25519(private: bytes, public: bytes) -> bytes:
    """Return the raw shared secret of two keys, 32 bytes each.

    Raises:
        SignalError: `invalid_key_sizes`; `key_agreement_failed`, if the secret is all zero.
    """
    if len(private) != KEY_SIZE or len(public) != KEY_SIZE:
        raise SignalError("invalid_key_sizes")
    return x25519_exchange(x25519_private_key(private), public, "key_agreement_failed")


def generate_x25519() -> tuple[bytes, X25519PrivateKey]:
    """Return a fresh private key, 32 bytes, not clamped (like libsodium's), and its key object."""
    private = random_bytes(KEY_SIZE)
    return private, x25519_private_key(private)


def generate_curve25519_keypair() -> KeyPair:
    """Return a fresh X25519 pair: public key, private key, 32 bytes each."""
    private, key = generate_x25519()
    return KeyPair(x25519_public_bytes(key), private)


# --- Ed25519 (RFC 8032) ---


def generate_ed25519_keypair() -> KeyPair:
    """Return a fresh Ed25519 pair: public key (32), secret key (64: seed, then public key)."""
    seed = random_bytes(KEY_SIZE)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return KeyPair(public, seed + public)


def ed25519_sign(secret: bytes, message: bytes, error: str) -> bytes:
    """Return the signature, 64 bytes, by a secret key of 64 bytes.

    Raises:
        SignalError: the given atom, if the public half of the secret key is not its seed's. Two
            signatures of one message under two public keys reveal the secret; libsodium signs.
    """
    key = Ed25519PrivateKey.from_private_bytes(secret[:KEY_SIZE])
    if not bytes_eq(key.public_key().public_bytes_raw(), secret[KEY_SIZE:]):
        raise SignalError(error)
    return key.sign(message)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature (64) is the key's (32), by libsodium's rules."""
    # R is the signature's first half. OpenSSL refuses S >= L, and a non-canonical R never matches.
    if public in REFUSED_PUBLIC_KEYS or signature[:32] in SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- Ciphers ---


@checked
def aes_gcm_encrypt(key: bytes, iv: bytes, plaintext: bytes, aad: bytes, tag_size: int) -> Sealed:
    """Return the ciphertext and the tag, 16 bytes, of AES-256-GCM (NIST SP 800-38D).

    Raises:
        SignalError: `invalid_parameters`, if key, IV or tag do not have 32, 12 and 16 bytes.
    """
    if len(key) != KEY_SIZE or len(iv) != NONCE_SIZE or tag_size != TAG_SIZE:
        raise SignalError("invalid_parameters")
    sealed = AESGCM(key).encrypt(iv, plaintext, aad)
    return Sealed(sealed[:-TAG_SIZE], sealed[-TAG_SIZE:])


@checked
def aes_gcm_decrypt(
    key: bytes, iv: bytes, ciphertext: bytes, aad: bytes, tag: bytes, length: int
) -> bytes:
    """Return the plaintext of AES-256-GCM.

    Raises:
        SignalError: `invalid_parameters`, if key, IV or tag do not have 32, 12 and 16 bytes, or
            `length` is not the ciphertext's; `decryption_failed`, if it is forged.
    """
    sizes = len(key), len(iv), len(tag), length
    if sizes != (KEY_SIZE, NONCE_SIZE, TAG_SIZE, len(ciphertext)):
        raise SignalError("invalid_parameters")
    try:
        return AESGCM(key).decrypt(iv, ciphertext + tag, aad)
    except InvalidTag:
        raise SignalError("decryption_failed") from None


def chacha20_poly1305_encrypt(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """Return ciphertext and tag (16), without associated data (RFC 8439); key 32, nonce 12."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, None)


def chacha20_poly1305_decrypt(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Return the plaintext of what `chacha20_poly1305_encrypt` returned, at least 16 bytes.

    Raises:
        SignalError: `decryption_failed`, if it is forged.
    """
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise SignalError("decryption_failed") from None


def aes_cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return AES-256-CBC with PKCS#7 padding, 1 to 16 bytes longer; key 32, IV 16."""
    pad = BLOCK_SIZE - len(plaintext) % BLOCK_SIZE
    return Cipher(AES(key), CBC(iv)).encryptor().update(plaintext + bytes([pad]) * pad)


def aes_cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes | None:
    """Return the plaintext of a positive multiple of 16 bytes; None if its padding is wrong.

    Call it with authenticated bytes only, so that the padding reveals nothing to a forger.
    """
    padded = Cipher(AES(key), CBC(iv)).decryptor().update(ciphertext)
    pad = padded[-1]
    if not 1 <= pad <= BLOCK_SIZE or padded[-pad:] != bytes([pad]) * pad:
        return None
    return padded[:-pad]
