"""The session as the NIF stores it: a little-endian struct of 7740 bytes.

No other module knows its offsets.

A step of the ratchet opens a session into a bytearray, reads and writes its fields by the slices
below, and seals it into bytes again. Bytes that no step changes stay as they were. The slots of
skipped message keys follow the NIF's rules: which slot a key is stored in, and what stays in a slot
after its key was taken.
"""

from typing import NamedTuple

from signal_port.errors import SignalError
from signal_port.limits import MAX_SKIPPED_KEYS

SIZE = 7740

# The fields. Keys have 32 bytes. Numbers are unsigned, have 4 bytes and wrap at 2^32.
_PREFIX = slice(0, 8)  # magic, version, size
ROOT_KEY = slice(8, 40)
SENDING_CHAIN_KEY = slice(40, 72)
SENDING_NUMBER = slice(72, 76)
RECEIVING_CHAIN_KEY = slice(76, 108)
RECEIVING_NUMBER = slice(108, 112)
RATCHET_PRIVATE_KEY = slice(112, 144)
RATCHET_PUBLIC_KEY = slice(144, 176)
REMOTE_RATCHET_KEY = slice(176, 208)
LOCAL_IDENTITY = slice(208, 240)  # X25519
REMOTE_IDENTITY = slice(240, 272)  # X25519
LOCAL_SIGNING_IDENTITY = slice(272, 304)  # Ed25519
SENDING_HEADER_KEY = slice(304, 336)
RECEIVING_HEADER_KEY = slice(336, 368)
NEXT_SENDING_HEADER_KEY = slice(368, 400)
NEXT_RECEIVING_HEADER_KEY = slice(400, 432)
PREVIOUS_NUMBER = slice(432, 436)  # length of the previous sending chain
_INITIALIZED = 436
MAY_SEND = 437  # the NIF names it "has received"; not zero is true
_CLOCK = slice(7736, 7740)

_SLOTS = 440
_SLOT_SIZE = 76
_SLOTS_END = _SLOTS + MAX_SKIPPED_KEYS * _SLOT_SIZE
# A slot is header key (32), number (4), message key (32), clock (4), occupied (1), padding (3).
_SLOT_MESSAGE_NUMBER = 32
_SLOT_MESSAGE_KEY = 36
_SLOT_CLOCK = 68
_SLOT_OCCUPIED = 72
_OCCUPIED = slice(_SLOTS + _SLOT_OCCUPIED, _SLOTS_END, _SLOT_SIZE)  # the flags of all slots

_MAGIC_VERSION_SIZE = (
    (0x44525331).to_bytes(4, "little") + (1).to_bytes(2, "little") + SIZE.to_bytes(2, "little")
)
_FLAG = bytes([0]) + bytes([1]) * 255  # translates a byte to 0 or 1

_KEYS = {
    "root key": ROOT_KEY,
    "sending chain key": SENDING_CHAIN_KEY,
    "receiving chain key": RECEIVING_CHAIN_KEY,
    "sending header key": SENDING_HEADER_KEY,
    "receiving header key": RECEIVING_HEADER_KEY,
    "next sending header key": NEXT_SENDING_HEADER_KEY,
    "next receiving header key": NEXT_RECEIVING_HEADER_KEY,
    "ratchet key pair": RATCHET_PRIVATE_KEY,
    "remote ratchet key": REMOTE_RATCHET_KEY,
}


class Facts(NamedTuple):
    """What people may see of a session: no key, no identity, nothing derived from one."""

    initialized: bool
    may_send: bool
    sending_number: int  # of the next message to send
    receiving_number: int  # of the next message to receive
    previous_number: int  # length of the previous sending chain
    is_set: dict[str, bool]  # by the name of a key: whether there is one
    skipped: list[int]  # numbers of the messages whose keys are stored, oldest first


def new() -> bytearray:
    """Return an opened session, all zero except its prefix and the initialized flag."""
    session = bytearray(SIZE)
    session[_PREFIX] = _MAGIC_VERSION_SIZE
    session[_INITIALIZED] = 1
    return session


