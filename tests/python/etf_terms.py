"""Terms in the external term format, made by `erlang_py` or byte by byte."""

from typing import Any

import erlang
from msgpack import ExtType


def encoded(term: Any) -> bytes:
    """Return a term of `erlang_py` in the external term format."""
    return bytes(erlang.term_to_binary(term))


def to_etf(term: Any) -> Any:
    """Return a decoded argument or answer as a term of `erlang_py`; a list becomes a tuple."""
    match term:
        case bytes():
            return erlang.OtpErlangBinary(term)
        case ExtType():
            return erlang.OtpErlangAtom(term.data.decode())
        case tuple() | list():
            return tuple(map(to_etf, term))
    return term


def count(number: int) -> bytes:
    """Return a length or a number of elements, 32 bits."""
    return number.to_bytes(4, "big")
