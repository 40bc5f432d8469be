"""Messages: the encoder is canonical, the decoder is strict, with the NIF's quirks."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import refused

from signal_port import messages
from signal_port.errors import SignalError
from signal_port.messages import Header, PreKeyInfo

KEY = bytes(range(32))
IDENTITY = bytes(range(32, 64))
UINT32 = st.integers(0, 2**32 - 1)


def varint(value: int, size: int = 0) -> bytes:
    """Return a varint, of at least that many bytes."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    groups += [0] * (size - len(groups))
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def data_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


ENVELOPE = [data_field(1, b"header"), data_field(2, b"body")]
HEADER = [data_field(1, KEY), number_field(2, 7), number_field(3, 9)]
PRE_KEY_MESSAGE = [
    number_field(1, 1),
    data_field(2, KEY),
    data_field(3, IDENTITY),
    number_field(4, 4),
    number_field(5, 5),
    data_field(6, b"message"),
]


def decode_pre_key_fields(fields: bytes) -> messages.PreKeyMessage:
    return messages.decode_pre_key_message(b"\x33" + fields)


# Each kind of message: its decoder, its fields in order, and their content.
KINDS: dict[str, tuple[Callable[[bytes], Any], list[bytes], Any]] = {
    "envelope": (messages.decode_envelope, ENVELOPE, (b"header", b"body")),
    "header": (messages.decode_header, HEADER, (KEY, 7, 9)),
    "pre-key message": (
        decode_pre_key_fields,
        PRE_KEY_MESSAGE,
        (1, KEY, IDENTITY, 4, 5, b"message"),
    ),
}
EVERY_KIND = pytest.mark.parametrize(("decode", "fields", "content"), KINDS.values(), ids=KINDS)


class TestEncoding:
    """What is written is canonical."""

    def test_envelope_is_written_in_order(self) -> None:
        assert messages.encode_envelope(b"header", b"body") == b"\x0a\x06header\x12\x04body"

    def test_header_is_written_in_order(self) -> None:
        assert (
            messages.encode_header(Header(KEY, 300, 0))
            == b"\x0a\x20" + KEY + b"\x10\xac\x02\x18\x00"
        )

    def test_pre_key_message_is_written_in_order(self) -> None:
        wire = messages.encode_pre_key_message(PreKeyInfo(1, 4, 5, KEY), IDENTITY, b"message")
        assert wire == b"\x33" + b"".join(PRE_KEY_MESSAGE)

    def test_pre_key_message_without_one_time_pre_key_has_no_field_4(self) -> None:
        wire = messages.encode_pre_key_message(PreKeyInfo(1, None, 5, KEY), IDENTITY, b"message")
        assert wire == b"\x33" + b"".join(PRE_KEY_MESSAGE[:3] + PRE_KEY_MESSAGE[4:])

    def test_one_time_pre_key_id_zero_is_written(self) -> None:
        wire = messages.encode_pre_key_message(PreKeyInfo(1, 0, 5, KEY), IDENTITY, b"")
        assert messages.decode_pre_key_message(wire).one_time_pre_key_id == 0

    @given(number=UINT32, previous=UINT32)
    def test_header_comes_back(self, number: int, previous: int) -> None:
        header = Header(KEY, number, previous)
        encoded = messages.encode_header(header)
        assert messages.decode_header(encoded) == header
        assert len(encoded) < 48  # three blocks with its padding

    @given(header=st.binary(max_size=300), body=st.binary(max_size=300))
    def test_envelope_comes_back(self, header: bytes, body: bytes) -> None:
        assert messages.decode_envelope(messages.encode_envelope(header, body)) == (header, body)

    @given(
        registration=UINT32,
        one_time=st.none() | UINT32,
        signed=UINT32,
        message=st.binary(max_size=300),
    )
    def test_pre_key_message_comes_back(
        self, registration: int, one_time: int | None, signed: int, message: bytes
    ) -> None:
        wire = messages.encode_pre_key_message(
            PreKeyInfo(registration, one_time, signed, KEY), IDENTITY, message
        )
        assert messages.decode_pre_key_message(wire) == (
            registration,
            KEY,
            IDENTITY,
            one_time,
            signed,
            message,
        )


