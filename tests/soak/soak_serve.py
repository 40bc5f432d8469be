#!/usr/bin/env python3
"""`signal-port serve` under thousands of connections, bad peers, and a storm of kills.

    soak_serve.py [--connections 10000] [--seconds 20] [--load "COMMAND ..."]

SECONDS is the time of each storm; the load of the storms is `load.py`, or another program with its
contract.
It prints what it measured, and fails if a call failed or was wrong, if anything is left over, or if
a good client's calls were more than twice as slow (p99) beside the bad ones. Takes Linux.
"""

import itertools
import json
import os
import random
import resource
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "python"))  # scripts, no package

from serving import Client, Serving, until

ROOT = Path(__file__).parents[2]
LOAD = f"{sys.executable} {ROOT / 'tests' / 'systems' / 'load.py'}"
BAD_PEERS = 200
GARBAGE = (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 8, b"\0\0\0\x10half", b"\0\0\0\1\xc1")


class Load:
    """The callers, in a process of their own."""

    def __init__(self, program: str, path: Path, callers: int, connections: int) -> None:
        numbers = ["--callers", str(callers), "--connections", str(connections)]
        command = [*shlex.split(program), *numbers, str(path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def report(self) -> dict[str, Any]:
        """Return what happened since the last report."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        figures: dict[str, Any] = json.loads(self.process.stdout.readline())
        return figures

    def during(self, seconds: float) -> dict[str, Any]:
        """Return what happens in that time."""
        self.report()
        sleep(seconds)
        return self.report()


@contextmanager
def load(path: Path, callers: int, connections: int, program: str = LOAD) -> Iterator[Load]:
    """Run the callers."""
    running = Load(program, path, callers, connections)
    until(lambda: bool(running.report()["calls"]))
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def say(what: str, **facts: Any) -> None:
    """Print a line of the result."""
    print(f"{what}: " + ", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)


def fail(sentence: str) -> None:
    """End with a sentence."""
    sys.exit(f"soak_serve: FAILED: {sentence}")


def check(what: str, figures: dict[str, Any]) -> None:
    """Print a report, and fail if a call did."""
    say(what, **figures)
    if figures["failed"] or figures["wrong"] or not figures["calls"]:
        fail(f"{what}: calls failed, or were wrong, or there were none")


def memory(pid: int) -> int:
    """Return the resident memory of a process, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1])


def open_and_close(serving: Serving, connections: int) -> None:
    """Open connections and close them: at once, while the worker starts, when it is ready."""
    dice = random.Random(1)
    for number in range(connections):
        client = serving.client()
        if number % 50 == 0:
            client.ready()
        elif number % 10 == 0:
            sleep(dice.random() * 0.05)
        client.socket.close()


def bad_peers(serving: Serving) -> list[Client]:
    """Return connections that have sent garbage, half a frame, or nothing."""
    clients = []
    for _, garbage in zip(range(BAD_PEERS), itertools.cycle(GARBAGE)):
        client = serving.client()
        client.send(garbage)
        clients.append(client)
    return clients


def nothing_is_left(serving: Serving, children: list[int], descriptors: int) -> None:
    """Wait until the server has the processes and descriptors that it had."""
    try:
        until(lambda: sorted(serving.children()) == sorted(children))
        until(lambda: serving.descriptors() == descriptors)
    except AssertionError:
        fail(f"left over: {serving.children()} and {serving.descriptors()} descriptors")


def many_connections(path: Path, connections: int) -> None:
    """Open and close thousands of connections beside a good client, and look for what is left."""
    with Serving(path, "--max-workers", str(BAD_PEERS + 50)) as serving:
        with load(path, callers=1, connections=1) as good:
            alone = good.during(5)
            children, descriptors = serving.children(), serving.descriptors()
            before = memory(serving.process.pid)
            check("a good client alone", alone)
            begun = monotonic()
            good.report()
            open_and_close(serving, connections)
            say("opened and closed", connections=connections, seconds=round(monotonic() - begun, 1))
            check("a good client beside them", good.report())
            nothing_is_left(serving, children, descriptors)
            clients = bad_peers(serving)
            until(lambda: serving.descriptors() <= descriptors + BAD_PEERS * 2 // 5)
            until(lambda: all(is_ready_or_gone(client) for client in clients))
            beside = good.during(5)
            check(f"a good client beside {BAD_PEERS} bad peers", beside)
            again = good.during(1)
            for client in clients:
                client.socket.close()
            nothing_is_left(serving, children, descriptors)
            alone_again = good.during(5)
            check("a good client alone again", alone_again)
        say("memory of the server", before_kib=before, after_kib=memory(serving.process.pid))
        slowest_alone = max(alone["p99_ms"], alone_again["p99_ms"])
        if min(beside["p99_ms"], again["p99_ms"]) > 2 * slowest_alone:
            fail("bad peers made a good client's calls more than twice as slow")
        serving.stop()


def is_ready_or_gone(client: Client) -> bool:
    """Tell whether its worker has sent something, or the connection has ended."""
    return bool(select.select([client.socket], [], [], 0)[0])


def storm_on_workers(path: Path, seconds: int, program: str) -> None:
    """Kill a worker every 200 ms under 24 callers."""
    with Serving(path) as serving, load(path, 24, 3, program) as callers:
        callers.report()
        killed, end = 0, monotonic() + seconds
        while monotonic() < end:
            sleep(0.2)
            for worker in random.sample(serving.children(), min(1, len(serving.children()))):
                os.kill(worker, signal.SIGKILL)
                killed += 1
        check(f"a worker killed every 200 ms, {killed} in all", callers.report())


def storm_on_the_server(path: Path, seconds: int, program: str) -> None:
    """Stop and kill the server in turn, and start it again, under 24 callers."""
    serving = Serving(path)
    with load(path, 24, 3, program) as callers:
        callers.report()
        ends = itertools.cycle((signal.SIGTERM, signal.SIGKILL))
        rounds, end = 0, monotonic() + seconds
        while monotonic() < end:
            sleep(1)
            serving.signal(next(ends))
            serving.wait()
            serving = Serving(path)
            rounds += 1
        sleep(1)
        check(f"the server stopped or killed, and started, {rounds} times", callers.report())
    serving.stop()


def main() -> None:
    """Run all."""
    parser = ArgumentParser()
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--load", default=LOAD)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = Path(tempfile.mkdtemp(prefix="sp-"))
    try:
        many_connections(folder / "worker.sock", options.connections)
        storm_on_workers(folder / "worker.sock", options.seconds, options.load)
        storm_on_the_server(folder / "worker.sock", options.seconds, options.load)
    finally:
        shutil.rmtree(folder)
    print("soak_serve: all well")


if __name__ == "__main__":
    main()
