"""`{packet, 4}` frames: any cut of the stream gives the same payloads, and the limit holds at the header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_port import frame
from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME

PAYLOADS = st.lists(st.binary(max_size=40), max_size=8)


def framed(payload: bytes) -> bytes:
    return frame.header(len(payload)) + payload


def test_the_header_is_a_big_endian_length_of_four_bytes() -> None:
    assert frame.header(0x01020304) == b"\x01\x02\x03\x04"


@given(payloads=PAYLOADS, data=st.data())
def test_a_stream_cut_anywhere_gives_its_payloads(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(framed, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    unpacker = frame.Unpacker()
    received: list[bytes] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)]):
        received += unpacker.feed(stream[start:stop])
    unpacker.close()
    assert received == payloads


@given(payloads=PAYLOADS)
def test_a_stream_of_single_bytes_gives_its_payloads(payloads: list[bytes]) -> None:
    unpacker = frame.Unpacker()
    received: list[bytes] = []
    for byte in b"".join(map(framed, payloads)):
        received += unpacker.feed(bytes([byte]))
    assert received == payloads


def test_a_payload_comes_out_with_its_last_byte() -> None:
    unpacker = frame.Unpacker()
    assert list(unpacker.feed(framed(b"abc")[:-1])) == []
    assert list(unpacker.feed(b"c")) == [b"abc"]


def test_an_empty_payload_is_a_frame() -> None:
    assert list(frame.Unpacker().feed(framed(b""))) == [b""]


def test_no_bytes_are_no_frame() -> None:
    unpacker = frame.Unpacker()
    assert list(unpacker.feed(b"")) == []
    unpacker.close()


def test_a_payload_of_the_limit_is_taken() -> None:
    assert list(frame.Unpacker(5).feed(framed(b"12345"))) == [b"12345"]


def test_a_length_over_the_limit_is_refused_before_its_payload() -> None:
    with pytest.raises(ProtocolError, match="6 bytes is over the limit of 5"):
        list(frame.Unpacker(5).feed(frame.header(6)))


def test_the_limit_without_another_is_the_package_s() -> None:
    with pytest.raises(ProtocolError):
        list(frame.Unpacker().feed(frame.header(MAX_FRAME + 1)))


def test_the_payloads_before_a_length_over_the_limit_come_out() -> None:
    received = []
    with pytest.raises(ProtocolError):
        for payload in frame.Unpacker(5).feed(framed(b"one") + framed(b"two") + frame.header(6)):
            received.append(payload)
    assert received == [b"one", b"two"]


def test_the_stream_may_end_between_two_frames() -> None:
    unpacker = frame.Unpacker()
    assert list(unpacker.feed(framed(b"abc"))) == [b"abc"]
    unpacker.close()


@pytest.mark.parametrize("kept", range(1, 7))
def test_the_stream_may_not_end_inside_a_frame(kept: int) -> None:
    unpacker = frame.Unpacker()
    list(unpacker.feed(framed(b"before") + framed(b"abc")[:kept]))
    with pytest.raises(ProtocolError, match="closed inside a frame"):
        unpacker.close()


def test_a_long_frame_in_many_chunks_is_whole() -> None:
    payload = bytes(range(256)) * 4096
    unpacker = frame.Unpacker()
    stream = framed(payload)
    received = [out for start in range(0, len(stream), 1000) for out in unpacker.feed(stream[start : start + 1000])]
    assert received == [payload]
