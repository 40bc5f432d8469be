"""Payloads to requests, answers to payloads. No I/O.

There are two codecs, and a reply is in the codec of its request. A payload that begins with 131 is
in Erlang's external term format: `etf` checks it, `erlang_py` decodes it. Every other payload is
msgpack, four times as fast. PROTOCOL.md is the specification.

Inside the package a term is a Python value: bytes for a binary, int for an integer, an `ExtType` of
type `ATOM` for an atom. A list or a tuple arrives as a list; in an answer a list is a list, and a
tuple is a tuple.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import erlang
from msgpack import ExtType, Packer, unpackb

from signal_port import etf
from signal_port.errors import ProtocolError

ATOM = 1  # msgpack's ext type of an atom; the data is its name

Term: TypeAlias = Any  # an Erlang term, as described above

_ETF = 131

_packer = Packer()
_MAX_PACKER = 1024 * 1024  # bytes; after a longer reply a new packer frees the old one's buffer

_TOO_DEEP = "a frame is no request: its tag is nested too deep"

# (tag, answer) -> payload, in the codec of the request. It raises ProtocolError if the encoder is
# less tolerant of deep nesting than the decoder, so that the tag cannot be sent back.
Encode: TypeAlias = Callable[[Term, Term], bytes]


@cache
def atom(name: str) -> ExtType:
    """Return the term of an atom. Each is cached: use it only for names from this package."""
    return ExtType(ATOM, name.encode())


UNDEFINED = atom("undefined")
BATCH = "batch"  # its arguments are calls, `[name, args]`, so its names are decoded here too


def decode(payload: bytes | memoryview) -> tuple[Encode, Term, Term, Term]:
    """Return the request in a payload: the encoder of its reply, tag, operation, arguments.

    The tag is sent back as it came. `operations` checks the others: a good operation is a str, good
    arguments are a list.

    Raises:
        ProtocolError: the payload is not a request, so no answer is possible.
    """
    try:
        if payload[0] == _ETF:
            return _encode_etf, *_decode_etf(bytes(payload))
        request = unpackb(payload)
        if type(request) is list:
            tag, operation, args = request
            return _encode_msgpack, tag, operation, args
        raise TypeError
    except (ProtocolError, MemoryError):
        raise
    except Exception as error:  # of a dozen types, whose texts can quote the payload
        raise ProtocolError(
            f"a frame of {len(payload)} bytes is no request ({type(error).__name__})"
        ) from None


def encode_notice(*terms: Term) -> bytes:
    """Return the payload of a frame that answers no request, like a worker's first frame."""
    notice: bytes = _packer.pack(terms)
    return notice


def _encode_msgpack(tag: Term, answer: Term) -> bytes:
    global _packer
    try:
        reply: bytes = _packer.pack((tag, answer))
    except ValueError:
        raise ProtocolError(_TOO_DEEP) from None
    if len(reply) > _MAX_PACKER:
        _packer = Packer()
    return reply


# --- External term format ---


def _decode_etf(payload: bytes) -> tuple[Term, Term, Term]:
    etf.check(payload)
    term = erlang.binary_to_term(payload)
    if type(term) is not tuple:
        raise TypeError
    tag, operation, args = term
    name = _name(operation)
    if name == BATCH and type(args) is list:
        return tag, name, [_call(element) for element in args]
    return tag, name, _from_etf(args)


def _encode_etf(tag: Term, answer: Term) -> bytes:
    try:
        return bytes(erlang.term_to_binary((tag, _to_etf(answer))))
    except RecursionError:
        raise ProtocolError(_TOO_DEEP) from None


def _call(term: Term) -> Term:
    if term and type(term) in (tuple, list):
        return [_name(term[0]), *map(_from_etf, term[1:])]
    return _from_etf(term)


def _name(term: Term) -> str | None:
    if type(term) is not erlang.OtpErlangAtom:
        return None
    name: str | bytes = term.value  # bytes if the atom is in Latin-1
    return name if isinstance(name, str) else name.decode()


def _from_etf(term: Term) -> Term:
    kind = type(term)
    if kind is erlang.OtpErlangBinary:
        return term.value if term.bits == 8 else term
    if kind is list or kind is tuple:
        return [_from_etf(element) for element in term]
    if kind is erlang.OtpErlangAtom:
        name = term.value
        return ExtType(ATOM, name.encode() if isinstance(name, str) else name)
    if kind is bytes:  # STRING_EXT: a list of small integers
        return list(term)
    return UNDEFINED if term is None else term


@cache
def _to_etf_atom(atom: ExtType) -> Term:  # only atoms of answers, all from this package
    return erlang.OtpErlangAtom(atom.data.decode())


def _to_etf(term: Term) -> Term:
    kind = type(term)
    if kind is bytes:
        return erlang.OtpErlangBinary(term)
    if kind is ExtType:
        return _to_etf_atom(term)
    if isinstance(term, tuple):  # also a NamedTuple, as functions return it
        return tuple([_to_etf(element) for element in term])
    if kind is list:
        return [_to_etf(element) for element in term]
    return term
