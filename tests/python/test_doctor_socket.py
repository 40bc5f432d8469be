"""`signal-port doctor --socket PATH`: an answer and its time, or a sentence about what is wrong."""

import re
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgpack
import pytest
from child import framed, python
from serving import SERVE, Serving

from signal_port import doctor
from signal_port.codec import atom
from signal_port.doctor_socket import Unhealthy, _call, examine

READY = framed(msgpack.packb(["ready", 1, {"signal_port": "0.1", "sandbox": "none"}]))
DIGEST = sha256(b"signal-port doctor").digest()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path."""
    path = Path(tempfile.mkdtemp(prefix="sp-"))
    yield path
    shutil.rmtree(path)


@contextmanager
def answering(folder: Path, *parts: bytes, closes: bool = True) -> Iterator[str]:
    """Serve one connection: send the first part, then one more after what the client sends."""
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        channel, _ = listener.accept()
        with channel:
            for number, part in enumerate(parts):
                if number:
                    channel.recv(1, socket.MSG_PEEK)
                channel.sendall(part)
            if not closes:
                done.wait()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "a.sock"))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield str(folder / "a.sock")
        done.set()
        thread.join()


def reply(answer: object, tag: int = 1) -> bytes:
    """Return a reply, framed."""
    return framed(msgpack.packb([tag, answer]))


class TestAHealthyWorker:
    """The sentence has both times, and the status is zero."""

    def test_right_answer_is_healthy(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with answering(folder, READY, reply([atom("ok"), DIGEST])) as path:
            assert examine(path) == 0
        sentence = (
            re.escape(path)
            + r": a worker was ready after \d+\.\d ms and answered after \d+\.\d ms "
            + r"\(signal_port 0\.1, sandbox none\)\n"
        )
        assert re.fullmatch(sentence, capsys.readouterr().out)

    @pytest.mark.skipif(sys.platform != "linux", reason="serve needs Linux")
    def test_served_socket_is_healthy(self, folder: Path) -> None:
        with Serving(folder / "a.sock"):
            ended = python(*SERVE[:-1], "doctor", "--socket", str(folder / "a.sock"))
        assert (ended.status, ended.stderr) == (0, "")
        assert b"a worker was ready after" in ended.stdout

    def test_command_hands_the_path_over(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = str(folder / "missing")
        assert doctor.main(["--socket", path]) == 1
        assert f"there is no socket {path}" in capsys.readouterr().err

    def test_command_without_packages_is_unfit(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(doctor, "missing_requirement", lambda: "msgpack is missing")
        assert doctor.main(["--socket", "/x"]) == 78
        assert capsys.readouterr().err == "signal-port: msgpack is missing\n"


WRONG = {
    "another_answer": ([READY, reply([atom("ok"), b"x"])], "returned a wrong answer"),
    "another_tag": ([READY, reply([atom("ok"), DIGEST], 2)], "returned a wrong answer"),
    "another_version": ([framed(msgpack.packb(["ready", 2, {}]))], "speaks version 2 of the"),
    "unfit": ([framed(msgpack.packb(["unfit", "it is full\nx"]))], "a.sock: it is full"),
    "unfit_without_reason": ([framed(msgpack.packb(["unfit", ""]))], "a.sock: unfit"),
    "http": ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "is no signal-port worker"),
    "no_msgpack": ([framed(b"\xc1")], "is no signal-port worker"),
    "another_notice": ([framed(msgpack.packb({"hello": 1}))], "is no signal-port worker"),
    "nothing": ([b""], "the connection was closed, without an answer"),
    "half_a_notice": ([READY[:-1]], "the connection was closed, without an answer"),
}


class TestAnUnhealthyWorker:
    """One sentence says what is wrong, and the status is 1."""

    @pytest.mark.parametrize("parts, sentence", WRONG.values(), ids=WRONG)
    def test_worker_that_is_wrong_is_named(
        self, parts: list[bytes], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with answering(folder, *parts) as path:
            assert examine(path) == 1
        error = capsys.readouterr().err
        assert (sentence in error, error.count("\n")) == (True, 1)

    def test_silence_is_unhealthy(self, folder: Path) -> None:
        with (
            answering(folder, b"", closes=False) as path,
            pytest.raises(Unhealthy, match="sent too little in time"),
        ):
            _call(path, timeout=0.05)

    def test_connection_that_is_reset_is_unhealthy(self, folder: Path) -> None:
        # The peer closes with bytes that it has not read.
        with (
            answering(folder, READY, b"") as path,
            pytest.raises(Unhealthy, match=r"the connection is lost \(Connection reset by peer\)"),
        ):
            _call(path, timeout=60)

    def test_nobody_listening_is_unhealthy(self, folder: Path) -> None:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(folder / "a.sock"))
        with pytest.raises(Unhealthy, match=r"nothing serves .* \(Connection refused\)"):
            _call(str(folder / "a.sock"), timeout=60)

    def test_path_that_is_too_long_is_unhealthy(self) -> None:
        with pytest.raises(Unhealthy, match="at most 107 bytes"):
            _call("/" + "x" * 107, timeout=60)

    def test_socket_that_must_not_be_opened_is_unhealthy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def connect(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(socket.socket, "connect", connect)
        with pytest.raises(Unhealthy, match=r"must not open /x: .* --mode 0666 --allow-uid"):
            _call("/x", timeout=60)
