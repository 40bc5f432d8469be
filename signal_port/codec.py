"""Payloads to requests, answers to payloads. No I/O.

There are two codecs, and a reply is in the codec of its request. A payload that begins with 131 is Erlang's external
term format, by `erlang_py`; every other is msgpack, four times as fast. Inside, a term is a Python value: bytes is a
binary, an int an integer, an `ExtType` of type `ATOM` an atom, a list what came as a list or a tuple and what goes as a
list, a tuple what goes as a tuple. PROTOCOL.md is the specification.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import erlang
from msgpack import ExtType, Packer, unpackb

from signal_port import etf
from signal_port.errors import ProtocolError

ATOM = 1  # msgpack's ext type of an atom; the data is its name

Term: TypeAlias = Any  # an Erlang term, as said above

_ETF = 131

_packer = Packer()
_GIVEN_BACK = (
    1024 * 1024
)  # bytes; after a longer reply the packer's buffer, as long as that, is given back

_TOO_DEEP = "a frame is no request: its tag is nested too deep"

# (tag, answer) -> payload, in the codec of the request; raises ProtocolError where the tag cannot be sent back.
Encode: TypeAlias = Callable[[Term, Term], bytes]


@cache
def atom(name: str) -> ExtType:
    """Return the term of an atom. Only for names from this package: each is kept."""
    return ExtType(ATOM, name.encode())


UNDEFINED = atom("undefined")
BATCH = "batch"  # the operation whose arguments are calls, each `[name, args]`: known here for the names in it


def decode(payload: bytes | memoryview) -> tuple[Encode, Term, Term, Term]:
    """Return the request that a payload holds: what encodes its reply, its tag, operation and arguments.

    The tag is opaque, and goes back as it came. The operation is a str, if the requester knows what it does, and the
    arguments are a list: to check that is the operations' part.

    Raises:
        ProtocolError: it holds none, so that no answer is possible either.
    """
    try:
        if payload[0] == _ETF:
            return _encode_etf, *_decode_etf(bytes(payload))
        request = unpackb(payload)
        if type(request) is list:
            tag, operation, args = request
            return _encode_msgpack, tag, operation, args
        raise TypeError
    except ProtocolError:
        raise
    except Exception as error:  # of a dozen kinds; the texts may quote the payload
        raise ProtocolError(
            f"a frame of {len(payload)} bytes is no request ({type(error).__name__})"
        ) from None


def encode_notice(*terms: Term) -> bytes:
    """Return the payload of a frame that answers no request: the first one of a worker."""
    notice: bytes = _packer.pack(terms)
    return notice


def _encode_msgpack(tag: Term, answer: Term) -> bytes:
    global _packer
    try:
        reply: bytes = _packer.pack((tag, answer))
    except ValueError:  # an encoder may go less deep than its decoder
        raise ProtocolError(_TOO_DEEP) from None
    if len(reply) > _GIVEN_BACK:
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
def _to_etf_atom(atom: ExtType) -> Term:
    return erlang.OtpErlangAtom(atom.data.decode())


def _to_etf(term: Term) -> Term:
    kind = type(term)
    if kind is bytes:
        return erlang.OtpErlangBinary(term)
    if kind is ExtType:
        return _to_etf_atom(term)
    if kind is tuple:
        return tuple([_to_etf(element) for element in term])
    if kind is list:
        return [_to_etf(element) for element in term]
    return term
