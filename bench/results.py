"""Benchmark results: read from files, checked, and pooled. Tables and pictures both read them here.

A result file has sections, a section has cells, and a cell has the figures of its rounds. Engines
take turns in each round, so two cells of one file may be compared round by round. Files that are
pooled give one set of cells, whose rounds are those of all files; a ratio is still taken within a
round of one file. This module prints nothing, draws nothing, and knows no goal.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

FORMAT = 2
NOISE = 2.0  # the most by the least round, from which a figure is noise
AMOUNTS = {  # by section: the column that tells cells of one case, size and engine apart
    "one_caller": None,
    "many_callers": "callers",
    "batches": "length",
    "lateness": "callers",
}
RATES = ("many_callers", "batches")  # more is better; in the other sections less
CHANNELS = ("socket", "tls", "node")  # engines that are the port with its workers elsewhere
EXTRAS = ("p50", "p99", "max")  # columns beside the rounds, if a section has them
SAME = ("cpu", "architecture", "cores")  # of the machine; files that differ cannot be pooled


class Key(NamedTuple):
    """What a figure is a figure of."""

    section: str
    case: str
    size: int | None  # bytes of data, None if the case has one size only
    engine: str
    amount: int = 1  # of callers, or of calls of a batch


class Figure(NamedTuple):
    """The rounds of a cell, or of a ratio, in three numbers."""

    least: float
    median: float
    most: float

    @property
    def noisy(self) -> bool:
        """Tell whether the rounds are so far apart that their median is no figure."""
        return self.most > NOISE * self.least


@dataclass(frozen=True)
class Cell:
    """The rounds of one engine with one case, by file, and the other columns of each file."""

    rounds: dict[int, list[float]] = field(default_factory=dict)
    extras: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def figures(self) -> list[float]:
        """Return the rounds of all files."""
        return [figure for rounds in self.rounds.values() for figure in rounds]

    @property
    def figure(self) -> Figure:
        """Return all rounds in three numbers."""
        return figure_of(self.figures)

    def extra(self, name: str) -> float | None:
        """Return the median over the files of a figure that has no rounds, the most of `max`."""
        found = [extras[name] for extras in self.extras.values() if name in extras]
        return (max(found) if name == "max" else median(found)) if found else None


@dataclass(frozen=True)
class Results:
    """One result, or several of one machine that were pooled."""

    facts: list[dict[str, Any]]  # of each file: date, commit, machine, versions, workers, ...
    cells: dict[Key, Cell]
    start: list[float]  # milliseconds to the first answer, each time
    memory: list[dict[str, dict[str, Any]]]  # of each file, MiB before and after the load

    def section(self, name: str) -> dict[Key, Cell]:
        """Return the cells of a section but those of CHANNELS, in the order of the files."""
        return {
            key: cell
            for key, cell in self.cells.items()
            if key.section == name and key.engine not in CHANNELS
        }

    def ratios(self, above: Key, below: Key) -> list[float]:
        """Return the quotients of two cells round by round; none if one was not measured."""
        return ratios(self.cells.get(above, Cell()), self.cells.get(below, Cell()))


def ratios(above: Cell, below: Cell) -> list[float]:
    """Return the quotients of two cells, round by round of each file that has both."""
    return [
        one / other
        for file in above.rounds.keys() & below.rounds.keys()
        for one, other in zip(above.rounds[file], below.rounds[file])
        if other > 0
    ]


def figure_of(values: Sequence[float]) -> Figure:
    """Return rounds in three numbers; there must be one at least."""
    return Figure(min(values), median(values), max(values))


def by(cells: dict[Key, Cell], *fields: str) -> dict[tuple[Any, ...], dict[Key, Cell]]:
    """Return the cells by the values of some fields of their keys, in their first order."""
    groups: dict[tuple[Any, ...], dict[Key, Cell]] = {}
    for key, cell in cells.items():
        groups.setdefault(tuple(getattr(key, name) for name in fields), {})[key] = cell
    return groups


# --- Reading ---


def read(paths: Iterable[Path]) -> Results:
    """Return the results in these files, pooled; a folder stands for all JSON files in it.

    Raises:
        ValueError: in one sentence, a file cannot be read or is no whole result of format 2, or
            the files are of different machines.
    """
    files = list(_files(paths))
    if not files:
        raise ValueError("no result was given")
    loaded = [_load(file) for file in files]
    for file, result in zip(files, loaded):
        _check_same(files[0], loaded[0], file, result)
    return pool(loaded)


def pool(loaded: list[dict[str, Any]]) -> Results:
    """Return the results of several files as one."""
    cells: dict[Key, Cell] = {}
    for file, result in enumerate(loaded):
        for key, row in _cells(result):
            cell = cells.setdefault(key, Cell())
            cell.rounds[file] = row["rounds"]
            cell.extras[file] = {name: row[name] for name in EXTRAS if name in row}
    facts = [
        {name: value for name, value in result.items() if name not in AMOUNTS} for result in loaded
    ]
    start = [time for result in loaded for time in result.get("start", [])]
    return Results(facts, cells, start, [result.get("memory", {}) for result in loaded])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"{path} has no result: there is no *.json in it")
        yield from found


def _load(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(result, dict) or not isinstance(result.get("format"), int):
        raise ValueError(f"{path} is not a benchmark result")
    if result["format"] != FORMAT:
        raise ValueError(
            f"{path} is a benchmark result of format {result['format']}, and this is a reader of "
            f"format {FORMAT}: measure again by make bench"
        )
    try:
        _check(result)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not a whole benchmark result: {error}") from error
    return result


def _check(result: dict[str, Any]) -> None:
    for name in ("machine", "versions", "memory"):
        if not isinstance(result.get(name, {}), dict):
            raise ValueError(f"its {name} is no object")
    for times in [result.get("start", []), *(row["rounds"] for _, row in _cells(result))]:
        if not all(isinstance(time, (int, float)) and time >= 0 for time in times):
            raise ValueError("a round is no figure")


def _cells(result: dict[str, Any]) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Yield each cell of a file with its key and its row, columns by name."""
    for section, amount in AMOUNTS.items():
        table = result.get(section) or {"columns": [], "rows": []}
        for values in table["rows"]:
            if len(values) != len(table["columns"]):
                raise ValueError(f"a row of {section} is shorter or longer than its columns")
            row = dict(zip(table["columns"], values))
            missing = {"case", "size", "engine", "rounds", amount} - {None} - row.keys()
            if missing:
                raise ValueError(f"{section} has no column {', '.join(sorted(map(str, missing)))}")
            if not row["rounds"]:
                raise ValueError(f"a row of {section} has no rounds")
            yield (
                Key(section, row["case"], row["size"], row["engine"], row[amount] if amount else 1),
                row,
            )


def _check_same(first: Path, result: dict[str, Any], other: Path, others: dict[str, Any]) -> None:
    one, two = result.get("machine", {}), others.get("machine", {})
    for name in SAME:
        if one.get(name) != two.get(name):
            raise ValueError(
                f"{first} and {other} are not pooled, because their machines differ: "
                f"{name} {one.get(name)} and {two.get(name)}"
            )
