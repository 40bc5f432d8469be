"""Which addresses the first instructions of a function name, on x86-64 and aarch64.

No disassembler: of each architecture it knows the instructions with which position-independent code
takes an address. What it returns may have addresses too many, so a caller must look what is there.
"""

import re
import struct
from collections.abc import Iterator

CODE_SIZE = 128  # bytes; `nif_init` has ten or twenty, if it does nothing but return its entry

# lea or mov of a 64-bit register, relative to the next instruction: REX.W, opcode, ModRM, offset.
_X86_LOAD = re.compile(rb"(?=[\x48\x4c][\x8d\x8b][\x05\x0d\x15\x1d\x25\x2d\x35\x3d](.{4}))", re.S)
_X86_LOAD_SIZE = 7

_PAGE = 4096


def referred_addresses(code: bytes, address: int, architecture: str) -> list[int]:
    """Return the addresses that instructions name, in their order: of data, or of pointers to it.

    Args:
        code: up to CODE_SIZE bytes, from the begin of the function.
        address: of the function.
        architecture: `x86_64` or `aarch64`; of any other nothing is known.
    """
    if architecture == "x86_64":
        return list(_on_x86_64(code, address))
    if architecture == "aarch64":
        return list(_on_aarch64(code, address))
    return []


def _on_x86_64(code: bytes, address: int) -> Iterator[int]:
    for match in _X86_LOAD.finditer(code):
        end = address + match.start() + _X86_LOAD_SIZE
        yield end + int.from_bytes(match[1], "little", signed=True)


def _on_aarch64(code: bytes, address: int) -> Iterator[int]:
    # adrp puts the address of a page into a register; add or ldr has the offset in the page. adr
    # does both at once.
    pages: dict[int, int] = {}
    for number, (word,) in enumerate(struct.iter_unpack("<I", code[: len(code) & ~3])):
        here = address + 4 * number
        target, source = word & 31, word >> 5 & 31
        if word & 0x9F000000 == 0x90000000:  # adrp
            pages[target] = (here & -_PAGE) + _PAGE * _signed_immediate(word)
        elif word & 0x9F000000 == 0x10000000:  # adr
            yield here + _signed_immediate(word)
        elif word & 0xFFC00000 == 0x91000000 and source in pages:  # add, 64-bit, not shifted
            yield pages[source] + (word >> 10 & 0xFFF)
        elif word & 0xFFC00000 == 0xF9400000 and source in pages:  # ldr, 64-bit
            yield pages[source] + 8 * (word >> 10 & 0xFFF)


def _signed_immediate(word: int) -> int:
    # Of adr and adrp: 21 bits, the two lowest of them in bits 29 and 30.
    immediate = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    return immediate - (1 << 21) if immediate >> 20 else immediate
