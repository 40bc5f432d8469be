#!/usr/bin/env python3
"""What a call costs over each channel on one machine: a pipe, a served socket, ssh.

    channels.py [CALLS]     2000 calls of sha256 (64 bytes) for each channel, in five rounds

One caller, one call at a time; the channels take turns. The times are those of a Python client, so
they are for comparison with each other. Starts an sshd of its own on 127.0.0.1, with keys of its
own. Needs root, openssh-server and openssh-client.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import BinaryIO, NamedTuple

import msgpack

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-I", "-B", str(ROOT / "signal_port")]
ROUNDS = 5
DATA = bytes(range(64))
ANSWER = [msgpack.ExtType(1, b"ok"), hashlib.sha256(DATA).digest()]
SSHD_CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""


class Channel(NamedTuple):
    """Both directions of a worker that is ready, and how long its start took, in seconds."""

    write: BinaryIO
    read: BinaryIO
    start: float


def receive(stream: BinaryIO) -> object:
    """Return the next frame's term."""
    return msgpack.unpackb(stream.read(int.from_bytes(stream.read(4), "big")))


def ready(begun: float, write: BinaryIO, read: BinaryIO) -> Channel:
    """Return the channel when its notice has come."""
    notice = receive(read)
    if not isinstance(notice, list) or notice[0] != "ready":
        sys.exit(f"channels: FAILED: {notice}")
    return Channel(write, read, monotonic() - begun)


def call(channel: Channel) -> float:
    """Return how long a call takes, in seconds."""
    payload = msgpack.packb([1, "sha256", [DATA]])
    begun = monotonic()
    channel.write.write(len(payload).to_bytes(4, "big") + payload)
    channel.write.flush()
    if receive(channel.read) != [1, ANSWER]:
        sys.exit("channels: FAILED: a wrong answer")
    return monotonic() - begun


@contextmanager
def command(words: list[str]) -> Iterator[Channel]:
    """Start a worker by a command."""
    begun = monotonic()
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield ready(begun, process.stdin, process.stdout)
        process.stdin.close()


@contextmanager
def served(path: Path) -> Iterator[Channel]:
    """Connect to a served socket."""
    begun = monotonic()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        # Files as those of a pipe, so that Python's own time is the same.
        write, read = (os.fdopen(os.dup(client.fileno()), mode) for mode in ("wb", "rb"))
        with write, read:
            yield ready(begun, write, read)


@contextmanager
def running(words: list[str], is_ready: Callable[[], bool]) -> Iterator[None]:
    """Run a server beside."""
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while not is_ready():
            if process.poll() is not None:
                sys.exit(f"channels: FAILED: {words[0]} has ended")
            sleep(0.05)
        yield
        process.terminate()


def make_sshd(folder: Path) -> tuple[list[str], list[str], Callable[[], bool]]:
    """Return the commands of an sshd and of a worker behind it, and what tells that it listens."""
    for name in "host_key", "key":
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(SSHD_CONFIG.format(port=port, folder=folder))
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    options = ["UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR"]
    client = ["ssh", "-T", "-p", str(port), "-i", str(folder / "key")]
    client += [word for option in options for word in ("-o", option)]

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    worker = " ".join([*PROGRAM, "worker"])
    server = [shutil.which("sshd") or "sshd", "-D", "-f", str(folder / "config")]
    return server, [*client, "127.0.0.1", worker], listens


def main(calls: int = 2000) -> None:
    """Measure, and print a line for each channel."""
    folder = Path(tempfile.mkdtemp(prefix="sp-"))
    path = folder / "worker.sock"
    sshd, over_ssh, listens = make_sshd(folder)
    with ExitStack() as stack:
        serve = [*PROGRAM, "serve", "--socket", str(path)]
        stack.enter_context(running(serve, path.exists))
        stack.enter_context(running(sshd, listens))
        channels = {
            "pipe": stack.enter_context(command([*PROGRAM, "worker"])),
            "socket": stack.enter_context(served(path)),
            "ssh": stack.enter_context(command(over_ssh)),
        }
        times: dict[str, list[float]] = {name: [] for name in channels}
        for _ in range(ROUNDS):
            for name, channel in channels.items():
                times[name] += [call(channel) for _ in range(calls // ROUNDS)]
    shutil.rmtree(folder)
    for name, found in times.items():
        print(
            f"{name:<8} start {channels[name].start * 1000:4.0f} ms, a call: "
            f"median {median(found) * 1e6:4.0f} us, least {min(found) * 1e6:4.0f} us, "
            f"{median(found) / median(times['pipe']):.2f} times the pipe"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
