"""The tables of a result, for a terminal, and the one of README.md.

A table shows the median of the rounds, and the least of them in brackets. If the rounds are more
than twice apart that would be noise and no figure: the cell shows both ends, after a `~`. This
module computes nothing but ratios.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from goals import Verdict
from labels import (
    ASKED_FIRST,
    KNOWN_IDENTITY,
    WAYS,
    in_full,
    in_order,
    label,
    measured,
    number,
    unit,
)
from results import CHANNELS, Cell, Figure, Key, Results, by, figure_of
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 172  # columns, if the output is no terminal
NARROW_ENGINES = ("port", "nif", "python")  # for one caller, on a narrower terminal
MET = {True: Text("yes", "green"), False: Text("no", "bold red"), None: Text("?", "dim")}
LEGEND = (
    "A figure is the median of the rounds, in brackets the least round.",
    "~ marks noise: the rounds are more than twice apart. It shows the least and the most of them.",
    KNOWN_IDENTITY,
)
README_HEAD = (
    "| call | NIF | port | port / NIF | of it Python alone |",
    "|---|---|---|---|---|",
)


def new_console() -> Console:
    """Return a console as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False)


def all_tables(results: Results, width: int) -> Iterator[Table]:
    """Yield a table for each section that was measured, in a width in columns."""
    for name, table in TABLES.items():
        cells = results.section(name)
        if name == "one_caller" and width < PIPE_WIDTH:
            cells = {key: cell for key, cell in cells.items() if key.engine in NARROW_ENGINES}
        if cells:
            yield table(results, cells)
    if any(key.engine in CHANNELS for key in results.cells):
        yield channels(results)
    if any(results.memory):
        yield memory(results.memory)
    if results.start:
        yield start(results.start)


def ratio(results: Results, above: Key, below: Key) -> Figure | None:
    """Return the ratio of two cells, round by round; None if one was not measured."""
    found = results.ratios(above, below)
    return figure_of(found) if found else None


# --- The sections ---


def one_caller(results: Results, cells: dict[Key, Cell]) -> Table:
    """Return the table of latencies: each engine, the port's p99 and what it is of the NIF's."""
    engines = in_order(key.engine for key in cells)
    heads = [*(engine.replace("_", " ") for engine in engines), "port, p99"]
    nifs = [engine for engine in engines if engine == "nif"]
    heads += [f"port / {nif}" for nif in nifs]
    table = new_table("One caller: microseconds", ["case"], heads)
    for (case, size), group in by(cells, "case", "size").items():
        found = {key.engine: cell for key, cell in group.items()}
        figures = [measured(found[one].figure) if one in found else "" for one in engines]
        p99 = number(found["port"].extra("p99")) if "port" in found else ""
        port = Key("one_caller", case, size, "port")
        times = [measured(ratio(results, port, port._replace(engine=nif))) for nif in nifs]
        table.add_row(label(case, size), *figures, p99, *times)
    return table


def many_callers(results: Results, cells: dict[Key, Cell]) -> Table:
    """Return the table of calls a second by the number of callers, and the port's part of it."""
    amounts = sorted({key.amount for key in cells})
    table = new_table(
        "Callers by number: calls a second", ["case", "by"], [f"{amount}" for amount in amounts]
    )
    for (case, size), group in by(cells, "case", "size").items():
        engines = in_order(key.engine for key in group)
        for engine in engines:
            keys = [Key("many_callers", case, size, engine, amount) for amount in amounts]
            table.add_row(label(case, size), engine, *(_cell(group, key) for key in keys))
        for engine in (engine for engine in ("nif", "erlport") if engine in engines):
            keys = [Key("many_callers", case, size, "port", amount) for amount in amounts]
            parts = [ratio(results, key, key._replace(engine=engine)) for key in keys]
            row = [label(case, size), f"port / {engine}", *map(measured, parts)]
            table.add_row(*row, style="bold")
    return table


def batches(_: Results, cells: dict[Key, Cell]) -> Table:
    """Return the table of calls a second by the length of a batch."""
    amounts = sorted({key.amount for key in cells})
    heads = [f"{amount:,}" for amount in amounts]
    table = new_table("Batches by length: calls a second", ["case", "by"], heads)
    for (case, size, engine), group in by(cells, "case", "size", "engine").items():
        keys = [Key("batches", case, size, engine, amount) for amount in amounts]
        row = [label(case, size), WAYS.get(engine, engine)]
        table.add_row(*row, *(_cell(group, key) for key in keys))
    return table


