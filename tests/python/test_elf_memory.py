"""The memory of a library: what is in the file, the zeros behind it, and what is outside."""

import pytest

from signal_port.elf_memory import MAX_FOUND, MAX_TEXT, Memory, Segment, Unreadable

DATA = b"header" + b"hello\0world\0" + b"rest"
TEXT = Segment(address=0x1000, size=12, offset=6, size_in_file=12)
ZEROS = Segment(address=0x2000, size=2**40, offset=18, size_in_file=4)


@pytest.fixture
def memory() -> Memory:
    """Return a memory of two segments."""
    return Memory(DATA, [TEXT, ZEROS])


@pytest.mark.parametrize(
    "address, size", [(0xFFF, 0), (0x1000, 12), (0x100B, 1), (0x100C, 0), (0x2004, 2**40 - 4)]
)
def test_room_ends_with_the_segment(memory: Memory, address: int, size: int) -> None:
    assert memory.room(address) == size


@pytest.mark.parametrize("address, place", [(0x1000, 6), (0x2003, 21), (0x2004, None), (0, None)])
def test_offset_is_that_of_the_file(memory: Memory, address: int, place: int | None) -> None:
    assert memory.offset(address) == place


def test_bytes_of_the_file_and_zeros_behind_it_are_read(memory: Memory) -> None:
    assert memory.read(0x1001, 4) == b"ello"
    assert memory.read(0x2002, 4) == b"st\0\0"
    assert memory.word(0x2000) == int.from_bytes(b"rest", "little")


@pytest.mark.parametrize("address, size", [(0x1000, 13), (0x3000 - 2**20, 1), (0x2000, 2**39)])
def test_bytes_that_are_not_there_are_unreadable(memory: Memory, address: int, size: int) -> None:
    with pytest.raises(Unreadable):
        memory.read(address, size)


@pytest.mark.parametrize("address, text", [(0x1000, "hello"), (0x1006, "world"), (0x900, None)])
def test_text_ends_with_its_zero(memory: Memory, address: int, text: str | None) -> None:
    assert memory.text(address) == text


def test_text_that_never_ends_is_cut() -> None:
    memory = Memory(b"a" * 5000, [Segment(0, 5000, 0, 5000)])
    assert memory.text(0) == "a" * MAX_TEXT


def test_text_that_is_not_utf_8_is_escaped() -> None:
    assert Memory(b"\xe9t\xe9\0", [Segment(0, 4, 0, 4)]).text(0) == "\\xe9t\\xe9"


def test_all_places_of_bytes_are_found(memory: Memory) -> None:
    assert memory.find(b"o") == [0x1004, 0x1007]


def test_no_more_places_are_found_than_a_limit() -> None:
    memory = Memory(b"a" * 5000, [Segment(0, 5000, 0, 5000)])
    assert len(memory.find(b"a")) == MAX_FOUND


def test_segment_behind_the_end_of_the_file_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="cut off: it has 22 bytes of 23"):
        Memory(DATA, [Segment(0, 23, 0, 23)])
