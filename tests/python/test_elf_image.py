"""An ELF library is read as the linker reads it; a damaged or hostile one gets a sentence."""

from collections.abc import Callable
from pathlib import Path

import elf_bytes
import nifs
import pytest
from elf_bytes import P_FILESZ, P_MEMSZ, P_OFFSET, PT_DYNAMIC, PT_LOAD, put, with_tag

from signal_port import elf_image
from signal_port.elf_image import ELSEWHERE, Image
from signal_port.elf_memory import Unreadable

pytestmark = nifs.ON_LINUX

OUTSIDE = 0x7FFF_FFFF_0000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a library that needs a version of another one."""
    return nifs.build("newer_glibc", tmp_path_factory.mktemp("elf"), "x86_64").read_bytes()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a library with packed relocations."""
    flags = ("-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr")
    folder = tmp_path_factory.mktemp("packed")
    return nifs.build("healthy", folder, "x86_64", *flags, compiler="clang").read_bytes()


class TestLibrary:
    """What is read of a library that is well."""

    def test_facts_of_the_dynamic_segment_are_read(self, library: bytes) -> None:
        image = Image(library)
        assert image.architecture == "x86_64"
        assert image.needed == ["libc.so.6"]
        assert image.versions == ["GLIBC_2.99"]
        assert image.run_path == ""

    def test_run_path_is_read(self, tmp_path: Path) -> None:
        built = nifs.build("healthy", tmp_path, "aarch64", "-Wl,-rpath,$ORIGIN/lib:/opt/lib")
        assert Image(built.read_bytes()).run_path == "$ORIGIN/lib:/opt/lib"

    def test_symbols_tell_who_defines_them(self, library: bytes) -> None:
        symbols = {one.name: one for one in Image(library).symbols}
        assert symbols["nif_init"].is_defined
        assert not symbols["enif_make_int"].is_defined
        assert symbols["__gmon_start__"].is_weak

    def test_exported_symbol_has_its_address(self, library: bytes) -> None:
        image = Image(library)
        assert image.memory.room(image.exported("nif_init") or 0) > 0
        assert image.exported("enif_make_int") is None

    def test_pointer_to_a_symbol_of_another_library_is_elsewhere(self, library: bytes) -> None:
        image = Image(library)
        pointers = {image.pointer(place) for place in image._relocations}
        assert ELSEWHERE in pointers

    def test_place_without_a_relocation_has_what_the_file_has(self, library: bytes) -> None:
        assert Image(library).pointer(0) == int.from_bytes(library[:8], "little")


