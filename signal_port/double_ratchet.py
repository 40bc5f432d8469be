"""The Double Ratchet with header encryption: a step takes a session and returns a new one.

It follows Signal's specification of the Double Ratchet, revision 1, section 4, with the NIF's
choices: one message skips at most 32 message keys, a session stores at most 96. A step that fails
leaves the given session as it was. The layouts are in `session` and `messages`.
"""

from enum import Enum, IntEnum

from signal_port import ed25519, messages, primitives, ratchet_keys, session
from signal_port.arguments import checked
from signal_port.errors import SignalError
from signal_port.limits import MAX_SKIP
from signal_port.messages import Header, PreKeyInfo
from signal_port.primitives import BLOCK_SIZE, KEY_SIZE, SECRET_KEY_SIZE, bytes_eq
from signal_port.ratchet_keys import ENCRYPTED_HEADER_SIZE, MAC_SIZE
from signal_port.results import Decrypted, Encrypted
from signal_port.x3dh import SHARED_SECRET_SIZE, identity_for_dh

__all__ = [
    "Decrypted",
    "Encrypted",
    "PreKeyInfo",
    "Role",
    "decrypt",
    "encrypt",
    "encrypt_pre_key",
    "init",
]

_VERSION = bytes([messages.VERSION])
_NO_KEY = bytes(KEY_SIZE)


class Role(IntEnum):
    """Our side of the key agreement. `init` takes these numbers, the NIF's, in their place."""

    RESPONDER = 0  # must receive first
    INITIATOR = 1  # can send at once


