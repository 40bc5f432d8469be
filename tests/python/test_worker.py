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
    code,
    framed,
    frames,
    python,
    request,
    serve,
    terms,
)
from erlang import OtpErlangAtom, OtpErlangBinary
from held import binaries

from signal_port import primitives, worker
from signal_port.codec import atom
from signal_port.errors import ProtocolError
from signal_port.limits import MAX_FRAME
from signal_port.operations import OPERATIONS
from signal_port.worker import Worker

OK, ERROR = atom("ok"), atom("error")
INIT = request("tag", "init")
PROTOCOL_STATUS = 76  # EX_PROTOCOL
LONG = 64 * 1024  # bytes; a longer reply is written by itself
PIPE_SIZE = 1024 * 1024  # bytes; the most that a pipe holds
MINUTES = 600_000_000  # microseconds; longer than any test waits


def served(folder: Path, stream: bytes, **options: Any) -> bytes:
    """Return what a worker of this process answers to a whole stream. It comes from a file, so that nothing waits."""
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
    """Return what it said on standard error, which is one line."""
    assert ended.stderr.startswith("signal-port: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


# --- The notice ---


def test_the_first_frame_says_that_it_is_ready() -> None:
    with Child() as child:
        kind, version, versions = child.receive()
        assert (kind, version) == ("ready", 1)
        assert versions["os_pid"] == child.process.pid
        assert set(versions) == {"signal_port", "python", "cryptography", "openssl", "os_pid"}


def test_it_ends_well_with_its_input() -> None:
    ended = serve(b"")
    assert (ended.status, ended.stderr) == (0, "")
    assert len(frames(ended.stdout)) == 1


# --- Requests and replies ---


def test_a_request_is_answered_before_the_next_comes() -> None:
    with Child() as child:
        child.receive()
        for number in range(5):
            child.send(request(number, "sha256", b"%d" % number))
            assert child.receive() == [number, [OK, primitives.sha256(b"%d" % number)]]


def test_many_requests_in_one_write_are_all_answered_in_order() -> None:
    ended = serve(b"".join(request(number, "sha256", b"%d" % number) for number in range(2000)))
    assert terms(ended.stdout)[1:] == [
        [number, [OK, primitives.sha256(b"%d" % number)]] for number in range(2000)
    ]
    assert ended.status == 0


def test_input_of_single_bytes_is_answered() -> None:
    with Child() as child:
        child.receive()
        for byte in INIT + request(2, "sha512", b"abc"):
            child.send(bytes([byte]))
        assert child.receive() == ["tag", OK]
        assert child.receive() == [2, [OK, primitives.sha512(b"abc")]]


def test_a_long_request_is_answered() -> None:
    data = bytes(range(256)) * 20_000
    ended = serve(request(0, "sha256", data))
    assert terms(ended.stdout)[1:] == [[0, [OK, primitives.sha256(data)]]]


def test_a_long_reply_is_written_whole() -> None:
    ended = serve(
        request(0, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(3_000_000), b"", 16) + INIT
    )
    (_, long), short = terms(ended.stdout)[1:]
    assert len(long[1]) == 3_000_000
    assert short == ["tag", OK]


def answer_of(size: int) -> tuple[str, bytes, list[Any]]:
    """Return an operation, one of its arguments and the others, whose answer's first binary has that size."""
    return "aes_gcm_encrypt", bytes(32), [bytes(12), bytes(size), b"", 16]


@pytest.mark.parametrize("size", [LONG - 100, LONG, LONG + 1, PIPE_SIZE + 1, 5 * PIPE_SIZE])
def test_long_replies_are_written_whole_and_in_order_among_short_ones(size: int) -> None:
    operation, key, rest = answer_of(size)
    long = request("long", operation, key, *rest)
    ended = serve(INIT + long + INIT + INIT + long + long + INIT)
    replies = terms(ended.stdout)[1:]
    ciphertext, tag = primitives.aes_gcm_encrypt(key, *rest)
    whole = ["long", [OK, ciphertext, tag]]
    assert replies == [["tag", OK], whole, ["tag", OK], ["tag", OK], whole, whole, ["tag", OK]]
    assert (ended.status, ended.stderr) == (0, "")


def test_a_reply_over_what_a_pipe_holds_waits_for_its_reader() -> None:
    operation, key, rest = answer_of(3 * PIPE_SIZE)
    with Child() as child:
        child.receive()
        child.send(request("long", operation, key, *rest) + INIT)
        tag, (ok, ciphertext, _) = child.receive()
        assert (tag, ok, len(ciphertext)) == ("long", OK, 3 * PIPE_SIZE)
        assert child.receive() == ["tag", OK]


def test_what_a_pipe_takes_in_pieces_is_written_to_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    operation, key, rest = answer_of(2 * LONG)
    stream = INIT + request("long", operation, key, *rest) + INIT
    whole = served(tmp_path, stream)
    write = os.write
    monkeypatch.setattr(os, "write", lambda sink, data: write(sink, data[:1000]))
    assert served(tmp_path, stream) == whole


def test_a_refusal_is_an_answer() -> None:
    ended = serve(
        request(1, "sign_data", b"", b"") + request(2, "no_such", b"") + request(3, "sha256") + INIT
    )
    assert terms(ended.stdout)[1:] == [
        [1, [ERROR, atom("invalid_private_key")]],
        [2, [ERROR, atom("unknown_operation")]],
        [3, [ERROR, atom("badarg")]],
        ["tag", OK],
    ]


def test_each_request_is_answered_in_its_own_codec() -> None:
    etf = erlang.term_to_binary(
        (7, erlang.OtpErlangAtom("sha256"), [erlang.OtpErlangBinary(b"abc")])
    )
    _, first, second, third = frames(serve(INIT + framed(etf) + INIT).stdout)
    assert first == third == msgpack.packb(["tag", OK])
    digest = erlang.OtpErlangBinary(primitives.sha256(b"abc"))
    assert erlang.binary_to_term(second) == (7, (erlang.OtpErlangAtom("ok"), digest))


# --- Limits ---


def test_a_reply_over_the_limit_is_too_large() -> None:
    ended = serve(request(0, "sha512", b"") + INIT, "64")
    assert terms(ended.stdout)[1:] == [[0, [ERROR, atom("too_large")]], ["tag", OK]]
    assert ended.status == 0


def test_a_reply_of_the_limit_is_sent() -> None:
    reply = msgpack.packb([0, [OK, primitives.sha512(b"")]])
    ended = serve(request(0, "sha512", b""), str(len(reply)))
    assert frames(ended.stdout)[1:] == [reply]


def test_a_reply_in_etf_over_the_limit_is_too_large() -> None:
    etf = erlang.term_to_binary((0, erlang.OtpErlangAtom("sha512"), [erlang.OtpErlangBinary(b"")]))
    _, reply = frames(serve(framed(etf), "64").stdout)
    refusal = (erlang.OtpErlangAtom("error"), erlang.OtpErlangAtom("too_large"))
    assert erlang.binary_to_term(reply) == (0, refusal)


def test_a_length_over_the_limit_ends_it_after_the_replies_before() -> None:
    ended = serve(INIT + INIT + (65).to_bytes(4, "big"), "64")
    assert terms(ended.stdout)[1:] == [["tag", OK]] * 2
    assert ended.status == PROTOCOL_STATUS
    assert "65 bytes is over the limit of 64" in the_one_line(ended)


def test_a_length_over_the_limit_ends_it_while_the_pipe_is_open() -> None:
    with Child() as child:
        child.receive()
        child.send(b"\xff\xff\xff\xff")
        assert child.process.wait(timeout=60) == PROTOCOL_STATUS


# --- Batches ---


def etf_batch(tag: Any, *calls: tuple[str, list[Any]]) -> bytes:
    """Return a request of many calls in the external term format, framed."""
    wire = [(OtpErlangAtom(name), [*map(OtpErlangBinary, args)]) for name, args in calls]
    return framed(bytes(erlang.term_to_binary((tag, OtpErlangAtom("batch"), wire))))


def test_a_batch_is_answered_by_one_frame_in_order() -> None:
    ended = serve(batch(7, *(("sha256", [b"%d" % number]) for number in range(1000))) + INIT)
    assert terms(ended.stdout)[1:] == [
        [7, [[OK, primitives.sha256(b"%d" % number)] for number in range(1000)]],
        ["tag", OK],
    ]


def test_a_batch_of_etf_is_answered_by_one_frame_in_order() -> None:
    _, reply, _ = frames(
        serve(etf_batch(7, *(("sha256", [b"%d" % number]) for number in range(1000))) + INIT).stdout
    )
    tag, answers = erlang.binary_to_term(reply)
    assert tag == 7
    digests = (OtpErlangBinary(primitives.sha256(b"%d" % number)) for number in range(1000))
    assert answers == [(OtpErlangAtom("ok"), digest) for digest in digests]


def test_an_empty_batch_is_answered() -> None:
    _, msgpack_reply, etf_reply = frames(serve(batch(7) + etf_batch(7)).stdout)
    assert msgpack.unpackb(msgpack_reply) == [7, []]
    assert erlang.binary_to_term(etf_reply) == (7, [])


def test_a_batch_with_errors_nested_batches_and_good_calls_is_answered() -> None:
    ended = serve(
        batch(
            7, ("init", []), ("sign_data", [b"", b""]), ("batch", []), ("sha256", []), ("init", [])
        )
    )
    refusals = [
        [ERROR, atom(name)] for name in ("invalid_private_key", "unknown_operation", "badarg")
    ]
    assert terms(ended.stdout)[1:] == [[7, [OK, *refusals, OK]]]


@pytest.mark.parametrize(
    "calls", [[1], [["init"]], [["init", []], ["init", [], []]], [{}]], ids=repr
)
def test_a_malformed_batch_is_badarg_and_the_next_request_is_answered(calls: list[Any]) -> None:
    ended = serve(request(7, "batch", *calls) + INIT)
    assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("badarg")]], ["tag", OK]]


