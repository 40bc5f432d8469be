"""What is found in a library: for each fixture on both architectures, and for forged entries."""

from pathlib import Path

import nifs
import pytest
from elf_bytes import put

from signal_port import elf_findings, nif_findings, nif_library
from signal_port.beam_file import Module
from signal_port.elf_image import Image
from signal_port.elf_memory import Unreadable
from signal_port.finding import Finding, Target
from signal_port.nif_interface import NEWEST_RELEASE
from signal_port.nif_library import HiddenEntry, NoNif, read_entry

pytestmark = nifs.ON_LINUX

MODULE = Module(
    "fixture_nif",
    frozenset({("hello", 0), ("slow", 1), ("read", 2)}),
    frozenset({("helper", 1)}),
)
OTP = NEWEST_RELEASE  # it loads libraries that were compiled for any other
GLIBC_HERE = (2, 36)

# Where the fields of an entry and of a function are.
COUNT, FUNCTIONS, NAME = 16, 24, 0


def examine(
    data: bytes,
    target: Target | None = None,
    missing: tuple[str, ...] = (),
    module: Module = MODULE,
    is_named: bool = True,
) -> list[Finding]:
    """Return the findings of a library."""
    image = Image(data)
    target = target or Target(image.architecture, OTP, GLIBC_HERE)
    findings = list(elf_findings.of_image(image, target, list(missing)))
    try:
        entry = read_entry(image)
    except (NoNif, HiddenEntry) as reason:
        return [*findings, nif_findings.of_no_entry(reason, is_named)]
    return findings + list(nif_findings.of_entry(image, entry, target, module))


def forged(data: bytes, field: int, value: int, size: int = 8) -> bytes:
    """Return a library with another value in a field of its entry, or of its first function."""
    image = Image(data)
    entry = read_entry(image)
    place = image.memory.offset(entry.place)
    assert place
    return put(data, place + field, value, size)


