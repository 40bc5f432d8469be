"""`{packet, 4}` frames: any cut of a stream gives the same payloads; the header is limited."""

import sys
from collections.abc import Sequence

import pytest
from child import framed
from held import binaries
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_port import frame
from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME

PAYLOADS = st.lists(st.binary(max_size=40), max_size=8)
LONG = 64 * 1024  # bytes; payloads of a longer stream are views
SIZES = st.sampled_from([0, 1, 40, LONG - 5, LONG - 4, LONG - 3, LONG, LONG + 1, 3 * LONG])


def feed(unpacker: frame.Unpacker, stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return the payloads of a stream that comes in pieces."""
    received: list[bytes] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)]):
        received += map(bytes, unpacker.feed(stream[start:stop]))
    return received


class TestStreams:
    """Any cut of a stream gives the same payloads."""

    def test_header_is_a_big_endian_length_of_four_bytes(self) -> None:
        assert frame.header(0x01020304) == b"\x01\x02\x03\x04"

    @given(payloads=PAYLOADS, data=st.data())
    def test_stream_cut_anywhere_gives_its_payloads(
        self, payloads: list[bytes], data: st.DataObject
    ) -> None:
        stream = b"".join(map(framed, payloads))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
        unpacker = frame.Unpacker()
        assert feed(unpacker, stream, cuts) == payloads
        unpacker.close()

    @given(payloads=PAYLOADS)
    def test_stream_of_single_bytes_gives_its_payloads(self, payloads: list[bytes]) -> None:
        stream = b"".join(map(framed, payloads))
        assert feed(frame.Unpacker(), stream, range(len(stream))) == payloads

    def test_payload_is_given_with_its_last_byte(self) -> None:
        unpacker = frame.Unpacker()
        assert list(unpacker.feed(framed(b"abc")[:-1])) == []
        assert list(unpacker.feed(b"c")) == [b"abc"]

    def test_empty_payload_is_a_frame(self) -> None:
        assert list(frame.Unpacker().feed(framed(b""))) == [b""]

    def test_no_bytes_give_no_frame(self) -> None:
        unpacker = frame.Unpacker()
        assert list(unpacker.feed(b"")) == []
        unpacker.close()

    def test_end_between_two_frames_is_accepted(self) -> None:
        unpacker = frame.Unpacker()
        assert list(unpacker.feed(framed(b"abc"))) == [b"abc"]
        unpacker.close()

    @pytest.mark.parametrize("kept", range(1, 7))
    def test_end_inside_a_frame_is_a_protocol_error(self, kept: int) -> None:
        unpacker = frame.Unpacker()
        list(unpacker.feed(framed(b"before") + framed(b"abc")[:kept]))
        with pytest.raises(ProtocolError, match="closed inside a frame"):
            unpacker.close()


def long_payload(size: int, seed: int) -> bytes:
    """Return bytes that differ at every position where a stream is cut."""
    block = bytes((seed + index) % 251 for index in range(251))
    return (block * (size // 251 + 1))[:size]


class TestLimit:
    """The limit holds at the header."""

    def test_payload_of_the_limit_is_accepted(self) -> None:
        assert list(frame.Unpacker(5).feed(framed(b"12345"))) == [b"12345"]

    def test_length_over_the_limit_is_refused_before_its_payload(self) -> None:
        with pytest.raises(ProtocolError, match="6 bytes is over the limit of 5"):
            list(frame.Unpacker(5).feed(frame.header(6)))

    def test_default_limit_is_that_of_the_package(self) -> None:
        with pytest.raises(ProtocolError):
            list(frame.Unpacker().feed(frame.header(MAX_FRAME + 1)))

    def test_payloads_before_a_length_over_the_limit_are_given(self) -> None:
        received: list[bytes | memoryview] = []
        with pytest.raises(ProtocolError):
            for payload in frame.Unpacker(5).feed(
                framed(b"one") + framed(b"two") + frame.header(6)
            ):
                received.append(payload)
        assert received == [b"one", b"two"]

    def test_limit_holds_in_a_long_stream(self) -> None:
        received: list[bytes] = []
        with pytest.raises(ProtocolError, match=f"{LONG + 1} bytes is over the limit of {LONG}"):
            for payload in frame.Unpacker(LONG).feed(
                framed(bytes(LONG)) * 2 + frame.header(LONG + 1)
            ):
                received.append(bytes(payload))
        assert received == [bytes(LONG)] * 2


class TestLongStreams:
    """Long frames are not copied, and nothing of them is held."""

    def test_long_frame_in_many_chunks_is_whole(self) -> None:
        payload = bytes(range(256)) * 4096
        unpacker = frame.Unpacker()
        stream = framed(payload)
        received = [
            out
            for start in range(0, len(stream), 1000)
            for out in unpacker.feed(stream[start : start + 1000])
        ]
        assert received == [payload]

    @settings(max_examples=60)
    @given(sizes=st.lists(SIZES, max_size=5), data=st.data())
    def test_stream_of_long_frames_cut_anywhere_gives_its_payloads(
        self, sizes: list[int], data: st.DataObject
    ) -> None:
        payloads = [long_payload(size, seed) for seed, size in enumerate(sizes)]
        stream = b"".join(map(framed, payloads))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
        unpacker = frame.Unpacker()
        assert feed(unpacker, stream, cuts) == payloads
        unpacker.close()

    @pytest.mark.parametrize(
        "cut", [1, 3, 4, 5, LONG, LONG + 3, LONG + 4, LONG + 5, LONG + 7, LONG + 8, LONG + 9]
    )
    def test_long_frame_cut_at_its_edges_is_whole(self, cut: int) -> None:
        payloads = [b"ab", long_payload(LONG, 1), b"cd"]
        unpacker = frame.Unpacker()
        assert feed(unpacker, b"".join(map(framed, payloads)), [6 + cut]) == payloads
        unpacker.close()

    def test_long_frame_is_not_copied(self) -> None:
        stream = framed(long_payload(2 * LONG, 0))
        (payload,) = frame.Unpacker().feed(stream)
        assert isinstance(payload, memoryview)
        assert payload.obj is stream

    def test_short_frames_are_bytes(self) -> None:
        assert [type(payload) for payload in frame.Unpacker().feed(framed(b"abc") * 3)] == [
            bytes
        ] * 3

    @pytest.mark.parametrize("size", [40, 3 * LONG])
    @pytest.mark.parametrize("cut", [0, 2, 4, 20])
    def test_unpacker_without_a_frame_holds_nothing(self, size: int, cut: int) -> None:
        stream, unpacker = framed(bytes(size)), frame.Unpacker()
        pieces = [piece for piece in (stream[:cut], stream[cut:]) if piece]
        before = [*map(sys.getrefcount, pieces)]
        for piece in pieces:
            for payload in unpacker.feed(piece):
                assert len(payload) == size
                del payload
        del piece
        assert [*map(sys.getrefcount, pieces)] == before
        assert binaries(vars(unpacker)) == []


class TestMissing:
    """How many bytes to read next."""

    def test_missing_between_two_frames_is_a_header(self) -> None:
        unpacker = frame.Unpacker()
        assert unpacker.missing == frame.HEADER_SIZE
        list(unpacker.feed(framed(b"abc")))
        assert unpacker.missing == frame.HEADER_SIZE

    @given(payloads=PAYLOADS, data=st.data())
    def test_missing_inside_a_frame_is_its_rest(
        self, payloads: list[bytes], data: st.DataObject
    ) -> None:
        stream = b"".join(map(framed, payloads))
        ends = [
            sum(len(framed(payload)) for payload in payloads[:index])
            for index in range(len(payloads) + 1)
        ]
        unpacker, start = frame.Unpacker(), 0
        for stop in sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10))):
            list(unpacker.feed(stream[start:stop]))
            begun = max(end for end in ends if end <= stop)
            header = begun + frame.HEADER_SIZE
            expected = header if stop < header else min(end for end in ends if end > stop)
            assert unpacker.missing == expected - stop
            start = stop

    @given(payloads=PAYLOADS)
    def test_reader_of_the_missing_bytes_reads_no_other_frame(self, payloads: list[bytes]) -> None:
        stream = b"".join(map(framed, payloads))
        unpacker, received, at = frame.Unpacker(), list[bytes](), 0
        while at < len(stream):
            size = unpacker.missing
            received += map(bytes, unpacker.feed(stream[at : at + size]))
            at += size
        assert at == len(stream)
        assert received == payloads
