"""Payloads to requests and back, in both codecs. Tags come back unchanged; garbage is refused."""

import struct
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any, NamedTuple

import erlang
import msgpack
import pytest
from erlang import OtpErlangAtom, OtpErlangBinary, OtpErlangList, OtpErlangPid, OtpErlangReference
from etf_terms import encoded
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from signal_port import codec
from signal_port.errors import ProtocolError
from signal_port.operations import perform
from signal_port.results import KeyPair

OK = codec.atom("ok")
BADARG = (codec.atom("error"), codec.atom("badarg"))
NODE = OtpErlangAtom("node@host")

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    st.text(max_size=20),
    st.builds(ExtType, st.integers(0, 127), st.binary(max_size=20)),
)
TAGS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)

ETF_TAGS: dict[str, Any] = {
    "reference": OtpErlangReference(NODE, bytes(range(12)), b"\0\0\0\7"),
    "pid": OtpErlangPid(NODE, b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"),
    "atom": OtpErlangAtom("tag"),
    "undefined": None,
    "true": True,
    "integer": -1,
    "big": 2**100,
    "float": 1.5,
    "binary": OtpErlangBinary(b"tag"),
    "bitstring": OtpErlangBinary(b"\xa0", bits=3),
    "string": b"abc",
    "list": [1, [2, 1000], OtpErlangAtom("x")],
    "improper list": OtpErlangList([1, 2], improper=True),
    "tuple": (1, (2, ()), b""),
    "nothing": [],
}


class Request(NamedTuple):
    """What `decode` returns."""

    encode: codec.Encode
    tag: Any
    operation: Any
    args: Any

    def reply(self, answer: Any) -> bytes:
        """Return the payload that answers this request."""
        return self.encode(self.tag, answer)


def decode(payload: bytes | memoryview) -> Request:
    return Request(*codec.decode(payload))


def etf_sha256(tag: Any, data: bytes) -> bytes:
    return encoded((tag, OtpErlangAtom("sha256"), [OtpErlangBinary(data)]))


def etf_request(tag: Any, operation: Any, args: Any) -> Request:
    return decode(encoded((tag, operation, args)))


def perform_etf(operation: str, args: Any) -> Any:
    request = etf_request(0, OtpErlangAtom(operation), args)
    _, answer = erlang.binary_to_term(request.reply(perform(request.operation, request.args)))
    return answer


class TestBothCodecs:
    """What holds for msgpack and for the external term format."""

    @pytest.mark.parametrize("size", [1, 100_000])
    def test_request_in_a_view_of_a_stream_is_decoded(self, size: int) -> None:
        for payload in (msgpack.packb([7, "sha256", [bytes(size)]]), etf_sha256(7, bytes(size))):
            piece = memoryview(b"before" + payload + b"behind")[6:-6]
            request = decode(piece)
            assert request[1:] == (7, "sha256", [bytes(size)])
            assert all(type(argument) is bytes for argument in request.args)
            assert request.reply(OK) == decode(payload).reply(OK)

    def test_request_holds_no_view_of_its_stream(self) -> None:
        stream = bytearray(msgpack.packb([b"tag", "sha256", [bytes(100_000)]]))
        with memoryview(stream) as piece:
            request = decode(piece)
        stream.clear()  # BufferError while anything views it
        assert request[1:] == (b"tag", "sha256", [bytes(100_000)])

    def test_requests_are_answered_in_any_order(self) -> None:
        one, other = (
            decode(msgpack.packb([1, "init", []])),
            etf_request(2, OtpErlangAtom("init"), []),
        )
        assert one.reply(OK) == msgpack.packb([1, OK])
        assert other.reply(OK) == encoded((2, OtpErlangAtom("ok")))
        assert one.reply(OK) == msgpack.packb([1, OK])

    def test_named_tuple_in_an_answer_is_a_tuple(self) -> None:
        pair = KeyPair(b"public", b"private")
        for request in (
            decode(msgpack.packb([1, "init", []])),
            etf_request(1, OtpErlangAtom("init"), []),
        ):
            assert request.reply((OK, pair)) == request.reply((OK, (b"public", b"private")))

    def test_reply_that_is_not_a_term_leaves_nothing_in_the_next(self) -> None:
        request = decode(msgpack.packb([1, "init", []]))
        with pytest.raises(TypeError):
            request.reply((OK, b"secret", object()))
        assert request.reply(OK) == msgpack.packb([1, OK])

    def test_memory_of_a_long_reply_is_freed(self) -> None:
        request, long = decode(msgpack.packb([1, "init", []])), bytes(16 * 1024 * 1024)
        tracemalloc.start()
        try:
            request.reply((OK, long))
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak > len(long), "its memory is not seen"
        assert held < len(long) // 4


MALFORMED_ETF_BATCHES: dict[str, Any] = {
    "a number for a call": [1],
    "numbers, which come as a string": b"\x00\x01",
    "a call of nothing": [()],
    "a call that is an empty list": [[]],
    "a call without arguments": [(OtpErlangAtom("init"),)],
    "a call of three": [(OtpErlangAtom("init"), [], [])],
    "a name for a call": [OtpErlangAtom("init")],
    "one bad call behind a good one": [(OtpErlangAtom("init"), []), 1000],
    "a binary": OtpErlangBinary(b"init"),
    "an atom": OtpErlangAtom("init"),
    "undefined": None,
    "an improper list": OtpErlangList([1, 2], improper=True),
}


class TestBatches:
    """A batch has the same calls in both codecs."""

    def test_msgpack_batch_has_calls_of_name_and_arguments(self) -> None:
        calls = [["sha256", [b"abc"]], ["init", []]]
        assert decode(msgpack.packb([7, "batch", calls]))[1:] == (7, codec.BATCH, calls)

    def test_etf_batch_has_calls_of_name_and_arguments(self) -> None:
        calls = [(OtpErlangAtom("sha256"), [OtpErlangBinary(b"abc")]), (OtpErlangAtom("init"), [])]
        assert etf_request(7, OtpErlangAtom("batch"), calls)[1:] == (
            7,
            codec.BATCH,
            [["sha256", [b"abc"]], ["init", []]],
        )

    def test_msgpack_batch_has_the_bytes_of_the_protocol(self) -> None:
        request = decode(b"\x93\x07\xa5batch\x92" + b"\x92\xa4init\x90" * 2)
        assert request[1:] == (7, codec.BATCH, [["init", []]] * 2)
        assert request.reply([OK, OK]) == b"\x92\x07\x92" + b"\xd5\x01ok" * 2

    def test_etf_batch_has_the_bytes_of_the_protocol(self) -> None:
        call = b"\x68\x02\x77\x04init\x6a"
        request = decode(
            b"\x83\x68\x03\x61\x07\x77\x05batch\x6c\x00\x00\x00\x02" + call + call + b"\x6a"
        )
        assert request[1:] == (7, codec.BATCH, [["init", []]] * 2)
        assert (
            request.reply([OK, OK])
            == b"\x83\x68\x02\x61\x07\x6c\x00\x00\x00\x02" + b"\x77\x02ok" * 2 + b"\x6a"
        )

    def test_etf_call_whose_name_is_no_atom_is_unknown(self) -> None:
        names = [OtpErlangAtom("init"), OtpErlangBinary(b"init"), b"init", 1, None]
        answers = perform_etf("batch", [(name, []) for name in names])
        unknown = (OtpErlangAtom("error"), OtpErlangAtom("unknown_operation"))
        assert answers == [OtpErlangAtom("ok"), unknown, unknown, unknown, unknown]

    def test_etf_batch_in_a_batch_is_unknown(self) -> None:
        batch, init = OtpErlangAtom("batch"), OtpErlangAtom("init")
        unknown = (OtpErlangAtom("error"), OtpErlangAtom("unknown_operation"))
        assert perform_etf("batch", [(batch, [(init, [])]), (init, [])]) == [
            unknown,
            OtpErlangAtom("ok"),
        ]

    def test_empty_etf_batch_is_answered_by_an_empty_list(self) -> None:
        assert perform_etf("batch", []) == []

    @pytest.mark.parametrize("calls", MALFORMED_ETF_BATCHES.values(), ids=MALFORMED_ETF_BATCHES)
    def test_malformed_etf_batch_is_badarg(self, calls: Any) -> None:
        assert perform_etf("batch", calls) == (OtpErlangAtom("error"), OtpErlangAtom("badarg"))


NO_REQUESTS: dict[str, bytes] = {
    "integer": b"\x01",
    "nil": b"\xc0",
    "unused byte": b"\xc1",
    "two elements": msgpack.packb([1, "init"]),
    "four elements": msgpack.packb([1, "init", [], 0]),
    "no elements": b"\x90",
    "cut": msgpack.packb([1, "init", []])[:-1],
    "more behind it": msgpack.packb([1, "init", []]) + b"\0",
    "text that is not UTF-8": b"\x93\x01\xa1\xff\x90",
    "binary longer than the payload": b"\x93\x01\xa1x\x91\xc6\xff\xff\xff\xff",
    "array longer than the payload": b"\x93\x01\xa1x\xdd\xff\xff\xff\xff",
    "map with a list for a key": b"\x93\x81\x90\x01\xa1x\x90",
    "nested 100,000 deep": b"\x93" + b"\x91" * 100_000 + b"\x01\xa1x\x90",
    "text of three characters": msgpack.packb("abc"),
    "binary of three bytes": msgpack.packb(b"abc"),
    "map of three keys": b"\xde\x00\x03\xa3tag\x01\xa4init\x02\xa4args\x03",
}


class ShallowPacker:
    """An encoder that is less tolerant of nesting than the decoder, like msgpack's before 1.1."""

    def pack(self, term: Any) -> bytes:
        """Refuse every term."""
        raise ValueError("recursion limit exceeded")


BAD_ETF_ARGUMENTS: dict[str, Any] = {
    "bitstring": OtpErlangBinary(b"\xa0", bits=3),
    "iolist": [OtpErlangBinary(b"abc")],
    "improper list": OtpErlangList([1, 2], improper=True),
    "atom": OtpErlangAtom("abc"),
    "true": True,
    "undefined": None,
    "pid": ETF_TAGS["pid"],
    "integer": 1,
    "float": 1.0,
}

INIT: tuple[Any, ...] = (1, OtpErlangAtom("init"), [])
PLAIN_INIT = encoded(INIT)[1:]
ZEROS = b"\x6d" + struct.pack(">I", 10_000) + bytes(10_000)
MAP = b"\x83\x74\0\0\0\3" + b"\x61\1" * 2 + b"\x61\2" * 2 + b"\x61\3" * 2
COMPRESSED_ZEROS = b"\x50" + struct.pack(">I", len(ZEROS)) + zlib.compress(ZEROS)
NO_ETF_REQUESTS: dict[str, bytes] = {
    "nothing": b"\x83",
    "compressed": b"\x83\x50" + struct.pack(">I", len(PLAIN_INIT)) + zlib.compress(PLAIN_INIT),
    "compressed inside": b"\x83\x68\x03\x61\x01\x77\x04init" + COMPRESSED_ZEROS,
    "two elements": encoded(INIT[:2]),
    "four elements": encoded((*INIT, 1)),
    "integer": encoded(1),
    "atom": encoded(OtpErlangAtom("init")),
    "string of three": encoded(b"abc"),
    "map": MAP,
    "map for a tag": b"\x83\x68\x03" + MAP[1:] + b"\x77\x04init\x6a",
    "empty map for a tag": b"\x83\x68\x03\x74\0\0\0\0\x77\x04init\x6a",
    "map in a tag": b"\x83\x68\x03\x68\x01" + MAP[1:] + b"\x77\x04init\x6a",
    "map for arguments": b"\x83\x68\x03\x61\x01\x77\x04init" + MAP[1:],
    "map for an argument": b"\x83\x68\x03\x61\x01\x77\x04init\x6c\0\0\0\1" + MAP[1:] + b"\x6a",
    "cached atom for a tag": b"\x83\x68\x03\x4e\0\x77\x04init\x6a",
    "cached atom in a tag": b"\x83\x68\x03\x68\x01\x4e\0\x77\x04init\x6a",
    "cached atom for an operation": b"\x83\x68\x03\x61\x01\x4e\0\x6a",
    "cut": encoded(INIT)[:-1],
    "more behind it": encoded(INIT) + b"\x6a",
    "unknown tag": b"\x83\x00",
    "atom that is not UTF-8": b"\x83\x68\x03\x61\x01\x77\x01\xff\x6a",
    "binary longer than the payload": b"\x83\x68\x03\x61\x01\x77\x04init\x6d\xff\xff\xff\xff",
    "tuples nested 100,000 deep": b"\x83" + b"\x68\x01" * 100_000 + b"\x6a",
    "arguments nested 10,000 deep": b"\x83\x68\x03\x61\x01\x77\x04init"
    + b"\x6c\0\0\0\1" * 10_000
    + b"\x6a" * 10_001,
}


class TestExternalTermFormat:
    """Requests, tags and replies in the external term format."""

    @pytest.mark.parametrize("tag", ETF_TAGS.values(), ids=ETF_TAGS)
    def test_tag_comes_back_unchanged(self, tag: Any) -> None:
        request = etf_request(tag, OtpErlangAtom("init"), [])
        assert request.reply(OK) == encoded((tag, OtpErlangAtom("ok")))

    def test_latin_1_atom_comes_back_unchanged(self) -> None:
        atom = b"\x64\x00\x02\xe4\xf6"  # ATOM_EXT
        request = decode(b"\x83\x68\x03" + atom + b"\x77\x04init\x6a")
        assert request.operation == "init"
        assert erlang.binary_to_term(request.reply(OK))[0].value == b"\xe4\xf6"

    @pytest.mark.parametrize("depth", [100, 250, 300, 350, 400, 450, 1000])
    def test_deep_tag_comes_back_or_is_refused(self, depth: int) -> None:
        tag = b"\x68\x01" * depth + b"\x6a"
        try:
            reply = decode(b"\x83\x68\x03" + tag + b"\x77\x04init\x6a").reply(OK)
        except ProtocolError:
            return
        assert reply == b"\x83\x68\x02" + tag + b"\x77\x02ok"

    def test_reply_is_a_tuple_of_tag_and_answer(self) -> None:
        request = etf_request(7, OtpErlangAtom("init"), [])
        assert request.reply((OK, (1, b"abc", codec.UNDEFINED))) == (
            b"\x83\x68\x02\x61\x07\x68\x02\x77\x02ok\x68\x03\x61\x01\x6d\x00\x00\x00\x03abc\x77\x09undefined"
        )

    def test_binary_is_a_binary(self) -> None:
        assert perform_etf("sha256", [OtpErlangBinary(b"abc")])[1] == OtpErlangBinary(
            sha256(b"abc")
        )

    def test_undefined_is_an_atom(self) -> None:
        assert etf_request(0, OtpErlangAtom("init"), [None]).args == [codec.UNDEFINED]

    def test_atom_in_either_encoding_is_an_atom(self) -> None:
        latin = b"\x83\x68\x03\x61\x00\x64\x00\x04init\x6c\x00\x00\x00\x01\x73\x01a\x6a"
        assert decode(latin)[1:] == (0, "init", [codec.atom("a")])

    def test_string_is_a_list_and_not_a_binary(self) -> None:
        assert etf_request(0, OtpErlangAtom("sha256"), [b"abc"]).args == [[97, 98, 99]]
        assert perform_etf("sha256", [b"abc"]) == (OtpErlangAtom("error"), OtpErlangAtom("badarg"))

    def test_small_integers_in_a_string_are_arguments(self) -> None:
        answer = perform_etf("generate_pre_key", b"\x07")
        assert answer[0] == OtpErlangAtom("ok")
        assert answer[1][0] == 7

    def test_big_integer_is_an_integer(self) -> None:
        assert perform_etf("hkdf_sha256", [OtpErlangBinary(b"")] * 3 + [2**80])[1] == OtpErlangAtom(
            "invalid_length"
        )

    @pytest.mark.parametrize("argument", BAD_ETF_ARGUMENTS.values(), ids=BAD_ETF_ARGUMENTS)
    def test_argument_that_is_no_binary_is_badarg(self, argument: Any) -> None:
        assert perform_etf("sha256", [argument]) == (
            OtpErlangAtom("error"),
            OtpErlangAtom("badarg"),
        )

    @pytest.mark.parametrize(
        "operation", [OtpErlangBinary(b"sha256"), b"sha256", 1, None, True, []], ids=repr
    )
    def test_operation_that_is_no_atom_is_unknown(self, operation: Any) -> None:
        request = etf_request(0, operation, [])
        assert perform(request.operation, request.args) == (
            codec.atom("error"),
            codec.atom("unknown_operation"),
        )

    @given(garbage=st.binary(max_size=64))
    def test_garbage_is_a_request_or_a_protocol_error(
        self,
        garbage: bytes,
    ) -> None:
        with suppress(ProtocolError):
            assert len(codec.decode(b"\x83" + garbage)) == 4

    @pytest.mark.parametrize("payload", NO_ETF_REQUESTS.values(), ids=NO_ETF_REQUESTS)
    def test_other_payload_is_a_protocol_error(self, payload: bytes) -> None:
        with pytest.raises(ProtocolError, match="is no request"):
            codec.decode(payload)


class TestMsgpack:
    """Requests, tags and replies in msgpack."""

    def test_request_is_an_array_of_tag_operation_and_arguments(self) -> None:
        payload = b"\x93\x07\xa6sha256\x91\xc4\x03abc"
        assert decode(payload)[1:] == (7, "sha256", [b"abc"])

    def test_reply_is_an_array_of_tag_and_answer(self) -> None:
        request = decode(b"\x93\x07\xa4init\x90")
        assert request.reply((OK, b"abc")) == b"\x92\x07\x92\xd5\x01ok\xc4\x03abc"

    @given(tag=TAGS)
    def test_tag_comes_back_unchanged(self, tag: Any) -> None:
        assert decode(msgpack.packb([tag, "init", []])).reply(OK) == msgpack.packb([tag, OK])

    @pytest.mark.parametrize("depth", [400, 512, 600, 1000, 1022])
    def test_deep_tag_comes_back_or_is_refused(self, depth: int) -> None:
        payload = b"\x93" + b"\x91" * depth + b"\x01" + b"\xa4init\x90"
        try:
            reply = decode(payload).reply(OK)
        except ProtocolError:
            return
        assert reply == b"\x92" + b"\x91" * depth + b"\x01" + b"\xd5\x01ok"

    def test_tag_too_deep_for_the_encoder_is_a_protocol_error(
        self,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(codec, "_packer", ShallowPacker())
        with pytest.raises(ProtocolError, match="nested too deep"):
            decode(b"\x93\x91\x01\xa4init\x90").reply(OK)

    def test_atom_is_ext_type_1(self) -> None:
        atom = codec.atom("bad_mac")
        assert (atom.code, atom.data) == (1, b"bad_mac")

    def test_undefined_is_an_atom(self) -> None:
        assert (codec.UNDEFINED.code, codec.UNDEFINED.data) == (1, b"undefined")

    def test_string_is_not_a_binary(self) -> None:
        request = decode(msgpack.packb([0, "sha256", ["text"]]))
        assert perform(request.operation, request.args) == BADARG

    def test_notice_is_an_array_of_its_terms(self) -> None:
        assert msgpack.unpackb(codec.encode_notice("ready", 1, {"os_pid": 2})) == [
            "ready",
            1,
            {"os_pid": 2},
        ]

    @given(payload=st.binary(min_size=1, max_size=64))
    def test_garbage_is_a_request_or_a_protocol_error(self, payload: bytes) -> None:
        with suppress(ProtocolError):
            assert len(codec.decode(payload)) == 4

    @pytest.mark.parametrize("payload", NO_REQUESTS.values(), ids=NO_REQUESTS)
    def test_other_payload_is_a_protocol_error(self, payload: bytes) -> None:
        with pytest.raises(ProtocolError, match="is no request"):
            codec.decode(payload)

    def test_protocol_error_does_not_quote_the_payload(self) -> None:
        with pytest.raises(ProtocolError) as caught:
            codec.decode(msgpack.packb(["plaintext", "init"]))
        assert "plaintext" not in str(caught.value)
        assert caught.value.__cause__ is None


def sha256(data: bytes) -> bytes:
    answer: Any = perform("sha256", [data])
    return bytes(answer[1])
