"""What a service manager passes, and what it is told. The real one is run in `tests/systems`."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from signal_port import systemd
from signal_port.serve_socket import SocketError


@contextmanager
def passing(
    passed: socket.socket, monkeypatch: pytest.MonkeyPatch, count: str = "1"
) -> Iterator[None]:
    """Pass a socket to this process, as the service manager would."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", count)
    monkeypatch.setenv("LISTEN_FDNAMES", "worker")
    monkeypatch.setattr(systemd, "_FIRST_DESCRIPTOR", passed.detach())
    yield
    assert not {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} & os.environ.keys()


class TestPassedListener:
    """One listening Unix stream socket is taken, everything else is refused."""

    def test_nothing_passed_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LISTEN_PID", raising=False)
        assert systemd.passed_listener() is None

    def test_socket_passed_to_another_process_is_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LISTEN_PID", "1")
        monkeypatch.setenv("LISTEN_FDS", "1")
        assert systemd.passed_listener() is None

    def test_listening_socket_is_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passed = socket.socket(socket.AF_UNIX)
        monkeypatch.chdir(tmp_path)
        passed.bind("a.sock")
        passed.listen()
        passed.set_inheritable(True)
        with passing(passed, monkeypatch):
            listener = systemd.passed_listener()
        assert listener
        assert listener.path == "a.sock"
        assert not listener.socket.get_inheritable()
        assert not listener.socket.getblocking()
        listener.release()
        assert (tmp_path / "a.sock").is_socket()

    def test_two_sockets_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with (
            passing(socket.socket(socket.AF_UNIX), monkeypatch, "2"),
            pytest.raises(SocketError, match="passed 2 sockets"),
        ):
            systemd.passed_listener()

    @pytest.mark.parametrize(
        ("family", "kind"),
        [
            (socket.AF_UNIX, socket.SOCK_STREAM),
            (socket.AF_UNIX, socket.SOCK_DGRAM),
            (socket.AF_INET, socket.SOCK_STREAM),
        ],
        ids=["not_listening", "datagrams", "internet"],
    )
    def test_socket_of_another_kind_is_refused(
        self, family: int, kind: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            passing(socket.socket(family, kind), monkeypatch),
            pytest.raises(SocketError, match="no listening Unix stream socket"),
        ):
            systemd.passed_listener()


class TestNotify:
    """A state goes to the socket that the service manager names."""

    @pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
    def test_state_is_sent(
        self, is_abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        name = f"signal-port-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}" if is_abstract else name)
            monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if is_abstract else name)
            systemd.notify("READY=1")
            assert manager.recv(100) == b"READY=1"

    @pytest.mark.parametrize("address", ["", "/nowhere/notify"])
    def test_nobody_to_notify_is_no_error(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        systemd.notify("READY=1")
