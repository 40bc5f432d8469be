"""A worker as the VM starts it, behind pipes. Tests wait for an event, never for a time."""

import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple

import msgpack

from signal_port import frame

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "signal_port"
TIMEOUT = 60  # seconds, for events that take milliseconds
WORKER = ("-I", "-B", str(PACKAGE), "worker")


class Ended(NamedTuple):
    """How a process ended, and what it wrote before."""

    status: int
    stdout: bytes
    stderr: str


def python(*arguments: str, stdin: bytes = b"") -> Ended:
    """Run Python with these arguments to its end."""
    command = [sys.executable, *arguments]
    ended = subprocess.run(
        command, input=stdin, capture_output=True, timeout=TIMEOUT, check=False, cwd=ROOT
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr.decode())


def code(*lines: str) -> tuple[str, ...]:
    """Return the arguments that run these lines in a Python that finds the package."""
    return "-I", "-B", "-c", "\n".join((f"import sys; sys.path.insert(0, {str(ROOT)!r})", *lines))


def worker_with(*lines: str, modules: str = "sys") -> tuple[str, ...]:
    """Return the arguments of a worker whose `sha256` runs these lines with its argument `data`.

    The lines return the whole answer. In them `operations` is the module, `function` themselves.
    The modules are imported before the start: in the sandbox nothing can be.
    """
    body = indent("\n".join(dedent(part).strip() for part in lines), "    ")
    return code(
        f"import {modules}",
        "from signal_port import operations, worker_command",
        f"def function(data):\n{body}",
        "row = operations.OPERATIONS['sha256']",
        "row = row._replace(function=function, answer=lambda term: term)",
        "operations.OPERATIONS['sha256'] = row",
        "sys.exit(worker_command.run_worker())",
    )


def framed(*payloads: bytes) -> bytes:
    """Return the payloads as frames."""
    return b"".join(frame.header(len(payload)) + payload for payload in payloads)


def request(tag: Any, operation: str, *args: Any) -> bytes:
    """Return a request in msgpack, framed."""
    return framed(msgpack.packb([tag, operation, list(args)]))


def frames(stream: bytes) -> list[bytes]:
    """Return the payloads of a whole stream."""
    unpacker = frame.Unpacker()
    payloads = [bytes(payload) for payload in unpacker.feed(stream)]
    unpacker.close()
    return payloads


def terms(stream: bytes) -> list[Any]:
    """Return the msgpack terms of a whole stream; the first is the notice."""
    return [msgpack.unpackb(payload) for payload in frames(stream)]


def batch(tag: Any, *calls: tuple[str, list[Any]]) -> bytes:
    """Return a request of many calls in msgpack, framed."""
    return request(tag, "batch", *calls)


def serve(stdin: bytes, *arguments: str) -> Ended:
    """Run a worker on that input to its end."""
    return python(*WORKER, *arguments, stdin=stdin)


class Child:
    """A worker to talk to."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *(arguments or WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdin
        assert self.process.stdout
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate(timeout=TIMEOUT)

    def send(self, data: bytes) -> None:
        """Write bytes to the worker, all of them."""
        while data:
            data = data[os.write(self._to, data) :]

    def receive(self) -> Any:
        """Return the next frame's msgpack term."""
        return msgpack.unpackb(self._read(int.from_bytes(self._read(frame.HEADER_SIZE), "big")))

    def state(self) -> str:
        """Return its state: `"S"` for asleep, `"R"` for running. Linux only."""
        return self._stat()[0]

    def cpu_ticks(self) -> int:
        """Return the CPU time it has used, in clock ticks of mostly 10 ms. Linux only."""
        return sum(map(int, self._stat()[11:13]))

    def is_silent_for(self, seconds: float) -> bool:
        """Return whether it writes nothing for that long."""
        ready, _, _ = select.select([self._from], [], [], seconds)
        return not ready

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        end = monotonic() + TIMEOUT
        while not condition():
            assert monotonic() < end, "the condition never held"

    def end(self) -> Ended:
        """Close the worker's input and wait for its end."""
        stdout, stderr = self.process.communicate(timeout=TIMEOUT)
        return Ended(self.process.returncode, stdout, stderr.decode())

    def _stat(self) -> list[str]:  # proc(5): the fields behind the name
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([self._from], [], [], TIMEOUT)
            assert ready, "no answer"
            more = os.read(self._from, size - len(data))
            assert more, "the worker has ended"
            data += more
        return data
