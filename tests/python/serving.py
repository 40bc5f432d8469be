"""`signal-port serve` as an operator starts it, and its clients. Tests wait for log lines."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any

import msgpack
from child import PACKAGE, ROOT, TIMEOUT, code, request

from signal_port import frame

SERVE = ("-I", "-B", str(PACKAGE), "serve")


def serve_with(*lines: str) -> tuple[str, ...]:
    """Return the arguments of a Python that runs these lines and then `serve`."""
    return code("from signal_port import serve", *lines, "sys.exit(serve.main(sys.argv[1:]))")


def workers_are(program: str) -> str:
    """Return the line that replaces the workers by a Python program."""
    return f"serve.worker_command = lambda *_: [sys.executable, '-c', {program!r}]"


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = monotonic() + TIMEOUT
    while not condition():
        assert monotonic() < end, "it never came so"
        sleep(0.002)


def state_of(pid: int) -> str:
    """Return what Linux says of a process: `"T"` is stopped, `"Z"` a zombie, `""` gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    return state_of(pid) not in ("", "Z", "X")


class Serving:
    """A running `serve`, with its log as JSON."""

    def __init__(self, path: Path, *arguments: str, program: tuple[str, ...] = SERVE) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, *program, "--socket", str(path), "--log", "json", *arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.lines: list[str] = []
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.start = self.event("listening")

    def __enter__(self) -> "Serving":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)

    def event(self, name: str) -> dict[str, Any]:
        """Return the next event of that name; others before it are passed over."""
        while True:
            found = self._events.get(timeout=TIMEOUT)
            if found["event"] == name:
                return found

    def events(self) -> list[str]:
        """Return the names of the events that have come and were not looked at."""
        found = []
        while not self._events.empty():
            found.append(self._events.get()["event"])
        return found

    def client(self) -> "Client":
        """Return a new connection."""
        return Client(self.path)

    def children(self) -> list[int]:
        """Return the processes that the server has started and not waited for, zombies included."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == self.process.pid:
                found.append(int(path.parent.name))
        return found

    def descriptors(self) -> int:
        """Return how many descriptors the server has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return the server's exit status."""
        return self.process.wait(TIMEOUT)

    def stop(self) -> int:
        """Stop the server and return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.decode())
            if line.startswith(b"{"):
                self._events.put(json.loads(line))


class Client:
    """A connection to a served socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))  # before the timeout: with one, a full queue is an error
        self.socket.settimeout(TIMEOUT)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self.socket.close()

    def ready(self) -> dict[str, Any]:
        """Return the versions of the ready notice."""
        notice = self.receive()
        assert notice[:2] == ["ready", 1]
        versions: dict[str, Any] = notice[2]
        return versions

    def send(self, data: bytes) -> None:
        """Send bytes, all of them."""
        self.socket.sendall(data)

    def call(self, operation: str, *args: Any) -> Any:
        """Return the answer to a call."""
        self.send(request(1, operation, *args))
        return self.receive()[1]

    def receive(self) -> Any:
        """Return the next frame's term."""
        return msgpack.unpackb(self._read(int.from_bytes(self._read(frame.HEADER_SIZE), "big")))

    def is_at_end(self) -> bool:
        """Wait for the next byte or the end; tell whether it was the end."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def end_output(self) -> None:
        """Close our half."""
        self.socket.shutdown(socket.SHUT_WR)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the connection has ended"
            data += more
        return data
