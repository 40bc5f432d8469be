"""`python bench/compare.py A B`: what changed from one result to another, and what is noise.

A and B are files, or folders whose files are pooled.

The rule. Two figures differ if their medians over the rounds are more than 5 % apart, and of all
pairs of a round of A and a round of B at least 19 in 20 point the same way. (That is Mann and
Whitney's U: between equal programs five rounds each point so in 1.6 % of the cases, seven in 0.2 %;
the 5 % come on top.) Fewer than four rounds are too few.

Rounds interleave the engines, so a figure is taken in units of the echo of the same cell and round,
if both results have it: a slower machine is not a slower program.

The rounds of a cell lie within a second, and a machine may have another speed in the next run. So
engines that this project does not change are controls: a change counts only if it is larger than
19 in 20 changes of theirs in the same section. Three runs of one commit on a noisy machine, each
compared with each: without controls 2 in 100 latencies and 31 in 100 rates would have changed,
with them 0 and 8. Interleave runs of both programs and pool them for better.

Echoes are no rows of the table. Memory has no rounds, and is not compared.
"""

import sys
from collections.abc import Iterator
from math import log
from pathlib import Path
from statistics import median
from typing import NamedTuple

from labels import WAYS, heading, label, number, unit
from results import RATES, Cell, Key, Results, ratios, read
from rich.console import Console
from rich.table import Table
from tables import new_console, new_table

USAGE = "usage: python bench/compare.py A B (each a result, or a folder of results)"
RULE = (
    "A change: the medians of the rounds are more than 5 % apart, 19 in 20 pairs of rounds point "
    "the same way,\nand 19 in 20 changes of the NIF, crypto and erlport are smaller. "
    "In units of the echo if both runs have it."
)
LEAST_CHANGE = 0.05
LEAST_AGREEMENT = 0.95  # of the pairs of rounds
LEAST_ROUNDS = 4  # three would be apart by chance once in ten times
WITHIN_DRIFT = 0.95  # of the changes of the controls
CONTROLS = ("nif", "crypto", "erlport")  # engines whose code is not of this project
ECHOES = ("echo", "echo_as_long")
STYLES = {"slower": "red", "faster": "green"}
HOW = {  # by section
    "one_caller": "one caller",
    "many_callers": "{} at once",
    "batches": "{} calls",
    "lateness": "p99 of a timer beside {} callers",
    "start": "from the start",
}
START = Key("start", "first answer", None, "port")

Rounds = list[float]


class Difference(NamedTuple):
    """A figure in both results."""

    key: Key
    unit: str
    a: float  # medians of the rounds
    b: float
    verdict: str

    @property
    def extent(self) -> float:
        """Return how large the change is, up or down, as a logarithm."""
        return abs(log(self.b / self.a))


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    if len(arguments) != 2:
        return fail(USAGE)
    try:
        a, b = (read([Path(argument)]) for argument in arguments)
    except ValueError as error:
        return fail(str(error))
    show(a, b, new_console())
    return 0


def fail(reason: str) -> int:
    """Print on standard error why nothing is compared; return the exit status."""
    print(f"compare.py: {reason}", file=sys.stderr)
    return 2


# --- The rule ---


def differences(a: Results, b: Results) -> list[Difference]:
    """Return the figures that both results have, the largest change first."""
    before, after = cells(a), cells(b)
    found = [compare(key, before, after) for key in before if key in after]
    limits = {section: drift(found, section) for section in HOW}
    shown = [
        one._replace(verdict="noise") if one.extent < limits[one.key.section] else one
        for one in found
        if one.key.engine not in ECHOES
    ]
    return sorted(shown, key=lambda one: one.extent, reverse=True)


def drift(found: list[Difference], section: str) -> float:
    """Return the extent that 19 in 20 changes of the controls stay within; 0 without controls."""
    measured_as = "many_callers" if section == "batches" else section
    extents = sorted(
        one.extent for one in found if one.key.section == measured_as and one.key.engine in CONTROLS
    )
    return extents[int(len(extents) * WITHIN_DRIFT)] if extents else 0.0


