"""The ways in which a host is lost, and how it comes back."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from machines import Beam, Host
from network import BEAM, ip, namespace


class World(NamedTuple):
    """All that a fault may touch."""

    hosts: dict[str, Host]
    beam: Beam
    certificates: Path
    foreign: Path  # certificates of the same names by another authority


class Fault(NamedTuple):
    """What happens to a host, and how it gets well."""

    begin: Callable[[World, Host], None]
    end: Callable[[World, Host], None]


def restart_proxy(host: Host, certificates: Path, name: str) -> None:
    """Start a host's HAProxy again, with another certificate."""
    host.end_proxy()
    host.install(certificates, name)
    host.start_proxy()


def slow_down(host: Host) -> None:
    """Let a host send no more than 64 kbit a second."""
    rate = ("tbf", "rate", "64kbit", "burst", "4kb", "latency", "2s")
    command = ["tc", "-n", namespace(host.name), "qdisc", "add", "dev", "eth0", "root", *rate]
    subprocess.run(command, check=True)


def speed_up(host: Host) -> None:
    """Take the brake off."""
    command = ["tc", "-n", namespace(host.name), "qdisc", "delete", "dev", "eth0", "root"]
    subprocess.run(command, check=True)


FAULTS = {
    "host killed": Fault(lambda _, host: host.end(), lambda _, host: host.start()),
    "host stopped": Fault(lambda _, host: host.end(signal.SIGTERM), lambda _, host: host.start()),
    "serve killed": Fault(
        lambda _, host: host.end_serve(signal.SIGKILL), lambda _, host: host.start_serve()
    ),
    "proxy frozen": Fault(
        lambda _, host: host.proxy.send_signal(signal.SIGSTOP),
        lambda _, host: host.proxy.send_signal(signal.SIGCONT),
    ),
    "host cut off": Fault(  # its packets are dropped, and nobody is told
        lambda _, host: ip("-n", BEAM, "link", "set", host.name, "down"),
        lambda _, host: ip("-n", BEAM, "link", "set", host.name, "up"),
    ),
    "host slow": Fault(lambda _, host: slow_down(host), lambda _, host: speed_up(host)),
    "certificate of another authority": Fault(
        lambda world, host: restart_proxy(host, world.foreign, host.name),
        lambda world, host: restart_proxy(host, world.certificates, host.name),
    ),
    "certificate of another host": Fault(
        lambda world, host: restart_proxy(host, world.certificates, "host-c"),
        lambda world, host: restart_proxy(host, world.certificates, host.name),
    ),
    "proxy of the VM's side restarted": Fault(
        lambda world, _: world.beam.end(), lambda world, _: world.beam.start()
    ),
}