def open_session(blob: bytes) -> bytearray:
    """Return an opened copy of a session.

    Raises:
        SignalError: `invalid_session_size`; `invalid_session`, if it does not begin with the NIF's
            magic number, version 1 and its size; `session_not_initialized`.
    """
    _check_prefix(blob)
    if not blob[_INITIALIZED]:
        raise SignalError("session_not_initialized")
    return bytearray(blob)


def seal(session: bytearray) -> bytes:
    """Return the session to store. Like the NIF, it writes every flag as 0 or 1."""
    session[_INITIALIZED] = 1
    session[MAY_SEND] = _FLAG[session[MAY_SEND]]
    session[_OCCUPIED] = session[_OCCUPIED].translate(_FLAG)
    return bytes(session)


def facts(blob: bytes) -> Facts:
    """Return what people may see of a session.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`.
    """
    _check_prefix(blob)
    state = bytearray(blob)
    occupied = (slot for slot, flag in enumerate(state[_OCCUPIED]) if flag)
    by_age = sorted(occupied, key=lambda slot: number(state, _slot_clock(slot)))
    return Facts(
        initialized=bool(state[_INITIALIZED]),
        may_send=bool(state[MAY_SEND]),
        sending_number=number(state, SENDING_NUMBER),
        receiving_number=number(state, RECEIVING_NUMBER),
        previous_number=number(state, PREVIOUS_NUMBER),
        is_set={name: any(state[field]) for name, field in _KEYS.items()},
        skipped=[number(state, _slot_number(slot)) for slot in by_age],
    )


def number(session: bytearray, field: slice) -> int:
    """Return the number in a field."""
    return int.from_bytes(session[field], "little")


def set_number(session: bytearray, field: slice, value: int) -> None:
    """Write a number, modulo 2^32, to a field."""
    session[field] = _uint32(value)


def store_skipped_key(
    session: bytearray, header_key: bytes, message_number: int, message_key: bytes
) -> None:
    """Store the key of a skipped message: in the first free slot, else over the oldest key."""
    occupied = session[_OCCUPIED]
    slot = occupied.find(0)
    if slot < 0:
        slot = min(range(MAX_SKIPPED_KEYS), key=lambda index: number(session, _slot_clock(index)))
    clock = _uint32(number(session, _CLOCK) + 1)
    session[_CLOCK] = clock
    start = _SLOTS + slot * _SLOT_SIZE
    session[start : start + _SLOT_OCCUPIED] = (
        header_key + _uint32(message_number) + message_key + clock
    )
    session[start + _SLOT_OCCUPIED] = 1


def take_skipped_key(session: bytearray, header_key: bytes, message_number: int) -> bytes | None:
    """Remove and return the message key of a header key and number; None if it is not stored."""
    wanted = header_key + _uint32(message_number)
    at = session.find(wanted, _SLOTS, _SLOTS_END)
    while at >= 0:
        if (at - _SLOTS) % _SLOT_SIZE == 0 and session[at + _SLOT_OCCUPIED]:
            message_key = bytes(session[at + _SLOT_MESSAGE_KEY : at + _SLOT_CLOCK])
            session[at : at + _SLOT_CLOCK] = bytes(_SLOT_CLOCK)  # the slot's clock stays
            session[at + _SLOT_OCCUPIED] = 0
            return message_key
        at = session.find(wanted, at + 1, _SLOTS_END)
    return None


def skipped_header_keys(session: bytearray) -> list[bytes]:
    """Return the header keys of the occupied slots, each once, in slot order, without zero keys."""
    starts = (
        _SLOTS + slot * _SLOT_SIZE for slot, occupied in enumerate(session[_OCCUPIED]) if occupied
    )
    keys = dict.fromkeys(bytes(session[start : start + 32]) for start in starts)
    return [key for key in keys if any(key)]


def _check_prefix(blob: bytes) -> None:
    if len(blob) != SIZE:
        raise SignalError("invalid_session_size")
    if blob[_PREFIX] != _MAGIC_VERSION_SIZE:
        raise SignalError("invalid_session")


def _slot_number(slot: int) -> slice:
    start = _SLOTS + slot * _SLOT_SIZE + _SLOT_MESSAGE_NUMBER
    return slice(start, start + 4)


def _slot_clock(slot: int) -> slice:
    start = _SLOTS + slot * _SLOT_SIZE + _SLOT_CLOCK
    return slice(start, start + 4)


def _uint32(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")
