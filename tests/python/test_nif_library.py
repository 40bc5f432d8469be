"""The entry of a NIF library is found however it was compiled and linked, on one host for all."""

import subprocess
from pathlib import Path

import nifs
import pytest

from signal_port.elf_image import Image
from signal_port.elf_memory import Unreadable
from signal_port.nif_library import Entry, HiddenEntry, NoNif, read_entry

pytestmark = nifs.ON_LINUX

FUNCTIONS = [("hello", 0, 0), ("slow", 1, 1), ("read", 2, 2)]
LLD = ("-fuse-ld=lld",)
PACKED = ("-Wl,--pack-dyn-relocs=relr",)

# How a library is compiled and linked: the compiler, and flags.
VARIANTS = {
    "plain": ("gcc",),
    "not_optimized": ("gcc", "-O0"),
    "optimized": ("gcc", "-O2"),
    "much_optimized": ("gcc", "-O3", "-flto"),
    "for_size": ("gcc", "-Os", "-fno-asynchronous-unwind-tables"),
    "bound_now": ("gcc", "-Wl,-z,now"),
    "bound_lazily": ("gcc", "-Wl,-z,lazy"),
    "stripped": ("gcc", "-O2", "-s"),
    "hash_of_system_v": ("gcc", "-Wl,--hash-style=sysv"),
    "at_another_address": ("gcc", "-Wl,-Ttext-segment=0x40000000"),
    "instrumented": ("gcc", "-O1", "-fstack-protector-all", "-finstrument-functions"),
    "clang": ("clang", *LLD),
    "clang_optimized": ("clang", "-O2", *LLD),
    "clang_bound_now": ("clang", *LLD, "-Wl,-z,now"),
    "packed_relocations": ("clang", "-O2", *LLD, *PACKED),
    "packed_relocations_bound_now": ("clang", *LLD, *PACKED, "-Wl,-z,now", "-s"),
    "relocations_without_addends": ("clang", *LLD, "-Wl,-z,rel"),
}


def read(library: Path) -> Entry:
    """Return the entry of a library's file."""
    return read_entry(Image(library.read_bytes()))


def functions(entry: Entry) -> list[tuple[str | None, int, int]]:
    """Return the functions of an entry."""
    return [(one.name.text, one.arity, one.flags) for one in entry.functions]


