"""The memory of an ELF library as the loader lays it out from its segments, before relocation.

It knows segments and bytes, and neither symbols nor pointers. An address is the library's own: it
is loaded at 0.
"""

from typing import NamedTuple

MAX_TEXT = 1024  # bytes of a C string; an atom has up to 1020 (255 characters in UTF-8)
MAX_FOUND = 1000  # places where the same bytes are found


class Unreadable(Exception):
    """The file is no library that can be read here. The text says why; it follows the name."""


class Segment(NamedTuple):
    """A part of the file that is loaded, and the zeros behind it."""

    address: int
    size: int
    offset: int
    size_in_file: int


class Memory:
    """What a library has in memory at first.

    Args:
        data: the whole file.
        segments: what of it is loaded, in any order.

    Raises:
        Unreadable: a segment ends behind the file, or they all have the same bytes.
    """

    def __init__(self, data: bytes, segments: list[Segment]) -> None:
        self._data = data
        self._segments = segments
        end = max((one.offset + one.size_in_file for one in segments), default=0)
        if end > len(data):
            raise Unreadable(f"is cut off: it has {len(data)} bytes of {end}")
        if sum(one.size_in_file for one in segments) > 2 * len(data):
            raise Unreadable("is damaged: its segments overlap")

    def room(self, address: int) -> int:
        """Return the number of bytes from there to the end of the segment; 0 outside of all."""
        segment = self._segment(address)
        return segment.address + segment.size - address if segment else 0

    def offset(self, address: int) -> int | None:
        """Return the place in the file of what is there; None for zeros that no file holds."""
        segment = self._segment(address)
        if segment is None or address - segment.address >= segment.size_in_file:
            return None
        return segment.offset + address - segment.address

    def read(self, address: int, size: int) -> bytes:
        """Return bytes.

        Raises:
            Unreadable: they are not all in one segment.
        """
        segment = self._segment(address)
        if segment is None or size > self.room(address):
            raise Unreadable(f"is damaged: it has no {size} bytes at address {address:#x}")
        start = address - segment.address
        in_file = max(0, min(size, segment.size_in_file - start))
        begin = segment.offset + start
        zeros = size - in_file
        if zeros > len(self._data):  # no table is in zeros, and they cost the file nothing
            raise Unreadable(f"is damaged: it refers to {size} bytes at address {address:#x}")
        return self._data[begin : begin + in_file] + bytes(zeros)

    def word(self, address: int) -> int:
        """Return an unsigned number of eight bytes."""
        return int.from_bytes(self.read(address, 8), "little")

    def text(self, address: int) -> str | None:
        """Return a C string, MAX_TEXT bytes of it at most; None outside of all segments."""
        room = min(self.room(address), MAX_TEXT)
        if room <= 0:
            return None
        return self.read(address, room).partition(b"\0")[0].decode("utf-8", "backslashreplace")

    def find(self, content: bytes) -> list[int]:
        """Return the addresses of some bytes of the file, MAX_FOUND at most."""
        found: list[int] = []
        for segment in self._segments:
            end = segment.offset + segment.size_in_file
            at = self._data.find(content, segment.offset, end)
            while at >= 0 and len(found) < MAX_FOUND:
                found.append(segment.address + at - segment.offset)
                at = self._data.find(content, at + 1, end)
        return found

    def _segment(self, address: int) -> Segment | None:
        return next((s for s in self._segments if 0 <= address - s.address < s.size), None)
