"""Erlang's `{packet, 4}` frames: bytes in, payloads out, and back. No I/O.

A frame is a 32-bit big-endian length and a payload of that many bytes. A length over the limit is refused as soon as it
can be read, before anything of its payload is kept.
"""

from collections.abc import Iterator
from struct import Struct

from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME

HEADER_SIZE = 4
_LENGTH = Struct(">I")
_LONG = 64 * 1024  # bytes; a stream that is not worth copying to be cut


def header(length: int) -> bytes:
    """Return what goes before a payload of that many bytes."""
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
        self._wanted = HEADER_SIZE  # bytes that the next header, or the frame begun, asks for

    @property
    def missing(self) -> int:
        """The bytes that the frame begun lacks, as far as is known."""
        return self._wanted - self._size

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Take the next bytes of the stream and yield the payloads that are complete now. To be iterated to its end.

        Raises:
            ProtocolError: a length over the limit; the payloads before it have been yielded.
        """
        self._size += len(data)
        if self._chunks:
            # A long frame comes in many chunks: joining them only when it is whole keeps that linear.
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
        """Say that the stream has ended.

        Raises:
            ProtocolError: it ended inside a frame.
        """
        if self._size:
            raise ProtocolError(
                f"the pipe was closed inside a frame, at least {self._wanted - self._size} bytes short"
            )