def test_a_batch_whose_answers_are_over_the_limit_is_too_large_as_a_whole() -> None:
    calls: list[tuple[str, list[Any]]] = [("sha256", [b"a"])] * 4
    reply = msgpack.packb([7, [[OK, primitives.sha256(b"a")]] * 4])
    assert frames(serve(batch(7, *calls), str(len(reply))).stdout)[1:] == [reply]
    ended = serve(batch(7, *calls) + INIT, str(len(reply) - 1))
    assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("too_large")]], ["tag", OK]]


def test_a_batch_whose_answers_are_long_and_over_the_limit_is_too_large() -> None:
    ended = serve(batch(7, *[("hkdf_sha256", [b"", b"", b"", 8160])] * 20) + INIT, str(2 * LONG))
    assert terms(ended.stdout)[1:] == [[7, [ERROR, atom("too_large")]], ["tag", OK]]


def test_a_batch_of_etf_whose_answers_are_over_the_limit_is_too_large_as_a_whole() -> None:
    _, reply = frames(serve(etf_batch(7, *[("sha256", [b"a"])] * 4), "160").stdout)
    assert erlang.binary_to_term(reply) == (7, (OtpErlangAtom("error"), OtpErlangAtom("too_large")))


# --- Waiting awake ---

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="what a process does is read in /proc"
)


