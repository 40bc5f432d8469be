"""An ELF library read as the runtime linker reads it: its memory, symbols and pointers.

It knows ELF and the relocations of two architectures, and nothing of NIFs. Sections are not looked
at, as the linker does not look at them: a stripped library reads like any other. Nothing of the
library is loaded or run. Every number in it may be a lie: what makes no sense ends in `Unreadable`,
and the limits below bound time and memory.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile
from elftools.elf.hash import GNUHashTable
from elftools.elf.relocation import RelocationTable, RelrRelocationTable

from signal_port.elf_memory import Memory, Segment, Unreadable

ELSEWHERE = -1  # an address in another library: not known before both are loaded

# Ten times what the largest known NIF libraries have; each takes some ten seconds.
MAX_READS = 2_000_000
MAX_RELOCATIONS = 500_000
MAX_SEGMENTS = 64
MAX_TAGS = 4096

_FORMATS = {
    b"MZ": "a Windows file",
    b"!<arch>\n": "an archive of object files",
    b"\xce\xfa\xed\xfe": "a Mach-O file",
    b"\xcf\xfa\xed\xfe": "a Mach-O file",
    b"\xca\xfe\xba\xbe": "a Mach-O file for several architectures",
}
_TYPES = {
    "ET_REL": "an object file that was never linked",
    "ET_EXEC": "an executable",
    "ET_CORE": "a core dump",
}
_ARCHITECTURES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}

# Types of relocations that store an address: one of this library, and one of a symbol.
_RELATIVE = {"x86_64": {8, 38}, "aarch64": {1027}}
_SYMBOLIC = {"x86_64": {1, 6}, "aarch64": {257, 1025}}

_ANDROID = {"DT_ANDROID_REL", "DT_ANDROID_RELA"}
_WEAK = 2
_IS_WEAK_VERSION = 2
_ANY: Any = None  # a symbol table, for tables that are asked for their size alone


class Symbol(NamedTuple):
    """A symbol that the library offers to others, or wants of them."""

    name: str
    address: int
    is_defined: bool
    is_weak: bool


class Image:
    """A library.

    Args:
        data: the whole file.

    Attributes:
        memory: what it has in memory before relocation.
        architecture: `x86_64`, `aarch64`, or ELF's name of another, such as `riscv`.
        symbols: those of the dynamic symbol table, in its order.
        needed: the names of the libraries that it needs, in its order.
        run_path: the folders to look for them first, separated by colons; may be empty.
        is_packed_for_android: it has relocations in a format that is not read here.
        versions: the versions of other libraries' symbols that it needs, such as `GLIBC_2.34`.

    Raises:
        Unreadable: it is no 64-bit little-endian ELF library, or is damaged.
    """

    def __init__(self, data: bytes) -> None:
        _check_format(data)
        try:
            self._read(data, ELFFile(_BoundedStream(data)))
        except (ELFError, struct.error, ValueError, OverflowError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise Unreadable(f"is a damaged ELF file: {reason}") from None

    def pointer(self, place: int) -> int:
        """Return the address that a pointer has after relocation: 0 for NULL, or ELSEWHERE.

        Raises:
            Unreadable: the library has no eight bytes there.
        """
        index, addend = self._relocations.get(place, (0, None))
        if addend is None:
            addend = self.memory.word(place)
        if index == 0:
            return addend
        symbol = self.symbols[index] if index < len(self.symbols) else None
        return symbol.address + addend if symbol and symbol.is_defined else ELSEWHERE

    def pointers_to(self, addresses: set[int]) -> list[int]:
        """Return the places of all relocated pointers that hold one of these addresses."""
        return sorted(
            place
            for place in self._relocations
            if self.memory.room(place) >= 8 and self.pointer(place) in addresses
        )

    def exported(self, name: str) -> int | None:
        """Return the address of a symbol that the library offers to others, or None."""
        found = (one.address for one in self.symbols if one.is_defined and one.name == name)
        return next(found, None)

    # --- Reading it, once ---

    def _read(self, data: bytes, elf: ELFFile) -> None:
        if elf["e_type"] != "ET_DYN":
            kind = _TYPES.get(elf["e_type"], "an ELF file of an unknown type")
            raise Unreadable(f"is {kind}, and no shared library")
        machine = str(elf["e_machine"])
        self.architecture = _ARCHITECTURES.get(machine, machine.removeprefix("EM_").lower())
        headers = _segment_headers(elf)
        loaded = [_segment(one) for one in headers if one["p_type"] == "PT_LOAD"]
        self.memory = Memory(data, loaded)
        tags = _read_tags(elf, headers)
        self._strings = tags.get("DT_STRTAB", [0])[0]
        self.needed = [self._string(name) for name in tags.get("DT_NEEDED", [])]
        paths = tags.get("DT_RUNPATH") or tags.get("DT_RPATH")
        self.run_path = self._string(paths[0]) if paths else ""
        first = {name: values[0] for name, values in tags.items()}
        self.symbols = list(self._read_symbols(elf, first))
        self._relocations = self._read_relocations(elf, first)
        self.is_packed_for_android = not _ANDROID.isdisjoint(tags)
        self.versions = list(self._read_versions(first))

    def _read_symbols(self, elf: ELFFile, tags: dict[str, int]) -> Iterator[Symbol]:
        size = 24 * self._count_symbols(elf, tags)
        table = self.memory.read(tags["DT_SYMTAB"], size) if size else b""
        for name, info, _, section, value, _ in struct.iter_unpack("<IBBHQQ", table):
            yield Symbol(self._string(name), value, section != 0, info >> 4 == _WEAK)

    def _count_symbols(self, elf: ELFFile, tags: dict[str, int]) -> int:
        if "DT_SYMTAB" not in tags:
            return 0
        if "DT_GNU_HASH" in tags:
            offset = self._offset(tags["DT_GNU_HASH"])
            return GNUHashTable(elf, offset, _ANY).get_number_of_symbols()
        if "DT_HASH" in tags:
            _, chains = struct.unpack("<II", self.memory.read(tags["DT_HASH"], 8))
            return int(chains)
        return 0

    def _read_relocations(
        self, elf: ELFFile, tags: dict[str, int]
    ) -> dict[int, tuple[int, int | None]]:
        # By the place of a pointer: its symbol's index or 0, and its addend; None if the addend
        # is in that place.
        relative = _RELATIVE.get(self.architecture, set())
        symbolic = _SYMBOLIC.get(self.architecture, set())
        found: dict[int, tuple[int, int | None]] = {}
        for number, entry in enumerate(self._relocation_entries(elf, tags)):
            if number == MAX_RELOCATIONS:
                raise Unreadable(f"has more than {MAX_RELOCATIONS} relocations")
            kind = entry.get("r_info_type")
            if kind is None or kind in relative:  # packed ones are all relative
                found[entry["r_offset"]] = 0, entry.get("r_addend")
            elif kind in symbolic:
                found[entry["r_offset"]] = entry["r_info_sym"], entry.get("r_addend")
        return found

    def _relocation_entries(self, elf: ELFFile, tags: dict[str, int]) -> Iterator[Any]:
        tables: list[RelocationTable | RelrRelocationTable] = []
        for name, has_addends in (("DT_REL", False), ("DT_RELA", True)):
            if size := tags.get(name + "SZ"):
                offset = self._offset(tags.get(name, 0))
                tables.append(RelocationTable(elf, offset, size, has_addends))
        if size := tags.get("DT_RELRSZ"):
            offset = self._offset(tags.get("DT_RELR", 0))
            tables.append(RelrRelocationTable(elf, offset, size, 8))
        for table in tables:
            for relocation in table.iter_relocations():
                yield relocation.entry

    def _read_versions(self, tags: dict[str, int]) -> Iterator[str]:
        # Elf64_Verneed and Elf64_Vernaux; each has the distance to the next.
        need = tags.get("DT_VERNEED", 0)
        for _ in range(min(tags.get("DT_VERNEEDNUM", 0), len(self.needed))):
            _, count, _, first, step = struct.unpack("<HHIII", self.memory.read(need, 16))
            version = need + first
            for _ in range(count):
                _, flags, _, name, next_one = struct.unpack("<IHHII", self.memory.read(version, 16))
                if not flags & _IS_WEAK_VERSION:
                    yield self._string(name)
                version += next_one
            need += step

    def _string(self, index: int) -> str:
        text = self.memory.text(self._strings + index)
        if text is None:
            raise Unreadable("is damaged: a name is outside of it")
        return text

    def _offset(self, address: int) -> int:
        offset = self.memory.offset(address)
        if offset is None:
            raise Unreadable(f"is damaged: a table at address {address:#x} is outside of it")
        return offset


class _BoundedStream(io.BytesIO):
    """A file that is read so often and no more: a table that claims to be endless has an end."""

    _left = MAX_READS

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise Unreadable("is damaged: its tables have no end")
        return super().read(size)


def _check_format(data: bytes) -> None:
    if not data:
        raise Unreadable("is empty")
    if not data.startswith(b"\x7fELF"):
        kind = next((name for magic, name in _FORMATS.items() if data.startswith(magic)), None)
        raise Unreadable(f"is {kind}, and only ELF is read" if kind else "is no ELF file")
    if len(data) < 64:
        raise Unreadable(f"is cut off: it has {len(data)} bytes, and an ELF header has 64")
    if data[4] != 2:
        raise Unreadable("is a 32-bit ELF file, and only 64-bit ones are read")
    if data[5] != 1:
        raise Unreadable("is a big-endian ELF file, and only little-endian ones are read")


def _segment_headers(elf: ELFFile) -> list[Any]:
    elf.header["e_shoff"] = 0  # pyelftools would look at sections, for which nobody vouches
    count = elf["e_phnum"]
    if not 0 < count <= MAX_SEGMENTS:
        raise Unreadable(f"is no library: it has {count} segments")
    return [elf.get_segment(number).header for number in range(count)]


def _segment(header: Any) -> Segment:
    address, size = header["p_vaddr"], header["p_memsz"]
    return Segment(address, size, header["p_offset"], min(size, header["p_filesz"]))


def _read_tags(elf: ELFFile, headers: list[Any]) -> dict[str, list[int]]:
    # What the dynamic segment says, by the names of ELF's specification.
    offset = next((one["p_offset"] for one in headers if one["p_type"] == "PT_DYNAMIC"), None)
    if offset is None:
        raise Unreadable("is no shared library: it has no dynamic segment")
    tags: dict[str, list[int]] = {}
    for number in range(MAX_TAGS):
        tag = struct_parse(elf.structs.Elf_Dyn, elf.stream, offset + 16 * number)
        if tag["d_tag"] == "DT_NULL":
            break
        tags.setdefault(tag["d_tag"], []).append(tag["d_val"])
    return tags
