"""The Double Ratchet with header encryption, on values: a step takes a session and returns a new one.

Follows Signal's specification of the Double Ratchet, revision 1, section 4, as the NIF does it: AES-256-CBC with
HMAC-SHA-256 cut to 8 bytes for messages, the same cut to 16 for headers, at most 32 message keys skipped by one message
and 96 kept. A step that fails raises, and the session given is as good as before. The session's bytes are the NIF's
own; `session` knows their layout, `messages` the wire's.
"""

from enum import Enum

from signal_port import messages, primitives, session
from signal_port.errors import SignalError
from signal_port.limits import MAX_SKIP
from signal_port.messages import Header, PreKeyInfo
from signal_port.primitives import BLOCK_SIZE, KEY_SIZE, SECRET_KEY_SIZE, bytes_eq, random_bytes
from signal_port.x3dh import SHARED_SECRET_SIZE, identity_for_dh

__all__ = ["PreKeyInfo", "decrypt", "encrypt", "encrypt_pre_key", "init"]

_VERSION = bytes([messages.VERSION])
_MAC_SIZE = 8
_HEADER_MAC_SIZE = 16
_ENCRYPTED_HEADER_SIZE = 80  # IV (16), three blocks, MAC (16)
_NO_KEY = bytes(KEY_SIZE)

# --- Operations ---


def init(
    shared_secret: bytes, local_identity: bytes, remote_identity: bytes, secret: bytes, role: int
) -> bytes:
    """Return the first session after a key agreement, 7740 bytes (RatchetInitAliceHE, RatchetInitBobHE).

    Args:
        shared_secret: what X3DH agreed on, 96 bytes.
        local_identity: our Ed25519 identity, 32 bytes.
        remote_identity: theirs.
        secret: the responder's identity secret, 64 bytes: its key is the responder's first ratchet key. The initiator's
            is not looked at.
        role: not zero for the initiator, who may send at once; zero for the responder, who must receive first.

    Raises:
        SignalError: `invalid_shared_secret_size`, `invalid_identity_pub_size`, `identity_pub_conversion_failed`,
            `dh_failed`; for the responder `invalid_self_priv_size`.
    """
    if len(shared_secret) != SHARED_SECRET_SIZE:
        raise SignalError("invalid_shared_secret_size")
    if len(local_identity) != KEY_SIZE or len(remote_identity) != KEY_SIZE:
        raise SignalError("invalid_identity_pub_size")
    local, remote = identity_for_dh(local_identity), identity_for_dh(remote_identity)
    state = session.new()
    state[session.LOCAL_IDENTITY] = local
    state[session.REMOTE_IDENTITY] = remote
    state[session.LOCAL_SIGNING_IDENTITY] = local_identity
    state[session.ROOT_KEY] = shared_secret[:32]
    seed_a, seed_b = shared_secret[32:64], shared_secret[64:]
    if role:
        state[session.SENDING_HEADER_KEY] = seed_b
        state[session.NEXT_RECEIVING_HEADER_KEY] = seed_a
        _start_sending_chain(state, remote, "dh_failed")
    else:
        if len(secret) != SECRET_KEY_SIZE:
            raise SignalError("invalid_self_priv_size")
        private = primitives.ed25519_sk_to_curve25519(secret)
        state[session.NEXT_SENDING_HEADER_KEY] = seed_a
        state[session.NEXT_RECEIVING_HEADER_KEY] = seed_b
        state[session.RATCHET_PRIVATE_KEY] = private
        state[session.RATCHET_PUBLIC_KEY] = primitives.x25519_public_bytes(
            primitives.x25519_private_key(private)
        )
    return session.seal(state)


