"""The one loop of a worker: read, decode, perform, encode, write.

It reads all that the pipe holds, performs every complete request in the order of their coming, and writes the replies
together: under load one system call serves many calls. An empty frame, or the end of the pipe between two frames, ends
it. It decides nothing else: who waits and what is tried again is the other side's business.
"""

import os
from time import monotonic_ns

from signal_port import codec, frame, operations
from signal_port.limits import MAX_FRAME, MAX_HOLD_NS

_READ_SIZE = 64 * 1024  # bytes; what a pipe holds


class Worker:
    """Serves requests from one descriptor to another.

    Args:
        source: the descriptor to read frames from.
        sink: the descriptor to write frames to.
        max_frame: the longest payload in either direction, in bytes.
    """

    def __init__(self, source: int, sink: int, max_frame: int = MAX_FRAME) -> None:
        self._source = source
        self._sink = sink
        self._max_frame = max_frame
        self._held: list[bytes] = []  # replies not written yet, headers and payloads in turn
        self._written_at = 0

    def notify(self, *terms: object) -> None:
        """Write a frame that answers no request."""
        self._hold(codec.encode_notice(*terms))
        self._flush()

    def serve(self) -> None:
        """Answer requests until the other side has no more.

        Raises:
            ProtocolError: what came is not of this protocol; everything before it has been answered.
        """
        unpacker = frame.Unpacker(self._max_frame)
        try:
            while data := os.read(self._source, _READ_SIZE):
                self._written_at = monotonic_ns()
                for payload in unpacker.feed(data):
                    if not payload:
                        return
                    self._hold(self._reply(payload))
                    if monotonic_ns() - self._written_at > MAX_HOLD_NS:
                        self._flush()
                self._flush()
        finally:
            self._flush()
        unpacker.close()

    def _reply(self, payload: bytes) -> bytes:
        request = codec.decode(payload)
        reply = codec.encode(request, operations.perform(request.operation, request.args))
        if len(reply) > self._max_frame:
            return codec.encode(request, operations.TOO_LARGE)
        return reply

    def _hold(self, payload: bytes) -> None:
        self._held += (frame.header(len(payload)), payload)

    def _flush(self) -> None:
        data = memoryview(b"".join(self._held))
        self._held.clear()
        while data:
            data = data[os.write(self._sink, data) :]
        self._written_at = monotonic_ns()