def relocated(data: bytes, place: int, target: int) -> bytes:
    """Return a library in which the relocation of a pointer has another target."""
    at = data.index(place.to_bytes(8, "little") + (8).to_bytes(8, "little"))
    return put(data, at + 16, target)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a library with nothing wrong."""
    return nifs.build("healthy", tmp_path_factory.mktemp("healthy"), "x86_64").read_bytes()


@pytest.mark.parametrize("architecture", nifs.ARCHITECTURES)
@pytest.mark.parametrize("name", nifs.EXPECTED)
def test_library_has_its_finding(name: str, architecture: str, tmp_path: Path) -> None:
    data = nifs.build(name, tmp_path, architecture).read_bytes()
    expected = nifs.EXPECTED[name]
    missing = ("libmarvel.so",) if name == "missing_library" else ()
    found = examine(data, missing=missing)
    codes = [expected.code] if expected.code else []
    assert [(one.code, one.effect) for one in found] == [(code, expected.effect) for code in codes]
    assert all(one.evidence and one.advice for one in found)


class TestEvidence:
    """A finding says where it is seen."""

    @pytest.mark.parametrize(
        "name, place",
        [("null_end", "function 4 of 4"), ("null_middle", "function 2 of 4")],
    )
    def test_null_entry_names_its_row_and_its_place(
        self, name: str, place: str, tmp_path: Path
    ) -> None:
        data = nifs.build(name, tmp_path, "x86_64").read_bytes()
        (found,) = examine(data)
        assert place in found.evidence
        offset = int(found.evidence.partition("offset ")[2].split()[0], 16)
        assert data[offset : offset + 24] == bytes(24)

    def test_null_function_names_the_function(self, tmp_path: Path) -> None:
        (found,) = examine(nifs.build("null_function", tmp_path, "aarch64").read_bytes())
        assert "hello/0" in found.evidence

    def test_name_that_is_null_alone_says_so(self, tmp_path: Path) -> None:
        (found,) = examine(nifs.build("null_name", tmp_path, "x86_64").read_bytes())
        assert "its code is not NULL" in found.evidence


class TestTarget:
    """What a library is compared with."""

    @pytest.mark.parametrize(
        "architecture, codes", [("aarch64", ["other_architecture"]), ("x86_64", []), (None, [])]
    )
    def test_architecture_is_compared(
        self, architecture: str | None, codes: list[str], healthy: bytes
    ) -> None:
        assert [one.code for one in examine(healthy, Target(architecture, OTP))] == codes

    def test_interface_newer_than_the_release_is_refused(self, healthy: bytes) -> None:
        (found,) = examine(forged(healthy, 4, 16, 4), Target(None, 23))
        assert (found.code, found.effect) == ("newer_nif_interface", "refused")
        assert "OTP 23 has 2.15" in found.evidence

    def test_experimental_interface_is_refused(self, healthy: bytes) -> None:
        (found,) = examine(forged(healthy, 4, 5, 4))
        assert (found.code, found.effect) == ("other_nif_major", "refused")

    @pytest.mark.parametrize(
        "glibc, codes", [((2, 98), ["newer_glibc"]), ((2, 99), []), (None, [])]
    )
    def test_glibc_is_compared(
        self, glibc: tuple[int, int] | None, codes: list[str], tmp_path: Path
    ) -> None:
        data = nifs.build("newer_glibc", tmp_path, "x86_64").read_bytes()
        assert [one.code for one in examine(data, Target(None, OTP, glibc))] == codes

    def test_packed_relocations_need_the_glibc_that_reads_them(self, tmp_path: Path) -> None:
        flags = "-Wl,-z,pack-relative-relocs"
        data = nifs.build("healthy", tmp_path, "x86_64", flags).read_bytes()
        image = Image(data)
        if "GLIBC_ABI_DT_RELR" in image.versions:
            assert elf_findings.needed_glibc(image) == (2, 36)

    @pytest.mark.parametrize(
        "name, version",
        [
            ("GLIBC_2.14", (2, 14)),
            ("GLIBC_2.2.5", (2, 2)),
            ("GLIBC_ABI_DT_RELR", (2, 36)),
            ("GLIBC_PRIVATE", None),
            ("GLIBCXX_3.4.29", None),
            ("GLIBC_2", None),
            ("", None),
        ],
    )
    def test_version_of_glibc_is_read_from_its_name(
        self, name: str, version: tuple[int, int] | None
    ) -> None:
        assert elf_findings._glibc_version(name) == version

    def test_library_that_was_found_in_a_folder_need_not_be_a_nif(self, tmp_path: Path) -> None:
        (found,) = examine(nifs.build("driver", tmp_path, "x86_64").read_bytes(), is_named=False)
        assert (found.code, found.effect) == ("no_entry", "harmless")


class TestModule:
    """The Erlang module beside a library."""

    def test_stripped_module_is_no_proof(self, tmp_path: Path) -> None:
        data = nifs.build("local_function", tmp_path, "x86_64").read_bytes()
        (found,) = examine(data, module=MODULE._replace(others=None))
        assert (found.code, found.effect) == ("not_exported", "harmless")


class TestForgery:
    """Entries that no compiler makes."""

    @pytest.mark.parametrize("count", [4, 2**20, 2**31 - 1])
    def test_table_that_claims_more_than_there_is_is_no_table(
        self, count: int, healthy: bytes
    ) -> None:
        found = examine(forged(healthy, COUNT, count, 4))
        assert {one.effect for one in found} == {"crash"}
        assert {one.code for one in found} <= {"no_entry", "null_entry"}

    def test_table_of_more_functions_than_any_module_has_is_unreadable(
        self, healthy: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nif_library, "MAX_FUNCTIONS", 2)
        with pytest.raises(Unreadable, match="it claims 3 functions"):
            examine(healthy)

    def test_table_of_a_negative_count_has_no_functions(self, healthy: bytes) -> None:
        assert examine(forged(healthy, COUNT, 2**32 - 1, 4)) == []

    def test_name_that_leads_outside_is_seen(self, healthy: bytes) -> None:
        place = read_entry(Image(healthy)).functions[0].place
        (found,) = examine(relocated(healthy, place, 2**40))
        assert (found.code, found.effect) == ("no_entry", "crash")
        assert "outside of the library" in found.evidence

    def test_name_that_points_to_itself_is_a_name(self, healthy: bytes) -> None:
        place = read_entry(Image(healthy)).functions[0].place
        assert [one.code for one in examine(relocated(healthy, place, place))] == ["not_exported"]

    def test_table_that_is_the_entry_itself_is_read(self, healthy: bytes) -> None:
        entry = read_entry(Image(healthy)).place
        found = examine(relocated(healthy, entry + FUNCTIONS, entry))
        assert found
        assert {one.effect for one in found} <= {"crash", "crash_at_call", "refused"}

    def test_table_outside_is_no_table(self, healthy: bytes) -> None:
        entry = read_entry(Image(healthy)).place
        (found,) = examine(relocated(healthy, entry + FUNCTIONS, 2**40))
        assert (found.code, found.effect) == ("no_entry", "crash")

    def test_symbol_that_is_weak_may_be_missing(self, tmp_path: Path) -> None:
        weak = "-include", str(nifs.SOURCES / "weak_marvel.h")
        data = nifs.build("missing_symbol", tmp_path, "x86_64", *weak).read_bytes()
        assert examine(data) == []
