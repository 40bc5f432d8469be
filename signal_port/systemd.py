"""What a service manager and its service say to each other: sockets that are passed, and states.

This is the protocol of sd_listen_fds(3) and sd_notify(3). systemd speaks it, and so do others that
start services. Without a service manager nothing is passed and nobody is notified.
"""

import contextlib
import os
import socket

from signal_port.serve_socket import Listener, SocketError

_FIRST_DESCRIPTOR = 3


def passed_listener() -> Listener | None:
    """Return the Unix socket that the service manager listens on for us; None if there is none.

    Raises:
        SocketError: more than one socket was passed, or one of another kind.
    """
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return None
    if count != "1":
        raise SocketError(f"the service manager passed {count} sockets: serve takes one")
    listener = socket.socket(fileno=_FIRST_DESCRIPTOR)
    listener.set_inheritable(False)
    if not _is_listening_on_a_path(listener):
        raise SocketError("the service manager passed no listening Unix stream socket")
    listener.setblocking(False)
    return Listener(listener, listener.getsockname(), None)


def notify(state: str) -> None:
    """Send a state to the service manager, for example `READY=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
        contextlib.suppress(OSError),  # without a manager that listens we serve all the same
    ):
        client.connect("\0" + address[1:] if address[0] == "@" else address)
        client.send(state.encode())


def _is_listening_on_a_path(listener: socket.socket) -> bool:
    return (
        (listener.family, listener.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
        and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        and isinstance(listener.getsockname(), str)
    )
