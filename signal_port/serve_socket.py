"""The Unix socket that `serve` listens on: who could replace it, who may open it, who serves it.

A client trusts the socket because of its path: it sends private keys to what listens there. So the
folder must be one that only root and we can write to. Nothing here knows a worker.

Two servers never replace each other's socket: each holds a lock on `PATH.lock` while it listens.
The lock file stays behind: removing it would let two servers lock two files of that name.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from typing import NamedTuple

MAX_PATH = 107  # bytes; sockaddr_un has 108, with the zero at the end
_BACKLOG = 1024  # connections that wait to be accepted; one more is refused at once
_FOLDER_MODE = 0o755  # of a folder that we make


class SocketError(Exception):
    """The socket cannot be served; the text is one sentence for the operator."""


class Listener(NamedTuple):
    """A listening socket, with what must be given up when it is closed.

    Attributes:
        socket: listens; does not block.
        path: where it is.
        lock: the descriptor of the locked file; None if the socket belongs to the service manager.
    """

    socket: socket.socket
    path: str
    lock: int | None

    def release(self) -> None:
        """Stop listening. Another server may take the path from now on."""
        if self.lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.socket.close()
        if self.lock is not None:
            os.close(self.lock)


def listen(path: str, mode: int) -> Listener:
    """Return a listener at an absolute path; a stale socket there is replaced.

    Args:
        path: up to `MAX_PATH` bytes. Its folder is made if only that is missing.
        mode: permissions of the socket, from the first moment on.

    Raises:
        SocketError: the path, its folder or what is there does not allow it.
    """
    try:
        _check_length(path)
        _check_folder(os.path.dirname(path))
        return _listen_alone(path, mode)
    except OSError as error:
        raise SocketError(f"cannot listen on {path}: {error.strerror or error}") from None


def unsafe_ancestors(path: str) -> list[str]:
    """Return the folders above the socket's own in which others could replace the one below."""
    folder = os.path.dirname(os.path.realpath(os.path.dirname(path)))
    return [above for above in _ancestors(folder) if _is_unsafe_ancestor(os.stat(above))]


def _check_length(path: str) -> None:
    length = len(os.fsencode(path))
    if length > MAX_PATH:
        raise SocketError(
            f"the path of a Unix socket has at most {MAX_PATH} bytes, and {path} has {length}: "
            "choose a shorter one"
        )


def _check_folder(folder: str) -> None:
    if not os.path.isdir(os.path.dirname(folder)):
        raise SocketError(
            f"there is no folder {os.path.dirname(folder)}: make it, or choose another"
        )
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, _FOLDER_MODE)
    found = os.stat(folder)
    if found.st_uid not in (0, os.geteuid()):
        reason = f"{folder} belongs to the user {found.st_uid}"
    elif found.st_mode & 0o022:
        reason = f"others can write to {folder} (mode {stat.S_IMODE(found.st_mode):04o})"
    else:
        return
    raise SocketError(
        f"{reason}, who could put another socket in place of this one: choose a folder that only "
        "you can write to (chmod go-w)"
    )


def _ancestors(folder: str) -> Iterator[str]:
    yield folder
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        yield folder


def _is_unsafe_ancestor(found: os.stat_result) -> bool:
    if found.st_uid not in (0, os.geteuid()):
        return True
    return bool(found.st_mode & 0o022) and not found.st_mode & stat.S_ISVTX


def _listen_alone(path: str, mode: int) -> Listener:
    lock = _lock(path)
    try:
        _remove_stale(path)
        return Listener(_bind(path, mode), path, lock)
    except BaseException:
        os.close(lock)
        raise


def _lock(path: str) -> int:
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SocketError(
            f"another signal-port serves {path}: stop that one, or choose another path"
        ) from None
    return lock


def _remove_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketError(f"{path} is no socket: remove it, or choose another path")
    if _is_served(path):
        raise SocketError(f"another program serves {path}: stop it, or choose another path")
    os.unlink(path)


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)  # a full queue is an answer too
        return client.connect_ex(path) != errno.ECONNREFUSED


def _bind(path: str, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