@checked
def init(
    shared_secret: bytes, local_identity: bytes, remote_identity: bytes, secret: bytes, role: Role
) -> bytes:
    """Return the first session after a key agreement, 7740 bytes (Ratchet Init Alice HE, Bob HE).

    Args:
        shared_secret: what X3DH agreed on, 96 bytes.
        local_identity: our Ed25519 identity, 32 bytes.
        remote_identity: the other side's, 32 bytes.
        secret: the responder's identity secret, 64 bytes, its first ratchet key; else ignored.
        role: which of both we are.

    Raises:
        SignalError: `invalid_shared_secret_size`, `invalid_identity_pub_size`,
            `identity_pub_conversion_failed`, `dh_failed`; for the responder also
            `invalid_self_priv_size`.
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
        private = ed25519.ed25519_sk_to_curve25519(secret)
        state[session.NEXT_SENDING_HEADER_KEY] = seed_a
        state[session.NEXT_RECEIVING_HEADER_KEY] = seed_b
        state[session.RATCHET_PRIVATE_KEY] = private
        key = primitives.x25519_private_key(private)
        state[session.RATCHET_PUBLIC_KEY] = primitives.x25519_public_bytes(key)
    return session.seal(state)


@checked
def encrypt(blob: bytes, plaintext: bytes) -> Encrypted:
    """Return the message to send and the session after it (RatchetEncryptHE).

    Args:
        blob: the session, 7740 bytes.
        plaintext: any length. The message is 94 to 109 bytes longer, or up to 113 if it is long.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`, `session_not_initialized`;
            `must_receive_first`, if a responder has received nothing yet.
    """
    return _encrypt(_open_to_send(blob), plaintext)


@checked
def encrypt_pre_key(blob: bytes, plaintext: bytes, info: PreKeyInfo) -> Encrypted:
    """Return a PreKeySignalMessage and the session after it: for an initiator without a reply yet.

    The responder reads the message with `messages.decode_pre_key_message`.

    Args:
        blob: the session, 7740 bytes.
        plaintext: any length.
        info: which keys the initiator used, for the responder; its base key has 32 bytes.

    Raises:
        SignalError: as `encrypt`.
    """
    state = _open_to_send(blob)
    identity = bytes(state[session.LOCAL_SIGNING_IDENTITY])
    wire, sealed = _encrypt(state, plaintext)
    return Encrypted(messages.encode_pre_key_message(info, identity, wire), sealed)


@checked
def decrypt(blob: bytes, wire: bytes) -> Decrypted:
    """Return the plaintext of a message and the session after it (RatchetDecryptHE).

    Args:
        blob: the session, 7740 bytes.
        wire: the message, as `encrypt` returned it.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`, `session_not_initialized`;
            `message_too_short`, `unsupported_version`, `malformed_message`; `bad_mac`, if it is
            forged, a duplicate, for another session or too old; `too_many_skipped`, if more than 32
            messages of a chain are missing; `dh_ratchet_failed`; `decryption_failed`.
    """
    state = session.open_session(blob)
    if len(wire) < 1 + MAC_SIZE:
        raise SignalError("message_too_short")
    if wire[0] != messages.VERSION:
        raise SignalError("unsupported_version")
    message, mac = wire[:-MAC_SIZE], wire[-MAC_SIZE:]
    encrypted_header, body = messages.decode_envelope(message[1:])
    if not body or len(body) % BLOCK_SIZE:
        raise SignalError("message_too_short")
    if len(encrypted_header) != ENCRYPTED_HEADER_SIZE:
        raise SignalError("malformed_message")
    cipher_key, mac_key, iv = ratchet_keys.message_keys(_find_message_key(state, encrypted_header))
    sender, receiver = state[session.REMOTE_IDENTITY], state[session.LOCAL_IDENTITY]
    if not bytes_eq(ratchet_keys.message_mac(mac_key, sender, receiver, message), mac):
        raise SignalError("bad_mac")
    plaintext = primitives.aes_cbc_decrypt(cipher_key, iv, body)
    if plaintext is None:
        raise SignalError("decryption_failed")
    return Decrypted(plaintext, session.seal(state))


# --- Internals: sending ---


def _open_to_send(blob: bytes) -> bytearray:
    state = session.open_session(blob)
    if not state[session.MAY_SEND]:
        raise SignalError("must_receive_first")
    return state


def _encrypt(state: bytearray, plaintext: bytes) -> Encrypted:
    message_key, chain_key = ratchet_keys.chain_step(state[session.SENDING_CHAIN_KEY])
    cipher_key, mac_key, iv = ratchet_keys.message_keys(message_key)
    number = session.number(state, session.SENDING_NUMBER)
    previous_number = session.number(state, session.PREVIOUS_NUMBER)
    header = Header(bytes(state[session.RATCHET_PUBLIC_KEY]), number, previous_number)
    envelope = messages.encode_envelope(
        ratchet_keys.encrypt_header(bytes(state[session.SENDING_HEADER_KEY]), header),
        primitives.aes_cbc_encrypt(cipher_key, iv, plaintext),
    )
    message = _VERSION + envelope
    sender, receiver = state[session.LOCAL_IDENTITY], state[session.REMOTE_IDENTITY]
    mac = ratchet_keys.message_mac(mac_key, sender, receiver, message)
    state[session.SENDING_CHAIN_KEY] = chain_key
    session.set_number(state, session.SENDING_NUMBER, number + 1)
    return Encrypted(message + mac, session.seal(state))


def _start_sending_chain(state: bytearray, remote_ratchet_key: bytes, error: str) -> None:
    """Make a root step with a fresh ratchet pair, for a sending chain and its next header key."""
    private, key = primitives.generate_x25519()
    state[session.RATCHET_PRIVATE_KEY] = private
    state[session.RATCHET_PUBLIC_KEY] = primitives.x25519_public_bytes(key)
    state[session.REMOTE_RATCHET_KEY] = remote_ratchet_key
    dh = primitives.x25519_exchange(key, remote_ratchet_key, error)
    root, chain, header = ratchet_keys.root_step(state[session.ROOT_KEY], dh)
    state[session.ROOT_KEY] = root
    state[session.SENDING_CHAIN_KEY] = chain
    state[session.NEXT_SENDING_HEADER_KEY] = header
    state[session.MAY_SEND] = 1


# --- Internals: receiving ---


class _Opened(Enum):
    """Whose header key decrypted a header."""

    CURRENT = "the current receiving chain's"
    NEXT = "the next receiving chain's: the other side made a ratchet step"
    SKIPPED = "a skipped message's"


def _find_message_key(state: bytearray, encrypted_header: bytes) -> bytes:
    """Return the key of the message with that header, and advance the state to it."""
    opened, header_key, header = _find_header(state, encrypted_header)
    is_late = header.number < session.number(state, session.RECEIVING_NUMBER)
    if opened is _Opened.NEXT:
        _skip_to(state, header.previous_number)
        _ratchet_step(state, header.ratchet_key)
    elif opened is _Opened.SKIPPED or is_late:
        if message_key := session.take_skipped_key(state, header_key, header.number):
            return message_key
        raise SignalError("bad_mac")
    _skip_to(state, header.number)
    message_key, chain_key = ratchet_keys.chain_step(state[session.RECEIVING_CHAIN_KEY])
    state[session.RECEIVING_CHAIN_KEY] = chain_key
    session.set_number(state, session.RECEIVING_NUMBER, header.number + 1)
    return message_key


def _find_header(state: bytearray, encrypted_header: bytes) -> tuple[_Opened, bytes, Header]:
    """Try every header key of the session, in the NIF's order."""
    current = bytes(state[session.RECEIVING_HEADER_KEY])
    if current != _NO_KEY and (header := ratchet_keys.decrypt_header(current, encrypted_header)):
        return _Opened.CURRENT, current, header
    coming = bytes(state[session.NEXT_RECEIVING_HEADER_KEY])
    if coming != _NO_KEY and (header := ratchet_keys.decrypt_header(coming, encrypted_header)):
        return _Opened.NEXT, coming, header
    for key in session.skipped_header_keys(state):
        if header := ratchet_keys.decrypt_header(key, encrypted_header):
            return _Opened.SKIPPED, key, header
    raise SignalError("bad_mac")


