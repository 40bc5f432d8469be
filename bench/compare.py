"""`python bench/compare.py A.json B.json`: what changed from one benchmark result to another, and what is noise.

The rule. Two figures differ when their medians over the rounds are more than 5 % apart, and of all pairs of a round of
A and a round of B at least 19 in 20 point the same way. (That is Mann and Whitney's U: between equal programs five
rounds each point so in 1.6 % of the cases, seven in 0.2 %; the 5 % come on top.) Fewer than four rounds tell nothing.

Rounds interleave the engines, so a figure is taken in units of the echo's in the same cell and round, where both
results have it: a slower machine is not a slower program. For the same reason the echo itself is no row of the table.
Timers and memory have no rounds, and are not compared.
"""

import sys
from collections.abc import Iterator
from math import log
from pathlib import Path
from statistics import median
from typing import NamedTuple

from goals import Result, label
from report import figure, heading, read
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

USAGE = "usage: python bench/compare.py A.json B.json"
RULE = (
    "A change: the medians of the rounds are more than 5 % apart, and 19 in 20 pairs of rounds point the same way. "
    "In units of the echo where both runs have it."
)
LEAST_CHANGE = 0.05
LEAST_AGREEMENT = 0.95  # of the pairs of rounds
LEAST_ROUNDS = 4  # three would be apart by chance once in ten times
CONSOLE_WIDTH = 160
HOW = {"one_caller": "one caller", "many_callers": "{callers} callers", "batches": "a batch of {length}"}
UNITS = {"one_caller": "us", "many_callers": "calls/s", "batches": "calls/s"}

Rounds = list[float]


class Key(NamedTuple):
    """What a figure is a figure of."""

    section: str
    how: str
    case: str
    size: int | None
    engine: str

    def __str__(self) -> str:
        return f"{label(self.case, self.size)}, {self.how}, {self.engine}"


class Difference(NamedTuple):
    """A figure in both results."""

    key: Key
    unit: str
    a: float
    b: float
    verdict: str

    @property
    def change(self) -> float:
        """The relative change from A to B."""
        return self.b / self.a - 1


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    if len(arguments) != 2:
        return complain(USAGE)
    try:
        a, b = (read(Path(argument)) for argument in arguments)
    except ValueError as error:
        return complain(str(error))
    show(a, b, Console(width=CONSOLE_WIDTH, highlight=False, markup=False))
    return 0


def complain(reason: str) -> int:
    """Say on standard error why nothing is compared; return the exit status."""
    print(f"compare.py: {reason}", file=sys.stderr)
    return 2


# --- The rule ---


def differences(a: Result, b: Result) -> list[Difference]:
    """Return the figures that both results have, the largest change first."""
    before, after = rounds(a), rounds(b)
    found = [difference(key, before, after) for key in before if key in after and key.engine != "echo"]
    return sorted(found, key=lambda one: abs(log(one.b / one.a)), reverse=True)


def rounds(result: Result) -> dict[Key, Rounds]:
    """Return the rounds of each figure."""
    found = {
        Key(section, how.format(**cell), cell["case"], cell["size"], cell["engine"]): cell["rounds"]
        for section, how in HOW.items()
        for cell in result.get(section, [])
    }
    if start := result.get("start", {}).get("rounds"):
        found[START] = start
    return found


START = Key("start", "milliseconds", "first answer", None, "port")


def difference(key: Key, before: dict[Key, Rounds], after: dict[Key, Rounds]) -> Difference:
    """Compare a figure, in units of the echo's where both have it."""
    echo = key._replace(engine="echo")
    a, b, unit = before[key], after[key], UNITS.get(key.section, "ms")
    if echo in before and echo in after:
        a, b = in_echoes(a, before[echo]), in_echoes(b, after[echo])
        unit = "echoes"
    slower = median(b) > median(a) if unit...
