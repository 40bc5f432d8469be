"""`signal-port doctor --socket PATH`: a call through a served socket, and how long it takes.

It is a health check: one sentence, and an exit status of 0 only if a worker returned the right
answer. A container's runtime takes 1 for unhealthy, so that is the status of every failure.
"""

import contextlib
import os
import socket
from hashlib import sha256
from time import monotonic
from typing import Any

import msgpack

from signal_port import frame
from signal_port.errors import ProtocolError
from signal_port.exit_status import OK, fail
from signal_port.serve_socket import MAX_PATH
from signal_port.worker import PROTOCOL_VERSION

TIMEOUT = 5.0  # seconds for all of it; a worker's start takes a tenth of one

_UNHEALTHY = 1
_MAX_FRAME = 64 * 1024  # bytes; the notice and the answer are far shorter
_DATA = b"signal-port doctor"
_TAG = 1


class Unhealthy(Exception):
    """No worker answered; the text is one sentence."""


def examine(path: str, timeout: float = TIMEOUT) -> int:
    """Make a call through the socket, print one sentence, return the exit status."""
    try:
        print(_call(path, timeout))
    except Unhealthy as error:
        return fail(str(error), _UNHEALTHY)
    return OK


def _call(path: str, timeout: float) -> str:
    begun = monotonic()
    deadline = begun + timeout
    with _connect(path, timeout) as client:
        reader = _Reader(client, path, deadline)
        versions = _versions(path, reader.next())
        ready = monotonic()
        payload = msgpack.packb([_TAG, "sha256", [_DATA]])
        reader.send(frame.header(len(payload)) + payload)
        if reader.next() != [_TAG, [msgpack.ExtType(1, b"ok"), sha256(_DATA).digest()]]:
            raise Unhealthy(f"a worker at {path} returned a wrong answer")
        answered = monotonic()
    return (
        f"{path}: a worker was ready after {_ms(ready - begun)} and answered after "
        f"{_ms(answered - ready)} (signal_port {versions.get('signal_port', 'unknown')}, "
        f"sandbox {versions.get('sandbox', 'unknown')})"
    )


def _connect(path: str, timeout: float) -> socket.socket:
    length = len(os.fsencode(path))
    if length > MAX_PATH:
        raise Unhealthy(f"a socket's path has at most {MAX_PATH} bytes, and {path} has {length}")
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    try:
        client.connect(path)
    except FileNotFoundError:
        client.close()
        raise Unhealthy(
            f"there is no socket {path}: start signal-port serve --socket {path}"
        ) from None
    except PermissionError:
        client.close()
        raise Unhealthy(
            f"the user {os.geteuid()} must not open {path}: run as a user that may, or start serve "
            f"with --mode 0666 --allow-uid {os.geteuid()}"
        ) from None
    except OSError as error:
        client.close()
        raise Unhealthy(f"nothing serves {path} ({error.strerror or error}): start it") from None
    return client


def _versions(path: str, notice: Any) -> dict[str, str]:
    match notice:
        case ["ready", version, dict(versions)] if version == PROTOCOL_VERSION:
            return versions
        case ["ready", version, *_]:
            raise Unhealthy(
                f"what serves {path} speaks version {str(version)[:20]} of the protocol, and this "
                f"is version {PROTOCOL_VERSION}: install the same signal-port on both sides"
            )
        case ["unfit", str(reason)]:
            raise Unhealthy(f"{path}: {reason.splitlines()[0][:1000] if reason else 'unfit'}")
    raise Unhealthy(_no_worker(path))


def _no_worker(path: str) -> str:
    return f"what serves {path} is no signal-port worker: choose another path"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


class _Reader:
    """Sends to a worker, and reads its frames, up to a deadline."""

    def __init__(self, client: socket.socket, path: str, deadline: float) -> None:
        self._client = client
        self._path = path
        self._deadline = deadline
        self._unpacker = frame.Unpacker(_MAX_FRAME)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the next read finds out why
            self._client.sendall(data)

    def next(self) -> Any:
        while True:
            try:
                for payload in self._unpacker.feed(self._receive()):
                    return msgpack.unpackb(payload)
            except (ProtocolError, ValueError, msgpack.UnpackException):
                raise Unhealthy(_no_worker(self._path)) from None

    def _receive(self) -> bytes:
        silent = (
            f"{self._path} was opened, and sent too little in time: it is overloaded, or no worker"
        )
        self._client.settimeout(max(0.001, self._deadline - monotonic()))
        try:
            data = self._client.recv(_MAX_FRAME)
        except TimeoutError:
            raise Unhealthy(silent) from None
        except OSError as error:
            raise Unhealthy(f"{self._path}: the connection is lost ({error.strerror})") from None
        if not data:
            raise Unhealthy(f"{self._path}: the connection was closed, without an answer")
        return data
