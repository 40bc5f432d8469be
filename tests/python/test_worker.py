"""The worker behind pipes: what it reads and writes, in which order, and how it ends."""

import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import erlang
import msgpack
import pytest
from child import (
    TIMEOUT,
    WORKER,
    Child,
    Ended,
    batch,
    framed,
    frames,
    python,
    request,
    serve,
    terms,
    worker_with,
)
from erlang import OtpErlangAtom, OtpErlangBinary
from etf_terms import encoded
from held import binaries

from signal_port import primitives, worker
from signal_port.codec import atom
from signal_port.errors import ProtocolError
from signal_port.exit_status import PROTOCOL
from signal_port.limits import MAX_FRAME
from signal_port.operations import OPERATIONS
from signal_port.worker import Worker

OK, ERROR = atom("ok"), atom("error")
INIT = request("tag", "init")
LONG = 64 * 1024  # bytes; a longer reply that is alone is written without a copy
PIPE_SIZE = 1024 * 1024  # bytes; the most that a pipe holds
MINUTES = 600_000_000  # microseconds; longer than any test waits


def served(folder: Path, stream: bytes, **options: Any) -> bytes:
    """Return the replies of a worker in this process, which reads the stream from a file."""
    requests, replies = folder / "requests", folder / "replies"
    requests.write_bytes(stream)
    source, sink = (
        os.open(requests, os.O_RDONLY),
        os.open(replies, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    )
    try:
        Worker(source, sink, **options).serve()
    finally:
        os.close(source)
        os.close(sink)
    return replies.read_bytes()


def the_one_line(ended: Ended) -> str:
    """Return the single line that it wrote on standard error."""
    assert ended.stderr.startswith("signal-port: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


class TestStart:
    """The ready notice, and an end without any request."""

    def test_first_frame_is_the_ready_notice(self) -> None:
        with Child() as child:
            kind, version, versions = child.receive()
            assert (kind, version) == ("ready", 1)
            assert versions["os_pid"] == child.process.pid
            packages = {"signal_port", "python", "cryptography", "openssl"}
            assert set(versions) == packages | {"executable", "os_pid", "sandbox"}

    def test_end_of_input_ends_it_with_status_0(self) -> None:
        ended = serve(b"")
        assert (ended.status, ended.stderr) == (0, "")
        assert len(frames(ended.stdout)) == 1


def answer_of(size: int) -> tuple[str, bytes, list[Any]]:
    """Return an operation and its arguments whose answer has a binary of that size."""
    return "aes_gcm_encrypt", bytes(32), [bytes(12), bytes(size), b"", 16]


class TestLongReplies:
    """A reply longer than a pipe holds."""

    def test_long_reply_is_written_whole(self) -> None:
        ended = serve(
            request(0, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(3_000_000), b"", 16) + INIT
        )
        (_, long), short = terms(ended.stdout)[1:]
        assert len(long[1]) == 3_000_000
        assert short == ["tag", OK]

    @pytest.mark.parametrize("size", [LONG - 100, LONG, LONG + 1, PIPE_SIZE + 1, 5 * PIPE_SIZE])
    def test_long_replies_among_short_ones_are_whole_and_in_order(self, size: int) -> None:
        operation, key, rest = answer_of(size)
        long = request("long", operation, key, *rest)
        ended = serve(INIT + long + INIT + INIT + long + long + INIT)
        replies = terms(ended.stdout)[1:]
        ciphertext, tag = primitives.aes_gcm_encrypt(key, *rest)
        whole = ["long", [OK, ciphertext, tag]]
        assert replies == [["tag", OK], whole, ["tag", OK], ["tag", OK], whole, whole, ["tag", OK]]
        assert (ended.status, ended.stderr) == (0, "")

    def test_reply_longer_than_the_pipe_waits_for_its_reader(self) -> None:
        operation, key, rest = answer_of(3 * PIPE_SIZE)
        with Child() as child:
            child.receive()
            child.send(request("long", operation, key, *rest) + INIT)
            tag, (ok, ciphertext, _) = child.receive()
            assert (tag, ok, len(ciphertext)) == ("long", OK, 3 * PIPE_SIZE)
            assert child.receive() == ["tag", OK]

    def test_reply_that_the_pipe_takes_in_pieces_is_written_whole(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        operation, key, rest = answer_of(2 * LONG)
        stream = INIT + request("long", operation, key, *rest) + INIT
        whole = served(tmp_path, stream)
        write = os.write
        monkeypatch.setattr(os, "write", lambda sink, data: write(sink, data[:1000]))
        assert served(tmp_path, stream) == whole


class TestRequests:
    """Requests and replies, one by one and many at once."""

    def test_request_is_answered_before_the_next_comes(self) -> None:
        with Child() as child:
            child.receive()
            for number in range(5):
                child.send(request(number, "sha256", b"%d" % number))
                assert child.receive() == [number, [OK, primitives.sha256(b"%d" % number)]]

    def test_requests_in_one_write_are_answered_in_order(self) -> None:
        ended = serve(b"".join(request(number, "sha256", b"%d" % number) for number in range(2000)))
        assert terms(ended.stdout)[1:] == [
            [number, [OK, primitives.sha256(b"%d" % number)]] for number in range(2000)
        ]
        assert ended.status == 0

    def test_request_in_single_bytes_is_answered(self) -> None:
        with Child() as child:
            child.receive()
            for byte in INIT + request(2, "sha512", b"abc"):
                child.send(bytes([byte]))
            assert child.receive() == ["tag", OK]
            assert child.receive() == [2, [OK, primitives.sha512(b"abc")]]

    def test_long_request_is_answered(self) -> None:
        data = bytes(range(256)) * 20_000
        ended = serve(request(0, "sha256", data))
        assert terms(ended.stdout)[1:] == [[0, [OK, primitives.sha256(data)]]]

    def test_refused_request_is_answered(self) -> None:
        ended = serve(
            request(1, "sign_data", b"", b"")
            + request(2, "no_such", b"")
            + request(3, "sha256")
            + INIT
        )
        assert terms(ended.stdout)[1:] == [
            [1, [ERROR, atom("invalid_private_key")]],
            [2, [ERROR, atom("unknown_operation")]],
            [3, [ERROR, atom("badarg")]],
            ["tag", OK],
        ]

    def test_reply_is_in_the_codec_of_its_request(self) -> None:
        etf = erlang.term_to_binary((7, OtpErlangAtom("sha256"), [OtpErlangBinary(b"abc")]))
        _, first, second, third = frames(serve(INIT + framed(etf) + INIT).stdout)
        assert first == third == msgpack.packb(["tag", OK])
        digest = OtpErlangBinary(primitives.sha256(b"abc"))
        assert erlang.binary_to_term(second) == (7, (OtpErlangAtom("ok"), digest))


class TestLimits:
    """The longest frame, in both directions."""

    def test_reply_over_the_limit_is_too_large(self) -> None:
        ended = serve(request(0, "sha512", b"") + INIT, "64")
        assert terms(ended.stdout)[1:] == [[0, [ERROR, atom("too_large")]], ["tag", OK]]
        assert ended.status == 0

    def test_reply_of_the_limit_is_sent(self) -> None:
        reply = msgpack.packb([0, [OK, primitives.sha512(b"")]])
        ended = serve(request(0, "sha512", b""), str(len(reply)))
        assert frames(ended.stdout)[1:] == [reply]

    def test_etf_reply_over_the_limit_is_too_large(self) -> None:
        etf = erlang.term_to_binary((0, OtpErlangAtom("sha512"), [OtpErlangBinary(b"")]))
        _, reply = frames(serve(framed(etf), "64").stdout)
        refusal = (OtpErlangAtom("error"), OtpErlangAtom("too_large"))
        assert erlang.binary_to_term(reply) == (0, refusal)

    def test_length_over_the_limit_ends_it_after_earlier_replies(self) -> None:
        ended = serve(INIT + INIT + (65).to_bytes(4, "big"), "64")
        assert terms(ended.stdout)[1:] == [["tag", OK]] * 2
        assert ended.status == PROTOCOL
        assert "65 bytes is over the limit of 64" in the_one_line(ended)

    def test_length_over_the_limit_ends_it_while_the_pipe_is_open(self) -> None:
        with Child() as child:
            child.receive()
            child.send(b"\xff\xff\xff\xff")
            assert child.process.wait(timeout=60) == PROTOCOL


def etf_batch(tag: Any, *calls: tuple[str, list[Any]]) -> bytes:
    """Return a request of many calls in the external term format, framed."""
    wire = [(OtpErlangAtom(name), [*map(OtpErlangBinary, args)]) for name, args in calls]
    return framed(encoded((tag, OtpErlangAtom("batch"), wire)))


class TestBatches:
    """Many calls in one frame."""

    def test_batch_is_answered_by_one_frame_in_order(self) -> None:
        ended = serve(batch(7, *(("sha256", [b"%d" % number]) for number in range(1000))) + INIT)
        assert terms(ended.stdout)[1:] == [
            [7, [[OK, primitives.sha256(b"%d" % number)] for number in range(1000)]],
            ["tag", OK],
        ]

    def test_etf_batch_is_answered_by_one_frame_in_order(self) -> None:
        _, reply, _ = frames(
            serve(
                etf_batch(7, *(("sha256", [b"%d" % number]) for number in range(1000))) + INIT
            ).stdout
        )
        tag, answers = erlang.binary_to_term(reply)
        assert tag == 7
        digests = (OtpErlangBinary(primitives.sha256(b"%d" % number)) for number in range(1000))
        assert answers == [(OtpErlangAtom("ok"), digest) for digest in digests]

    def test_empty_batch_is_answered(self) -> None:
        _, msgpack_reply, etf_reply = frames(serve(batch(7) + etf_batch(7)).stdout)
        assert msgpack.unpackb(msgpack_reply) == [7, []]
        assert erlang.binary_to_term(etf_reply) == (7, [])

    def test_batch_with_errors_and_nested_batches_is_answered(self) -> None:
        ended = serve(
            batch(
                7,
                ("init", []),
                ("sign_data", [b"", b""]),
                ("batch", []),
                ("sha256", []),
                ("init", []),
            )
        )
        refusals = [
            [ERROR, atom(name)] for name in ("invalid_private_key", "unknown_operation", "badarg")
        ]
        assert terms(ended.stdout)[1:] == [[7, [OK, *refusals, OK]]]

    @pytest.mark.parametrize(
        "calls", [[1], [["init"]], [["init", []], ["init", [], []]], [{}]], ids=repr
    )
    def test_malformed_batch_is_badarg_and_the_next_request_is_answered(
        self, calls: list[Any]
    ) -> None:
        ended = serve(request(7, "batch", *calls) + INIT)
        assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("badarg")]], ["tag", OK]]

    def test_batch_over_the_limit_is_too_large_as_a_whole(self) -> None:
        calls: list[tuple[str, list[Any]]] = [("sha256", [b"a"])] * 4
        reply = msgpack.packb([7, [[OK, primitives.sha256(b"a")]] * 4])
        assert frames(serve(batch(7, *calls), str(len(reply))).stdout)[1:] == [reply]
        ended = serve(batch(7, *calls) + INIT, str(len(reply) - 1))
        assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("too_large")]], ["tag", OK]]

    def test_batch_of_long_answers_over_the_limit_is_too_large(self) -> None:
        ended = serve(
            batch(7, *[("hkdf_sha256", [b"", b"", b"", 8160])] * 20) + INIT, str(2 * LONG)
        )
        assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("too_large")]], ["tag", OK]]

    def test_etf_batch_over_the_limit_is_too_large_as_a_whole(self) -> None:
        _, reply = frames(serve(etf_batch(7, *[("sha256", [b"a"])] * 4), "160").stdout)
        assert erlang.binary_to_term(reply) == (
            7,
            (OtpErlangAtom("error"), OtpErlangAtom("too_large")),
        )


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="what a process does is read in /proc"
)


