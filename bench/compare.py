"""`python bench/compare.py A.json B.json`: what changed from one benchmark result to another, and what is noise.

The rule. Two figures differ when their medians over the rounds are more than 5 % apart, and of all pairs of a round of
A and a round of B at least 19 in 20 point the same way. (That is Mann and Whitney's U: between equal programs five
rounds each point so in 1.6 % of the cases, seven in 0.2 %; the 5 % come on top.) Fewer than four rounds tell nothing.

Rounds interleave the engines, so a figure is taken in units of the echo's in the same cell and round, where both
results have it: a slower machine is not a slower program. For the same reason no echo is a row of the table. Memory has
no rounds, and is not compared.
"""

import sys
from math import log
from pathlib import Path
from statistics import median
from typing import NamedTuple

from goals import Cell, Result, label
from report import WAYS, figure, heading, new_console, read
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
ECHOES = ("echo", "echo_as_long")
STYLES = {"slower": "red", "faster": "green"}
HOW = {  # by section
    "one_caller": "one caller",
    "many_callers": "{callers} at once",
    "batches": "{length} calls",
    "lateness": "p99 of a timer beside {callers} callers",
}

Rounds = list[float]


class Key(NamedTuple):
    """What a figure is a figure of."""

    section: str
    how: str
    case: str
    size: int | None
    engine: str

    def __str__(self) -> str:
        by = WAYS.get(self.engine, self.engine) if self.section == "batches" else self.engine
        return f"{label(self.case, self.size)}, {self.how}, {by}"


START = Key("start", "from the start", "first answer", None, "port")


class Difference(NamedTuple):
    """A figure in both results."""

    key: Key
    unit: str
    a: float  # medians of the rounds
    b: float
    verdict: str


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    if len(arguments) != 2:
        return complain(USAGE)
    try:
        a, b = (read(Path(argument)) for argument in arguments)
    except ValueError as error:
        return complain(str(error))
    show(a, b, new_console())
    return 0


def complain(reason: str) -> int:
    """Say on standard error why nothing is compared; return the exit status."""
    print(f"compare.py: {reason}", file=sys.stderr)
    return 2


# --- The rule ---


def differences(a: Result, b: Result) -> list[Difference]:
    """Return the figures that both results have, the largest change first."""
    before, after = rounds(a), rounds(b)
    found = [
        compare(key, before, after) for key in before if key in after and key.engine not in ECHOES
    ]
    return sorted(found, key=lambda one: abs(log(one.b / one.a)), reverse=True)


def rounds(result: Result) -> dict[Key, Rounds]:
    """Return the rounds of each figure that has any."""
    found = {
        Key(section, how.format(**cell), case_of(cell), cell["size"], cell["engine"]): cell.get(
            "rounds", []
        )
        for section, how in HOW.items()
        for cell in result.get(section, [])
    }
    found[START] = result.get("start", {}).get("rounds", [])
    return {key: figures for key, figures in found.items() if figures and min(figures) > 0}


def case_of(cell: Cell) -> str:
    """Return what was called: beside a timer that is the load."""
    case: str = cell["case"] if "case" in cell else cell["load"] or "nothing"
    return case


def compare(key: Key, before: dict[Key, Rounds], after: dict[Key, Rounds]) -> Difference:
    """Compare a figure, in units of the echo's where both results have it."""
    a, b, unit = before[key], after[key], unit_of(key)
    echo = key._replace(engine="echo")
    if echo in before and echo in after:
        a, b, unit = in_echoes(a, before[echo]), in_echoes(b, after[echo]), "echoes"
    return Difference(key, unit, median(a), median(b), verdict(a, b, key))


def in_echoes(figures: Rounds, echoes: Rounds) -> Rounds:
    """Return the figures in units of the echo's of the same round."""
    return [figure / echo for figure, echo in zip(figures, echoes)]


def verdict(a: Rounds, b: Rounds, key: Key) -> str:
    """Return the word for a difference."""
    if min(len(a), len(b)) < LEAST_ROUNDS:
        return "too few rounds"
    if not differ(a, b):
        return "noise"
    return "faster" if (median(b) > median(a)) == is_rate(key) else "slower"


def differ(a: Rounds, b: Rounds) -> bool:
    """Tell whether the rounds show a change: the rule."""
    pairs = [(one, other) for one in a for other in b]
    larger = sum(one < other for one, other in pairs) / len(pairs)
    smaller = sum(one > other for one, other in pairs) / len(pairs)
    return abs(median(b) / median(a) - 1) > LEAST_CHANGE and max(larger, smaller) >= LEAST_AGREEMENT


def is_rate(key: Key) -> bool:
    """Tell whether more is better."""
    return key.section in ("many_callers", "batches")


def unit_of(key: Key) -> str:
    """Return the unit of a figure as it was measured."""
    if is_rate(key):
        return "calls/s"
    return "us" if key.section == "one_caller" else "ms"


# --- What is printed ---


def show(a: Result, b: Result, console: Console) -> None:
    """Print what changed, and at the end one sentence about it."""
    console.print(f"A: {heading(a)}\nB: {heading(b)}")
    for sentence in strangers(a, b):
        console.print(sentence, style="bold")
    found = differences(a, b)
    before, after = rounds(a), rounds(b)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for name in ("figure", "unit", "A", "B", "change", "verdict"):
        table.add_column(
            name, justify="right" if name in ("A", "B", "change") else "left", no_wrap=True
        )
    for one in found:
        figures = (figure(one.a), figure(one.b), f"{one.b / one.a - 1:+.1%}")
        table.add_row(
            str(one.key), one.unit, *figures, one.verdict, style=STYLES.get(one.verdict, "dim")
        )
    for name, here, there in (("A", before, after), ("B", after, before)):
        for key in here:
            if key not in there:
                table.add_row(str(key), "", "", "", "", f"only in {name}", style="dim")
    console.print()
    console.print(table)
    console.print()
    console.print(RULE)
    console.print(summary(found), style="bold")


def strangers(a: Result, b: Result) -> list[str]:
    """Return a sentence for each group of facts that the runs do not share."""
    return [
        f"The {group} differ: {', '.join(facts)}."
        for field, group in (("machine", "machines"), ("versions", "versions"))
        if (facts := changed(a.get(field, {}), b.get(field, {})))
    ]


def changed(a: dict[str, object], b: dict[str, object]) -> list[str]:
    """Return what two groups of facts disagree on."""
    return [
        f"{name} {a.get(name)} / {b.get(name)}" for name in {**a, **b} if a.get(name) != b.get(name)
    ]


def summary(found: list[Difference]) -> str:
    """Return the outcome in one sentence."""
    real = [one for one in found if one.verdict in STYLES]
    if not real:
        return f"Nothing changed in the {len(found)} figures that both have."
    slower = sum(one.verdict == "slower" for one in real)
    largest = f"the largest change is {real[0].key}: {real[0].b / real[0].a - 1:+.1%}"
    return (
        f"Of {len(found)} figures {slower} are slower and {len(real) - slower} faster; {largest}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
