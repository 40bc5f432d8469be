"""The walk over the external term format: what it lets through, what it refuses, and where."""

import json
import zlib
from typing import Any

import erlang
import pytest
from child import code, python
from erlang import OtpErlangAtom, OtpErlangBinary, OtpErlangList, OtpErlangPid, OtpErlangReference
from etf_terms import count, encoded
from hypothesis import given
from hypothesis import strategies as st

from signal_port import codec, etf
from signal_port.errors import ProtocolError
from signal_port.limits import MAX_TERM_DEPTH, MAX_TERMS

NODE = OtpErlangAtom("node@host")
REQUEST = b"\x83\x68\x03\x61\x07"  # the beginning of one, with its tag
NAME = b"\x77\x04init"
ATOM, NIL = b"\x77\x01a", b"\x6a"


def refusal(payload: bytes) -> str:
    """Return the sentence with which a payload is refused."""
    with pytest.raises(ProtocolError) as caught:
        etf.check(payload)
    return str(caught.value)


ACCEPTED: dict[str, bytes] = {
    "small integer": b"\x61\xff",
    "integer": b"\x62\xff\xff\xff\xff",
    "integer of no bytes": b"\x6e\0\0",
    "integer of 255 bytes": b"\x6e\xff\1" + b"\xff" * 255,
    "float": b"\x46" + bytes(8),
    "float in characters": b"\x631.5" + bytes(28),
    "atom in Latin-1": b"\x64\0\2\xe4\xf6",
    "small atom in Latin-1": b"\x73\2\xe4\xf6",
    "atom": b"\x76\0\2\xc3\xa4",
    "small atom": b"\x77\2\xc3\xa4",
    "atom of no characters": b"\x77\0",
    "binary": b"\x6d" + count(3) + b"abc",
    "binary of no bytes": b"\x6d" + count(0),
    "bitstring": b"\x4d" + count(1) + b"\3\xa0",
    "nil": b"\x6a",
    "list of bytes": b"\x6b\0\3abc",
    "list": b"\x6c" + count(2) + ATOM + NIL + NIL,
    "list of nothing": b"\x6c" + count(0) + NIL,
    "improper list": b"\x6c" + count(1) + ATOM + ATOM,
    "tuple of nothing": b"\x68\0",
    "tuple": b"\x68\2" + ATOM + NIL,
    "large tuple": b"\x69" + count(2) + ATOM + NIL,
    "pid": b"\x58" + ATOM + bytes(12),
    "pid of an old node": b"\x67" + ATOM + bytes(9),
    "port": b"\x59" + ATOM + bytes(8),
    "port of OTP 24 or later": b"\x78" + ATOM + bytes(12),
    "port of an old node": b"\x66" + ATOM + bytes(5),
    "reference": b"\x5a\0\3" + ATOM + bytes(16),
    "reference of a node with a long name": b"\x5a\0\1\x76\1\0" + b"n" * 256 + bytes(8),
    "reference of an old node": b"\x72\0\3" + ATOM + bytes(13),
    "reference of a very old node": b"\x65" + ATOM + bytes(5),
    "fun": b"\x70" + count(40) + bytes(36),
    "exported fun": b"\x71" + ATOM * 2 + b"\x61\2",
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "map": (b"\x74" + count(0), "kind"),
    "map of one": (b"\x74" + count(1) + ATOM + NIL, "kind"),
    "compressed": (b"\x50" + count(3) + zlib.compress(ATOM), "kind"),
    "long integer": (b"\x6f" + count(1) + b"\0\1", "kind"),
    "fun of an old node": (b"\x75" + count(0) + ATOM * 4, "kind"),
    "atom of the cache": (b"\x52\0", "kind"),
    "reference to the atom cache": (b"\x4e\0", "kind"),
    "pid whose node is of the atom cache": (b"\x58\x52\0" + bytes(12), "kind"),
    "pid whose node is no atom": (b"\x58\x61\0" + bytes(12), "kind"),
    "local term": (b"\x79" + bytes(8), "kind"),
    "distribution header": (b"\x44\0", "kind"),
    "another version": (b"\x83\x6a", "kind"),
    "unused tag": (b"\0", "kind"),
}