def encrypt(blob: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """Return the message for the wire and the session after it (RatchetEncryptHE).

    Args:
        blob: the session, 7740 bytes.
        plaintext: of any length. The message is 94 to 109 bytes longer, up to 113 where the plaintext is long.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`, `session_not_initialized`; `must_receive_first`, a
            responder that has received nothing yet.
    """
    return _encrypt(_open_to_send(blob), plaintext)


def encrypt_pre_key(blob: bytes, plaintext: bytes, info: PreKeyInfo) -> tuple[bytes, bytes]:
    """Return a PreKeySignalMessage for the wire and the session after it: what an initiator sends until it is answered.

    Args:
        blob: the session, 7740 bytes.
        plaintext: of any length.
        info: which keys were used, so that the responder can agree on the same secret; its base key has 32 bytes. The
            responder takes the message apart by `messages.decode_pre_key_message`.

    Raises:
        SignalError: as `encrypt`.
    """
    state = _open_to_send(blob)
    identity = bytes(state[session.LOCAL_SIGNING_IDENTITY])
    wire, sealed = _encrypt(state, plaintext)
    return messages.encode_pre_key_message(info, identity, wire), sealed


def decrypt(blob: bytes, wire: bytes) -> tuple[bytes, bytes]:
    """Return the plaintext of a message and the session after it (RatchetDecryptHE).

    Args:
        blob: the session, 7740 bytes.
        wire: the message, as `encrypt` made it.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`, `session_not_initialized`; `message_too_short`,
            `unsupported_version`, `malformed_message`; `bad_mac`, forged, doubled, for another session or too old;
            `too_many_skipped`, more than 32 messages of a chain are missing; `dh_ratchet_failed`; `decryption_failed`.
    """
    state = session.open_session(blob)
    if len(wire) < 1 + _MAC_SIZE:
        raise SignalError("message_too_short")
    if wire[0] != messages.VERSION:
        raise SignalError("unsupported_version")
    encrypted_header, body = messages.decode_envelope(wire[1:-_MAC_SIZE])
    if not body or len(body) % BLOCK_SIZE:
        raise SignalError("message_too_short")
    if len(encrypted_header) != _ENCRYPTED_HEADER_SIZE:
        raise SignalError("malformed_message")
    cipher_key, mac_key, iv = _message_keys(_find_message_key(state, encrypted_header))
    senders, receivers = state[session.REMOTE_IDENTITY], state[session.LOCAL_IDENTITY]
    if not bytes_eq(_mac(mac_key, senders, receivers, wire[:-_MAC_SIZE]), wire[-_MAC_SIZE:]):
        raise SignalError("bad_mac")
    plaintext = primitives.aes_cbc_decrypt(cipher_key, iv, body)
    if plaintext is None:
        raise SignalError("decryption_failed")
    return plaintext, session.seal(state)


# --- Internals: sending ---


def _open_to_send(blob: bytes) -> bytearray:
    state = session.open_session(blob)
    if not state[session.MAY_SEND]:
        raise SignalError("must_receive_first")
    return state


def _encrypt(state: bytearray, plaintext: bytes) -> tuple[bytes, bytes]:
    message_key, chain_key = _chain_step(state[session.SENDING_CHAIN_KEY])
    cipher_key, mac_key, iv = _message_keys(message_key)
    number = session.number(state, session.SENDING_NUMBER)
    header = Header(
        bytes(state[session.RATCHET_PUBLIC_KEY]),
        number,
        session.number(state, session.PREVIOUS_NUMBER),
    )
    envelope = messages.encode_envelope(
        _encrypt_header(bytes(state[session.SENDING_HEADER_KEY]), header),
        primitives.aes_cbc_encrypt(cipher_key, iv, plaintext),
    )
    message = _VERSION + envelope
    mac = _mac(mac_key, state[session.LOCAL_IDENTITY], state[session.REMOTE_IDENTITY], message)
    state[session.SENDING_CHAIN_KEY] = chain_key
    session.set_number(state, session.SENDING_NUMBER, number + 1)
    return message + mac, session.seal(state)


def _start_sending_chain(state: bytearray, remote_ratchet_key: bytes, error: str) -> None:
    """Root step with a fresh ratchet pair: a sending chain, and the header keys of the one after it."""
    private, key = primitives.generate_x25519()
    state[session.RATCHET_PRIVATE_KEY] = private
    state[session.RATCHET_PUBLIC_KEY] = primitives.x25519_public_bytes(key)
    state[session.REMOTE_RATCHET_KEY] = remote_ratchet_key
    root, chain, header = _root_step(
        state[session.ROOT_KEY], primitives.x25519_exchange(key, remote_ratchet_key, error)
    )
    state[session.ROOT_KEY] = root
    state[session.SENDING_CHAIN_KEY] = chain
    state[session.NEXT_SENDING_HEADER_KEY] = header
    state[session.MAY_SEND] = 1


# --- Internals: receiving ---


class _Opened(Enum):
    """Whose key opened a header."""

    CURRENT = "the current receiving chain's"
    NEXT = "the next receiving chain's: the other side has made a ratchet step"
    SKIPPED = "a skipped message's"


def _find_message_key(state: bytearray, encrypted_header: bytes) -> bytes:
    """Return the key of the message with that header, the state moved on to where it is known."""
    opened, header_key, header = _decrypt_header(state, encrypted_header)
    if opened is _Opened.NEXT:
        _skip_to(state, header.previous_number)
        _ratchet_step(state, header.ratchet_key)
    elif opened is _Opened.SKIPPED or header.number < session.number(
        state, session.RECEIVING_NUMBER
    ):
        message_key = session.take_skipped_key(state, header_key, header.number)
        if message_key is None:
            raise SignalError("bad_mac")
        return message_key
    _skip_to(state, header.number)
    message_key, chain_key = _chain_step(state[session.RECEIVING_CHAIN_KEY])
    state[session.RECEIVING_CHAIN_KEY] = chain_key
    session.set_number(state, session.RECEIVING_NUMBER, header.number + 1)
    return message_key


def _decrypt_header(state: bytearray, encrypted_header: bytes) -> tuple[_Opened, bytes, Header]:
    """Try the keys that may fit, in the NIF's order."""
    current = bytes(state[session.RECEIVING_HEADER_KEY])
    if current != _NO_KEY and (header := _open_header(current, encrypted_header)):
        return _Opened.CURRENT, current, header
    following = bytes(state[session.NEXT_RECEIVING_HEADER_KEY])
    if following != _NO_KEY and (header := _open_header(following, encrypted_header)):
        return _Opened.NEXT, following, header
    for key in session.skipped_header_keys(state):
        if header := _open_header(key, encrypted_header):
            return _Opened.SKIPPED, key, header
    raise SignalError("bad_mac")


def _skip_to(state: bytearray, until: int) -> None:
    """Keep the keys of the receiving chain's messages before `until`."""
    number = session.number(state, session.RECEIVING_NUMBER)
    if until - number > MAX_SKIP:
        raise SignalError("too_many_skipped")
    if until <= number:
        return
    header_key = bytes(state[session.RECEIVING_HEADER_KEY])
    if state[session.MAY_SEND] and header_key != _NO_KEY:
        chain_key = bytes(state[session.RECEIVING_CHAIN_KEY])
        for skipped in range(number, until):
            message_key, chain_key = _chain_step(chain_key)
            session.store_skipped_key(state, header_key, skipped, message_key)
        state[session.RECEIVING_CHAIN_KEY] = chain_key
    session.set_number(state, session.RECEIVING_NUMBER, until)


def _ratchet_step(state: bytearray, remote_ratchet_key: bytes) -> None:
    """Take the other side's new ratchet key: a receiving chain with our old pair, a sending chain with a fresh one."""
    state[session.SENDING_HEADER_KEY] = state[session.NEXT_SENDING_HEADER_KEY]
    state[session.RECEIVING_HEADER_KEY] = state[session.NEXT_RECEIVING_HEADER_KEY]
    key = primitives.x25519_private_key(bytes(state[session.RATCHET_PRIVATE_KEY]))
    root, chain, header = _root_step(
        state[session.ROOT_KEY],
        primitives.x25519_exchange(key, remote_ratchet_key, "dh_ratchet_failed"),
    )
    state[session.ROOT_KEY] = root
    state[session.RECEIVING_CHAIN_KEY] = chain
    state[session.NEXT_RECEIVING_HEADER_KEY] = header
    state[session.PREVIOUS_NUMBER] = state[session.SENDING_NUMBER]
    session.set_number(state, session.SENDING_NUMBER, 0)
    session.set_number(state, session.RECEIVING_NUMBER, 0)
    _start_sending_chain(state, remote_ratchet_key, "dh_ratchet_failed")


# --- Internals: keys, headers, MACs ---


def _root_step(root_key: bytearray, dh: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the next root key, a chain key and a next header key."""
    keys = primitives.hkdf_sha256(dh, bytes(root_key), b"DR-RK", 96)
    return keys[:32], keys[32:64], keys[64:]


def _chain_step(chain_key: bytes | bytearray) -> tuple[bytes, bytes]:
    """Return the message key and the next chain key."""
    return primitives.hmac_sha256_pair(bytes(chain_key), b"\x01", b"\x02")


def _message_keys(message_key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return cipher key (32), MAC key (32) and IV (16) of one message."""
    keys = primitives.hkdf_sha256(message_key, b"", b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


def _header_keys(header_key: bytes) -> tuple[bytes, bytes]:
    """Return cipher key and MAC key of a chain's headers."""
    keys = primitives.hkdf_sha256(header_key, b"", b"WhisperHeader", 64)
    return keys[:32], keys[32:]


def _encrypt_header(header_key: bytes, header: Header) -> bytes:
    cipher_key, mac_key = _header_keys(header_key)
    iv = random_bytes(BLOCK_SIZE)
    sealed = iv + primitives.aes_cbc_encrypt(cipher_key, iv, messages.encode_header(header))
    return sealed + primitives.hmac_sha256(mac_key, sealed)[:_HEADER_MAC_SIZE]


def _open_header(header_key: bytes, encrypted_header: bytes) -> Header | None:
    cipher_key, mac_key = _header_keys(header_key)
    sealed, mac = encrypted_header[:-_HEADER_MAC_SIZE], encrypted_header[-_HEADER_MAC_SIZE:]
    if not bytes_eq(primitives.hmac_sha256(mac_key, sealed)[:_HEADER_MAC_SIZE], mac):
        return None
    plain = primitives.aes_cbc_decrypt(cipher_key, sealed[:BLOCK_SIZE], sealed[BLOCK_SIZE:])
    if plain is None:
        return None
    try:
        return messages.decode_header(plain)
    except SignalError:
        return None


def _mac(mac_key: bytes, sender: bytearray, receiver: bytearray, message: bytes) -> bytes:
    return primitives.hmac_sha256(mac_key, b"".join((sender, receiver, message)))[:_MAC_SIZE]
