"""The server behind `serve`: an inetd for one program, in one thread and one loop.

It accepts connections, refuses some, starts a worker for each of the others, and sees that each
connection and its worker end together. It never reads a byte of a conversation, so it holds no
secret. It does not know what a worker does.

How it learns that the peer has closed a connection, although it reads nothing: epoll reports a
hang-up of a Unix socket when the peer closed it, and no events are asked for. A peer that only ends
its own half still gets its answers: that is no hang-up, and the worker ends by itself.

A worker dies with the thread that started it (PR_SET_PDEATHSIG), so there must be only one thread.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from signal_port import systemd
from signal_port.serve_connection import Connection, describe_end
from signal_port.serve_log import Log
from signal_port.serve_socket import Listener

# Seconds between accept and the worker's start, which takes ten times as long. A balancer checks a
# server by connecting and closing at once: that starts no process.
SETTLE_TIME = 0.005

# Seconds that a worker has after its connection was closed. Nobody waits for it, so it is killed.
GRACE_TIME = 1.0

# Seconds without accepting after the system had no descriptor or memory for a connection.
PAUSE_TIME = 1.0


class Settings(NamedTuple):
    """What the operator decides.

    Attributes:
        command: the worker's program and arguments.
        environment: the worker's environment.
        uids: the users who may connect.
        max_workers: connections at a time.
        drain: seconds that running calls have when the server is stopped.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    uids: frozenset[int]
    max_workers: int
    drain: float


