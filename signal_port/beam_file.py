"""The functions of a compiled Erlang module, read from its BEAM file.

It knows the file's chunks as OTP's `beam_file_format` describes them, and reads three of them:
atoms, exported functions, local functions. The file may be anything: what makes no sense raises.
"""

import struct
import zlib
from typing import NamedTuple

MAX_SIZE = 32 * 1024 * 1024  # bytes of a module, unpacked

_GZIP = b"\x1f\x8b"

Functions = frozenset[tuple[str, int]]


class NoBeam(Exception):
    """The file is no compiled Erlang module; the text says why."""


class Module(NamedTuple):
    """A module's name, the functions it exports, and its others; None if it was stripped."""

    name: str
    exported: Functions
    others: Functions | None


def read_module(data: bytes) -> Module:
    """Return what a BEAM file says of its functions.

    Raises:
        NoBeam: it is none, or damaged.
    """
    try:
        chunks = _chunks(_unpacked(data))
        atoms = _atoms(chunks)
        exported = _functions(chunks[b"ExpT"], atoms)
        others = _functions(chunks[b"LocT"], atoms) if b"LocT" in chunks else None
    except (LookupError, struct.error, zlib.error) as error:
        raise NoBeam(f"is a damaged BEAM file ({type(error).__name__})") from None
    return Module(atoms[1], exported, others)


def _unpacked(data: bytes) -> bytes:
    # Modules may be compressed as a whole, in gzip's format.
    if data.startswith(_GZIP):
        data = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, MAX_SIZE)
    if data[:4] != b"FOR1" or data[8:12] != b"BEAM":
        raise NoBeam("is no BEAM file")
    return data


def _chunks(data: bytes) -> dict[bytes, bytes]:
    found = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from(">4sI", data, at)
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + (size + 3 & ~3)
    return found


def _atoms(chunks: dict[bytes, bytes]) -> list[str]:
    # Their numbers begin with 1, the name of the module. Since OTP 28 a negative count says that
    # lengths are numbers of the code's own format, of one or two bytes.
    encoding = "utf-8" if b"AtU8" in chunks else "latin-1"
    table = chunks[b"AtU8" if b"AtU8" in chunks else b"Atom"]
    (count,) = struct.unpack_from(">i", table)
    atoms, at = [""], 4
    for _ in range(abs(count)):
        size, at = _compact(table, at) if count < 0 else (table[at], at + 1)
        if at + size > len(table):
            raise IndexError(at)
        atoms.append(table[at : at + size].decode(encoding, "backslashreplace"))
        at += size
    return atoms


def _compact(table: bytes, at: int) -> tuple[int, int]:
    first = table[at]
    if first & 8 == 0:
        return first >> 4, at + 1
    return (first & 0xE0) << 3 | table[at + 1], at + 2


def _functions(table: bytes, atoms: list[str]) -> Functions:
    (count,) = struct.unpack_from(">I", table)
    rows = struct.iter_unpack(">III", table[4 : 4 + 12 * count])
    return frozenset((atoms[name], arity) for name, arity, _ in rows)
