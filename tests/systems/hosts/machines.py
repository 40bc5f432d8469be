"""A crypto host, the host of the VM, and the callers, by the files of deploy/haproxy."""

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from network import BEAM, HOSTS, in_namespace, namespace, until

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy" / "haproxy"
PROXY_GROUP = "haproxy"
CONNECTIONS = 6
CALLERS = 12


def make_certificates(folder: Path) -> Path:
    """Make certificates by the script."""
    subprocess.run(["sh", str(DEPLOY / "make_certificates.sh"), str(folder), *HOSTS], check=True)
    return folder


class Host:
    """A crypto host: serve, and the HAProxy before it."""

    def __init__(self, name: str, folder: Path, certificates: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.tls = self.folder / "tls"
        self.tls.mkdir(parents=True)
        self.socket = self.folder / "worker.sock"
        self.log = self.folder / "log"
        self.install(certificates, name)
        self.start()

    def install(self, certificates: Path, name: str) -> None:
        """Give the host a certificate."""
        shutil.copy(certificates / "ca.pem", self.tls / "ca.pem")
        shutil.copy(certificates / f"{name}.pem", self.tls / "host.pem")

    def start(self) -> None:
        """Start both programs."""
        self.start_serve()
        self.start_proxy()

    def start_serve(self) -> None:
        """Start serve, and wait until it listens."""
        command = [sys.executable, "-I", "-B", str(ROOT / "signal_port"), "serve"]
        options = ["--socket", str(self.socket), "--allow-uid", "haproxy", "--mode", "0660"]
        inode = self.socket.exists() and self.socket.stat().st_ctime_ns
        self.serve = in_namespace(
            namespace(self.name), [*command, *options], self.log, group=PROXY_GROUP
        )
        until(lambda: self.socket.exists() and self.socket.stat().st_ctime_ns != inode, "serve")

    def start_proxy(self) -> None:
        """Start HAProxy."""
        self.proxy = in_namespace(
            namespace(self.name),
            ["haproxy", "-db", "-f", str(DEPLOY / "crypto-host.cfg")],
            self.log,
            TLS_FOLDER=str(self.tls),
            SOCKET=str(self.socket),
            SOCKET_GROUP=PROXY_GROUP,
        )

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End both programs."""
        self.end_proxy()
        self.end_serve(number)

    def end_proxy(self) -> None:
        """End HAProxy."""
        self.proxy.kill()
        self.proxy.wait()

    def end_serve(self, number: signal.Signals) -> None:
        """End serve."""
        self.serve.send_signal(number)
        self.serve.wait()

    def workers(self) -> int:
        """Return how many workers serve has started so far."""
        return self.log.read_text().count("begins: worker")


class Beam:
    """The host of the VM: HAProxy, and the callers."""

    def __init__(self, folder: Path, certificates: Path, idle_time: str = "1h") -> None:
        self.folder = folder
        self.socket = folder / "signal-port.sock"
        self._certificates = certificates
        self._idle_time = idle_time
        self.start()

    def start(self) -> None:
        """Start HAProxy."""
        self.proxy = in_namespace(
            BEAM,
            ["haproxy", "-db", "-f", str(DEPLOY / "beam-host.cfg")],
            self.folder / "beam.log",
            RUN_FOLDER=str(self.folder),
            TLS_FOLDER=str(self._certificates),
            VM_USER="root",
            IDLE_TIME=self._idle_time,
            **{name.upper().replace("-", "_"): address for name, address in HOSTS.items()},
        )
        until(lambda: len(self.healthy()) == len(HOSTS), "all hosts are healthy")

    def end(self) -> None:
        """End HAProxy."""
        self.proxy.kill()
        self.proxy.wait()

    def healthy(self) -> list[str]:
        """Return the hosts that HAProxy gives connections to."""
        lines = self.ask("show stat").splitlines()
        rows = [line.split(",") for line in lines if line.startswith("hosts,host-")]
        return [row[1] for row in rows if row[17].startswith("UP")]

    def sessions(self) -> dict[str, int]:
        """Return the connections of each host."""
        lines = self.ask("show stat").splitlines()
        rows = [line.split(",") for line in lines if line.startswith("hosts,host-")]
        return {row[1]: int(row[4]) for row in rows}

    def rebalance(self) -> None:
        """Close all connections, so that each is opened to the host that has the fewest."""
        for name in HOSTS:
            self.ask(f"shutdown sessions server hosts/{name}")

    def ask(self, command: str) -> str:
        """Return the answer to a command of HAProxy's."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.folder / "admin.sock"))
                client.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: client.recv(65536), b"")).decode()
        except OSError:
            return ""


class Callers:
    """The load, in a process of its own."""

    def __init__(
        self,
        command: str,
        path: Path,
        callers: int = CALLERS,
        connections: int = CONNECTIONS,
    ) -> None:
        numbers = ["--connections", str(connections), "--callers", str(callers)]
        self.process = subprocess.Popen(
            [*shlex.split(command), *numbers, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        until(lambda: self.report()["ready"] == connections, "all connections are ready")

    def report(self) -> dict[str, Any]:
        """Return what happened since the last report."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        figures: dict[str, Any] = json.loads(self.process.stdout.readline())
        return figures

    def end(self) -> None:
        """End the load."""
        self.process.kill()
        self.process.communicate()
