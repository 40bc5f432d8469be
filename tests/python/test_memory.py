"""The memory of a worker: its limit, what happens at it, and what an idle worker gives back."""

import os
import resource
import sys
from pathlib import Path
from typing import Any

import erlang
import pytest
from child import WORKER, Child, Ended, framed, frames, request, serve, terms
from parties import Parties

from signal_port import double_ratchet, memory
from signal_port.codec import atom
from signal_port.errors import UnfitError
from signal_port.exit_status import MEMORY, UNFIT
from signal_port.limits import MAX_FRAME, MEMORY_PER_FRAME_BYTE, MIN_MEMORY
from signal_port.messages import PreKeyInfo
from signal_port.worker import Worker

OK = atom("ok")
INIT = request("tag", "init")
MIB = 1024 * 1024
BESIDE = 10_000  # bytes of a request beside its longest argument; a session takes most
Call = tuple[str, list[Any]]

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux applies the limit")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[int, int]]]:
    """Return the limits that this process is given from now on; none is applied."""
    given: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: given.append(limit))
    return given


class TestLimit:
    """What SIGNAL_PORT_MAX_MEMORY is, and what the system is told."""

    @ON_LINUX
    @pytest.mark.parametrize("max_frame", [1000, MAX_FRAME])
    def test_limit_of_a_worker_follows_from_its_longest_frame(self, max_frame: int) -> None:
        with Child(*WORKER, str(max_frame)) as child:
            child.receive()
            limit = MIN_MEMORY + MEMORY_PER_FRAME_BYTE * max_frame
            assert resource.prlimit(child.process.pid, resource.RLIMIT_DATA) == (limit, limit)

    @ON_LINUX
    @pytest.mark.parametrize("size", [MIN_MEMORY, 10**12])
    def test_limit_that_is_given_is_applied(self, size: int, limits: list[Any]) -> None:
        memory.limit({memory.VARIABLE: str(size)}, MAX_FRAME)
        assert limits == [(resource.RLIMIT_DATA, (size, size))]

    @ON_LINUX
    def test_lower_limit_of_the_system_stays(
        self, limits: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (1, MIN_MEMORY))
        memory.limit({}, MAX_FRAME)
        assert limits == [(resource.RLIMIT_DATA, (MIN_MEMORY, MIN_MEMORY))]

    def test_infinity_is_no_limit(self, limits: list[Any]) -> None:
        memory.limit({memory.VARIABLE: "infinity"}, MAX_FRAME)
        assert limits == []

    def test_other_system_gets_no_limit(
        self, limits: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "platform", "plan9")
        memory.limit({}, MAX_FRAME)
        assert limits == []

    @pytest.mark.parametrize("error", [ValueError, OSError, ImportError])
    def test_system_that_refuses_is_no_error(
        self, error: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise error

        monkeypatch.setattr(resource, "setrlimit", refuse)
        memory.limit({}, MAX_FRAME)

    @pytest.mark.parametrize(
        "text", ["", "many", "-1", "1e9", "1 000", "\u0661" * 9, str(MIN_MEMORY - 1), "9" * 16]
    )
    def test_anything_else_is_refused_with_a_sentence(self, text: str, limits: list[Any]) -> None:
        with pytest.raises(UnfitError) as caught:
            memory.limit({memory.VARIABLE: text}, MAX_FRAME)
        assert str(caught.value) == (
            f"SIGNAL_PORT_MAX_MEMORY is {text!r}: set it to auto, to infinity or to a number of "
            f"bytes, at least {MIN_MEMORY}"
        )
        assert limits == []

    def test_refused_limit_is_the_notice_of_a_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(memory.VARIABLE, "many")
        ended = serve(INIT)
        ((kind, sentence),) = terms(ended.stdout)
        assert (ended.status, kind) == (UNFIT, "unfit")
        assert sentence.startswith("SIGNAL_PORT_MAX_MEMORY is 'many': ")


def dearest_calls(alice: bytes, room: int) -> list[Call]:
    """Return the calls that take most memory for a frame of that many bytes."""
    text, key = bytes(room - BESIDE), bytes(32)
    wire, _ = double_ratchet.encrypt_pre_key(alice, text, PreKeyInfo(1, 2, 3, key))
    return [
        ("aes_gcm_encrypt", [key, bytes(12), text, b"", 16]),
        ("dr_encrypt", [alice, text]),
        ("pksm_decode", [wire]),
    ]


def msgpack_request(operation: str, args: list[Any]) -> bytes:
    """Return a call in msgpack."""
    return request(1, operation, *args)


def etf_request(operation: str, args: list[Any]) -> bytes:
    """Return a call in the external term format."""
    terms = [erlang.OtpErlangBinary(arg) if type(arg) is bytes else arg for arg in args]
    term = (1, erlang.OtpErlangAtom(operation.encode()), terms)
    return framed(bytes(erlang.term_to_binary(term)))


@ON_LINUX
class TestEnough:
    """The limit leaves room for every call of the longest frame."""

    @pytest.mark.parametrize("encode", [msgpack_request, etf_request])
    def test_dearest_calls_are_answered(self, encode: Any, parties: Parties) -> None:
        size = 32 * MIB  # so long that the frame counts, and not what every worker may use
        calls = dearest_calls(parties.alice, size)
        ended = serve(b"".join(encode(*call) for call in calls), str(size))
        assert (ended.status, ended.stderr) == (0, "")
        assert len(frames(ended.stdout)) == 1 + len(calls)


def array_of(count: int, element: bytes) -> bytes:
    """Return a request with an argument that is an array of equal elements, as msgpack."""
    return framed(b"\x93\x01\xa6sha256\x91\xdd" + count.to_bytes(4, "big") + element * count)


TOO_MUCH = {
    "lists": array_of(4 * MIB, b"\x90"),
    "maps": array_of(4 * MIB, b"\x80"),
    "strings": array_of(2 * MIB, b"\xa2ab"),
}


@ON_LINUX
class TestTooMuch:
    """A call that goes over the limit ends the worker, which tells the operator why."""

    @pytest.fixture(autouse=True)
    def lowest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give a worker the least memory that it can be given."""
        monkeypatch.setenv(memory.VARIABLE, str(MIN_MEMORY))

    @pytest.mark.parametrize("stream", TOO_MUCH.values(), ids=TOO_MUCH)
    def test_worker_answers_the_calls_before_and_ends(self, stream: bytes) -> None:
        ended = serve(INIT + stream + INIT)
        assert terms(ended.stdout)[1:] == [["tag", OK]]
        check_memory(ended)

    def test_long_message_is_not_printed(self) -> None:
        secret = b"attack at dawn"
        ended = serve(request(1, "encrypt_message", bytes(64), secret * 2_000_000))
        check_memory(ended)
        assert secret.decode() not in ended.stderr


def check_memory(ended: Ended) -> None:
    """Assert that a worker has ended for want of memory."""
    assert ended.status == MEMORY
    assert ended.stderr.startswith("signal-port: a call took more memory than the worker may use: ")
    assert ended.stderr.count("\n") == 1


LONG_REQUEST = request(1, "sha256", bytes(2 * MIB))
LONG_ANSWER = request(1, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(MIB), b"", 16)
RELEASES = {
    "long request": ([LONG_REQUEST], 1),
    "long answer": ([LONG_ANSWER], 1),
    "short requests": ([request(1, "sha256", bytes(MIB // 2))] * 4, 0),
    "short after long": ([LONG_REQUEST, INIT, request(1, "sha256", bytes(MIB // 2))], 1),
}


class Poll:
    """Stands for select.poll: what has come, each time it is asked to wait."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def poll(self, milliseconds: int) -> list[str]:
        """Return what comes in that time."""
        assert milliseconds > 0
        return self.events


def releases(
    calls: list[bytes], events: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Return how often a worker gives memory back if such events come while it waits."""
    released: list[None] = []
    monkeypatch.setattr(memory, "release", lambda: released.append(None))
    requests = folder / "requests"
    requests.write_bytes(b"".join(calls))
    with requests.open("rb") as source, open(os.devnull, "wb") as sink:
        worker = Worker(source.fileno(), sink.fileno())
        monkeypatch.setattr(worker, "_poll", Poll(events))
        worker.serve()
    return len(released)


def resident(child: Child) -> int:
    """Return the bytes of a worker that are in memory."""
    lines = Path(f"/proc/{child.process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


class TestRelease:
    """An idle worker gives back what long frames have left behind."""

    @ON_LINUX
    def test_memory_of_long_frames_is_given_back(self) -> None:
        text = bytes(20 * MIB)
        with Child() as child:
            child.receive()
            before = resident(child)
            for _ in range(3):
                child.send(request(1, "encrypt_message", bytes(64), text))
                child.receive()
            child.until(lambda: resident(child) < before + 8 * MIB)

    def test_system_without_the_call_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ctypes", None)
        memory.release()

    @pytest.mark.parametrize(("calls", "times"), RELEASES.values(), ids=RELEASES)
    def test_memory_is_given_back_once_after_a_long_frame(
        self, calls: list[bytes], times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert releases(calls, [], tmp_path, monkeypatch) == times

    def test_busy_worker_keeps_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = [LONG_REQUEST, INIT, LONG_REQUEST]
        assert releases(calls, ["a request has come"], tmp_path, monkeypatch) == 0