def busy_child(microseconds: int) -> Child:
    """Return a worker that has been answering requests as fast as they came, and has answered them all."""
    child = Child(*WORKER, str(MAX_FRAME), str(microseconds))
    child.receive()
    for _ in range(3):
        child.send(INIT)
        child.receive()
    return child


def stays_awake(child: Child) -> bool:
    """Tell, some time from now, that it works though nobody asks it anything."""
    before = child.cpu_ticks()
    child.until(lambda: child.cpu_ticks() > before + 5)
    return True


def test_a_worker_that_waits_awake_answers_the_same() -> None:
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
        terms(serve(stream, str(MAX_FRAME), "1000").stdout)[1:] == terms(serve(stream).stdout)[1:]
    )


def test_a_worker_that_waits_awake_answers_one_request_after_the_other() -> None:
    with busy_child(MINUTES) as child:
        for number in range(100):
            child.send(request(number, "sha256", b"%d" % number))
            assert child.receive() == [number, [OK, primitives.sha256(b"%d" % number)]]


def test_a_frame_that_comes_in_pieces_is_taken_awake() -> None:
    with busy_child(MINUTES) as child:
        for byte in request(1, "sha256", b"abc"):
            child.send(bytes([byte]))
        assert child.receive() == [1, [OK, primitives.sha256(b"abc")]]