class TestCheck:
    """Every kind of term that a tag can be made of, and every kind that it cannot."""

    @pytest.mark.parametrize("term", ACCEPTED.values(), ids=ACCEPTED)
    def test_accepted_term_passes_and_is_decoded(self, term: bytes) -> None:
        etf.check(b"\x83" + term)
        erlang.binary_to_term(b"\x83" + term)
        assert codec.decode(b"\x83\x68\x03" + term + NAME + NIL)[2:] == ("init", [])

    @pytest.mark.parametrize("term", ACCEPTED.values(), ids=ACCEPTED)
    def test_cut_term_is_refused_wherever_it_is_cut(self, term: bytes) -> None:
        for size in range(len(term)):
            assert "it does not end" in refusal(b"\x83" + term[:size])

    @pytest.mark.parametrize("term", ACCEPTED.values(), ids=ACCEPTED)
    def test_byte_behind_the_term_is_refused(self, term: bytes) -> None:
        assert "it does not end" in refusal(b"\x83" + term + b"\0")

    @pytest.mark.parametrize(("term", "reason"), REFUSED.values(), ids=REFUSED)
    def test_refused_term_is_refused_wherever_it_stands(self, term: bytes, reason: str) -> None:
        places = [
            b"\x83" + term,
            b"\x83\x68\x03" + term + NAME + NIL,
            b"\x83\x68\x03\x68\x01" + term + NAME + NIL,
            REQUEST + term + NIL,
            REQUEST + NAME + term,
            REQUEST + NAME + b"\x6c" + count(1) + term + NIL,
            REQUEST + NAME + b"\x6c" + count(1) + NIL + term,
        ]
        for payload in places:
            assert reason in refusal(payload)

    def test_accepted_and_refused_tags_are_all_that_there_are(self) -> None:
        accepted = {term[0] for term in ACCEPTED.values()}
        for tag in range(256):
            if tag not in accepted:
                assert "kind" in refusal(b"\x83" + bytes([tag]) + bytes(40))

    def test_refusal_does_not_quote_the_payload(self) -> None:
        secret = b"\x74" + count(1) + b"attack at dawn"
        assert refusal(b"\x83" + secret) == (
            f"a frame of {len(secret) + 1} bytes is no request: "
            "it has a kind of term that is not accepted"
        )


class TestLimits:
    """The most that is let through."""

    @pytest.mark.parametrize("shell", [b"\x68\x01", b"\x69" + count(1)], ids=["small", "large"])
    def test_depth_limit_is_exact(self, shell: bytes) -> None:
        etf.check(b"\x83" + shell * MAX_TERM_DEPTH + NIL)
        assert "deeper" in refusal(b"\x83" + shell * (MAX_TERM_DEPTH + 1) + NIL)

    def test_depth_of_lists_and_of_their_tails_counts(self) -> None:
        levels = MAX_TERM_DEPTH + 1
        assert "deeper" in refusal(b"\x83" + (b"\x6c" + count(1)) * levels + NIL * (levels + 1))
        assert "deeper" in refusal(b"\x83" + (b"\x6c" + count(1) + NIL) * levels + NIL)

    def test_deepest_tag_comes_back(self) -> None:
        tag = b"\x68\x01" * (MAX_TERM_DEPTH - 1) + NIL
        encode, term, _, _ = codec.decode(b"\x83\x68\x03" + tag + NAME + NIL)
        assert encode(term, codec.atom("ok")) == b"\x83\x68\x02" + tag + b"\x77\x02ok"

    def test_terms_limit_is_exact(self) -> None:
        etf.check(b"\x83\x69" + count(MAX_TERMS - 1) + NIL * (MAX_TERMS - 1))
        assert "more than" in refusal(b"\x83\x69" + count(MAX_TERMS) + NIL * MAX_TERMS)

    def test_largest_batch_passes(self) -> None:
        init = OtpErlangAtom("dr_encrypt_prekey")
        info = (1, 2, 3, OtpErlangBinary(bytes(32)))
        call = (init, [OtpErlangBinary(b""), OtpErlangBinary(b""), info])
        etf.check(encoded((7, OtpErlangAtom("batch"), [call] * 1024)))

    @pytest.mark.parametrize("number", [2**16, 2**31, 2**32 - 1])
    def test_sequence_that_claims_more_than_there_is_is_refused(self, number: int) -> None:
        for tag in (b"\x69", b"\x6c"):
            assert "it does not end" in refusal(b"\x83" + tag + count(number) + NIL)