def busy_child(microseconds: int) -> Child:
    """Return a worker that has answered requests as fast as they came."""
    child = Child(*WORKER, str(MAX_FRAME), str(microseconds))
    child.receive()
    for _ in range(3):
        child.send(INIT)
        child.receive()
    return child


def stays_awake(child: Child) -> bool:
    """Return True as soon as it has used CPU time without a request."""
    before = child.cpu_ticks()
    child.until(lambda: child.cpu_ticks() > before + 5)
    return True


def yields_before_each_read(monkeypatch: pytest.MonkeyPatch, sleep: int) -> list[int]:
    """Return how often a worker yielded before each read, which then took `sleep` microseconds.

    It waits awake for 1000 microseconds. Each yield takes 100, nothing else takes time. Requests
    come only while it is asleep: four, and the empty frame.
    """
    now, yields = 0, [0]
    (source, to), sink, read = os.pipe(), os.open(os.devnull, os.O_WRONLY), os.read
    coming = iter([INIT, INIT, INIT, INIT, framed(b"")])

    def yielded() -> None:
        nonlocal now
        now += 100_000
        yields[-1] += 1
        assert yields[-1] < 1000, "it does not fall asleep"

    def waited(descriptor: int, size: int) -> bytes:
        nonlocal now
        now += sleep * 1000
        yields.append(0)
        os.write(to, next(coming))
        return read(descriptor, size)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "monotonic_ns", lambda: now)
        patch.setattr(os, "sched_yield", yielded)
        patch.setattr(os, "read", waited)
        Worker(source, sink, busy_wait=1000).serve()
    for descriptor in (source, to, sink):
        os.close(descriptor)
    return yields[:-1]


