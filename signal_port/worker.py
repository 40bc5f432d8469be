"""The one loop of a worker: read, decode, perform, encode, write.

It reads all that the pipe holds, performs every complete request in the order of their coming, and writes the replies
together: under load one system call serves many calls. An empty frame, or the end of the pipe between two frames, ends
it. It decides nothing else: who waits and what is tried again is the other side's business.
"""

import os
import select
from collections.abc import Iterable
from time import monotonic_ns

from signal_port import codec, frame, operations
from signal_port.limits import MAX_FRAME, MAX_HOLD_NS

PROTOCOL_VERSION = 1

_READ_SIZE = 64 * 1024  # bytes at least; what a pipe holds, unless it was widened
_MAX_READ_SIZE = 1024 * 1024  # bytes, of a long frame
_LONG = (
    64 * 1024
)  # bytes; a reply that, where it is alone, is not worth copying to stand behind its header


class Worker:
    """Serves requests from one descriptor to another.

    Args:
        source: the descriptor to read frames from.
        sink: the descriptor to write frames to.
        max_frame: the longest payload in either direction, in bytes.
        busy_wait: for how many microseconds to stay awake for the next requests, where they come that fast.
    """

    def __init__(
        self, source: int, sink: int, max_frame: int = MAX_FRAME, busy_wait: int = 0
    ) -> None:
        self._source = source
        self._sink = sink
        self._max_frame = max_frame
        self._busy_wait = busy_wait * 1000  # nanoseconds
        self._is_busy = False
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._held: list[bytes] = []  # replies not written yet, headers and payloads in turn
        self._moved_at = 0  # monotonic nanoseconds: when bytes last came or went

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
            while data := self._read(unpacker.missing):
                if not self._answer(unpacker.feed(data)):
                    return
                del data  # no object of a call is kept while the next is waited for
        finally:
            self._flush()
        unpacker.close()

    def _read(self, missing: int) -> bytes:
        # To fall asleep and be woken takes longer than most calls. So where requests follow upon replies at once, the
        # next is waited for awake, as the VM's schedulers do; where they do not, nothing is spent.
        begin = monotonic_ns()
        if self._is_busy:
            while not self._poll.poll(0) and monotonic_ns() - begin < self._busy_wait:
                os.sched_yield()
        data = os.read(self._source, min(max(missing, _READ_SIZE), _MAX_READ_SIZE))
        self._moved_at = monotonic_ns()
        self._is_busy = self._moved_at - begin < self._busy_wait
        return data

    def _answer(self, payloads: Iterable[bytes | memoryview]) -> bool:
        for payload in payloads:
            if not payload:
                return False
            self._hold(self._reply(payload))
            if monotonic_ns() - self._moved_at > MAX_HOLD_NS:
                self._flush()
        self._flush()
        return True

    def _reply(self, payload: bytes | memoryview) -> bytes:
        encode, tag, operation, args = codec.decode(payload)
        reply = encode(tag, operations.perform(operation, args))
        return reply if len(reply) <= self._max_frame else encode(tag, operations.TOO_LARGE)

    def _hold(self, payload: bytes) -> None:
        self._held += (frame.header(len(payload)), payload)

    def _flush(self) -> None:
        held, self._held = self._held, []  # before anything can fail: nothing is written twice
        if len(held) == 2 and len(held[1]) > _LONG:
            for part in held:
                self._write(part)
        else:
            self._write(b"".join(held))
        self._moved_at = monotonic_ns()

    def _write(self, part: bytes) -> None:
        data = memoryview(part)
        while data:
            data = data[os.write(self._sink, data) :]
