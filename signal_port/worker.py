"""The loop of a worker: read, decode, perform, encode, write.

It reads everything that is in the pipe, performs the complete requests in order and writes their
replies together: under load one system call serves many calls. An empty frame, or the end of the
pipe between two frames, ends it. It does not know who waits for a reply, nor what is retried.
"""

import os
import select
from collections.abc import Iterable
from time import monotonic_ns

from signal_port import codec, frame, memory, operations
from signal_port.limits import MAX_FRAME, MAX_HOLD_NS

PROTOCOL_VERSION = 1

_READ_SIZE = 64 * 1024  # bytes; what a pipe holds, unless it was enlarged
_MAX_READ_SIZE = 1024 * 1024  # bytes, for a long frame
_LEAVES_MEMORY = 1024 * 1024  # bytes; the C library keeps memory of longer frames for later
_IDLE = 1000  # milliseconds without a request, after which that memory is given back
_LONG = 64 * 1024  # bytes; if a longer reply is alone, it is written without a copy


class Worker:
    """Serves requests from one descriptor to another.

    Args:
        source: the descriptor to read frames from.
        sink: the descriptor to write frames to.
        max_frame: the longest payload in either direction, in bytes.
        busy_wait: microseconds to wait awake for the next requests, as long as they come that fast.
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
        self._held: list[bytes] = []  # headers and payloads, in turn, that are not yet written
        self._leaves_memory = False
        self._moved_at = 0  # monotonic nanoseconds: when bytes were last read or written

    def notify(self, *terms: object) -> None:
        """Write a frame that answers no request."""
        self._hold(codec.encode_notice(*terms))
        self._flush()

    def serve(self) -> None:
        """Answer requests until the other side has no more.

        Raises:
            ProtocolError: the other side sent invalid data; everything before it was answered.
        """
        unpacker = frame.Unpacker(self._max_frame)
        try:
            while data := self._read(unpacker.missing):
                if not self._answer(unpacker.feed(data)):
                    return
                del data  # while the worker waits, it holds no object of a call
        finally:
            self._flush()
        unpacker.close()

    def _read(self, missing: int) -> bytes:
        # To fall asleep and be woken takes longer than most calls. So if requests come fast, the
        # worker waits awake for the next, like the VM's schedulers; else it sleeps.
        begin = monotonic_ns()
        if self._is_busy:
            while not self._poll.poll(0) and monotonic_ns() - begin < self._busy_wait:
                os.sched_yield()
        if self._leaves_memory and not self._poll.poll(_IDLE):
            memory.release()
            self._leaves_memory = False
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
        if len(payload) > _LEAVES_MEMORY or len(reply) > _LEAVES_MEMORY:
            self._leaves_memory = True
        return reply if len(reply) <= self._max_frame else encode(tag, operations.TOO_LARGE)

    def _hold(self, payload: bytes) -> None:
        self._held += (frame.header(len(payload)), payload)

    def _flush(self) -> None:
        held, self._held = self._held, []  # first, because an error must not write it twice
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