class TestBusyWait:
    """A worker that waits awake for the next request."""

    def test_busy_worker_answers_the_same(self) -> None:
        operation, key, rest = answer_of(3 * LONG)
        requests = [request(number, "sha256", b"%d" % number) for number in range(200)]
        stream = b"".join(
            [
                *requests,
                request("long", operation, key, *rest),
                batch(1, ("init", [])),
                request(2, "no"),
            ]
        )
        assert (
            terms(serve(stream, str(MAX_FRAME), "1000").stdout)[1:]
            == terms(serve(stream).stdout)[1:]
        )

    def test_busy_worker_answers_one_request_after_the_other(self) -> None:
        with busy_child(MINUTES) as child:
            for number in range(100):
                child.send(request(number, "sha256", b"%d" % number))
                assert child.receive() == [number, [OK, primitives.sha256(b"%d" % number)]]

    def test_frame_in_pieces_is_read_awake(self) -> None:
        with busy_child(MINUTES) as child:
            for byte in request(1, "sha256", b"abc"):
                child.send(bytes([byte]))
            assert child.receive() == [1, [OK, primitives.sha256(b"abc")]]

    @needs_proc
    def test_fast_requests_keep_it_awake(self) -> None:
        with busy_child(MINUTES) as child:
            assert stays_awake(child)

    @needs_proc
    def test_no_more_requests_put_it_to_sleep(self) -> None:
        with busy_child(20_000) as child:
            child.until(lambda: child.state() == "S")
            before = child.cpu_ticks()
            assert child.is_silent_for(0.5)
            assert child.cpu_ticks() <= before + 1
            child.send(INIT)
            assert child.receive() == ["tag", OK]

    @needs_proc
    @pytest.mark.parametrize("busy_wait", ["0", str(MINUTES)])
    def test_start_leaves_it_asleep(self, busy_wait: str) -> None:
        with Child(*WORKER, str(MAX_FRAME), busy_wait) as child:
            child.receive()
            child.until(lambda: child.state() == "S")

    @needs_proc
    def test_busy_wait_of_zero_leaves_it_asleep(self) -> None:
        with busy_child(0) as child:
            child.until(lambda: child.state() == "S")

    @needs_proc
    def test_end_of_input_is_seen_awake(self) -> None:
        with busy_child(MINUTES) as child:
            assert stays_awake(child)
            assert child.end() == (0, b"", "")

    @needs_proc
    def test_empty_frame_is_seen_awake(self) -> None:
        with busy_child(MINUTES) as child:
            assert stays_awake(child)
            child.send(framed(b""))
            assert child.process.wait(timeout=TIMEOUT) == 0

    @needs_proc
    def test_pipe_closed_inside_a_frame_is_seen_awake(self) -> None:
        with busy_child(MINUTES) as child:
            child.send(b"\0\0")
            assert stays_awake(child)
            ended = child.end()
        assert ended.status == PROTOCOL
        assert "closed inside a frame" in the_one_line(ended)

    def test_slow_requests_cost_no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert yields_before_each_read(monkeypatch, sleep=1000) == [0, 0, 0, 0, 0]

    def test_fast_request_makes_it_wait_for_the_given_time(
        self,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert yields_before_each_read(monkeypatch, sleep=999) == [0, 10, 0, 10, 0]


INIT_TERM = encoded((1, OtpErlangAtom("init"), []))[1:]  # without the version
GARBAGE = {
    "text": b"GET / HTTP/1.1",
    "unused byte": b"\xc1",
    "etf": b"\x83\x00",
    "compressed etf": b"\x83\x50" + len(INIT_TERM).to_bytes(4, "big") + zlib.compress(INIT_TERM),
    "deep msgpack": b"\x93" + b"\x91" * 50_000,
    "deep etf": b"\x83" + b"\x68\x01" * 50_000,
}


class TestEnd:
    """What ends a worker, and that everything before is answered."""

    @pytest.mark.parametrize(
        "rest", [b"\0", b"\0\0\0", b"\0\0\0\x05", b"\0\0\0\x05abcd"], ids=bytes.hex
    )
    def test_pipe_closed_inside_a_frame_ends_it_after_earlier_replies(self, rest: bytes) -> None:
        ended = serve(INIT + rest)
        assert terms(ended.stdout)[1:] == [["tag", OK]]
        assert ended.status == PROTOCOL
        assert "closed inside a frame" in the_one_line(ended)

    @pytest.mark.parametrize("payload", GARBAGE.values(), ids=GARBAGE)
    def test_garbage_ends_it_after_earlier_replies(self, payload: bytes) -> None:
        ended = serve(INIT + framed(payload) + INIT)
        assert terms(ended.stdout)[1:] == [["tag", OK]]
        assert ended.status == PROTOCOL
        assert "is no request" in the_one_line(ended)

    def test_tag_too_deep_to_send_back_ends_it_after_earlier_replies(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_deep(
            _: Any,
        ) -> bytes:  # how deep that is depends on the Python
            raise RecursionError

        monkeypatch.setattr(erlang, "term_to_binary", too_deep)
        with pytest.raises(ProtocolError, match="nested too deep"):
            served(tmp_path, INIT + framed(b"\x83" + INIT_TERM) + INIT)
        assert terms((tmp_path / "replies").read_bytes()) == [["tag", OK]]

    def test_empty_frame_ends_it_after_earlier_replies(self) -> None:
        with Child() as child:
            child.receive()
            child.send(INIT + framed(b"") + INIT)
            assert child.receive() == ["tag", OK]
            assert child.process.wait(timeout=60) == 0
            ended = child.end()
        assert (ended.stdout, ended.stderr) == (b"", "")

    def test_closed_output_ends_it_quietly(self) -> None:
        with Child() as child:
            child.receive()
            assert child.process.stdout
            child.process.stdout.close()
            child.send(INIT)
            assert child.process.wait(timeout=60) == 0
            assert child.process.stderr
            assert child.process.stderr.read() == b""

    def test_interrupt_is_ignored(self) -> None:
        with Child() as child:
            child.receive()
            os.kill(child.process.pid, signal.SIGINT)
            child.send(INIT)
            assert child.receive() == ["tag", OK]
            assert child.end().status == 0


SECRET = b"attack at dawn"


def at_each_read(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Call a function whenever a worker waits for requests."""
    read = os.read

    def waited(source: int, size: int) -> bytes:
        look()
        return read(source, size)

    monkeypatch.setattr(os, "read", waited)


def held_by_the_worker() -> list[bytes]:
    """Return the binaries in the attributes and running functions of the worker that calls this."""
    found: list[bytes] = []
    at: FrameType | None = sys._getframe()
    while at := at and at.f_back:
        if at.f_globals is vars(worker):
            found += binaries(dict(at.f_locals))  # since Python 3.13 it is a view
    return found


KEPT_REQUESTS = {
    "one": request(SECRET, "sha256", SECRET),
    "many": request(SECRET, "sha256", SECRET) * 10,
    "batch": batch(SECRET, ("sha256", [SECRET]), ("hmac_sha256", [SECRET, SECRET])),
    "etf": framed(encoded((OtpErlangBinary(SECRET), OtpErlangAtom("init"), []))),
    "long": request(SECRET, "sha256", SECRET + bytes(3 * LONG)),
    "long answer": request(
        SECRET, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(3 * LONG), SECRET, 16
    ),
    "long tag": request(SECRET + bytes(3 * LONG), "init"),
    "refused": request(SECRET, "sign_data", SECRET, SECRET),
}


class TestMemory:
    """What a worker holds while it waits for the next request."""

    @pytest.mark.parametrize("stream", KEPT_REQUESTS.values(), ids=KEPT_REQUESTS)
    def test_waiting_worker_holds_nothing_of_a_call(
        self, stream: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[list[bytes]] = []
        at_each_read(monkeypatch, lambda: held.append(held_by_the_worker()))
        assert SECRET in served(tmp_path, stream)
        assert len(held) > 1
        assert not any(SECRET in data for data in held[-1])

    def test_held_bytes_are_seen_by_this_search(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[list[bytes]] = []
        at_each_read(monkeypatch, lambda: held.append(held_by_the_worker()))
        with pytest.raises(ProtocolError):
            served(tmp_path, request(1, "init") + framed(SECRET)[:-1])
        assert framed(SECRET)[:-1] in held[-1]

    @pytest.mark.parametrize("size", [40_000, 3_000_000])
    @pytest.mark.parametrize("operation", ["sha256", "sha512", "etf"])
    def test_waiting_worker_holds_no_memory_of_a_call(
        self, operation: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # sha512 answers with its argument: a long answer to a long request.
        monkeypatch.setitem(
            OPERATIONS, "sha512", OPERATIONS["sha512"]._replace(function=lambda data: data + b"!")
        )
        calls = {
            "sha256": request(0, "sha256", bytes(size)),
            "sha512": request(0, "sha512", bytes(size)),
            "etf": framed(
                encoded((0, OtpErlangAtom("sha512"), [OtpErlangBinary(bytes(size))])),
            ),
        }
        kept: list[int] = []
        at_each_read(monkeypatch, lambda: kept.append(tracemalloc.get_traced_memory()[0]))
        tracemalloc.start()
        try:
            served(tmp_path, calls[operation])  # first, to fill what is cached for good
            kept.clear()
            served(tmp_path, calls[operation])
        finally:
            tracemalloc.stop()
        assert kept[-1] - kept[0] < 20_000

    def test_long_reply_is_in_memory_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = 16 * PIPE_SIZE
        monkeypatch.setitem(
            OPERATIONS, "sha256", OPERATIONS["sha256"]._replace(function=lambda data: bytes(size))
        )
        before: list[int] = []
        at_each_read(monkeypatch, lambda: before.append(tracemalloc.get_traced_memory()[0]))
        written: list[int] = []
        write = os.write

        def writes(sink: int, data: bytes | memoryview) -> int:
            written.append(tracemalloc.get_traced_memory()[0])
            return write(sink, data)

        monkeypatch.setattr(os, "write", writes)
        tracemalloc.start()
        try:
            served(tmp_path, request(0, "sha256", b""))
        finally:
            tracemalloc.stop()
        assert size <= max(written) - before[0] < 1.5 * size


PRINTS = """
import os
print("stray", flush=True)
os.write(1, b"strayer\\n")
os.system("echo strayest")
return operations.atom("ok"), sys.stdin.read().encode() + os.read(0, 10)
"""


class TestStreams:
    """Standard input, standard output and what is behind them."""

    @pytest.mark.usefixtures("no_sandbox")
    def test_stray_output_goes_to_standard_error_and_input_is_empty(self) -> None:
        ended = python(*worker_with(PRINTS), stdin=request(1, "sha256", b"") + INIT)
        assert terms(ended.stdout)[1:] == [[1, [OK, b""]], ["tag", OK]]
        assert ended.stderr == "stray\nstrayer\nstrayest\n"

    def test_failing_worker_leaves_another_alone(self) -> None:
        with Child() as one, Child() as other:
            one.receive(), other.receive()
            one.send(b"\xff\xff\xff\xff")
            assert one.process.wait(timeout=60) == PROTOCOL
            other.send(INIT)
            reply: Any = other.receive()
            assert reply == ["tag", OK]

    @pytest.mark.parametrize("busy_wait", ["0", "1000"])
    def test_files_for_streams_are_served(self, busy_wait: str, tmp_path: Path) -> None:
        stream = INIT + request(1, "sha256", b"abc")
        requests, replies = tmp_path / "requests", tmp_path / "replies"
        requests.write_bytes(stream)
        with requests.open("rb") as source, replies.open("wb") as sink:
            command = [sys.executable, *WORKER, str(MAX_FRAME), busy_wait]
            ended = subprocess.run(
                command,
                stdin=source,
                stdout=sink,
                stderr=subprocess.PIPE,
                timeout=TIMEOUT,
                check=False,
            )
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert terms(replies.read_bytes())[1:] == [
            ["tag", OK],
            [1, [OK, primitives.sha256(b"abc")]],
        ]