def without_sections(library: Path) -> Path:
    """Overwrite what the header says of sections, as a thorough strip does; return the library."""
    data = bytearray(library.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3A:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    library.write_bytes(data)
    return library


@pytest.mark.parametrize("architecture", nifs.ARCHITECTURES)
class TestEveryArchitecture:
    """On one host libraries for all architectures are read."""

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_healthy_library_in_every_variant_is_read(
        self, variant: str, architecture: str, tmp_path: Path
    ) -> None:
        compiler, *flags = VARIANTS[variant]
        library = nifs.build("healthy", tmp_path, architecture, *flags, compiler=compiler)
        entry = read(library)
        assert (entry.module.text, entry.variant.text) == ("fixture_nif", "beam.vanilla")
        assert functions(entry) == FUNCTIONS
        assert all(one.code > 0 for one in entry.functions)

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_null_entry_in_every_variant_is_seen(
        self, variant: str, architecture: str, tmp_path: Path
    ) -> None:
        compiler, *flags = VARIANTS[variant]
        library = nifs.build("null_end", tmp_path, architecture, *flags, compiler=compiler)
        *healthy, last = read(library).functions
        assert [one.name.text for one in healthy] == ["hello", "slow", "read"]
        assert (last.name.address, last.code) == (0, 0)

    @pytest.mark.parametrize("name", ["external_entry", "busy_init"])
    @pytest.mark.parametrize("level", ["-O0", "-O2"])
    def test_entry_that_is_placed_differently_is_found(
        self, name: str, level: str, architecture: str, tmp_path: Path
    ) -> None:
        entry = read(nifs.build(name, tmp_path, architecture, level))
        assert functions(entry)[:3] == FUNCTIONS
        assert entry.functions[3].name.address == 0

    def test_library_without_sections_is_read(self, architecture: str, tmp_path: Path) -> None:
        library = without_sections(nifs.build("healthy", tmp_path, architecture))
        assert functions(read(library)) == FUNCTIONS

    def test_entry_that_is_made_at_run_time_is_hidden(
        self, architecture: str, tmp_path: Path
    ) -> None:
        with pytest.raises(HiddenEntry, match="as rustler does"):
            read(nifs.build("run_time_entry", tmp_path, architecture, "-O2"))

    def test_table_that_is_filled_at_run_time_is_known_as_such(
        self, architecture: str, tmp_path: Path
    ) -> None:
        entry = read(nifs.build("run_time_table", tmp_path, architecture))
        assert (entry.is_filled_later, entry.claimed, entry.functions) == (True, 2, [])

    def test_entry_of_another_variant_is_read(self, architecture: str, tmp_path: Path) -> None:
        entry = read(nifs.build("other_variant", tmp_path, architecture))
        assert entry.variant.text == "beam.other"

    @pytest.mark.parametrize(
        "name, reason",
        [
            ("static_nif", "STATIC_ERLANG_NIF"),
            ("mangled_init", 'extern "C"'),
            ("driver", "erl_ddll"),
        ],
    )
    def test_library_that_is_no_nif_is_told_with_its_reason(
        self, name: str, reason: str, architecture: str, tmp_path: Path
    ) -> None:
        with pytest.raises(NoNif, match=reason):
            read(nifs.build(name, tmp_path, architecture))


def with_code(library: Path, code: bytes) -> bytes:
    """Return a library in which nif_init has other code."""
    data = library.read_bytes()
    image = Image(data)
    place = image.memory.offset(image.exported("nif_init") or 0)
    assert place
    return data[:place] + code.ljust(64, b"\x90") + data[place + 64 :]


class TestCodeThatTellsNothing:
    """If nif_init does not name its entry, the file must have one alone."""

    def test_only_entry_is_taken(self, tmp_path: Path) -> None:
        library = nifs.build("healthy", tmp_path, "x86_64")
        assert functions(read_entry(Image(with_code(library, b"\xc3")))) == FUNCTIONS

    def test_one_of_several_entries_is_not_guessed(self, tmp_path: Path) -> None:
        library = nifs.build("busy_init", tmp_path, "x86_64")
        with pytest.raises(HiddenEntry, match="it has 2 entries"):
            read_entry(Image(with_code(library, b"\xc3")))

    def test_address_without_room_for_an_entry_is_none(self, tmp_path: Path) -> None:
        library = nifs.build("healthy", tmp_path, "x86_64")
        image = Image(library.read_bytes())
        entry = read_entry(image)
        last = entry.place + image.memory.room(entry.place) - 8
        code = b"\x48\x8d\x05" + (last - (image.exported("nif_init") or 0) - 7).to_bytes(
            4, "little"
        )
        assert functions(read_entry(Image(with_code(library, code)))) == FUNCTIONS


def test_old_functions_without_flags_are_read(tmp_path: Path) -> None:
    library = nifs.build("old_interface", tmp_path, "x86_64")
    assert functions(read(library)) == [("hello", 0, 0), ("slow", 1, 0)]


def test_library_of_another_kind_has_no_nif_init(tmp_path: Path) -> None:
    (tmp_path / "empty.c").write_text("int answer = 42;\n")
    command = ["x86_64-linux-gnu-gcc", "-shared", "-o", tmp_path / "empty.so", tmp_path / "empty.c"]
    subprocess.run(command, check=True)
    with pytest.raises(NoNif, match="no function nif_init"):
        read(tmp_path / "empty.so")


def test_relocations_packed_for_android_are_told(tmp_path: Path) -> None:
    packed = ("-O2", *LLD, "-Wl,--pack-dyn-relocs=android")
    library = nifs.build("healthy", tmp_path, "aarch64", *packed, compiler="clang")
    with pytest.raises(HiddenEntry, match="as for Android"):
        read(library)


def test_library_for_an_unknown_architecture_is_told(tmp_path: Path) -> None:
    data = bytearray(nifs.build("healthy", tmp_path, "x86_64").read_bytes())
    data[0x12] = 243  # RISC-V
    with pytest.raises(HiddenEntry, match="those of riscv"):
        read_entry(Image(bytes(data)))


def test_file_that_is_cut_off_is_unreadable(tmp_path: Path) -> None:
    data = nifs.build("healthy", tmp_path, "x86_64").read_bytes()
    with pytest.raises(Unreadable, match="is cut off"):
        Image(data[:5000])