@needs_proc
def test_it_stays_awake_after_requests_that_came_fast() -> None:
    with busy_child(MINUTES) as child:
        assert stays_awake(child)


@needs_proc
def test_it_falls_asleep_when_no_more_come_and_then_spends_nothing() -> None:
    with busy_child(20_000) as child:
        child.until(lambda: child.state() == "S")
        before = child.cpu_ticks()
        assert child.is_silent_for(0.5)
        assert child.cpu_ticks() <= before + 1
        child.send(INIT)
        assert child.receive() == ["tag", OK]


@needs_proc
@pytest.mark.parametrize("busy_wait", ["0", str(MINUTES)])
def test_it_is_asleep_until_the_first_request(busy_wait: str) -> None:
    with Child(*WORKER, str(MAX_FRAME), busy_wait) as child:
        child.receive()
        child.until(lambda: child.state() == "S")


@needs_proc
def test_without_a_time_to_stay_awake_it_sleeps_at_once() -> None:
    with busy_child(0) as child:
        child.until(lambda: child.state() == "S")


@needs_proc
def test_the_end_of_its_input_is_seen_awake() -> None:
    with busy_child(MINUTES) as child:
        assert stays_awake(child)
        assert child.end() == (0, b"", "")


@needs_proc
def test_an_empty_frame_is_seen_awake() -> None:
    with busy_child(MINUTES) as child:
        assert stays_awake(child)
        child.send(framed(b""))
        assert child.process.wait(timeout=TIMEOUT) == 0


@needs_proc
def test_a_pipe_closed_inside_a_frame_is_seen_awake() -> None:
    with busy_child(MINUTES) as child:
        child.send(b"\0\0")
        assert stays_awake(child)
        ended = child.end()
    assert ended.status == PROTOCOL_STATUS
    assert "closed inside a frame" in the_one_line(ended)