def lateness(results: Results, cells: dict[Key, Cell]) -> Table:
    """Return the table of how late a timer is; its noise is that of p99."""
    title = "A timer of 1 ms beside a load: milliseconds late"
    heads = ["callers", "median", "p99", "latest", "p99, nif / this"]
    table = new_table(title, ["load", "by"], heads)
    for key, cell in cells.items():
        times = [number(cell.extra("p50")), measured(cell.figure), number(cell.extra("max"))]
        nif = key._replace(engine="nif")
        part = "" if key == nif else measured(ratio(results, nif, key))
        table.add_row(label(key.case, key.size), key.engine, str(key.amount), *times, part)
    return table


def channels(results: Results) -> Table:
    """Return the table of the port with its workers elsewhere, beside the port itself."""
    heads = ["figure", "port", "figure / port"]
    table = new_table("Workers elsewhere", ["case", "by", "callers"], heads)
    for key, cell in results.cells.items():
        port = key._replace(engine="port")
        if key.engine in CHANNELS and port in results.cells:
            figures = [f"{measured(one.figure)} {unit(key)}" for one in (cell, results.cells[port])]
            names = [label(key.case, key.size), key.engine, str(key.amount)]
            table.add_row(*names, *figures, measured(ratio(results, key, port)))
    return table


def memory(files: list[dict[str, dict[str, Any]]]) -> Table:
    """Return the table of what the bridge holds, median of the files."""
    table = new_table("Memory: MiB", ["of"], ["at rest", "after the load"])
    states = [[one.get(state, {}) for one in files] for state in ("before", "after")]
    table.add_row("the VM", *(_median(one.get("vm_mib") for one in state) for state in states))
    workers = [[one.get("workers_mib", []) for one in state] for state in states]
    for index in range(max((len(one) for state in workers for one in state), default=0)):
        row = (_median(one[index] for one in state if index < len(one)) for state in workers)
        table.add_row(f"worker {index + 1}", *row)
    return table


def start(times: list[float]) -> Table:
    """Return the table of how soon the application answers."""
    table = new_table("Start: milliseconds", ["to"], ["time"])
    table.add_row("the first answer", measured(figure_of(times)))
    return table


def goals(found: list[Verdict]) -> Table:
    """Return the table of what is wanted and what was measured."""
    table = new_table("Goals", ["goal"], ["measured"])
    for name in ("wanted", "met", "rounds"):
        table.add_column(name, no_wrap=True)
    for one in found:
        share = f"{one.rounds_reached} of {one.rounds}" if one.rounds else ""
        figure = in_full(one.measured)
        table.add_row(one.goal.name, figure, one.goal.wanted, MET[one.met], share)
    return table


TABLES: dict[str, Callable[[Results, dict[Key, Cell]], Table]] = {  # by section
    "one_caller": one_caller,
    "many_callers": many_callers,
    "batches": batches,
    "lateness": lateness,
}


# --- README.md ---


def readme_rows(results: Results) -> Iterator[str]:
    """Yield the lines of README's table: the calls that people ask for first, beside the NIF."""
    yield from README_HEAD
    for case, size in ASKED_FIRST:
        port, nif, python = (
            Key("one_caller", case, size, engine) for engine in ("port", "nif", "python")
        )
        cells = [results.cells.get(key) for key in (nif, port, python)]
        own, bridge, work = (in_full(cell.figure) if cell else "" for cell in cells)
        operation, _, variant = label(case, size).partition(", ")
        name = f"`{operation}`" + (f", {variant}" if variant else "")
        yield f"| {name} | {own} | {bridge} | {in_full(ratio(results, port, nif))} | {work} |"


# --- Making a table ---


def new_table(title: str, names: list[str], figures: list[str]) -> Table:
    """Return an empty table: columns of names to the left, of figures to the right."""
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    table.padding = (0, 1, 0, 0)
    table.show_edge = table.pad_edge = False
    for name in names:
        table.add_column(name, no_wrap=True, vertical="bottom")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return table


def _cell(cells: dict[Key, Cell], key: Key) -> str:
    return measured(cells[key].figure) if key in cells else ""


def _median(values: Iterable[float | None]) -> str:
    found = [value for value in values if value is not None]
    return number(figure_of(found).median) if found else ""
