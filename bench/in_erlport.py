"""What erlport calls: the same operations by hashlib and `cryptography`, in the obvious way."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def sign_data(secret: bytes, data: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret[:32]).sign(data)


def aes_gcm_encrypt(
    key: bytes, iv: bytes, plaintext: bytes, aad: bytes, tag_size: int
) -> tuple[bytes, bytes]:
    sealed = AESGCM(key).encrypt(iv, plaintext, aad)
    return sealed[:-tag_size], sealed[-tag_size:]
