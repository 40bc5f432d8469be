"""The messages that two parties exchange: envelope, header, PreKeySignalMessage.

All three are Protocol Buffers. The decoder is strict: each field once, in any order; an unknown
field, a wrong type or a missing field is malformed. Varints have up to ten bytes and need not be
minimal; an integer over 2^32 - 1 is malformed. The encoder writes fields in the order of their
numbers, with minimal varints.
"""

from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from signal_port.arguments import checked
from signal_port.errors import SignalError
from signal_port.primitives import KEY_SIZE

VERSION = 0x33  # first byte of a message and of a PreKeySignalMessage
_VERSION_BYTE = bytes([VERSION])

_VARINT = 0  # wire types
_BYTES = 2
_MAX_VARINT_BITS = 70  # ten bytes of seven
_UINT64 = 2**64 - 1
_UINT32 = 2**32 - 1

_ENVELOPE = {1: _BYTES, 2: _BYTES}
_HEADER = {1: _BYTES, 2: _VARINT, 3: _VARINT}
_PRE_KEY_MESSAGE = {1: _VARINT, 2: _BYTES, 3: _BYTES, 4: _VARINT, 5: _VARINT, 6: _BYTES}
_PRE_KEY_MESSAGE_OPTIONAL = frozenset({4})


class Header(NamedTuple):
    """The place of a message in the conversation. A message carries it encrypted."""

    ratchet_key: bytes
    number: int  # in its sending chain
    previous_number: int  # length of the previous sending chain


class PreKeyInfo(NamedTuple):
    """Which keys an initiator used, for the owner of the bundle."""

    registration_id: int
    one_time_pre_key_id: int | None
    signed_pre_key_id: int
    base_key: bytes  # the initiator's ephemeral public key


class PreKeyMessage(NamedTuple):
    """The fields of a PreKeySignalMessage, in the order of the operation's answer."""

    registration_id: int
    base_key: bytes
    identity_key: bytes
    one_time_pre_key_id: int | None
    signed_pre_key_id: int
    message: bytes


def encode_envelope(encrypted_header: bytes, body: bytes) -> bytes:
    """Return the envelope of an encrypted header and an encrypted body."""
    return _bytes_field(1, encrypted_header) + _bytes_field(2, body)


def decode_envelope(envelope: bytes) -> tuple[bytes, bytes]:
    """Return the encrypted header and the encrypted body.

    Raises:
        SignalError: `malformed_message`.
    """
    fields = _decode(envelope, _ENVELOPE)
    return fields[1], fields[2]


def encode_header(header: Header) -> bytes:
    """Return the header, not encrypted, 38 to 46 bytes."""
    return (
        _bytes_field(1, header.ratchet_key)
        + _varint_field(2, header.number)
        + _varint_field(3, header.previous_number)
    )


def decode_header(data: bytes) -> Header:
    """Return the header.

    Raises:
        SignalError: `malformed_message`.
    """
    fields = _decode(data, _HEADER)
    return Header(_key(fields[1]), fields[2], fields[3])


def encode_pre_key_message(info: PreKeyInfo, identity_key: bytes, message: bytes) -> bytes:
    """Return the PreKeySignalMessage around a first message."""
    return b"".join(
        (
            _VERSION_BYTE,
            _varint_field(1, info.registration_id),
            _bytes_field(2, info.base_key),
            _bytes_field(3, identity_key),
            b"" if info.one_time_pre_key_id is None else _varint_field(4, info.one_time_pre_key_id),
            _varint_field(5, info.signed_pre_key_id),
            _bytes_field(6, message),
        )
    )


@checked
def decode_pre_key_message(wire: bytes) -> PreKeyMessage:
    """Return the fields of a PreKeySignalMessage; the message in it can be empty.

    Raises:
        SignalError: `malformed_message`.
    """
    if wire[:1] != _VERSION_BYTE:
        raise SignalError("malformed_message")
    fields = _decode(wire[1:], _PRE_KEY_MESSAGE, _PRE_KEY_MESSAGE_OPTIONAL)
    return PreKeyMessage(
        fields[1], _key(fields[2]), _key(fields[3]), fields.get(4), fields[5], fields[6]
    )


# --- Protocol Buffers ---


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint_field(field: int, value: int) -> bytes:
    return bytes([field << 3 | _VARINT]) + _varint(value)


def _bytes_field(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | _BYTES]) + _varint(len(value)) + value


def _decode(
    data: bytes, types: Mapping[int, int], optional: Set[int] = frozenset()
) -> dict[int, Any]:
    """Return the fields by their numbers: bytes or int, according to their wire types."""
    fields: dict[int, Any] = {}
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        field, wire_type = tag >> 3 & _UINT32, tag & 7  # like the NIF, 32 bits of the number
        if field in fields or types.get(field) != wire_type:
            raise SignalError("malformed_message")
        value, position = _read_varint(data, position)
        if wire_type == _BYTES:
            end = position + value
            if end > len(data):
                raise SignalError("malformed_message")
            fields[field] = data[position:end]
            position = end
        elif value > _UINT32:
            raise SignalError("malformed_message")
        else:
            fields[field] = value
    if fields.keys() | optional != types.keys():
        raise SignalError("malformed_message")
    return fields


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the varint and the position behind it."""
    value = 0
    for shift in range(0, _MAX_VARINT_BITS, 7):
        if position == len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, position
    raise SignalError("malformed_message")


def _key(value: bytes) -> bytes:
    if len(value) != KEY_SIZE:
        raise SignalError("malformed_message")
    return value
