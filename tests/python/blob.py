"""The fields of the session blob, a second time: the package's own offsets are under test."""

from typing import NamedTuple

SIZE = 7740
FIELDS: dict[str, tuple[int, int]] = {  # offset, size
    "magic": (0, 4),
    "version": (4, 2),
    "size": (6, 2),
    "root key": (8, 32),
    "sending chain key": (40, 32),
    "sending number": (72, 4),
    "receiving chain key": (76, 32),
    "receiving number": (108, 4),
    "ratchet private key": (112, 32),
    "ratchet public key": (144, 32),
    "remote ratchet key": (176, 32),
    "local identity": (208, 32),
    "remote identity": (240, 32),
    "local signing identity": (272, 32),
    "sending header key": (304, 32),
    "receiving header key": (336, 32),
    "next sending header key": (368, 32),
    "next receiving header key": (400, 32),
    "previous number": (432, 4),
    "initialized": (436, 1),
    "may send": (437, 1),
    "zero": (438, 2),
    "slots": (440, 96 * 76),
    "clock": (7736, 4),
}


class Slot(NamedTuple):
    """A place for a skipped message key."""

    header_key: bytes
    number: int
    message_key: bytes
    clock: int
    occupied: int
    padding: bytes = bytes(3)

    def pack(self) -> bytes:
        """Return its 76 bytes."""
        number, clock = (value.to_bytes(4, "little") for value in (self.number, self.clock))
        return (
            self.header_key
            + number
            + self.message_key
            + clock
            + bytes([self.occupied])
            + self.padding
        )


def field(blob: bytes | bytearray, name: str) -> bytes:
    """Return the bytes of a field."""
    offset, size = FIELDS[name]
    return bytes(blob[offset : offset + size])


def number(blob: bytes, name: str) -> int:
    """Return a field as a number."""
    return int.from_bytes(field(blob, name), "little")


def replaced(blob: bytes, name: str, value: bytes) -> bytes:
    """Return the blob with another value in a field."""
    offset, size = FIELDS[name]
    assert len(value) == size
    return blob[:offset] + value + blob[offset + size :]


def slots(blob: bytes) -> list[Slot]:
    """Return all 96 slots."""
    pieces = field(blob, "slots")
    return [_slot(pieces[start : start + 76]) for start in range(0, len(pieces), 76)]


def with_slots(blob: bytes, kept: list[Slot]) -> bytes:
    """Return the blob with these slots first and zeros behind them."""
    return replaced(blob, "slots", b"".join(slot.pack() for slot in kept).ljust(96 * 76, b"\0"))


def _slot(piece: bytes) -> Slot:
    number_, clock = (int.from_bytes(piece[start : start + 4], "little") for start in (32, 68))
    return Slot(piece[:32], number_, piece[36:68], clock, piece[72], piece[73:])