def yields_before_each_read(monkeypatch: pytest.MonkeyPatch, sleep: int) -> list[int]:
    """Return how often a worker let others run before each read, which then took `sleep` microseconds.

    It stays awake for 1000 microseconds; each time it lets others run costs 100, and nothing else takes time. Its
    requests come only when it has fallen asleep: four, and the empty frame.
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


def test_nothing_is_spent_on_requests_that_come_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert yields_before_each_read(monkeypatch, sleep=1000) == [0, 0, 0, 0, 0]


def test_after_a_request_that_came_fast_it_waits_as_long_as_it_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert yields_before_each_read(monkeypatch, sleep=999) == [0, 10, 0, 10, 0]


# --- Ends ---


@pytest.mark.parametrize(
    "rest", [b"\0", b"\0\0\0", b"\0\0\0\x05", b"\0\0\0\x05abcd"], ids=bytes.hex
)
def test_a_pipe_closed_inside_a_frame_ends_it_after_the_replies_before(rest: bytes) -> None:
    ended = serve(INIT + rest)
    assert terms(ended.stdout)[1:] == [["tag", OK]]
    assert ended.status == PROTOCOL_STATUS
    assert "closed inside a frame" in the_one_line(ended)


INIT_TERM = bytes(erlang.term_to_binary((1, erlang.OtpErlangAtom("init"), [])))[
    1:
]  # without the version
GARBAGE = {
    "text": b"GET / HTTP/1.1",
    "unused byte": b"\xc1",
    "etf": b"\x83\x00",
    "compressed etf": b"\x83\x50" + len(INIT_TERM).to_bytes(4, "big") + zlib.compress(INIT_TERM),
    "deep msgpack": b"\x93" + b"\x91" * 50_000,
    "deep etf": b"\x83" + b"\x68\x01" * 50_000,
}


@pytest.mark.parametrize("payload", GARBAGE.values(), ids=GARBAGE)
def test_a_frame_of_garbage_ends_it_after_the_replies_before(payload: bytes) -> None:
    ended = serve(INIT + framed(payload) + INIT)
    assert terms(ended.stdout)[1:] == [["tag", OK]]
    assert ended.status == PROTOCOL_STATUS
    assert "is no request" in the_one_line(ended)


def test_a_tag_too_deep_to_go_back_ends_it_after_the_replies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_deep(
        _: Any,
    ) -> bytes:  # how deep that is, and whether it can be decoded then, depends on the Python
        raise RecursionError

    monkeypatch.setattr(erlang, "term_to_binary", too_deep)
    with pytest.raises(ProtocolError, match="nested too deep"):
        served(tmp_path, INIT + framed(b"\x83" + INIT_TERM) + INIT)
    assert terms((tmp_path / "replies").read_bytes()) == [["tag", OK]]


def test_an_empty_frame_ends_it_after_the_replies_before() -> None:
    with Child() as child:
        child.receive()
        child.send(INIT + framed(b"") + INIT)
        assert child.receive() == ["tag", OK]
        assert child.process.wait(timeout=60) == 0
        ended = child.end()
    assert (ended.stdout, ended.stderr) == (b"", "")


def test_it_ends_quietly_when_nobody_reads_its_replies() -> None:
    with Child() as child:
        child.receive()
        assert child.process.stdout
        child.process.stdout.close()
        child.send(INIT)
        assert child.process.wait(timeout=60) == 0
        assert child.process.stderr
        assert child.process.stderr.read() == b""


def test_an_interrupt_is_not_its_business() -> None:
    with Child() as child:
        child.receive()
        os.kill(child.process.pid, signal.SIGINT)
        child.send(INIT)
        assert child.receive() == ["tag", OK]
        assert child.end().status == 0


# --- What is kept while it waits ---

SECRET = b"attack at dawn"


def at_each_read(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Have a look at the moments in which a worker waits for requests."""
    read = os.read

    def waited(source: int, size: int) -> bytes:
        look()
        return read(source, size)

    monkeypatch.setattr(os, "read", waited)


def held_by_the_worker() -> list[bytes]:
    """Return the binaries that the worker which calls this holds, in its attributes and in its running functions."""
    found: list[bytes] = []
    at: FrameType | None = sys._getframe()
    while at := at and at.f_back:
        if at.f_globals is vars(worker):
            found += binaries(dict(at.f_locals))  # from Python 3.13 on it is a view
    return found


KEPT_REQUESTS = {
    "one": request(SECRET, "sha256", SECRET),
    "many": request(SECRET, "sha256", SECRET) * 10,
    "batch": batch(SECRET, ("sha256", [SECRET]), ("hmac_sha256", [SECRET, SECRET])),
    "etf": framed(
        bytes(erlang.term_to_binary((OtpErlangBinary(SECRET), OtpErlangAtom("init"), [])))
    ),
    "long": request(SECRET, "sha256", SECRET + bytes(3 * LONG)),
    "long answer": request(
        SECRET, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(3 * LONG), SECRET, 16
    ),
    "long tag": request(SECRET + bytes(3 * LONG), "init"),
    "refused": request(SECRET, "sign_data", SECRET, SECRET),
}


