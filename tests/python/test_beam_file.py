"""The functions of a compiled module, of all formats that OTP has had since release 20."""

import gzip
import subprocess
from pathlib import Path

import nifs
import pytest

from signal_port.beam_file import MAX_SIZE, NoBeam, read_module


def chunk(name: str, content: bytes) -> bytes:
    """Return a chunk of a BEAM file."""
    return name.encode() + len(content).to_bytes(4, "big") + content + bytes(-len(content) % 4)


def beam(*chunks: bytes) -> bytes:
    """Return a BEAM file."""
    body = b"BEAM" + b"".join(chunks)
    return b"FOR1" + len(body).to_bytes(4, "big") + body


def table(*rows: tuple[int, int]) -> bytes:
    """Return a table of functions: number of the atom, arity, label."""
    numbers = [len(rows), *(number for name, arity in rows for number in (name, arity, 1))]
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def atoms(*names: bytes) -> bytes:
    """Return a table of atoms as OTP 20 to 27 write it."""
    return len(names).to_bytes(4, "big") + b"".join(bytes([len(name)]) + name for name in names)


EXPORTED = chunk("ExpT", table((2, 0), (3, 2)))
OTHERS = chunk("LocT", table((2, 1)))
FUNCTIONS = {("hello", 0), ("read", 2)}

# As OTP 28 writes it: a negative count, and lengths in the code's own format.
NEW_ATOMS = (-3).to_bytes(4, "big", signed=True) + b"\x10m" + b"\x50hello" + b"\x40read"
LONG_NAME = b"x" * 300
LONG_ATOMS = (-1).to_bytes(4, "big", signed=True) + bytes([0x08 | 1 << 5, 300 - 256]) + LONG_NAME

FORMATS = {
    "utf_8": chunk("AtU8", atoms(b"m", b"hello", b"read")),
    "latin_1": chunk("Atom", atoms(b"m", b"hello", b"read")),
    "long_atoms": chunk("AtU8", NEW_ATOMS),
}


@pytest.mark.parametrize("names", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "compressed"])
def test_module_tells_its_functions(names: bytes, pack: type[bytes]) -> None:
    module = read_module(pack(beam(names, EXPORTED, OTHERS)))
    assert (module.name, module.exported, module.others) == ("m", FUNCTIONS, {("hello", 1)})


def test_stripped_module_tells_exported_functions_alone() -> None:
    assert read_module(beam(FORMATS["utf_8"], EXPORTED)).others is None


def test_length_of_two_bytes_is_read() -> None:
    module = read_module(beam(chunk("AtU8", LONG_ATOMS), chunk("ExpT", table())))
    assert module.name == LONG_NAME.decode()


def test_module_that_erlc_made_is_read(tmp_path: Path) -> None:
    module = read_module(nifs.build_module(tmp_path).read_bytes())
    assert module.name == "fixture_nif"
    assert {("hello", 0), ("read", 2)} <= module.exported
    assert module.others == {("helper", 1)}


def test_modules_of_otp_are_read() -> None:
    code = "io:put_chars(code:which(lists)), halt()."
    command = ["erl", "-noshell", "-eval", code]
    file = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert ("reverse", 1) in read_module(Path(file).read_bytes()).exported


WHOLE = beam(FORMATS["utf_8"], EXPORTED)
DAMAGES = {
    "empty": b"",
    "text": b"-module(m).\n",
    "other_container": WHOLE.replace(b"BEAM", b"AIFF"),
    "no_atoms": beam(EXPORTED),
    "no_functions": beam(FORMATS["utf_8"]),
    "no_names": beam(chunk("AtU8", atoms()), EXPORTED),
    "too_few_atoms": beam(chunk("AtU8", atoms(b"m")), EXPORTED),
    "many_atoms": beam(chunk("AtU8", b"\x7f\xff\xff\xff\1m"), EXPORTED),
    "many_long_atoms": beam(chunk("AtU8", b"\x80\0\0\0\x10m"), EXPORTED),
    "atom_behind_the_end": beam(chunk("AtU8", b"\0\0\0\1\xffm"), EXPORTED),
    "half_a_row": beam(FORMATS["utf_8"], chunk("ExpT", table((2, 0))[:-3])),
    "damaged_compression": gzip.compress(WHOLE)[:12] + bytes(20),
}


@pytest.mark.parametrize("data", DAMAGES.values(), ids=DAMAGES)
def test_damaged_module_is_none(data: bytes) -> None:
    with pytest.raises(NoBeam):
        read_module(data)


def test_module_that_is_compressed_without_end_is_cut() -> None:
    packed = gzip.compress(WHOLE + bytes(2 * MAX_SIZE))
    assert read_module(packed).name == "m"
