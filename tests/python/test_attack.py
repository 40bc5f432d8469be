"""What an attacker sends: frames that no application writes, messages that nobody encrypted.

A frame is answered, or the worker ends with status 76. It does not hang, and takes no memory for
bytes that were not sent. A forged message is refused and changes nothing. `ATTACK_FRAMES=200000`
tries more frames.
"""

import ast
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import erlang
import msgpack
import pytest
from child import PACKAGE, Child, framed, frames, request
from etf_terms import count, encoded, to_etf
from hypothesis import given, settings
from hypothesis import strategies as st
from parties import Parties
from vectors import recorded

from signal_port import codec, double_ratchet, ed25519, messages, primitives, static_session
from signal_port.codec import atom
from signal_port.errors import ProtocolError, SignalError
from signal_port.exit_status import PROTOCOL
from signal_port.operations import OPERATIONS
from signal_port.worker import Worker

FRAMES = int(os.environ.get("ATTACK_FRAMES", "20000"))  # generated; a thorough run has 200000
FRAMES_PER_EXAMPLE = 40
MAX_FRAME = 64 * 1024  # bytes, of workers that get generated frames
CPU_LIMIT = 5  # seconds of CPU time
ROOM = 64 * 1024 * 1024  # bytes of memory beyond those of a worker's start
INIT = request("tag", "init")
OK = atom("ok")

ON_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="limits of another process are Linux's"
)

tried: dict[str, int] = {"answered": 0, "refused": 0}