TERMS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.binary(max_size=20)
    | st.builds(OtpErlangBinary, st.binary(max_size=20))
    | st.builds(OtpErlangBinary, st.binary(min_size=1, max_size=4), st.integers(1, 7))
    | st.builds(OtpErlangAtom, st.text(max_size=20) | st.binary(max_size=20))
    | st.builds(
        OtpErlangReference, st.just(NODE), st.binary(min_size=12, max_size=12), st.just(bytes(4))
    )
    | st.just(OtpErlangPid(NODE, bytes(4), bytes(4), bytes(4))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, min_size=2, max_size=4).map(lambda some: OtpErlangList(some, True))
    ),
    max_leaves=20,
)
ANSWERS = st.recursive(
    st.binary(max_size=40) | st.integers(-(2**31), 2**32) | st.just(codec.atom("ok")),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
)
TAGS = [bytes([term[0]]) for term in ACCEPTED.values()]
EXPECTED = (erlang.ParseException, UnicodeDecodeError, ValueError)  # the last: of a float's text


class TestAgainstThePackage:
    """The walk and `erlang_py` know the same terms."""

    @given(term=TERMS)
    def test_every_term_that_the_package_encodes_passes(self, term: Any) -> None:
        etf.check(encoded(term))

    @given(tag=TERMS, answer=ANSWERS)
    def test_every_reply_passes(self, tag: Any, answer: Any) -> None:
        encode, tag, _, _ = codec.decode(encoded((tag, OtpErlangAtom("init"), [])))
        etf.check(encode(tag, answer))

    @given(term=TERMS, at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 9))
    def test_everything_that_passes_is_decoded_or_refused_by_the_package(
        self, term: Any, at: int, byte: int, cut: int
    ) -> None:
        payload = bytearray(encoded(term))
        payload[1 + at % (len(payload) - 1)] = byte
        decoded_or_refused(bytes(payload[: len(payload) - cut]))

    @given(garbage=st.binary(max_size=64))
    def test_garbage_that_passes_is_decoded_or_refused_by_the_package(self, garbage: bytes) -> None:
        decoded_or_refused(b"\x83" + garbage)

    @given(tags=st.lists(st.sampled_from(TAGS), max_size=8), rest=st.binary(max_size=40))
    def test_chosen_tags_that_pass_are_decoded_or_refused_by_the_package(
        self, tags: list[bytes], rest: bytes
    ) -> None:
        decoded_or_refused(b"\x83" + b"\0\1".join(tags) + rest)


def decoded_or_refused(payload: bytes) -> None:
    """Fail if a payload that passes raises anything unexpected in the package, both ways."""
    try:
        etf.check(payload)
    except ProtocolError:
        return
    try:
        term = erlang.binary_to_term(payload)
    except EXPECTED:
        return
    erlang.term_to_binary(term)


class TestPackage:
    """`erlang_py` is used as it is."""

    def test_package_is_as_it_was_after_requests(self) -> None:
        lines = (
            "import erlang",
            "before = dict(vars(erlang))",
            "from signal_port import codec",
            f"codec.decode({encoded((7, OtpErlangAtom('init'), []))!r})",
            "import json",
            "print(json.dumps([len(before), before == vars(erlang)]))",
        )
        names, is_unchanged = json.loads(python(*code(*lines)).stdout)
        assert names > 50
        assert is_unchanged
