"""`signal-port serve`: workers behind a Unix socket, one for each connection.

This module knows the arguments and what a worker is started with. `server` has the loop,
`serve_socket` the socket's path, `serve_connection` a connection and its worker.
"""

import os
import pwd
import resource
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Mapping

from signal_port import systemd
from signal_port.exit_status import NO_INPUT, OK, USAGE, fail
from signal_port.limits import MAX_FRAME
from signal_port.serve_log import FORMATS, Log
from signal_port.serve_socket import Listener, SocketError, listen, unsafe_ancestors
from signal_port.server import Server, Settings

MAX_WORKERS = 64  # as MaxConnections= of systemd.socket(5); each takes up to 30 MB
DRAIN_TIME = 5.0  # seconds; Docker kills after ten
_OWN_DESCRIPTORS = 32  # more than the server has beside those of connections

# What Python, its libraries and the worker's own limits need of an environment. The rest, where a
# password of a database may be, is not given to a worker.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "NIX_LD")
_KEPT_PREFIXES = ("LC_", "LD_", "NIX_LD_", "OPENSSL_", "SIGNAL_PORT_")


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    if sys.platform != "linux":
        return fail("serve needs Linux, which tells who connects to a socket", USAGE)
    options = _parser().parse_args(arguments)
    log = Log(FORMATS[options.log])
    try:
        _allow_descriptors(options.max_workers)
        listener = _listener(options)
    except SocketError as error:
        return fail(str(error), NO_INPUT)
    settings = _settings(options)
    _log_start(log, listener, options, settings)
    Server(listener, settings, log).run()
    return OK


def worker_command(max_frame: int, busy_wait: int) -> list[str]:
    """Return the program and arguments of a worker: this very Python and package."""
    package = os.path.dirname(os.path.abspath(__file__))
    program = [] if getattr(sys, "frozen", False) else ["-I", "-B", package]
    return [sys.executable, *program, "worker", str(max_frame), str(busy_wait)]


def worker_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a worker gets."""
    return {
        name: value
        for name, value in variables.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }


# --- Arguments ---


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "signal-port serve",
        description="Serve workers on a Unix socket: a fresh process for each connection.",
        epilog="Root and the user that runs it may always connect. SIGTERM and SIGINT stop it.",
    )
    add = parser.add_argument
    add("--socket", metavar="PATH", help="where to listen; not needed if systemd passes a socket")
    add(
        "--max-workers",
        metavar="N",
        type=_positive,
        default=MAX_WORKERS,
        help="connections at a time; default %(default)s",
    )
    add(
        "--allow-uid",
        metavar="USER",
        type=_uid,
        nargs="+",
        action="extend",
        default=[],
        help="users who may connect too, by uid or name",
    )
    add(
        "--mode",
        metavar="MODE",
        type=_mode,
        default=0o600,
        help="permissions of the socket, octal; default 0600",
    )
    add("--log", choices=FORMATS, default="text", help="form of the log; default %(default)s")
    add(
        "--drain",
        metavar="SECONDS",
        type=_seconds,
        default=DRAIN_TIME,
        help="time for running calls when it is stopped; default %(default)g",
    )
    add(
        "--max-frame",
        metavar="BYTES",
        type=_positive,
        default=MAX_FRAME,
        help="longest frame to read or write; default %(default)s",
    )
    add(
        "--busy-wait",
        metavar="MICROSECONDS",
        type=_number,
        default=0,
        help="time that a worker waits awake for the next one; default %(default)s",
    )
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(f"'{text}' is no number")
    return int(text)


def _positive(text: str) -> int:
    if not _number(text):
        raise ArgumentTypeError("it must be at least 1")
    return int(text)


def _seconds(text: str) -> float:
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        raise ArgumentTypeError(f"'{text}' is no number of seconds")
    return float(text)


def _mode(text: str) -> int:
    if not text or text.strip("01234567") or int(text, 8) > 0o777:
        raise ArgumentTypeError(f"'{text}' is no mode such as 0660")
    return int(text, 8)


def _uid(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise ArgumentTypeError(f"there is no user '{text}' here: give the uid") from None


# --- From arguments to a server ---


def _settings(options: Namespace) -> Settings:
    return Settings(
        worker_command(options.max_frame, options.busy_wait),
        worker_environment(os.environ),
        frozenset({0, os.geteuid(), *options.allow_uid}),
        options.max_workers,
        options.drain,
    )


def _listener(options: Namespace) -> Listener:
    passed = systemd.passed_listener()
    path = options.socket and os.path.abspath(options.socket)
    if passed:
        if path and path != passed.path:
            raise SocketError(
                f"--socket names {path}, and the service manager passed {passed.path}: "
                "leave --socket out, or name the same path"
            )
        return passed
    if not path:
        raise SocketError("there is nothing to listen on: give --socket PATH")
    _check_mode(options.mode, options.allow_uid)
    return listen(path, options.mode)


def _check_mode(mode: int, allowed: Iterable[int]) -> None:
    others = sorted({*allowed} - {0, os.geteuid()})
    if others and not mode & 0o022:
        raise SocketError(
            f"--mode {mode:04o} keeps the user {others[0]} out, whom --allow-uid lets in: "
            "give --mode 0660 and the group of that user, or --mode 0666"
        )


def _allow_descriptors(max_workers: int) -> None:
    needed = max_workers + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise SocketError(
                f"{max_workers} workers need {needed} file descriptors, and the limit is {hard}: "
                "raise it (ulimit -n, LimitNOFILE=), or give a lower --max-workers"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _log_start(log: Log, listener: Listener, options: Namespace, settings: Settings) -> None:
    for folder in unsafe_ancestors(listener.path):
        log.write("warning", reason=f"others could replace the folders inside {folder}")
    log.write(
        "listening",
        socket=listener.path,
        mode=f"{os.stat(listener.path).st_mode & 0o777:04o}",
        uids=sorted(settings.uids),
        max_workers=options.max_workers,
    )