class Server:
    """Serves a listener until it is told to stop, by SIGTERM or SIGINT.

    Args:
        listener: what to accept from.
        settings: what the operator decides.
        log: where events go.
    """

    def __init__(self, listener: Listener, settings: Settings, log: Log) -> None:
        self._listener = listener
        self._settings = settings
        self._log = log
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._connections: dict[int, Connection] = {}  # by descriptor
        self._accepted = 0
        self._stops = 0  # signals that ask for the end
        self._resume_at: float | None = None

    def run(self) -> None:
        """Serve, then drain. Returns when no worker is left."""
        with self._signals():
            self._watch(self._listener.socket.fileno(), select.EPOLLIN, self._accept)
            systemd.notify("READY=1")
            while not self._stops:
                self._turn()
            systemd.notify("STOPPING=1")
            self._drain()

    # --- The loop ---

    def _turn(self, until: float | None = None) -> None:
        dues = [due for due in (until, self._resume_at, *self._dues()) if due is not None]
        timeout = max(0.0, min(dues) - monotonic()) if dues else None
        for descriptor, _ in self._epoll.poll(timeout):
            if handle := self._handlers.get(descriptor):  # else closed in this turn
                handle()
        self._reap()
        now = monotonic()
        for connection in list(self._connections.values()):
            if connection.due is not None and connection.due <= now:
                self._do_due(connection)
        if self._resume_at is not None and self._resume_at <= now:
            self._resume()

    def _dues(self) -> Iterator[float | None]:
        return (connection.due for connection in self._connections.values())

    def _do_due(self, connection: Connection) -> None:
        connection.due = None
        if connection.worker:
            connection.kill(f"did not end within {GRACE_TIME:g} s, and was killed")
        elif not connection.is_hung_up:  # else the next turn of the loop will be told
            self._start_worker(connection)

    def _watch(self, descriptor: int, events: int, handle: Callable[[], None]) -> None:
        self._epoll.register(descriptor, events)
        self._handlers[descriptor] = handle

    def _forget(self, descriptor: int) -> None:
        if self._handlers.pop(descriptor, None):
            self._epoll.unregister(descriptor)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        # A signal handler runs between two lines of the loop; the byte in the pair wakes the loop.
        awake, alarm = socket.socketpair()
        awake.setblocking(False)
        alarm.setblocking(False)
        signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        for number in signal.SIGTERM, signal.SIGINT:
            signal.signal(number, self._count_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._watch(awake.fileno(), select.EPOLLIN, lambda: _empty(awake))
        with awake, alarm:
            yield
            signal.set_wakeup_fd(-1)

    def _count_stop(self, *_: object) -> None:
        self._stops += 1

    # --- Connections ---

    def _accept(self) -> None:
        try:
            channel, _ = self._listener.socket.accept()
        except (BlockingIOError, ConnectionError):
            return  # taken by another, or gone
        except OSError as error:
            self._pause(error)
            return
        self._accepted += 1
        connection = Connection(self._accepted, channel)
        if reason := self._refusal(connection):
            self._refuse(connection, reason)
        else:
            self._admit(connection)

    def _refusal(self, connection: Connection) -> str | None:
        uid, limit = connection.peer.uid, self._settings.max_workers
        if uid not in self._settings.uids:
            return (
                f"signal-port serve does not admit the user {uid}: start it with --allow-uid {uid}"
            )
        if len(self._connections) >= limit:
            return (
                f"all {limit} workers of signal-port serve are in use: "
                "start it with a higher --max-workers"
            )
        return None

    def _refuse(self, connection: Connection, reason: str) -> None:
        self._log.write("refused", **connection.names, reason=reason)
        connection.refuse(reason)

    def _admit(self, connection: Connection) -> None:
        connection.due = monotonic() + SETTLE_TIME
        self._connections[connection.channel.fileno()] = connection
        hang_up_alone = 0
        self._watch(connection.channel.fileno(), hang_up_alone, lambda: self._hang_up(connection))

    def _hang_up(self, connection: Connection) -> None:
        self._forget(connection.channel.fileno())  # or it would be reported for ever
        if connection.worker:
            connection.due = monotonic() + GRACE_TIME
        else:
            self._remove(connection)
            connection.close()

    def _remove(self, connection: Connection) -> None:
        self._forget(connection.channel.fileno())
        del self._connections[connection.channel.fileno()]

    def _pause(self, error: OSError) -> None:
        self._log.write("warning", reason=f"no connection can be accepted ({error.strerror})")
        self._forget(self._listener.socket.fileno())
        self._resume_at = monotonic() + PAUSE_TIME

    def _resume(self) -> None:
        self._resume_at = None
        self._watch(self._listener.socket.fileno(), select.EPOLLIN, self._accept)

    # --- Workers ---

    def _start_worker(self, connection: Connection) -> None:
        settings = self._settings
        try:
            pid = connection.start_worker(settings.command, settings.environment)
        except OSError as error:
            self._remove(connection)
            self._refuse(connection, f"signal-port serve cannot start a worker ({error.strerror})")
        else:
            self._log.write("begin", **connection.names, worker=pid, open=len(self._connections))

    def _reap(self) -> None:
        # All children, not ours alone: as process 1 of a container we inherit those of others.
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._end(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _end(self, pid: int, status: int) -> None:
        for connection in self._connections.values():
            if connection.worker and connection.worker.pid == pid:
                connection.worker.returncode = status  # or its object would wait for it again
                self._remove(connection)
                connection.close()
                self._log.write(
                    "end",
                    **connection.names,
                    worker=pid,
                    seconds=connection.seconds,
                    reason=connection.killed_because or describe_end(status),
                )
                return

    # --- The end ---

    def _drain(self) -> None:
        self._forget(self._listener.socket.fileno())
        self._resume_at = None
        self._listener.release()
        self._log.write("draining", open=len(self._connections), seconds=self._settings.drain)
        self._end_inputs()
        deadline = monotonic() + self._settings.drain
        while self._connections and self._stops < 2 and monotonic() < deadline:
            self._turn(deadline)
        killed = len(self._connections)
        for connection in self._connections.values():
            connection.kill("did not finish its calls in time, and was killed")
        while self._connections:
            self._turn()
        self._log.write("stopped", killed=killed)

    def _end_inputs(self) -> None:
        for connection in list(self._connections.values()):
            if connection.worker:
                connection.end_input()
            else:
                self._remove(connection)
                connection.refuse("signal-port serve is stopping")


def _empty(awake: socket.socket) -> None:
    awake.recv(4096)