# By what is wrong: a change of a library that is well, and the sentence.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "text": (lambda _: b"#!/bin/sh\n", "is no ELF file"),
    "windows": (lambda _: b"MZ" + bytes(100), "is a Windows file, and only ELF is read"),
    "archive": (lambda _: b"!<arch>\n" + bytes(100), "is an archive of object files"),
    "mach_o": (lambda _: b"\xcf\xfa\xed\xfe" + bytes(100), "is a Mach-O file"),
    "header_alone": (lambda data: data[:63], "is cut off: it has 63 bytes"),
    "half": (lambda data: data[: len(data) // 2], "is cut off"),
    "32_bit": (lambda data: put(data, 4, 1, 1), "is a 32-bit ELF file"),
    "big_endian": (lambda data: put(data, 5, 2, 1), "is a big-endian ELF file"),
    "object_file": (lambda data: put(data, 16, 1, 2), "is an object file"),
    "executable": (lambda data: put(data, 16, 2, 2), "is an executable"),
    "core": (lambda data: put(data, 16, 4, 2), "is a core dump"),
    "unknown_type": (lambda data: put(data, 16, 99, 2), "is an ELF file of an unknown type"),
    "no_segments": (lambda data: put(data, 0x38, 0, 2), "it has 0 segments"),
    "many_segments": (lambda data: put(data, 0x38, 0xFFFF, 2), "it has 65535 segments"),
    "segments_outside": (lambda data: put(data, 0x20, 2**62), "is a damaged ELF file"),
    "segments_far_outside": (lambda data: put(data, 0x20, 2**64 - 1), "is a damaged ELF file"),
    "no_dynamic_segment": (
        lambda data: put(data, elf_bytes.header(data, PT_DYNAMIC).place, 0, 4),
        "it has no dynamic segment",
    ),
    "dynamic_segment_outside": (
        lambda data: put(data, elf_bytes.header(data, PT_DYNAMIC).place + P_OFFSET, 2**40),
        "is a damaged ELF file",
    ),
    "segment_longer_than_the_file": (
        lambda data: _with_size(data, 2**40),
        "is cut off",
    ),
    "names_outside": (lambda data: with_tag(data, "STRTAB", OUTSIDE), "a name is outside of it"),
    "symbols_outside": (lambda data: with_tag(data, "SYMTAB", OUTSIDE), "is damaged"),
    "hash_outside": (lambda data: with_tag(data, "GNU_HASH", OUTSIDE), "a table at address"),
    "hash_without_buckets": (lambda data: _with_buckets(data, 0), "is a damaged ELF file"),
    "hash_of_4_billion_buckets": (lambda data: _with_buckets(data, 2**32 - 1), "is a damaged"),
    "relocations_outside": (lambda data: with_tag(data, "RELA", OUTSIDE), "a table at address"),
    "relocations_without_end": (lambda data: with_tag(data, "RELASZ", 2**63), "is a damaged"),
    "versions_outside": (lambda data: with_tag(data, "VERNEED", OUTSIDE), "is damaged"),
}


def _with_size(data: bytes, size: int) -> bytes:
    place = elf_bytes.header(data, PT_LOAD).place
    return put(put(data, place + P_MEMSZ, size), place + P_FILESZ, size)


def _with_buckets(data: bytes, count: int) -> bytes:
    table = int.from_bytes(data[(at := elf_bytes.tag(data, "GNU_HASH") + 8) : at + 8], "little")
    return put(data, elf_bytes.offset(data, table), count, 4)


class TestDamage:
    """What becomes of a file that is no library, or damaged, or forged."""

    @pytest.mark.parametrize("change, sentence", DAMAGES.values(), ids=DAMAGES)
    def test_damaged_library_is_unreadable_with_a_sentence(
        self, change: Callable[[bytes], bytes], sentence: str, library: bytes
    ) -> None:
        with pytest.raises(Unreadable) as caught:
            Image(change(library))
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_version_table_that_leads_back_to_itself_has_an_end(self, library: bytes) -> None:
        needs = int.from_bytes(
            library[(at := elf_bytes.tag(library, "VERNEED") + 8) : at + 8], "little"
        )
        place = elf_bytes.offset(library, needs)
        endless = put(with_tag(library, "VERNEEDNUM", 2**60), place + 12, 0, 4)  # vn_next
        assert Image(endless).versions == ["GLIBC_2.99"]

    def test_weak_version_is_not_needed(self, library: bytes) -> None:
        needs = int.from_bytes(
            library[(at := elf_bytes.tag(library, "VERNEED") + 8) : at + 8], "little"
        )
        weak = put(library, elf_bytes.offset(library, needs) + 16 + 4, 2, 2)  # vna_flags
        assert Image(weak).versions == []

    def test_library_without_hash_table_has_no_symbols(self, library: bytes) -> None:
        without = put(library, elf_bytes.tag(library, "GNU_HASH"), 0x6FFF0000)
        assert Image(without).symbols == []

    def test_library_without_symbols_has_none(self, library: bytes) -> None:
        without = put(library, elf_bytes.tag(library, "SYMTAB"), 0x6FFF0000)
        assert Image(without).symbols == []

    def test_segments_that_all_map_the_file_are_unreadable(self, library: bytes) -> None:
        for one in elf_bytes.headers(library):
            if one.kind == PT_LOAD:
                library = put(library, one.place + P_OFFSET, 0)
                library = put(library, one.place + P_FILESZ, len(library))
                library = put(library, one.place + P_MEMSZ, len(library))
        with pytest.raises(Unreadable, match="its segments overlap"):
            Image(library)

    def test_packed_relocations_without_end_are_unreadable(
        self, packed: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = elf_bytes.tag(packed, "RELR") + 8
        table = elf_bytes.offset(packed, int.from_bytes(packed[place : place + 8], "little"))
        full = put(packed, table + 8, 2**64 - 1)  # 63 relocations
        monkeypatch.setattr(elf_image, "MAX_RELOCATIONS", 60)
        with pytest.raises(Unreadable, match="has more than 60 relocations"):
            Image(full)

    def test_tables_that_are_read_for_ever_are_unreadable(
        self, library: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elf_image._BoundedStream, "_left", 100)
        with pytest.raises(Unreadable, match="its tables have no end"):
            Image(library)

    def test_dynamic_segment_without_end_is_cut(
        self, library: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elf_image, "MAX_TAGS", 1)
        assert Image(library).symbols == []