def header_with(number: bytes) -> bytes:
    """Return a header whose counter is the given varint."""
    return HEADER[0] + b"\x10" + number + HEADER[2]


class TestVarints:
    """Integers and lengths, minimal or not."""

    @pytest.mark.parametrize("size", range(1, 11))
    def test_varint_longer_than_minimal_is_read(self, size: int) -> None:
        assert messages.decode_header(header_with(varint(7, size))).number == 7

    @pytest.mark.parametrize("size", [11, 12, 20])
    def test_varint_over_ten_bytes_is_refused(self, size: int) -> None:
        with refused("malformed_message"):
            messages.decode_header(header_with(varint(7, size)))

    @pytest.mark.parametrize("last", [0x02, 0x10, 0x7E])
    def test_bits_above_the_64th_are_dropped(self, last: int) -> None:
        assert messages.decode_header(header_with(varint(7, 10)[:-1] + bytes([last]))).number == 7

    @pytest.mark.parametrize("last", [0x01, 0x03, 0x7F])
    def test_64th_bit_counts(self, last: int) -> None:
        with refused("malformed_message"):
            messages.decode_header(header_with(varint(7, 10)[:-1] + bytes([last])))

    @pytest.mark.parametrize("last", [0x80, 0xFF])
    def test_tenth_byte_that_continues_is_refused(self, last: int) -> None:
        with refused("malformed_message"):
            messages.decode_header(header_with(varint(7, 10)[:-1] + bytes([last])))

    def test_greatest_integer_is_read(self) -> None:
        assert messages.decode_header(header_with(varint(2**32 - 1))).number == 2**32 - 1

    @pytest.mark.parametrize("value", [2**32, 2**32 + 7, 2**63, 2**64 - 1])
    def test_integer_over_32_bits_is_refused(self, value: int) -> None:
        with refused("malformed_message"):
            messages.decode_header(header_with(varint(value)))

    def test_integer_of_an_optional_field_over_32_bits_is_refused(self) -> None:
        fields = [*PRE_KEY_MESSAGE[:3], number_field(4, 2**32), *PRE_KEY_MESSAGE[4:]]
        with refused("malformed_message"):
            decode_pre_key_fields(b"".join(fields))

    @pytest.mark.parametrize("size", range(1, 11))
    def test_tag_and_length_longer_than_minimal_are_read(self, size: int) -> None:
        overlong = varint(0x0A, size) + varint(6, size) + b"header" + ENVELOPE[1]
        assert messages.decode_envelope(overlong) == (b"header", b"body")

    @pytest.mark.parametrize("length", [7, 11, 12, 13, 2**31, 2**32, 2**63, 2**64 - 1])
    def test_length_beyond_the_end_is_refused(self, length: int) -> None:
        with refused("malformed_message"):
            messages.decode_envelope(ENVELOPE[1] + b"\x0a" + varint(length) + b"header")