def cells(results: Results) -> dict[Key, Cell]:
    """Return the cells whose rounds are all above zero, and the start's."""
    found = {**results.cells, START: Cell({0: results.start})}
    return {key: cell for key, cell in found.items() if cell.figures and min(cell.figures) > 0}


def compare(key: Key, before: dict[Key, Cell], after: dict[Key, Cell]) -> Difference:
    """Compare a figure, in units of the echo's if both results have it."""
    echo = key._replace(engine="echo")
    if echo in before and echo in after:
        a, b = (ratios(found[key], found[echo]) for found in (before, after))
        return Difference(key, "echoes", median(a), median(b), verdict(a, b, key))
    a, b = before[key].figures, after[key].figures
    return Difference(key, unit(key), median(a), median(b), verdict(a, b, key))


def verdict(a: Rounds, b: Rounds, key: Key) -> str:
    """Return the word for a difference."""
    if min(len(a), len(b)) < LEAST_ROUNDS:
        return "too few rounds"
    if not differ(a, b):
        return "noise"
    return "faster" if (median(b) > median(a)) == (key.section in RATES) else "slower"


def differ(a: Rounds, b: Rounds) -> bool:
    """Tell whether the rounds show a change: the rule."""
    pairs = [(one, other) for one in a for other in b]
    larger = sum(one < other for one, other in pairs) / len(pairs)
    smaller = sum(one > other for one, other in pairs) / len(pairs)
    return abs(median(b) / median(a) - 1) > LEAST_CHANGE and max(larger, smaller) >= LEAST_AGREEMENT


# --- What is printed ---


def name(key: Key) -> str:
    """Return what a figure is a figure of."""
    engine = WAYS.get(key.engine, key.engine) if key.section == "batches" else key.engine
    return f"{label(key.case, key.size)}, {HOW[key.section].format(key.amount)}, {engine}"


def show(a: Results, b: Results, console: Console) -> None:
    """Print what changed, and at the end one sentence about it."""
    console.print(f"A: {heading(a)}\nB: {heading(b)}")
    for sentence in strangers(a, b):
        console.print(sentence, style="bold")
    found = differences(a, b)
    console.print()
    console.print(table(found, dict(only_in_one(a, b))))
    console.print()
    console.print(RULE)
    console.print(summary(found), style="bold")


def table(found: list[Difference], alone: dict[Key, str]) -> Table:
    """Return the table of differences, and of the figures that one result has alone."""
    table = new_table("", ["figure", "unit"], ["A", "B", "change"])
    table.add_column("verdict", no_wrap=True)
    for one in found:
        row = (name(one.key), one.unit, number(one.a), number(one.b), f"{one.b / one.a - 1:+.1%}")
        table.add_row(*row, one.verdict, style=STYLES.get(one.verdict, "dim"))
    for key, result in alone.items():
        table.add_row(name(key), "", "", "", "", f"only in {result}", style="dim")
    return table


def only_in_one(a: Results, b: Results) -> Iterator[tuple[Key, str]]:
    """Yield the figures that one result has and the other lacks, with the name of that result."""
    before, after = cells(a), cells(b)
    yield from ((key, "A") for key in before if key not in after)
    yield from ((key, "B") for key in after if key not in before)


def strangers(a: Results, b: Results) -> list[str]:
    """Return a sentence for each group of facts that the runs do not share."""
    return [
        f"The {group} differ: {', '.join(facts)}."
        for field, group in (("machine", "machines"), ("versions", "versions"))
        if (facts := changed(a.facts[0].get(field, {}), b.facts[0].get(field, {})))
    ]


def changed(a: dict[str, object], b: dict[str, object]) -> list[str]:
    """Return what two groups of facts disagree on."""
    names = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    return [f"{name} {a.get(name)} / {b.get(name)}" for name in names]


def summary(found: list[Difference]) -> str:
    """Return the outcome in one sentence."""
    real = [one for one in found if one.verdict in STYLES]
    if not real:
        return f"Nothing changed in the {len(found)} figures that both have."
    slower = sum(one.verdict == "slower" for one in real)
    largest = f"the largest change is {name(real[0].key)}: {real[0].b / real[0].a - 1:+.1%}"
    return (
        f"Of {len(found)} figures {slower} are slower and {len(real) - slower} faster; {largest}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