@pytest.mark.parametrize("stream", KEPT_REQUESTS.values(), ids=KEPT_REQUESTS)
def test_nothing_of_a_call_is_kept_while_the_next_is_waited_for(
    stream: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[list[bytes]] = []
    at_each_read(monkeypatch, lambda: held.append(held_by_the_worker()))
    assert SECRET in served(tmp_path, stream)
    assert len(held) > 1
    assert not any(SECRET in data for data in held[-1])


def test_what_is_held_is_seen_by_these_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[list[bytes]] = []
    at_each_read(monkeypatch, lambda: held.append(held_by_the_worker()))
    with pytest.raises(ProtocolError):
        served(tmp_path, request(1, "init") + framed(SECRET)[:-1])
    assert framed(SECRET)[:-1] in held[-1]


@pytest.mark.parametrize("size", [40_000, 3_000_000])
@pytest.mark.parametrize("operation", ["sha256", "sha512", "etf"])
def test_no_memory_of_a_call_is_kept_while_the_next_is_waited_for(
    operation: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # sha512 answers with what it is given: a long answer to a long request.
    monkeypatch.setitem(
        OPERATIONS, "sha512", OPERATIONS["sha512"]._replace(function=lambda data: data + b"!")
    )
    calls = {
        "sha256": request(0, "sha256", bytes(size)),
        "sha512": request(0, "sha512", bytes(size)),
        "etf": framed(
            bytes(
                erlang.term_to_binary((0, OtpErlangAtom("sha512"), [OtpErlangBinary(bytes(size))]))
            ),
        ),
    }
    kept: list[int] = []
    at_each_read(monkeypatch, lambda: kept.append(tracemalloc.get_traced_memory()[0]))
    tracemalloc.start()
    try:
        served(tmp_path, calls[operation])  # once for what is kept for good
        kept.clear()
        served(tmp_path, calls[operation])
    finally:
        tracemalloc.stop()
    assert kept[-1] - kept[0] < 20_000


def test_a_long_reply_is_in_memory_once_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


# --- The streams ---

PRINTS = """
import os, sys
from signal_port import operations, worker_command
def answer(data):
    print("stray", flush=True)
    os.write(1, b"strayer\\n")
    os.system("echo strayest")
    return operations.atom("ok"), sys.stdin.read().encode() + os.read(0, 10)
operations.OPERATIONS["sha256"] = operations.OPERATIONS["sha256"]._replace(function=answer, is_term=True)
sys.exit(worker_command.run_worker())
"""


def test_what_is_printed_goes_to_standard_error_and_standard_input_is_empty() -> None:
    ended = python(*code(PRINTS), stdin=request(1, "sha256", b"") + INIT)
    assert terms(ended.stdout)[1:] == [[1, [OK, b""]], ["tag", OK]]
    assert ended.stderr == "stray\nstrayer\nstrayest\n"


def test_the_streams_taken_are_the_pipes() -> None:
    taken = """
import os
from signal_port.process import take_streams
source, sink = take_streams()
os.write(sink, os.read(source, 100))
print("stray")
"""
    assert python(*code(taken), stdin=b"through") == (0, b"through", "stray\n")


def test_two_workers_share_nothing() -> None:
    with Child() as one, Child() as other:
        one.receive(), other.receive()
        one.send(b"\xff\xff\xff\xff")
        assert one.process.wait(timeout=60) == PROTOCOL_STATUS
        other.send(INIT)
        reply: Any = other.receive()
        assert reply == ["tag", OK]


@pytest.mark.parametrize("busy_wait", ["0", "1000"])
def test_its_streams_may_be_files(busy_wait: str, tmp_path: Path) -> None:
    stream = INIT + request(1, "sha256", b"abc")
    requests, replies = tmp_path / "requests", tmp_path / "replies"
    requests.write_bytes(stream)
    with requests.open("rb") as source, replies.open("wb") as sink:
        command = [sys.executable, *WORKER, str(MAX_FRAME), busy_wait]
        ended = subprocess.run(
            command, stdin=source, stdout=sink, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert terms(replies.read_bytes())[1:] == [["tag", OK], [1, [OK, primitives.sha256(b"abc")]]]
