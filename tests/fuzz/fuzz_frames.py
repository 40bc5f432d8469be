"""Coverage-guided fuzzing of a worker's whole loop: any bytes in, and a check of what comes out.

    python tests/fuzz/fuzz_frames.py [-max_total_time=60] [CORPUS]

Needs `atheris`; the other options are libFuzzer's. A worker must answer or raise `ProtocolError`,
nothing else. It must write whole frames: a reply to each request, in order, in the request's codec,
with its tag. The seeds are the recorded calls, framed in both codecs. Half of the mutations leave
the frames whole and change payloads.
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
    from vectors import recorded

    from signal_port.errors import ProtocolError
    from signal_port.worker import Worker

# Bytes. A pipe holds four times as many, so that one process can write and then read.
MAX_INPUT = 16 * 1024
MAX_FRAME = 8 * 1024  # bytes; the worker's limit, within reach of the input
MAX_SEEDS = 8  # of an operation
RSS_LIMIT = 512  # MiB, for a worker whose frames have eight KiB
ETF = b"\x83"
HEADER = 4


def serve(data: bytes) -> tuple[bytes, bool]:
    """Return what a worker writes for these bytes, and whether it accepted them all."""
    source, to = os.pipe()
    os.write(to, data)
    os.close(to)
    with tempfile.TemporaryFile() as sink:
        try:
            Worker(source, sink.fileno(), MAX_FRAME).serve()
            content = True
        except ProtocolError:
            content = False
        finally:
            os.close(source)
        sink.seek(0)
        return sink.read(), content


def cut(stream: bytes, limit: int) -> tuple[list[bytes], bytes]:
    """Return the payloads, and the rest: from a frame that is empty, too long or cut off."""
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
    """Fail unless a worker does with these bytes what PROTOCOL.md says."""
    written, content = serve(data)
    requests, rest = cut(data, MAX_FRAME)
    replies, cut_off = cut(written, 2**32)
    assert not cut_off, "what was written is not whole frames"
    ends_well = not rest or rest[:HEADER] == bytes(HEADER)
    if content:
        assert ends_well, "it was content with a frame that is cut off or too long"
        assert len(replies) == len(requests), "a request without a reply, or a reply too many"
    else:
        assert len(replies) < len(requests) or not ends_well, (
            "it was not content with what it had answered"
        )
        assert len(replies) <= len(requests), "a reply too many"
    for request, reply in zip(requests, replies):
        check_reply(request, reply)


def check_reply(request: bytes, reply: bytes) -> None:
    """Fail unless a reply has the codec and the tag of its request, and the shape of an answer."""
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
    assert all(is_answer(one) for one in answers), "this answers nothing"


def is_answer(term: Any) -> bool:
    """Tell whether it is a bare atom, or an array that begins with one."""
    return is_atom([term]) or (isinstance(term, list | tuple) and is_atom(term[:1]))


def is_atom(terms: Any) -> bool:
    """Tell whether the first of the terms is an atom of an answer, in either codec."""
    return any(isinstance(term, msgpack.ExtType | erlang.OtpErlangAtom) for term in terms)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return other bytes: whole frames with one changed, moved or removed; or any bytes."""
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
    """Return recorded calls as inputs: some of each operation, and those of a kind together."""
    calls: dict[str, list[bytes]] = {}
    for call in recorded():
        in_etf = [to_etf(argument) for argument in call.args]
        both = (
            msgpack.packb([b"\0\0\0\7", call.operation, call.args]),
            bytes(erlang.term_to_binary((7, erlang.OtpErlangAtom(call.operation), in_etf))),
        )
        frames = b"".join(framed(payload) for payload in both)
        if len(frames) <= MAX_INPUT // 4 and len(calls.setdefault(call.operation, [])) < MAX_SEEDS:
            calls[call.operation].append(frames)
    batch = [["sha256", [b"abc"]], ["init", []], ["no_such", []], 1]
    together = [b"".join(frames[:2])[:MAX_INPUT] for frames in calls.values()]
    batches = [framed(msgpack.packb([1, "batch", batch[:end]])) + framed(b"") for end in (0, 3, 4)]
    return [one for frames in calls.values() for one in frames] + together + batches


def to_etf(term: Any) -> Any:
    """Return an argument as `erlang_py` has it."""
    match term:
        case bytes():
            return erlang.OtpErlangBinary(term)
        case msgpack.ExtType():
            return erlang.OtpErlangAtom(term.data.decode())
        case list():
            return tuple(to_etf(element) for element in term)
    return term


if __name__ == "__main__":
    fuzz(check, mutate, seeds, MAX_INPUT, RSS_LIMIT)
