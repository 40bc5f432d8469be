"""Network namespaces: one for the VM's side with a bridge, and one for each crypto host."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

BEAM = "signal-port-beam"
HOSTS = {"host-a": "192.0.2.11", "host-b": "192.0.2.12", "host-c": "192.0.2.13"}
PATIENCE = 60.0  # seconds, for what takes one


def say(*words: object) -> None:
    """Print a line of the result."""
    print("test-hosts:", *words, flush=True)


def fail(sentence: str) -> None:
    """End with a sentence."""
    sys.exit(f"test-hosts: FAILED: {sentence}")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    end = monotonic() + PATIENCE
    while not condition():
        if monotonic() > end:
            fail(f"it never came so: {what}")
        sleep(0.05)


def ip(*arguments: str) -> None:
    """Run a command of iproute2."""
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def network() -> Iterator[None]:
    """Make the namespaces and a bridge between them."""
    remove_network()
    ip("netns", "add", BEAM)
    ip("-n", BEAM, "link", "add", "bridge", "type", "bridge")
    ip("-n", BEAM, "address", "add", "192.0.2.1/24", "dev", "bridge")
    ip("-n", BEAM, "link", "set", "bridge", "up")
    ip("-n", BEAM, "link", "set", "lo", "up")
    try:
        for name, address in HOSTS.items():
            add_host(name, address)
        yield
    finally:
        remove_network()


def add_host(name: str, address: str) -> None:
    """Make the namespace of a host, with a cable to the bridge."""
    ip("netns", "add", namespace(name))
    end = ("peer", "name", "eth0", "netns", namespace(name))
    ip("-n", BEAM, "link", "add", name, "type", "veth", *end)
    ip("-n", BEAM, "link", "set", name, "master", "bridge", "up")
    ip("-n", namespace(name), "address", "add", f"{address}/24", "dev", "eth0")
    ip("-n", namespace(name), "link", "set", "eth0", "up")


def remove_network() -> None:
    """Remove the namespaces, with all that is in them."""
    for name in (BEAM, *map(namespace, HOSTS)):
        subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def namespace(host: str) -> str:
    """Return the name of a host's namespace."""
    return f"signal-port-{host}"


def in_namespace(
    name: str, command: list[str], log: Path, group: str = "root", **environment: str
) -> subprocess.Popen[bytes]:
    """Start a program in a namespace."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["ip", "netns", "exec", name, *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            group=group,
        )
