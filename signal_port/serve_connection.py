"""One connection of `serve`: who is at the other end, and the worker process that talks to it.

Not a byte of the connection is read here, and none is written but the notice of a refusal. We keep
a descriptor of it for two reasons: to see that the peer has closed it, and to close it for the peer
when the worker has ended, whatever may still hold a copy.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from signal_port.exit_status import CRASHED, MEMORY, OK, PROTOCOL, UNFIT
from signal_port.worker_command import write_unfit

_PR_SET_PDEATHSIG = 1  # prctl(2)
_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7)
_MEANINGS = {
    OK: "ended",
    PROTOCOL: "ended: the peer sent invalid protocol data",
    UNFIT: "ended: it lacks a requirement, which its notice named",
    CRASHED: "ended by an error of its own, which it wrote above",
    MEMORY: "ended: a call took more memory than it may use",
}


class Peer(NamedTuple):
    """The process that connected, as it was at that moment."""

    pid: int
    uid: int
    gid: int


class Connection:
    """A connection from its accept to its end.

    Args:
        number: names it in the log.
        channel: the accepted socket.

    Attributes:
        due: when something must happen, in monotonic seconds; None if nothing must.
        worker: the process; None before its start.
        killed_because: why we killed the worker; None if we did not.
    """

    def __init__(self, number: int, channel: socket.socket) -> None:
        self.number = number
        self.channel = channel
        self.peer = Peer(*_CREDENTIALS.unpack(_credentials(channel)))
        self.due: float | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.killed_because: str | None = None
        self._begun_at = monotonic()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return round(monotonic() - self._begun_at, 3)

    @property
    def names(self) -> dict[str, int]:
        """What the log calls it."""
        return {"connection": self.number, "uid": self.peer.uid, "pid": self.peer.pid}

    @property
    def is_hung_up(self) -> bool:
        """Whether the peer has closed it."""
        poll = select.poll()
        poll.register(self.channel, 0)
        return bool(poll.poll(0))

    def refuse(self, reason: str) -> None:
        """Send a notice with the reason, and close."""
        self.channel.setblocking(False)  # its buffer is empty: the notice fits
        with contextlib.suppress(OSError):
            write_unfit(self.channel.fileno(), reason)
        self.close()

    def start_worker(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start the worker, with the connection as its standard input and output; return its pid.

        Raises:
            OSError: the system cannot start it.
        """
        self.worker = subprocess.Popen(
            command,
            stdin=self.channel.fileno(),
            stdout=self.channel.fileno(),
            env=environment,
            cwd="/",
            start_new_session=True,  # a Ctrl-C in our terminal is ours
            preexec_fn=_dies_with(os.getpid()),
        )
        return self.worker.pid

    def end_input(self) -> None:
        """Have the worker read the end of its input behind the requests that have arrived."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RD)

    def kill(self, reason: str) -> None:
        """Kill the worker, which has not been waited for yet."""
        if self.worker:
            self.killed_because = reason
            os.kill(self.worker.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the connection for both sides."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        self.channel.close()


def describe_end(status: int) -> str:
    """Return how a worker ended, in words; the status is negative for a signal."""
    if status >= 0:
        return _MEANINGS.get(status, f"ended with exit status {status}")
    if -status == signal.SIGSYS:
        return "was killed by SIGSYS: it tried what the sandbox forbids"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-status}"


def _credentials(channel: socket.socket) -> bytes:
    return channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)


def _dies_with(server: int) -> Callable[[], None]:
    # Run between fork and exec: a server that is killed before the worker runs takes it along.
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != server:
            os._exit(OK)

    return prepare
