#!/usr/bin/env python3
"""Three crypto hosts behind HAProxy, each lost in every way that we know, under load.

    run.py [--load "COMMAND ..."] [FAULT ...]

Every host is a network namespace with its own HAProxy, `signal-port serve` and certificate. The
namespace `signal-port-beam` has the HAProxy of the VM's side, and a bridge to the hosts. Nothing
leaves these namespaces.

For each fault it prints what the callers saw: no call may fail, none may be wrong. The load is
`load.py`; another program with the same contract can take its place, such as `load.escript`, which
is the application itself: `--load "escript tests/systems/load.escript"`.

Needs Linux, root, haproxy, iproute2 and openssl. If no namespace can be made, it prints why, and
exits with 0.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from time import sleep
from typing import Any

from faults import FAULTS, World
from machines import CONNECTIONS, ROOT, Beam, Callers, Host, make_certificates
from network import BEAM, HOSTS, fail, network, say, until

LOAD = f"{sys.executable} {ROOT / 'tests' / 'systems' / 'load.py'} --stall 5"
FAULT_TIME = 5.0  # seconds that a fault lasts under load


def suffer(name: str, world: World, callers: Callers, number: int) -> None:
    """Put a host through a fault and back, under load, and print what the callers saw."""
    host = list(world.hosts.values())[number % 2]  # the third is there for its certificate
    rebalance(world, callers)
    workers = host.workers()
    callers.report()
    FAULTS[name].begin(world, host)
    sleep(FAULT_TIME if "restarted" not in name else 0.0)
    during = callers.report()
    if "certificate" in name and host.workers() != workers:
        fail(f"{name}: the host was given connections")
    FAULTS[name].end(world, host)
    until(lambda: len(world.beam.healthy()) == len(HOSTS), f"{name}: all hosts are healthy again")
    until(lambda: added(during, callers.report())["ready"] == CONNECTIONS, f"{name}: all is well")
    del during["p99_ms"], during["p50_ms"]  # of the time before the host came back
    say(f"{name}: " + ", ".join(f"{fact} {value}" for fact, value in during.items()))
    if during["failed"] or during["wrong"] or not during["calls"]:
        fail(f"{name}: calls failed, or were wrong, or there were none")


def added(figures: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Add a later report to an earlier one: sums, the worst time, and what is ready now."""
    for name in {"calls", "failed", "wrong", "retries", "lost"} & figures.keys():
        figures[name] += more[name]
    figures["slowest_ms"] = max(figures["slowest_ms"], more["slowest_ms"])
    figures["ready"] = more["ready"]
    return figures


def rebalance(world: World, callers: Callers) -> None:
    """Spread the connections over all hosts, as an operator would after a host came back."""
    even = CONNECTIONS // len(HOSTS)
    while set(world.beam.sessions().values()) != {even}:
        world.beam.rebalance()
        sleep(0.3)  # they are opened again after a tenth of a second
        until(lambda: callers.report()["ready"] == CONNECTIONS, "all connections are ready")


def connections_idle(command: str, folder: Path, certificates: Path) -> None:
    """See that idle connections that the proxy closes are opened again."""
    beam = Beam(folder, certificates, idle_time="1s")
    callers = Callers(command, beam.socket, callers=0)
    sleep(4)
    report = callers.report()
    until(lambda: callers.report()["ready"] == CONNECTIONS, "idle connections are back")
    say(f"idle for four seconds, the proxy closes after one: {report['lost']} closed, all are back")
    if not report["lost"]:
        fail("the proxy closed no idle connection")
    callers.end()
    beam.end()


def checks_cost_no_worker(world: World) -> None:
    """See that health checks start no worker."""
    before = {name: host.workers() for name, host in world.hosts.items()}
    sleep(3)
    if before != {name: host.workers() for name, host in world.hosts.items()}:
        fail("health checks start workers")
    say("three seconds of health checks: no worker started")


def strangers_are_refused(world: World) -> None:
    """See that nobody gets a worker without a certificate of a VM's side."""
    host = world.hosts["host-a"]
    before = host.workers()
    certificates = {
        "no certificate": None,
        "a certificate of another authority": world.foreign / "beam.pem",
        "a certificate of a crypto host": world.certificates / "host-b.pem",
    }
    for what, certificate in certificates.items():
        if offers_a_worker(host, world.certificates, certificate):
            fail(f"{what} is enough for a worker")
    if not offers_a_worker(host, world.certificates, world.certificates / "beam.pem"):
        fail("this test cannot fail")
    until(lambda: host.workers() == before + 1, "one worker more")
    say("refused without a worker: " + ", ".join(certificates))


def offers_a_worker(host: Host, certificates: Path, certificate: Path | None) -> bool:
    """Tell whether a host sends a ready notice to a client with this certificate."""
    address = f"{HOSTS[host.name]}:7400"
    command = ["ip", "netns", "exec", BEAM, "openssl", "s_client", "-quiet", "-connect", address]
    command += ["-CAfile", str(certificates / "ca.pem"), "-servername", host.name]
    if certificate:
        command += ["-cert", str(certificate), "-key", str(certificate)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        assert client.stdout
        assert client.stdin
        data = client.stdout.read(20)  # ends with the connection
        client.stdin.close()
        client.kill()
    return b"ready" in data


def distance(world: World) -> None:
    """Print what a call costs on the way to another host: one caller, ways in turn."""
    ways = {"socket": world.hosts["host-a"].socket, "TLS": world.beam.socket}
    medians: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(3):
        for way, path in ways.items():
            callers = Callers(LOAD, path, callers=1, connections=1)
            sleep(1)
            medians[way].append(callers.report()["p50_ms"])
            callers.end()
    say(
        "one caller, median of a call: "
        + ", ".join(f"{way} {min(found)} ms" for way, found in medians.items())
    )


def can_run() -> bool:
    """Tell whether namespaces can be made here."""
    if os.geteuid() != 0:
        say("DID NOT RUN: it needs root")
        return False
    if subprocess.run(["ip", "netns", "add", BEAM], check=False).returncode:
        say("DID NOT RUN: this machine forbids network namespaces")
        return False
    return True


def run(command: str, names: list[str], folder: Path) -> None:
    """Run all faults."""
    certificates = make_certificates(folder / "certificates")
    hosts = {name: Host(name, folder, certificates) for name in HOSTS}
    try:
        beam = Beam(folder, certificates)
        world = World(hosts, beam, certificates, make_certificates(folder / "foreign"))
        checks_cost_no_worker(world)
        strangers_are_refused(world)
        distance(world)
        callers = Callers(command, beam.socket)
        sleep(3)
        say("nothing happens:", callers.report())
        for number, name in enumerate(names):
            suffer(name, world, callers, number)
        callers.end()
        beam.end()
        connections_idle(command, folder, certificates)
    finally:
        for host in hosts.values():
            host.end()


def main() -> None:
    """Run the command line."""
    parser = ArgumentParser()
    parser.add_argument("--load", default=LOAD)
    parser.add_argument("faults", nargs="*", default=list(FAULTS), metavar="FAULT")
    options = parser.parse_args()
    if not can_run():
        return
    folder = Path(tempfile.mkdtemp(prefix="sp-"))
    folder.chmod(0o755)
    with network():
        run(options.load, options.faults, folder)
    shutil.rmtree(folder)
    say("all well")


if __name__ == "__main__":
    main()
