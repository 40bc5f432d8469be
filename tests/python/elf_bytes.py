"""Changes to the bytes of an ELF library, for tests of what becomes of damaged and hostile ones."""

import struct
from typing import NamedTuple

PT_LOAD, PT_DYNAMIC = 1, 2
PHDR_SIZE, DYN_SIZE = 56, 16

# Where the fields of a program header are.
P_OFFSET, P_FILESZ, P_MEMSZ = 8, 32, 40

TAGS = {
    "NEEDED": 1,
    "HASH": 4,
    "STRTAB": 5,
    "SYMTAB": 6,
    "RELA": 7,
    "RELASZ": 8,
    "RELRSZ": 35,
    "RELR": 36,
    "GNU_HASH": 0x6FFFFEF5,
    "VERNEED": 0x6FFFFFFE,
    "VERNEEDNUM": 0x6FFFFFFF,
}


class Header(NamedTuple):
    """A program header: its place in the file, its type, and what it maps."""

    place: int
    kind: int
    offset: int
    address: int
    size: int


def put(data: bytes, place: int, value: int, size: int = 8) -> bytes:
    """Return the bytes with a little-endian number at that place."""
    return data[:place] + value.to_bytes(size, "little") + data[place + size :]


def headers(data: bytes) -> list[Header]:
    """Return the program headers."""
    start, count = struct.unpack_from("<Q", data, 0x20)[0], struct.unpack_from("<H", data, 0x38)[0]
    found = []
    for place in range(start, start + count * PHDR_SIZE, PHDR_SIZE):
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, place)
        found.append(Header(place, kind, offset, address, size))
    return found


def header(data: bytes, kind: int) -> Header:
    """Return the first program header of a type."""
    return next(one for one in headers(data) if one.kind == kind)


def tag(data: bytes, name: str) -> int:
    """Return the place of a tag of the dynamic segment."""
    place = header(data, PT_DYNAMIC).offset
    while struct.unpack_from("<Q", data, place)[0] != TAGS[name]:
        place += DYN_SIZE
    return place


def with_tag(data: bytes, name: str, value: int) -> bytes:
    """Return the bytes with another value of a tag."""
    return put(data, tag(data, name) + 8, value)


def offset(data: bytes, address: int) -> int:
    """Return the place in the file of an address."""
    for one in headers(data):
        if one.kind == PT_LOAD and one.address <= address < one.address + one.size:
            return one.offset + address - one.address
    raise LookupError(hex(address))