@pytest.fixture(scope="module", autouse=True)
def _say_how_many(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{sum(tried.values())} frames tried: {tried}")


ETF_INIT = b"\x77\x04init\x6a"  # the rest of a request, behind its tag
ETF_REQUEST = b"\x83\x68\x03"
MSGPACK_INIT = b"\xa4init\x90"


HUGE = (2**16, 2**31, 2**32 - 1)
MEGABYTE = 1024 * 1024
NODE = b"\x77\x01n"
# Python's hash of an integer is its remainder by this prime: a dict takes minutes to store these.
MERSENNE = 2**61 - 1
COLLIDING = b"".join(
    b"\x6e\x0b\0" + (at * MERSENNE).to_bytes(11, "little") + b"\x6a" for at in range(20_000)
)
# An old kind of fun that holds one term, behind pid, module, index and number.
FUN = b"\x75" + count(1) + b"\x67" + NODE + bytes(9) + NODE + b"\x61\0" * 2
LONG_BINARY = b"\x6d" + count(MEGABYTE) + bytes(MEGABYTE)
BOMB = zlib.compress(bytes(64 * MEGABYTE), 9)
HOSTILE: dict[str, bytes] = {
    **{f"array of {size}": b"\x93\x01\xa4init\xdd" + count(size) for size in HUGE},
    **{f"map of {size}": b"\x93\x01\xa4init\xdf" + count(size) for size in HUGE},
    **{f"binary of {size}": b"\x93\x01\xa4init\xc6" + count(size) for size in HUGE},
    **{f"text of {size}": b"\x93\x01\xa4init\xdb" + count(size) for size in HUGE},
    **{f"ext of {size}": b"\x93\x01\xa4init\xc9" + count(size) + b"\x01" for size in HUGE},
    **{f"etf tuple of {size}": ETF_REQUEST + b"\x69" + count(size) for size in HUGE},
    **{f"etf list of {size}": ETF_REQUEST + b"\x6c" + count(size) for size in HUGE},
    **{f"etf map of {size}": ETF_REQUEST + b"\x74" + count(size) for size in HUGE},
    **{f"etf binary of {size}": ETF_REQUEST + b"\x6d" + count(size) for size in HUGE},
    **{f"etf integer of {size}": ETF_REQUEST + b"\x6f" + count(size) for size in HUGE},
    **{f"etf fun of {size}": ETF_REQUEST + b"\x75" + count(size) for size in HUGE},
    "etf reference of 65535 words": ETF_REQUEST + b"\x5a\xff\xff" + NODE,
    "array in array in array": b"\x93" + b"\x91" * MEGABYTE,
    "array of 2^32 in array of 2^32": b"\x93" + (b"\xdd" + count(2**32 - 1)) * 1000,
    "map in map in map": b"\x93" + b"\x81\xa1k" * 300_000,
    "list in list in list": ETF_REQUEST + (b"\x6c" + count(1)) * 200_000,
    "tuple in tuple in tuple": ETF_REQUEST + b"\x68\x01" * MEGABYTE,
    "etf map of keys that collide": ETF_REQUEST + b"\x74" + count(20_000) + COLLIDING + ETF_INIT,
    "etf map in key in map": ETF_REQUEST + (b"\x74" + count(1)) * 200_000,
    "compressed gigabyte": b"\x83\x50" + count(2**30) + BOMB,
    "compressed gigabyte for a tag": ETF_REQUEST + b"\x50" + count(2**30) + BOMB,
    "megabyte in a hundred funs": ETF_REQUEST + FUN * 100 + LONG_BINARY + ETF_INIT,
    "million of etf nil": ETF_REQUEST + b"\x69" + count(MEGABYTE) + b"\x6a" * MEGABYTE + ETF_INIT,
    "distribution header": b"\x83\x44\x00",
    "atom of the cache": b"\x83\x52\x00",
    "local term": ETF_REQUEST + b"\x79" + bytes(100),
    "megabyte of zeros": bytes(MEGABYTE),
    "megabyte of 255": b"\xff" * MEGABYTE,
}
ODD: dict[str, bytes] = {  # which is answered
    "unknown atom": b"\xc7\x09\x01no_such_x",
    "reference": ETF_REQUEST + b"\x5a\x00\x03" + NODE + count(1) + bytes(12) + ETF_INIT,
    "pid": ETF_REQUEST + b"\x58" + NODE + bytes(12) + ETF_INIT,
    "port": ETF_REQUEST + b"\x59" + NODE + bytes(8) + ETF_INIT,
    "unknown etf atom": ETF_REQUEST + b"\x77\x07no_such" + ETF_INIT,
    "integer of 255 bytes": ETF_REQUEST + b"\x6e\xff\x01" + b"\xff" * 255 + ETF_INIT,
    "list of 65535 small integers": ETF_REQUEST + b"\x6b\xff\xff" + bytes(65535) + ETF_INIT,
    "etf arguments of a hundred thousand": ETF_REQUEST
    + b"\x61\x01\x77\x04init\x6c"
    + count(100_000)
    + NODE * 100_000
    + b"\x6a",
    "batch in a batch": msgpack.packb([1, "batch", [["batch", [["batch", [["init", []]]]]]]]),
    "batch of no calls": msgpack.packb([1, "batch", [1, None, [], [[]]]]),
    "batch of a million": b"\x93\x01\xa5batch\xdd" + count(1_000_000) + b"\xc0" * 1_000_000,
    "map with one key a thousand times": b"\x93\xde\x03\xe8" + b"\xa1k\x01" * 1000 + MSGPACK_INIT,
    "arguments of a hundred thousand": b"\x93\x01\xa4init\xdd" + count(100_000) + b"\x01" * 100_000,
}
ODD["unknown atom"] = b"\x93\x01\xa4init\x91" + ODD["unknown atom"]


class Bounded(Child):
    """A worker that is killed if it takes much time or memory."""

    def __init__(self, *arguments: str, cpu_limit: int = CPU_LIMIT) -> None:
        super().__init__("-I", "-B", str(PACKAGE), "worker", *arguments)
        self.receive()
        if sys.platform == "linux":
            from resource import RLIMIT_AS, RLIMIT_CPU, prlimit

            size = self.memory("VmSize") + ROOM
            prlimit(self.process.pid, RLIMIT_AS, (size, size))
            prlimit(self.process.pid, RLIMIT_CPU, (cpu_limit, cpu_limit))

    def memory(self, name: str) -> int:
        """Return a figure of the process's memory, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def talk(child: Child, data: bytes) -> tuple[int, list[bytes], str]:
    """Write data to a worker that can end meanwhile; return status, replies, standard error."""
    try:
        stdout, stderr = child.process.communicate(data, timeout=60)
    except BrokenPipeError:
        stdout, stderr = child.process.communicate(timeout=60)
    return child.process.returncode, frames(stdout), stderr.decode()


class TestHostileFrames:
    """Frames that no application writes, sent to a worker's process."""

    @pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
    def test_hostile_frame_ends_the_worker_at_once(self, payload: bytes) -> None:
        with Bounded() as child:
            status, replies, words = talk(child, INIT + framed(payload) + INIT)
        assert status == PROTOCOL
        assert "is no request" in words
        assert "MemoryError" not in words
        assert replies == [msgpack.packb(["tag", OK])]

    @pytest.mark.parametrize("name", [name for name in HOSTILE if HOSTILE[name][0] == 131])
    def test_hostile_etf_is_refused_before_the_package_sees_it(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[bytes] = []
        monkeypatch.setattr(erlang, "binary_to_term", seen.append)
        with pytest.raises(ProtocolError, match="is no request: it "):
            codec.decode(HOSTILE[name])
        assert seen == []

    @pytest.mark.parametrize("payload", ODD.values(), ids=ODD)
    def test_odd_frame_is_answered(self, payload: bytes) -> None:
        with Bounded() as child:
            status, replies, words = talk(child, INIT + framed(payload) + INIT)
        assert (status, words, len(replies)) == (0, "", 3)

    @pytest.mark.parametrize("size", [4 * 1024, MEGABYTE])
    def test_long_integer_takes_no_time(self, size: int) -> None:
        tag = b"\x6f" + count(size) + b"\0" + b"\xff" * size
        with Bounded() as child:
            status, replies, _ = talk(child, framed(ETF_REQUEST + tag + ETF_INIT) + INIT)
        assert status == PROTOCOL or (status == 0 and len(replies) == 2)

    @pytest.mark.parametrize("length", [MAX_FRAME + 1, *HUGE[1:]])
    def test_length_over_the_limit_ends_the_worker(self, length: int) -> None:
        with Bounded(str(MAX_FRAME)) as child:
            status, replies, words = talk(child, INIT + count(length) + bytes(MEGABYTE))
        assert (status, len(replies)) == (PROTOCOL, 1)
        assert "over the limit" in words

    @ON_LINUX
    def test_claimed_length_takes_no_memory_before_its_bytes(self) -> None:
        with Bounded() as child:
            before = child.memory("VmHWM")
            child.send(INIT)
            child.receive()
            child.send(count(128 * MEGABYTE) + bytes(MEGABYTE))
            child.process.stdin.close()  # type: ignore[union-attr]
            child.process.stdin = None
            after = child.memory("VmHWM") if child.process.poll() is None else before
            status, _, words = talk(child, b"")
        assert status == PROTOCOL
        assert "closed inside a frame" in words
        assert after - before < 8 * MEGABYTE

    def test_batch_of_a_million_is_answered_or_badarg(self) -> None:
        million = b"\x93\x01\xa5batch\xdd" + count(1_000_000) + b"\x92\xa4init\x90" * 1_000_000
        with Child() as child:
            child.receive()
            status, (reply, last), words = talk(child, framed(million) + INIT)
        assert (status, words) == (0, "")
        assert reply in (
            b"\x92\x01\xdd" + count(1_000_000) + msgpack.packb(OK) * 1_000_000,
            msgpack.packb([1, [atom("error"), atom("badarg")]]),
        )
        assert last == msgpack.packb(["tag", OK])


def serve(data: bytes) -> tuple[list[bytes], bool]:
    """Return a worker's replies to these bytes, and whether it accepted all of them."""
    (source, to), (back, sink) = os.pipe(), os.pipe()
    try:
        os.write(to, data)
        os.close(to)
        try:
            Worker(source, sink, MAX_FRAME).serve()
            content = True
        except ProtocolError:
            content = False
        finally:
            os.close(sink)
        with open(back, "rb", closefd=False) as written:
            return frames(written.read()), content
    finally:
        os.close(source)
        os.close(back)


@cache
def requests() -> list[bytes]:
    """Return short recorded calls as payloads, in both codecs."""
    calls = [
        call
        for call in recorded()
        if sum(len(data) for data in call.args if type(data) is bytes) < 500
    ][::20]
    return [msgpack.packb([7, call.operation, call.args]) for call in calls] + [
        encoded((7, erlang.OtpErlangAtom(call.operation), [*map(to_etf, call.args)]))
        for call in calls
    ]


HEADS = (
    *(bytes([tag]) for tag in range(0x80, 0x100)),  # msgpack's
    *(bytes([tag]) for tag in b"FMNXYZabcdefghijklmnopqrstuvwxyP"),  # the external term format's
    *(bytes([tag]) + count(size) for tag in (0xDD, 0xDF, 0xC6, 0xDB) for size in HUGE),
    *(bytes([tag]) + count(size) for tag in b"ilmnotu" for size in HUGE),
    b"\xff" * 4,
    bytes(4),
)
KINDS = ("flip", "head", "cut", "insert", "double", "repeat")


def changed(payload: bytes, dice: Random) -> bytes:
    """Return the payload with one change."""
    kind, at, what = dice.choice(KINDS), dice.randrange(len(payload) or 1), dice.randrange(2**16)
    head = HEADS[what % len(HEADS)]
    match kind:
        case "flip":
            return (
                payload[:at] + bytes([(payload or b"\0")[at] ^ 1 << what % 8]) + payload[at + 1 :]
            )
        case "head":
            return payload[:at] + head + payload[at + len(head) :]
        case "cut":
            return payload[:at]
        case "insert":
            return payload[:at] + head + payload[at:]
        case "double":
            return payload[:at] + payload[at : at + what % 64] * 2 + payload[at + what % 64 :]
    return payload[:at] + head * (what % 600) + payload[at:]  # nested


def mutated(dice: Random) -> bytes:
    """Return a request with up to three changes, or rarely random bytes."""
    if dice.random() < 0.05:
        return dice.randbytes(dice.randrange(1, 64))
    payload = dice.choice(requests())
    for _ in range(dice.randrange(4)):
        payload = changed(payload, dice)
    return payload[: MAX_FRAME - 8] or b"\0"


TERMS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=64)
    | st.sampled_from([OK]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
WELL_FORMED = st.builds(
    lambda tag, operation, args: msgpack.packb([tag, operation, args]),
    TERMS,
    st.sampled_from([*OPERATIONS, "batch", "no_such"]) | TERMS,
    st.lists(TERMS, max_size=6) | TERMS,
)
answered: list[bytes] = []  # for the last test of the class


def attack(payload: bytes) -> None:
    """Fail unless a worker answers a frame in its codec, or refuses it."""
    replies, content = serve(framed(payload))
    assert len(replies) == content, payload.hex()
    if content:
        assert (replies[0][0] == 131) == (payload[0] == 131), payload.hex()
        answered.append(payload)
    tried["answered" if content else "refused"] += 1


class TestGeneratedFrames:
    """As many changed requests as there is time for."""

    @settings(max_examples=FRAMES // FRAMES_PER_EXAMPLE)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_changed_frame_is_answered_or_refused(self, seed: int) -> None:
        dice = Random(seed)
        for _ in range(FRAMES_PER_EXAMPLE):
            attack(mutated(dice))

    @settings(max_examples=FRAMES // FRAMES_PER_EXAMPLE)
    @given(payload=WELL_FORMED)
    def test_request_of_odd_terms_is_answered(self, payload: bytes) -> None:
        attack(payload)

    @ON_LINUX
    def test_worker_that_answered_them_all_has_not_grown(self) -> None:
        odd = answered or requests()
        with Bounded(str(MAX_FRAME), cpu_limit=CPU_LIMIT + len(odd) // 1000) as child:
            child.send(INIT)
            child.receive()
            before = child.memory("VmRSS")
            for payload in odd:
                child.send(framed(payload))
                child._read(int.from_bytes(child._read(4), "big"))
            assert child.memory("VmHWM") - before < 16 * MEGABYTE
            assert child.end() == (0, b"", "")


def flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every position and the data with one bit, or the whole byte, inverted there."""
    for at in range(len(data)):
        for mask in (*(1 << bit for bit in range(8)), 0xFF):
            yield at, data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def refusal(function: Callable[..., Any], *args: Any) -> str:
    """Return the atom with which a call is refused."""
    with pytest.raises(SignalError) as caught:
        function(*args)
    return caught.value.atom


def first_message(parties: Parties) -> tuple[bytes, bytes]:
    """Return a session and a message for it under the next header key."""
    return parties.bob, double_ratchet.encrypt(parties.alice, b"attack at dawn")[0]


def message_of_the_chain(parties: Parties) -> tuple[bytes, bytes]:
    """Return a session and a message for it under the current header key."""
    wire, alice = double_ratchet.encrypt(parties.alice, b"first")
    _, bob = double_ratchet.decrypt(parties.bob, wire)
    return bob, double_ratchet.encrypt(alice, b"attack at dawn")[0]


def late_message(parties: Parties) -> tuple[bytes, bytes]:
    """Return a session and a message for it whose key was stored, of an earlier chain."""
    wire, alice = double_ratchet.encrypt(parties.alice, b"first")
    _, bob = double_ratchet.decrypt(parties.bob, wire)
    late, alice = double_ratchet.encrypt(alice, b"attack at dawn")
    wire, alice = double_ratchet.encrypt(alice, b"third")
    _, bob = double_ratchet.decrypt(bob, wire)
    wire, bob = double_ratchet.encrypt(bob, b"answer")
    _, alice = double_ratchet.decrypt(alice, wire)
    wire, alice = double_ratchet.encrypt(alice, b"fourth")
    _, bob = double_ratchet.decrypt(bob, wire)
    return bob, late


PLACES = {
    "next key": first_message,
    "current key": message_of_the_chain,
    "skipped key": late_message,
}


class TestForgedMessages:
    """Messages, signatures and tags with one byte changed."""

    @pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
    def test_forged_message_is_refused_without_a_trace(
        self, place: Callable[[Parties], tuple[bytes, bytes]], parties: Parties
    ) -> None:
        session, wire = place(parties)
        before = bytes(bytearray(session))
        for _, forged in flips(wire):
            refusal(double_ratchet.decrypt, session, forged)
        for size in range(len(wire)):
            refusal(double_ratchet.decrypt, session, wire[:size])
            refusal(double_ratchet.decrypt, session, wire + wire[: size + 1])
        assert session == before
        plaintext, after = double_ratchet.decrypt(session, wire)
        assert plaintext == b"attack at dawn"
        assert refusal(double_ratchet.decrypt, after, wire) == "bad_mac"

    @pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
    def test_change_under_a_mac_is_always_bad_mac(
        self, place: Callable[[Parties], tuple[bytes, bytes]], parties: Parties
    ) -> None:
        session, wire = place(parties)
        header, body = messages.decode_envelope(wire[1:-8])
        framing = {0, *(wire.index(part) - back for part in (header, body) for back in (1, 2))}
        refused = {
            (at in framing, refusal(double_ratchet.decrypt, session, forged))
            for at, forged in flips(wire)
        }
        assert {kind for is_framing, kind in refused if not is_framing} == {"bad_mac"}
        assert {kind for is_framing, kind in refused if is_framing} <= {
            "unsupported_version",
            "malformed_message",
            "message_too_short",
        }

    def test_wrong_padding_under_a_wrong_mac_is_bad_mac(
        self,
        parties: Parties,
    ) -> None:
        session, wire = first_message(parties)
        header, body = messages.decode_envelope(wire[1:-8])
        for at in range(256):
            forged = (
                wire[:1] + messages.encode_envelope(header, body[:-1] + bytes([at])) + wire[-8:]
            )
            if forged != wire:
                assert refusal(double_ratchet.decrypt, session, forged) == "bad_mac"

    def test_forged_static_message_is_always_decryption_failed(self) -> None:
        session = static_session.create_session(
            bytes(range(32)), primitives.generate_curve25519_keypair()[0]
        )
        message = static_session.encrypt_message(session, b"attack at dawn")
        kinds = {
            refusal(static_session.decrypt_message, session, forged) for _, forged in flips(message)
        }
        assert kinds == {"decryption_failed"}
        assert static_session.decrypt_message(session, message) == b"attack at dawn"

    def test_forged_aes_gcm_is_always_decryption_failed(self) -> None:
        key, iv = bytes(range(32)), bytes(12)
        ciphertext, tag = primitives.aes_gcm_encrypt(key, iv, b"attack at dawn", b"aad", 16)
        kinds = {
            refusal(
                primitives.aes_gcm_decrypt,
                key,
                iv,
                forged[:-16],
                b"aad",
                forged[-16:],
                len(ciphertext),
            )
            for _, forged in flips(ciphertext + tag)
        }
        assert kinds == {"decryption_failed"}

    def test_forged_signature_is_always_invalid(self) -> None:
        public, secret = primitives.generate_ed25519_keypair()
        signature = ed25519.sign_data(secret, b"message")
        assert not any(
            ed25519.verify_signature(public, b"message", forged) for _, forged in flips(signature)
        )
        assert not any(
            ed25519.verify_signature(forged, b"message", signature) for _, forged in flips(public)
        )


# Every comparison by value in the modules with secrets, except of lengths and integers. Add a new
# one here with its reason, or use `bytes_eq`.
PUBLIC_COMPARISONS = {
    "current != _NO_KEY": "whether there is a key is no secret",
    "coming != _NO_KEY": "whether there is a key is no secret",
    "header_key != _NO_KEY": "whether there is a key is no secret",
    "public in REFUSED_PUBLIC_KEYS": "a public key",
    "public not in REFUSED_PUBLIC_KEYS": "a public key",
    "signature[:32] in SMALL_ORDER": "a signature",
    "primitives.x25519_exchange(_SUBGROUP_CHECK, u, 'conversion_failed') == u": "a public key",
    "padded[-pad:] != bytes([pad]) * pad": "padding, under a MAC that was found right",
}
NUMBERS = {"len", "number"}  # functions that return integers
INTEGERS = {"length", "tag_size", "pad", "until", "byte"}  # names of integers


def is_integer(node: ast.expr) -> bool:
    """Return whether an expression is known to be an integer, or None."""
    match node:
        case ast.Constant(value=int() | None):
            return True
        case ast.Name(id=name):
            return name in INTEGERS or name.endswith("_SIZE") or name.startswith("MAX_")
        case ast.Attribute(attr=name):
            return name in {"number", "previous_number", "VERSION"}
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in NUMBERS
        case ast.Tuple(elts=elements):
            return all(map(is_integer, elements))
        case ast.BinOp(left=left, right=right):
            return is_integer(left) or is_integer(right)
    return False


MODULES_WITH_SECRETS = [
    "double_ratchet",
    "ed25519",
    "primitives",
    "ratchet_keys",
    "static_session",
    "x3dh",
]


class TestComparisons:
    """Comparisons of secrets take constant time."""

    @pytest.mark.parametrize("module", MODULES_WITH_SECRETS)
    def test_comparison_by_value_is_of_public_data(self, module: str) -> None:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and not any(
                isinstance(kind, ast.Is | ast.IsNot) for kind in node.ops
            ):
                is_of_integers = any(map(is_integer, [node.left, *node.comparators]))
                assert is_of_integers or ast.unparse(node) in PUBLIC_COMPARISONS, (
                    f"line {node.lineno}: {ast.unparse(node)}"
                )
            assert not isinstance(node, ast.Match), "a match compares by value"

    def test_macs_and_key_halves_are_compared_in_constant_time(self) -> None:
        calls = [
            ast.unparse(node)
            for module in MODULES_WITH_SECRETS
            for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "bytes_eq"
        ]
        assert len(calls) == 3  # a message's MAC, a header's, the public half of a secret key
        assert primitives.bytes_eq.__module__ == "cryptography.hazmat.primitives.constant_time"
