"""What may come in Erlang's external term format: a walk over a term's bytes before it is decoded.

`erlang_py` decodes whatever its version knows, hostile terms included. So it gets only what this
walk knows. The walk is pure, linear and not recursive. It knows how long a term is, not what it
means. These kinds of terms are left out, because of what they would cost:

- compressed terms: memory without a limit
- LARGE_BIG: time that grows with the square of the integer's length; a megabyte takes minutes
- MAP: the same, if its keys collide; also, of 1 and 1.0, equal in Python, one would be lost
- FUN, unused since OTP R8: for each level of nesting a copy of everything inside
- references to an atom cache: the requester has no cache for them when they come back
"""

from struct import Struct
from struct import error as StructError

from signal_port.errors import ProtocolError
from signal_port.limits import MAX_TERM_DEPTH, MAX_TERMS

_uint8 = Struct(">B").unpack_from
_uint16 = Struct(">H").unpack_from
_uint32 = Struct(">I").unpack_from

# By tag: how to read the length behind it, and how many bytes the term has that the length does not
# count, the tag and the length's own included.
_ATOMS = {
    100: (_uint16, 3),  # ATOM, in Latin-1
    115: (_uint8, 2),  # SMALL_ATOM
    118: (_uint16, 3),  # ATOM_UTF8
    119: (_uint8, 2),  # SMALL_ATOM_UTF8
}
_LEAVES = {
    **_ATOMS,
    70: (None, 9),  # NEW_FLOAT
    77: (_uint32, 6),  # BIT_BINARY
    97: (None, 2),  # SMALL_INTEGER
    98: (None, 5),  # INTEGER
    99: (None, 32),  # FLOAT, 31 characters
    106: (None, 1),  # NIL
    107: (_uint16, 3),  # STRING
    109: (_uint32, 5),  # BINARY
    110: (_uint8, 3),  # SMALL_BIG
    112: (_uint32, 1),  # NEW_FUN: its length counts itself, and nothing in it is decoded
}
# By tag: as above, and how many terms it has that the length does not count.
_SEQUENCES = {
    104: (_uint8, 2, 0),  # SMALL_TUPLE
    105: (_uint32, 5, 0),  # LARGE_TUPLE
    108: (_uint32, 5, 1),  # LIST, with its tail
    113: (None, 1, 3),  # EXPORT
}
# By tag: how to read the number of words of four bytes, at which byte the node's name begins, an
# atom, and how many bytes follow it besides.
_IDENTIFIERS = {
    88: (None, 1, 12),  # NEW_PID
    89: (None, 1, 8),  # NEW_PORT
    90: (_uint16, 3, 4),  # NEWER_REFERENCE
    101: (None, 1, 5),  # REFERENCE
    102: (None, 1, 5),  # PORT
    103: (None, 1, 9),  # PID
    114: (_uint16, 3, 1),  # NEW_REFERENCE
    120: (None, 1, 12),  # V4_PORT
}


def check(payload: bytes) -> None:
    """Return if one term that is safe to decode follows the first byte, and nothing else.

    Raises:
        ProtocolError: the payload has a term of another kind, more than `MAX_TERMS` terms, or
            tuples and lists nested deeper than `MAX_TERM_DEPTH`; it is cut off, or goes on.
    """
    try:
        end = _walk(payload, 1)
    except KeyError:
        raise _refusal(payload, "it has a kind of term that is not accepted") from None
    except (IndexError, StructError):
        end = -1
    if end != len(payload):
        raise _refusal(payload, "it does not end where its term ends")


def _walk(payload: bytes, at: int) -> int:
    """Return the position behind a term, which can be behind the end of the payload."""
    outer: list[int] = []  # of each sequence around: how many of its terms are still to come
    missing = 1
    for _ in range(MAX_TERMS):
        tag = payload[at]
        missing -= 1
        if tag in _LEAVES:
            read, size = _LEAVES[tag]
            at += size + (read(payload, at + 1)[0] if read else 0)
        elif tag in _IDENTIFIERS:
            at = _skip_identifier(payload, at)
        else:
            read, size, more = _SEQUENCES[tag]
            outer.append(missing)
            missing = more + (read(payload, at + 1)[0] if read else 0)
            at += size
            if len(outer) > MAX_TERM_DEPTH:
                raise _refusal(payload, f"it is nested deeper than {MAX_TERM_DEPTH} levels")
        while not missing:
            if not outer:
                return at
            missing = outer.pop()
    raise _refusal(payload, f"it has more than {MAX_TERMS} terms")


def _skip_identifier(payload: bytes, at: int) -> int:
    read_words, node, rest = _IDENTIFIERS[payload[at]]
    read_length, size = _ATOMS[payload[at + node]]
    words = read_words(payload, at + 1)[0] if read_words else 0
    length = read_length(payload, at + node + 1)[0]
    return int(at + node + size + length + rest + 4 * words)


def _refusal(payload: bytes, reason: str) -> ProtocolError:
    return ProtocolError(f"a frame of {len(payload)} bytes is no request: {reason}")
