"""The static-key session of the NIF's releases 0.1 and 0.2: no ratchet, one key for all messages.

A session is the key (32 bytes) and 32 random bytes that nobody reads. A message is nonce (12),
ciphertext, tag (16). New code uses `double_ratchet`: here a stolen session decrypts every message,
the old ones and the coming ones.
"""

from signal_port import primitives
from signal_port.arguments import checked
from signal_port.errors import SignalError
from signal_port.primitives import KEY_SIZE, NONCE_SIZE, TAG_SIZE, random_bytes

SIZE = 64  # bytes of a session


@checked
def create_session(private: bytes, public: bytes) -> bytes:
    """Return the session of two X25519 keys, 64 bytes.

    Raises:
        SignalError: `invalid_key_sizes`; `key_agreement_failed`, if the raw secret is all zero.
    """
    return primitives.blake2b_256(primitives.x25519(private, public)) + random_bytes(32)


@checked
def encrypt_message(session: bytes, plaintext: bytes) -> bytes:
    """Return the message, 28 bytes longer than the plaintext.

    Raises:
        SignalError: `invalid_session`, if it is under 32 bytes.
    """
    nonce = random_bytes(NONCE_SIZE)
    return nonce + primitives.chacha20_poly1305_encrypt(_key(session), nonce, plaintext)


@checked
def decrypt_message(session: bytes, message: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        SignalError: `invalid_session`, if it is under 32 bytes; `invalid_message`, if it is under
            28 bytes; `decryption_failed`, if it is forged.
    """
    key = _key(session)
    if len(message) < NONCE_SIZE + TAG_SIZE:
        raise SignalError("invalid_message")
    return primitives.chacha20_poly1305_decrypt(key, message[:NONCE_SIZE], message[NONCE_SIZE:])


def _key(session: bytes) -> bytes:
    if len(session) < KEY_SIZE:
        raise SignalError("invalid_session")
    return session[:KEY_SIZE]
