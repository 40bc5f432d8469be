"""X3DH, the Extended Triple Diffie-Hellman key agreement: its keys and both of its sides.

It follows Signal's specification of X3DH, revision 1, with these choices: identity keys are Ed25519
(public 32, secret 64 bytes) and are converted for Diffie-Hellman; the info string is "X3DH-Signal";
96 bytes are derived, from which `double_ratchet` takes a root key and two header keys. Other keys
have 32 bytes.
"""

from signal_port import ed25519, primitives
from signal_port.arguments import checked
from signal_port.errors import SignalError
from signal_port.primitives import KEY_SIZE, SECRET_KEY_SIZE, SIGNATURE_SIZE, x25519_exchange
from signal_port.results import Agreement, PreKey, SignedPreKey

__all__ = [
    "BUNDLE_SIZE",
    "BUNDLE_WITH_ONE_TIME_PRE_KEY_SIZE",
    "SHARED_SECRET_SIZE",
    "Agreement",
    "PreKey",
    "SignedPreKey",
    "generate_pre_key",
    "generate_signed_pre_key",
    "identity_for_dh",
    "initiate",
    "respond",
]

SHARED_SECRET_SIZE = 96
BUNDLE_SIZE = KEY_SIZE + KEY_SIZE + SIGNATURE_SIZE
BUNDLE_WITH_ONE_TIME_PRE_KEY_SIZE = BUNDLE_SIZE + KEY_SIZE

_INFO = b"X3DH-Signal"
_F = b"\xff" * 32  # X3DH 2.2: no encoded point of the curve begins like this


@checked
def generate_pre_key(key_id: int) -> PreKey:
    """Return a fresh one-time pre-key (X3DH 2.4): the given id, public key, private key."""
    public, private = primitives.generate_curve25519_keypair()
    return PreKey(key_id, public, private)


@checked
def generate_signed_pre_key(identity_secret: bytes, key_id: int) -> SignedPreKey:
    """Return a fresh signed pre-key (X3DH 2.4): the given id, public key, private key, signature.

    Args:
        identity_secret: our identity, 64 bytes; it signs the public key, in 64 bytes.
        key_id: any number, for the application.

    Raises:
        SignalError: `invalid_identity_key_size`, if the secret is not 64 bytes; `signature_failed`,
            if its public half is not its seed's.
    """
    if len(identity_secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_identity_key_size")
    public, private = primitives.generate_curve25519_keypair()
    signature = primitives.ed25519_sign(identity_secret, public, "signature_failed")
    return SignedPreKey(key_id, public, private, signature)


@checked
def initiate(identity_secret: bytes, bundle: bytes) -> Agreement:
    """Agree on a secret with the owner of a bundle, who can be offline (X3DH 3.3).

    Args:
        identity_secret: our identity, 64 bytes.
        bundle: the owner's identity, signed pre-key, its signature (64) and, if the owner has one
            left, a one-time pre-key: 128 or 160 bytes.

    Returns:
        The shared secret (96) and our ephemeral public key, which the owner needs for `respond`.

    Raises:
        SignalError: `invalid_local_identity_key_size`, `invalid_bundle_size`,
            `signature_verification_failed`, `identity_pub_conversion_failed`; or
            `dh1_calculation_failed` to `dh4_calculation_failed`, if a result is all zero.
    """
    if len(identity_secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_local_identity_key_size")
    if len(bundle) not in (BUNDLE_SIZE, BUNDLE_WITH_ONE_TIME_PRE_KEY_SIZE):
        raise SignalError("invalid_bundle_size")
    remote_identity, signed_pre_key = bundle[:32], bundle[32:64]
    if not primitives.ed25519_verify(remote_identity, signed_pre_key, bundle[64:BUNDLE_SIZE]):
        raise SignalError("signature_verification_failed")
    identity = primitives.x25519_private_key(ed25519.ed25519_sk_to_curve25519(identity_secret))
    remote = identity_for_dh(remote_identity)
    _, ephemeral = primitives.generate_x25519()
    secret = (
        x25519_exchange(identity, signed_pre_key, "dh1_calculation_failed")
        + x25519_exchange(ephemeral, remote, "dh2_calculation_failed")
        + x25519_exchange(ephemeral, signed_pre_key, "dh3_calculation_failed")
    )
    if one_time_pre_key := bundle[BUNDLE_SIZE:]:
        secret += x25519_exchange(ephemeral, one_time_pre_key, "dh4_calculation_failed")
    return Agreement(_derive(secret), primitives.x25519_public_bytes(ephemeral))


@checked
def respond(
    identity_secret: bytes,
    signed_pre_key: bytes,
    one_time_pre_key: bytes | None,
    remote_identity: bytes,
    remote_ephemeral: bytes,
) -> bytes:
    """Return the secret that the initiator agreed on with our bundle (X3DH 3.4), 96 bytes.

    Args:
        identity_secret: our identity, 64 bytes.
        signed_pre_key: the private key of the bundle's signed pre-key.
        one_time_pre_key: the private key of the bundle's one-time pre-key; None or no bytes if
            it had none.
        remote_identity: the initiator's identity.
        remote_ephemeral: the initiator's ephemeral public key.

    Raises:
        SignalError: `invalid_identity_priv_size`, `invalid_signed_pre_key_priv_size`,
            `invalid_one_time_pre_key_priv_size`, `invalid_remote_identity_pub_size`,
            `invalid_remote_ephemeral_pub_size`, `identity_pub_conversion_failed`; or
            `dh1_calculation_failed` to `dh4_calculation_failed`, if a result is all zero.
    """
    if len(identity_secret) != SECRET_KEY_SIZE:
        raise SignalError("invalid_identity_priv_size")
    if len(signed_pre_key) != KEY_SIZE:
        raise SignalError("invalid_signed_pre_key_priv_size")
    if one_time_pre_key and len(one_time_pre_key) != KEY_SIZE:
        raise SignalError("invalid_one_time_pre_key_priv_size")
    if len(remote_identity) != KEY_SIZE:
        raise SignalError("invalid_remote_identity_pub_size")
    if len(remote_ephemeral) != KEY_SIZE:
        raise SignalError("invalid_remote_ephemeral_pub_size")
    identity = primitives.x25519_private_key(ed25519.ed25519_sk_to_curve25519(identity_secret))
    remote = identity_for_dh(remote_identity)
    signed = primitives.x25519_private_key(signed_pre_key)
    secret = (
        x25519_exchange(signed, remote, "dh1_calculation_failed")
        + x25519_exchange(identity, remote_ephemeral, "dh2_calculation_failed")
        + x25519_exchange(signed, remote_ephemeral, "dh3_calculation_failed")
    )
    if one_time_pre_key:
        one_time = primitives.x25519_private_key(one_time_pre_key)
        secret += x25519_exchange(one_time, remote_ephemeral, "dh4_calculation_failed")
    return _derive(secret)


@checked
def identity_for_dh(identity: bytes) -> bytes:
    """Return the X25519 form of an Ed25519 identity, 32 bytes each (RFC 7748, 4.1).

    Raises:
        SignalError: `identity_pub_conversion_failed`, if it is not a point of the subgroup of prime
            order.
    """
    try:
        return ed25519.ed25519_pk_to_curve25519(identity)
    except SignalError:
        raise SignalError("identity_pub_conversion_failed") from None


def _derive(secret: bytes) -> bytes:
    return primitives.hkdf_sha256(_F + secret, b"", _INFO, SHARED_SECRET_SIZE)
