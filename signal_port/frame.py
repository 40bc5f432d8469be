"""Erlang's `{packet, 4}` frames: bytes in, payloads out, and back. No I/O.

A frame is a 32-bit big-endian length and a payload of that many bytes. A length over the limit is
refused as soon as it is read, before its payload is buffered.
"""

from collections.abc import Iterator
from struct import Struct

from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME

HEADER_SIZE = 4
_LENGTH = Struct(">I")
_LONG = 64 * 1024  # bytes; payloads of a longer stream are views instead of copies


def header(length: int) -> bytes:
    """Return the four bytes that stand before a payload of that many bytes."""
    return _LENGTH.pack(length)


class Unpacker:
    """Turns chunks of a byte stream, cut anywhere, into payloads.

    Args:
        max_frame: the longest payload to take, in bytes.
    """

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._chunks: list[bytes] = []
        self._size = 0  # bytes in the chunks
        self._wanted = HEADER_SIZE  # bytes of the current frame, or of the next header

    @property
    def missing(self) -> int:
        """The bytes that the current frame lacks, as far as its length is known."""
        return self._wanted - self._size

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Take the next bytes of the stream; yield each payload that is complete now.

        Iterate to the end before the next call.

        Raises:
            ProtocolError: a length is over the limit; the payloads before it were yielded.
        """
        self._size += len(data)
        if self._chunks:
            # A long frame comes in many chunks: to join them only at its end takes linear time.
            self._chunks.append(data)
            if self._size < self._wanted:
                return
            data = b"".join(self._chunks)
        stream = data if self._size <= _LONG else memoryview(data)
        start, wanted = 0, HEADER_SIZE
        while self._size - start >= HEADER_SIZE:
            (length,) = _LENGTH.unpack_from(data, start)
            if length > self._max_frame:
                raise ProtocolError(
                    f"a frame of {length} bytes is over the limit of {self._max_frame}"
                )
            wanted = HEADER_SIZE + length
            if self._size - start < wanted:
                break
            yield stream[start + HEADER_SIZE : start + wanted]
            start, wanted = start + wanted, HEADER_SIZE
        self._size -= start
        self._chunks = [data[start:]] if self._size else []
        self._wanted = wanted

    def close(self) -> None:
        """Take the end of the stream.

        Raises:
            ProtocolError: the stream ended inside a frame.
        """
        if self._size:
            missing = self._wanted - self._size
            raise ProtocolError(
                f"the pipe was closed inside a frame that lacks at least {missing} bytes"
            )
