"""Erlang's `{packet, 4}` frames: bytes in, payloads out, and back. No I/O.

A frame is a 32-bit big-endian length and a payload of that many bytes. A length over the limit is refused as soon as it
can be read, before anything of its payload is kept.
"""

from collections.abc import Iterator

from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME

HEADER_SIZE = 4


def header(length: int) -> bytes:
    """Return what goes before a payload of that many bytes."""
    return length.to_bytes(HEADER_SIZE, "big")


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

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield the payloads that are complete now. To be iterated to its end.

        Raises:
            ProtocolError: a length over the limit; the payloads before it have been yielded.
        """
        self._chunks.append(data)
        self._size += len(data)
        # A long frame comes in many chunks: joining them only when it is whole keeps that linear.
        if self._size < self._wanted:
            return
        stream = b"".join(self._chunks)
        start = 0
        while True:
            end = start + HEADER_SIZE
            if end <= self._size:
                length = int.from_bytes(stream[start:end], "big")
                if length > self._max_frame:
                    raise ProtocolError(f"a frame of {length} bytes is over the limit of {self._max_frame}")
                end += length
            if end > self._size:
                break
            yield stream[start + HEADER_SIZE : end]
            start = end
        rest = stream[start:]
        self._chunks = [rest]
        self._size = len(rest)
        self._wanted = end - start

    def close(self) -> None:
        """Say that the stream has ended.

        Raises:
            ProtocolError: it ended inside a frame.
        """
        if self._size:
            raise ProtocolError(f"the pipe was closed inside a frame, at least {self._wanted - self._size} bytes short")
