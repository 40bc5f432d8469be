"""Python's own time for an operation: no port, no codec, no Erlang in what is measured.

It reads the frames that a worker reads, each with a number of calls for a tag. It performs the
operation that many times and writes the nanoseconds of each as 8 bytes, all in one frame.
"""

import os
import sys
from time import perf_counter_ns

from signal_port import codec, frame, operations


def main() -> None:
    """Serve standard input until it ends."""
    unpacker = frame.Unpacker()
    while data := os.read(sys.stdin.fileno(), 65536):
        for payload in unpacker.feed(data):
            reply = measure(payload)
            sys.stdout.buffer.write(frame.header(len(reply)) + reply)
            sys.stdout.buffer.flush()


def measure(payload: bytes | memoryview) -> bytes:
    """Return the times of the calls that a request asks for."""
    _, calls, operation, args = codec.decode(payload)
    times = []
    for _ in range(int.from_bytes(calls, "big")):
        begin = perf_counter_ns()
        answer = operations.perform(operation, args)
        times.append(perf_counter_ns() - begin)
        if answer == operations.BADARG:
            raise ValueError(operation)
    return b"".join(time.to_bytes(8, "big") for time in times)


if __name__ == "__main__":
    main()