class TestFields:
    """What the fields hold."""

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_ratchet_key_of_another_size_is_refused(self, size: int) -> None:
        with refused("malformed_message"):
            messages.decode_header(data_field(1, bytes(size)) + HEADER[1] + HEADER[2])

    @pytest.mark.parametrize("size", [0, 31, 33])
    @pytest.mark.parametrize("field", [2, 3])
    def test_key_of_another_size_in_a_pre_key_message_is_refused(
        self, field: int, size: int
    ) -> None:
        fields = [
            *PRE_KEY_MESSAGE[: field - 1],
            data_field(field, bytes(size)),
            *PRE_KEY_MESSAGE[field:],
        ]
        with refused("malformed_message"):
            decode_pre_key_fields(b"".join(fields))

    def test_envelope_of_empty_fields_is_read(self) -> None:
        assert messages.decode_envelope(b"\x0a\x00\x12\x00") == (b"", b"")

    def test_pre_key_message_with_an_empty_message_is_read(self) -> None:
        assert decode_pre_key_fields(b"".join(PRE_KEY_MESSAGE[:5]) + b"\x32\x00").message == b""

    @pytest.mark.parametrize("version", [b"", b"\x00", b"\x32", b"\x34", b"\x22", b"\xb3"])
    def test_pre_key_message_of_another_version_is_refused(self, version: bytes) -> None:
        with refused("malformed_message"):
            messages.decode_pre_key_message(version + b"".join(PRE_KEY_MESSAGE) if version else b"")


class TestDecoding:
    """What every kind of message accepts and refuses."""

    @EVERY_KIND
    def test_fields_in_any_order_are_read(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        for order in permutations(fields):
            assert decode(b"".join(order)) == content

    @EVERY_KIND
    def test_repeated_field_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        for field in fields:
            with refused("malformed_message"):
                decode(b"".join(fields) + field)

    @EVERY_KIND
    def test_missing_field_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        for index in range(len(fields)):
            if fields is PRE_KEY_MESSAGE and index == 3:
                continue
            with refused("malformed_message"):
                decode(b"".join(fields[:index] + fields[index + 1 :]))

    @pytest.mark.parametrize("number", [0, 7, 15, 16, 1000, 2**29])
    @EVERY_KIND
    def test_unknown_field_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any, number: int
    ) -> None:
        for unknown in (number_field(number, 1), data_field(number, b"")):
            with refused("malformed_message"):
                decode(b"".join(fields) + unknown)

    @pytest.mark.parametrize("wire_type", range(8))
    @EVERY_KIND
    def test_wrong_wire_type_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any, wire_type: int
    ) -> None:
        for index, field in enumerate(fields):
            if field[0] & 7 == wire_type:
                continue
            retyped = bytes([field[0] & 0xF8 | wire_type]) + field[1:]
            with refused("malformed_message"):
                decode(b"".join([*fields[:index], retyped, *fields[index + 1 :]]))

    @EVERY_KIND
    def test_cut_message_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        whole = b"".join(fields)
        for size in range(len(whole)):
            with refused("malformed_message"):
                decode(whole[:size])

    @EVERY_KIND
    def test_byte_behind_the_message_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        for byte in (b"\x00", b"\x0a", b"\xff"):
            with refused("malformed_message"):
                decode(b"".join(fields) + byte)

    @EVERY_KIND
    def test_field_number_is_cut_to_32_bits(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        for index, field in enumerate(fields):
            tag = varint(field[0] | 1 << 35)  # 2^32 in the field number
            assert (
                decode(b"".join([*fields[:index], tag + field[1:], *fields[index + 1 :]]))
                == content
            )

    @EVERY_KIND
    def test_repeated_cut_field_number_is_refused(
        self, decode: Callable[[bytes], Any], fields: list[bytes], content: Any
    ) -> None:
        with refused("malformed_message"):
            decode(b"".join(fields) + varint(fields[0][0] | 1 << 35) + fields[0][1:])

    @pytest.mark.parametrize("bit", [32, 33, 34])
    def test_field_number_below_32_bits_is_not_cut(self, bit: int) -> None:
        with refused("malformed_message"):
            messages.decode_envelope(
                varint(ENVELOPE[0][0] | 1 << bit) + ENVELOPE[0][1:] + ENVELOPE[1]
            )

    @given(data=st.binary(max_size=60))
    def test_garbage_is_read_or_refused(self, data: bytes) -> None:
        for decode, _, _ in KINDS.values():
            try:
                decode(data)
            except SignalError as error:
                assert error.atom == "malformed_message"
