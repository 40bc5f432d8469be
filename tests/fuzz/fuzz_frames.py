"""Coverage-guided fuzzing of a worker's whole loop, with any bytes in its pipe.

    python tests/fuzz/fuzz_frames.py [-max_total_time=60] [CORPUS]

It needs `atheris`; other options are libFuzzer's. A worker answers or raises `ProtocolError`. It
writes whole frames: a reply to each request before the end, in order, with its codec and its tag.
The seeds are the recorded calls, framed, in both codecs. Half of the mutations change payloads of
whole frames.
"""

import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
from command_line import fuzz

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "python")]

with atheris.instrument_imports(include=["erlang", "signal_port"]):
    import erlang
    import msgpack
    from etf_terms import encoded, to_etf
    from vectors import recorded

    from signal_port.errors import ProtocolError
    from signal_port.worker import Worker

MAX_INPUT = 16 * 1024  # bytes; a pipe holds four times as much, for one process that writes first
MAX_FRAME = 8 * 1024  # bytes; the worker's limit, which an input can exceed
MAX_SEEDS = 8  # of an operation
RSS_LIMIT = 512  # MiB
ETF = b"\x83"
HEADER = 4


def serve(data: bytes) -> tuple[bytes, bool]:
    """Return what a worker writes after these bytes, and whether it accepted all of them."""
    source, to = os.pipe()
    os.write(to, data)
    os.close(to)
    with tempfile.TemporaryFile() as sink:
        try:
            Worker(source, sink.fileno(), MAX_FRAME).serve()
            is_accepted = True
        except ProtocolError:
            is_accepted = False
        finally:
            os.close(source)
        sink.seek(0)
        return sink.read(), is_accepted


def cut(stream: bytes, limit: int) -> tuple[list[bytes], bytes]:
    """Return the payloads, and the rest from a frame that is empty, over the limit or cut off."""
    payloads = []
    while len(stream) >= HEADER:
        length = int.from_bytes(stream[:HEADER], "big")
        if not 0 < length <= min(limit, len(stream) - HEADER):
            break
        payloads.append(stream[HEADER : HEADER + length])
        stream = stream[HEADER + length :]
    return payloads, stream


def framed(payload: bytes) -> bytes:
    """Return a payload as a frame."""
    return len(payload).to_bytes(HEADER, "big") + payload


def check(data: bytes) -> None:
    """Fail unless a worker treats these bytes as PROTOCOL.md demands."""
    written, is_accepted = serve(data)
    requests, rest = cut(data, MAX_FRAME)
    replies, cut_off = cut(written, 2**32)
    assert not cut_off, "it wrote a frame that is cut off"
    ends_well = not rest or rest[:HEADER] == bytes(HEADER)
    if is_accepted:
        assert ends_well, "it accepted a frame that is cut off or too long"
        assert len(replies) == len(requests), "a request without a reply, or a reply too many"
    else:
        assert len(replies) < len(requests) or not ends_well, (
            "it refused a request that it had answered"
        )
        assert len(replies) <= len(requests), "a reply too many"
    for request, reply in zip(requests, replies):
        check_reply(request, reply)


def check_reply(request: bytes, reply: bytes) -> None:
    """Fail unless a reply has its request's codec and tag, and one answer or a list of answers."""
    if request[:1] == ETF:
        assert reply[:1] == ETF, "the reply is in another codec"
        tag, answer = erlang.binary_to_term(reply)
        sent, operation, _ = erlang.binary_to_term(request)
        assert erlang.term_to_binary(tag) == erlang.term_to_binary(sent), "the tag has changed"
        is_batch = isinstance(operation, erlang.OtpErlangAtom) and operation.value in (
            "batch",
            b"batch",
        )
    else:
        tag, answer = msgpack.unpackb(reply)
        sent, operation, _ = msgpack.unpackb(request)
        assert msgpack.packb(tag) == msgpack.packb(sent), "the tag has changed"
        is_batch = operation == "batch"
    answers = answer if is_batch and not is_atom(answer[:1]) else [answer]
    assert all(is_answer(one) for one in answers), "this is not an answer"


def is_answer(term: Any) -> bool:
    """Return whether it is a bare atom, or an array that begins with one."""
    return is_atom([term]) or (isinstance(term, list | tuple) and is_atom(term[:1]))


def is_atom(terms: Any) -> bool:
    """Return whether any of the terms is an atom, in either codec."""
    return any(isinstance(term, msgpack.ExtType | erlang.OtpErlangAtom) for term in terms)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return other bytes: in half of the cases whole frames, one changed, doubled or missing."""
    dice = random.Random(seed)
    payloads, rest = cut(data, MAX_INPUT)
    if not payloads or dice.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    at = dice.randrange(len(payloads))
    match dice.randrange(6):
        case 0:
            payloads.insert(dice.randrange(len(payloads) + 1), payloads[at])
        case 1:
            del payloads[at]
        case _:
            room = max(len(payloads[at]), max_size - len(data) + len(payloads[at]))
            payloads[at] = bytes(atheris.Mutate(payloads[at], room))
    return (b"".join(map(framed, payloads)) + rest)[:max_size]


def seeds() -> list[bytes]:
    """Return recorded calls as inputs: some of each operation, alone and together."""
    calls: dict[str, list[bytes]] = {}
    for call in recorded():
        in_etf = [to_etf(argument) for argument in call.args]
        both = (
            msgpack.packb([b"\0\0\0\7", call.operation, call.args]),
            encoded((7, erlang.OtpErlangAtom(call.operation), in_etf)),
        )
        frames = b"".join(framed(payload) for payload in both)
        if len(frames) <= MAX_INPUT // 4 and len(calls.setdefault(call.operation, [])) < MAX_SEEDS:
            calls[call.operation].append(frames)
    batch = [["sha256", [b"abc"]], ["init", []], ["no_such", []], 1]
    together = [b"".join(frames[:2])[:MAX_INPUT] for frames in calls.values()]
    batches = [framed(msgpack.packb([1, "batch", batch[:end]])) + framed(b"") for end in (0, 3, 4)]
    return [one for frames in calls.values() for one in frames] + together + batches


if __name__ == "__main__":
    fuzz(check, mutate, seeds, MAX_INPUT, RSS_LIMIT)
