"""What erlport is asked to do: the same operations, by hashlib and `cryptography`, as somebody would write them."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def sha256(data):
    return hashlib.sha256(data).digest()


def sha512(data):
    return hashlib.sha512(data).digest()


def hmac_sha256(key, data):
    return hmac.digest(key, data, "sha256")


def sign_data(secret, data):
    return Ed25519PrivateKey.from_private_bytes(secret[:32]).sign(data)


def aes_gcm_encrypt(key, iv, plaintext, aad, tag_size):
    sealed = AESGCM(key).encrypt(iv, plaintext, aad)
    return sealed[:-tag_size], sealed[-tag_size:]
