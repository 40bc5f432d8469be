"""Coverage-guided fuzzing of the autopsy: any bytes as a NIF library.

    python tests/fuzz/fuzz_libraries.py [-max_total_time=60] [CORPUS]

Needs `atheris`, and the compilers of the tests; the other options are libFuzzer's. A library is
read or refused by `Unreadable`, nothing else, and all that is printed of it is printable. Seeds are
the fixtures of the tests, for both architectures. Most mutations change a few numbers of a seed.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

import atheris
from command_line import fuzz

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "python")]

with atheris.instrument_imports(include=["signal_port"]):
    import nifs

    from signal_port import autopsy
    from signal_port.autopsy_arguments import Options
    from signal_port.elf_memory import Unreadable
    from signal_port.finding import Target
    from signal_port.nif_report import as_object, as_table

MAX_INPUT = 128 * 1024  # bytes; for aarch64 the linker places segments 64 KiB apart
RSS_LIMIT = 1024  # MiB
OPTIONS = Options([], "json", Target("x86_64", 25, (2, 36)), False, None, None)
NUMBERS = (0, 1, 8, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)

LIBRARY = ROOT / "_build/fuzz/nif.so"


def check(data: bytes) -> None:
    """Fail unless the bytes are read or refused."""
    LIBRARY.write_bytes(data)
    try:
        report = autopsy.examine(str(LIBRARY), True, OPTIONS)
    except Unreadable as error:
        assert str(error).isprintable(), "a sentence with control characters"
        return
    assert all(line.isprintable() for line in as_table(report).split("\n"))
    json.dumps(as_object(report))


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return other bytes: a few numbers of eight bytes changed, or just other."""
    dice = random.Random(seed)
    if len(data) < 64 or dice.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(0, len(data) - 8, dice.choice((1, 8)))
        size = dice.choice((1, 2, 4, 8))
        number = dice.choice((*NUMBERS, at, dice.getrandbits(64), dice.randrange(len(data))))
        changed[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed[:max_size])


def seeds() -> list[bytes]:
    """Return the fixtures as inputs."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            nifs.build(name, Path(folder), architecture, "-O2", "-s").read_bytes()
            for name in nifs.EXPECTED
            for architecture in nifs.ARCHITECTURES
        ]


if __name__ == "__main__":
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    fuzz(check, mutate, seeds, MAX_INPUT, RSS_LIMIT)