def _skip_to(state: bytearray, until: int) -> None:
    """Store the keys of the receiving chain's messages before `until`."""
    number = session.number(state, session.RECEIVING_NUMBER)
    if until - number > MAX_SKIP:
        raise SignalError("too_many_skipped")
    if until <= number:
        return
    header_key = bytes(state[session.RECEIVING_HEADER_KEY])
    if state[session.MAY_SEND] and header_key != _NO_KEY:
        chain_key = bytes(state[session.RECEIVING_CHAIN_KEY])
        for skipped in range(number, until):
            message_key, chain_key = ratchet_keys.chain_step(chain_key)
            session.store_skipped_key(state, header_key, skipped, message_key)
        state[session.RECEIVING_CHAIN_KEY] = chain_key
    session.set_number(state, session.RECEIVING_NUMBER, until)


def _ratchet_step(state: bytearray, remote_ratchet_key: bytes) -> None:
    """Start a receiving chain with our old ratchet pair, then a sending chain with a fresh one."""
    state[session.SENDING_HEADER_KEY] = state[session.NEXT_SENDING_HEADER_KEY]
    state[session.RECEIVING_HEADER_KEY] = state[session.NEXT_RECEIVING_HEADER_KEY]
    key = primitives.x25519_private_key(bytes(state[session.RATCHET_PRIVATE_KEY]))
    dh = primitives.x25519_exchange(key, remote_ratchet_key, "dh_ratchet_failed")
    root, chain, header = ratchet_keys.root_step(state[session.ROOT_KEY], dh)
    state[session.ROOT_KEY] = root
    state[session.RECEIVING_CHAIN_KEY] = chain
    state[session.NEXT_RECEIVING_HEADER_KEY] = header
    state[session.PREVIOUS_NUMBER] = state[session.SENDING_NUMBER]
    session.set_number(state, session.SENDING_NUMBER, 0)
    session.set_number(state, session.RECEIVING_NUMBER, 0)
    _start_sending_chain(state, remote_ratchet_key, "dh_ratchet_failed")
