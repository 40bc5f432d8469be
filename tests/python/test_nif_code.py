"""The addresses that instructions name: bytes as an assembler makes them."""

import pytest

from signal_port.nif_code import referred_addresses

HERE = 0x10000

# By the instruction: the architecture, the code at HERE, and the addresses.
CODES = {
    "lea rax": ("x86_64", "488d05 10000000 c3", [HERE + 7 + 0x10]),
    "lea rax, backwards": ("x86_64", "488d05 f0ffffff c3", [HERE + 7 - 0x10]),
    "mov rax, from the GOT": ("x86_64", "488b05 00010000 c3", [HERE + 7 + 0x100]),
    "lea r15, behind a prologue": ("x86_64", "f30f1efa 554889e5 4c8d3d 08000000", [HERE + 15 + 8]),
    "lea without rip": ("x86_64", "488d4508 c3", []),
    "lea that is cut off": ("x86_64", "488d05 1000", []),
    "adrp, add": ("aarch64", "80000090 00c00491 c0035fd6", [HERE + 0x10000 + 0x130]),
    "adrp, ldr": ("aarch64", "80000090 00e447f9 c0035fd6", [HERE + 0x10000 + 0xFC8]),
    "adrp, backwards": ("aarch64", "e0ffffb0 00000091", [HERE - 0x3000]),
    "adr": ("aarch64", "80000010 c0035fd6", [HERE + 0x10]),
    "add of another register": ("aarch64", "80000090 20c00491", []),
    "half an instruction": ("aarch64", "8000", []),
    "another architecture": ("riscv", "488d05 10000000", []),
}


@pytest.mark.parametrize("architecture, code, addresses", CODES.values(), ids=CODES)
def test_code_names_these_addresses(architecture: str, code: str, addresses: list[int]) -> None:
    assert referred_addresses(bytes.fromhex(code), HERE, architecture) == addresses
