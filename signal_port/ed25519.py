"""Ed25519 keys as the contract uses them: they sign, verify, and become X25519 keys.

Wrong sizes are refused with the NIF's atoms. What is signed or computed is libsodium's.
"""

from functools import lru_cache

from signal_port import primitives
from signal_port.arguments import checked
from signal_port.edwards25519 import REFUSED_PUBLIC_KEYS, L, to_montgomery
from signal_port.errors import SignalError
from signal_port.limits import MAX_CACHED_IDENTITIES
from signal_port.primitives import KEY_SIZE, SECRET_KEY_SIZE, SIGNATURE_SIZE

# With K = -1 mod L, K*P is -P exactly if P is on the curve and in the subgroup of prime order. Then
# both have the same u coordinate. Clamping does not change K: it is a multiple of 8 and has bit 254
# set. K is no secret.
_SUBGROUP_CHECK = primitives.x25519_private_key((5 * L - 1).to_bytes(32, "little"))


@checked
def sign_data(secret: bytes, message: bytes) -> bytes:
    """Return the signature of the message, 64 bytes.

    Raises:
        SignalError: `invalid_private_key`, if it is not 64 bytes; `signing_failed`, if its public
            half is not its seed's.
    """
    if len(secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_private_key")
    return primitives.ed25519_sign(secret, message, "signing_failed")


@checked
def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature is the key's, by libsodium's rules.

    Raises:
        SignalError: `invalid_public_key`, if it is not 32 bytes; `invalid_signature`, not 64 bytes.
    """
    if len(public) != KEY_SIZE:
        raise SignalError("invalid_public_key")
    if len(signature) != SIGNATURE_SIZE:
        raise SignalError("invalid_signature")
    return primitives.ed25519_verify(public, message, signature)


@checked
def ed25519_sk_to_curve25519(secret: bytes) -> bytes:
    """Return the X25519 private key of an Ed25519 secret key (64): 32 bytes, clamped.

    It is the first half of SHA-512 of the seed (RFC 8032, 5.1.5).

    Raises:
        SignalError: `invalid_secret_key_size`.
    """
    if len(secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_secret_key_size")
    scalar = bytearray(primitives.sha512(secret[:KEY_SIZE])[:KEY_SIZE])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    return bytes(scalar)


@checked
def ed25519_pk_to_curve25519(public: bytes) -> bytes:
    """Return the X25519 public key of an Ed25519 public key, 32 bytes each.

    Raises:
        SignalError: `invalid_public_key_size`; `conversion_failed`, if it is not the canonical form
            of a point in the subgroup of prime order.
    """
    if len(public) != KEY_SIZE:
        raise SignalError("invalid_public_key_size")
    return _convert(public)


@lru_cache(maxsize=MAX_CACHED_IDENTITIES)
def _convert(public: bytes) -> bytes:
    if public not in REFUSED_PUBLIC_KEYS:
        u = to_montgomery(public)
        if primitives.x25519_exchange(_SUBGROUP_CHECK, u, "conversion_failed") == u:
            return u
    raise SignalError("conversion_failed")
