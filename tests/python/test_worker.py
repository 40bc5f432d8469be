"""The worker behind pipes: what it reads and writes, in which order, and how it ends."""

import os
import signal
import zlib
from typing import Any

import erlang
import msgpack
import pytest
from child import Child, Ended, code, framed, frames, python, request, serve, terms

from signal_port import primitives
from signal_port.codec import atom

OK, ERROR = atom("ok"), atom("error")
INIT = request("tag", "init")
PROTOCOL_STATUS = 76  # EX_PROTOCOL


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
    assert terms(ended.stdout)[1:] == [[number, [OK, primitives.sha256(b"%d" % number)]] for number in range(2000)]
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
    ended = serve(request(0, "aes_gcm_encrypt", bytes(32), bytes(12), bytes(3_000_000), b"", 16) + INIT)
    (_, long), short = terms(ended.stdout)[1:]
    assert len(long[1]) == 3_000_000
    assert short == ["tag", OK]


def test_a_refusal_is_an_answer() -> None:
    ended = serve(request(1, "sign_data", b"", b"") + request(2, "no_such", b"") + request(3, "sha256") + INIT)
    assert terms(ended.stdout)[1:] == [
        [1, [ERROR, atom("invalid_private_key")]],
        [2, [ERROR, atom("unknown_operation")]],
        [3, [ERROR, atom("badarg")]],
        ["tag", OK],
    ]


def test_each_request_is_answered_in_its_own_codec() -> None:
    etf = erlang.term_to_binary((7, erlang.OtpErlangAtom("sha256"), [erlang.OtpErlangBinary(b"abc")]))
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


# --- Ends ---


@pytest.mark.parametrize("rest", [b"\0", b"\0\0\0", b"\0\0\0\x05", b"\0\0\0\x05abcd"], ids=bytes.hex)
def test_a_pipe_closed_inside_a_frame_ends_it_after_the_replies_before(rest: bytes) -> None:
    ended = serve(INIT + rest)
    assert terms(ended.stdout)[1:] == [["tag", OK]]
    assert ended.status == PROTOCOL_STATUS
    assert "closed inside a frame" in the_one_line(ended)


INIT_TERM = bytes(erlang.term_to_binary((1, erlang.OtpErlangAtom("init"), [])))[1:]  # without the version
GARBAGE = {
    "text": b"GET / HTTP/1.1",
    "unused byte": b"\xc1",
    "etf": b"\x83\x00",
    "compressed etf": b"\x83\x50" + len(INIT_TERM).to_bytes(4, "big") + zlib.compress(INIT_TERM),
    "deep msgpack": b"\x93" + b"\x91" * 50_000,
    "deep etf": b"\x83" + b"\x68\x01" * 50_000,
    "deep tag of etf": b"\x83\x68\x03" + b"\x68\x01" * 400 + b"\x6a\x77\x04init\x6a",
}


@pytest.mark.parametrize("payload", GARBAGE.values(), ids=GARBAGE)
def test_a_frame_of_garbage_ends_it_after_the_replies_before(payload: bytes) -> None:
    ended = serve(INIT + framed(payload) + INIT)
    assert terms(ended.stdout)[1:] == [["tag", OK]]
    assert ended.status == PROTOCOL_STATUS
    assert "is no request" in the_one_line(ended)


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


# --- The streams ---

PRINTS = """
import os, sys
from signal_port import __main__, operations
def answer(data):
    print("stray", flush=True)
    os.write(1, b"strayer\\n")
    os.system("echo strayest")
    return operations.atom("ok"), sys.stdin.read().encode() + os.read(0, 10)
operations.OPERATIONS["sha256"] = operations.OPERATIONS["sha256"]._replace(answer=answer)
sys.exit(__main__.work())
"""


def test_what_is_printed_goes_to_standard_error_and_standard_input_is_empty() -> None:
    ended = python(*code(PRINTS), stdin=request(1, "sha256", b"") + INIT)
    assert terms(ended.stdout)[1:] == [[1, [OK, b""]], ["tag", OK]]
    assert ended.stderr == "stray\nstrayer\nstrayest\n"


def test_the_streams_taken_are_the_pipes() -> None:
    taken = """
import os
from signal_port.__main__ import take_streams
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
