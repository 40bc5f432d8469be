"""What a function returns if that has more than one part: NamedTuples, equal to plain tuples.

Their `repr` gives the sizes of keys, sessions and texts in place of their bytes, because it stands
in logs and in reports of errors.
"""

from typing import Any, NamedTuple


class KeyPair(NamedTuple):
    """An X25519 pair (32 bytes each), or an Ed25519 pair: public key (32), secret key (64)."""

    public: bytes
    private: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class PreKey(NamedTuple):
    """A one-time pre-key: an X25519 pair, 32 bytes each."""

    key_id: int
    public: bytes
    private: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class SignedPreKey(NamedTuple):
    """A signed pre-key: an X25519 pair, 32 bytes each, and the identity's signature (64)."""

    key_id: int
    public: bytes
    private: bytes
    signature: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class Agreement(NamedTuple):
    """What the initiator of X3DH has: the secret (96) and its ephemeral public key (32)."""

    shared_secret: bytes
    ephemeral: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class Encrypted(NamedTuple):
    """The message to send, and the session to store before it is sent (7740 bytes)."""

    message: bytes
    session: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class Decrypted(NamedTuple):
    """The plaintext of a message, and the session to store (7740 bytes)."""

    plaintext: bytes
    session: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


class Sealed(NamedTuple):
    """A ciphertext, as long as its plaintext, and its tag (16)."""

    ciphertext: bytes
    tag: bytes

    def __repr__(self) -> str:
        return _without_bytes(self)


def _without_bytes(result: Any) -> str:
    parts = (
        f"{name}=<{len(part)} bytes>" if isinstance(part, bytes) else f"{name}={part!r}"
        for name, part in zip(result._fields, result)
    )
    return f"{type(result).__name__}({', '.join(parts)})"
