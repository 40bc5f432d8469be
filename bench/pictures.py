"""The pictures of benchmark results as SVG, in the width of a page of README.md.

A picture shows a part of the tables, never a figure of its own: the median of the rounds, and with
a thin line or a pale band the least and the most of them. The same results give the same bytes, so
that a picture in the repository changes only with its figures.
"""

from collections.abc import Callable, Collection
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Literal

from labels import ASKED_FIRST, WAYS, bytes_for_people, heading, in_order, label, number
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator
from results import Cell, Key, Results, by
from sheet import INK, logarithmic, save, titled

LOOKS = {  # name and colour by engine; colours of Okabe and Ito, for the colour-blind too
    "port": ("signal_port", "#0072b2"),
    "nif": ("libsignal_protocol_nif", "#d55e00"),
    "crypto": ("crypto of OTP (a NIF)", "#e69f00"),
    "echo": ("echo of 64 bytes in C", "#9a9a9a"),
    "echo_as_long": ("echo in C, as long", "#555555"),
    "erlport": ("erlport", "#b5528f"),
    "python": ("Python alone, no port", "#009e73"),
    "none": ("idle VM", "#333333"),
    "port, in flight": ("", "#56b4e9"),
    "port, one by one": ("", "#9a9a9a"),
}
MANY = (
    *("sha256", "aes_gcm_encrypt", "sign_data"),
    *("process_pre_key_bundle, known identity", "dr_encrypt", "dr_decrypt, in the chain"),
)
PANEL_HEIGHT = 1.85  # inches
GAP = 1.0  # rows, between groups

Cells = dict[Key, Cell]


def draw(results: Results, folder: Path, only: Collection[str] | None = None) -> None:
    """Write each picture that the results have figures for, or only those of these names."""
    for name, picture in PICTURES.items():
        if only is None or name in only:
            save(partial(picture, results), folder / f"{name}.svg")


# --- The pictures ---


def latency(results: Results) -> Sheet | None:
    """Return the bars of one caller's latencies: the operations that people ask for first."""
    cells = without(results.section("one_caller"), "echo_as_long")
    found = by(cells, "case", "size")
    groups = {two_lines(*key): found[key] for key in ASKED_FIRST if key in found}
    title = "One call: the median of the rounds in microseconds"
    note = "microseconds, logarithmic scale: line = from the least round to the most; ~ noise"
    return grouped(title, results, groups, 0.115, bar, note)


def lateness(results: Results) -> Sheet | None:
    """Return how late a timer is, by load and engine."""
    cells = results.section("lateness")
    groups = {two_lines(*key): group for key, group in by(cells, "case", "size").items()}
    title = "A timer of 1 ms beside the calls of 8 processes: how late it is"
    note = "milliseconds late, logarithmic scale: dot = median, bar to p99, stroke = the latest"
    return grouped(title, results, groups, 0.2, timer, f"{note}; figures: p99 / latest")


def throughput(results: Results) -> Sheet | None:
    """Return the lines of calls a second by the number of callers."""
    found = by(results.section("many_callers"), "case")
    groups = {case: found[case,] for case in MANY if (case,) in found}
    title = "Calls a second by the number of callers: median, and all rounds"
    return panels(title, results, groups, "amount")


def size(results: Results) -> Sheet | None:
    """Return the lines of latency by size, for each case that has several sizes."""
    cells = {key: cell for key, cell in results.section("one_caller").items() if key.size}
    title = "One call in microseconds by size: median, and all rounds"
    return panels(title, results, with_several(cells, "size"), "size")


def batch(results: Results) -> Sheet | None:
    """Return the lines of calls a second by the length of a batch, for each way to call."""
    title = "One caller with many calls to make: calls a second, and all rounds"
    groups = with_several(results.section("batches"), "amount")
    return panels(title, results, groups, "amount", WAYS)


PICTURES: dict[str, Callable[[Results], Sheet | None]] = {  # by file
    "latency": latency,
    "throughput": throughput,
    "lateness": lateness,
    "size": size,
    "batch": batch,
}


def two_lines(case: str, size: int | None) -> str:
    """Return the label of a case, its variant or size below its name."""
    return label(case, size).replace(", ", "\n", 1)


def without(cells: Cells, engine: str) -> Cells:
    """Return the cells of all other engines."""
    return {key: cell for key, cell in cells.items() if key.engine != engine}


def with_several(cells: Cells, field: str) -> dict[str, Cells]:
    """Return the cells of those cases that have several values of a field."""
    return {
        case: group for (case,), group in by(cells, "case").items() if len(by(group, field)) > 1
    }


# --- Rows ---


def grouped(
    title: str,
    results: Results,
    groups: dict[str, Cells],
    height: float,
    draw_row: Callable[[Axes, float, Key, Cell], None],
    note: str,
) -> Sheet | None:
    """Return a sheet with a row for each cell, of a height in inches, and a gap between groups."""
    rows = sum(map(len, groups.values()))
    if not rows:
        return None
    engines = in_order(key.engine for group in groups.values() for key in group)
    sheet = new_sheet(title, results, engines, (rows + GAP * len(groups)) * height + 0.5)
    axes = sheet.subplots()
    place, ticks = 0.0, {}
    for name, group in groups.items():
        ticks[place + (len(group) - 1) / 2] = name
        for key in sorted(group, key=lambda key: engines.index(key.engine)):
            draw_row(axes, place, key, group[key])
            place += 1
        place += GAP
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_ylim(place - GAP / 2, -1)
    logarithmic(axes, "x")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.set_xlim(right=axes.get_xlim()[1] * 1.3)  # room for the last figure
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(note)
    return sheet


def bar(axes: Axes, place: float, key: Key, cell: Cell) -> None:
    """Draw one latency: a bar to the median, a line over the rounds, the median in figures."""
    least, middle, most = figure = cell.figure
    axes.barh(place, middle, height=0.86, color=colour(key.engine))
    axes.plot([least, most], [place, place], color=INK, linewidth=0.7, solid_capstyle="butt")
    text = ("~" if figure.noisy else "") + number(middle)
    note(axes, most, place, text, key.engine)


def timer(axes: Axes, place: float, key: Key, cell: Cell) -> None:
    """Draw one row of lateness, with p99 and the latest in figures."""
    exact = (cell.extra("p50") or 0, cell.figure.median, cell.extra("max") or 0)
    p50, p99, latest = (max(time, 0.01) for time in exact)  # 0 has no logarithm
    shade = colour(key.engine)
    axes.plot([p99, latest], [place, place], color=shade, linewidth=0.8)
    thick: dict[str, Any] = {"linewidth": 5, "alpha": 0.55, "solid_capstyle": "butt"}
    axes.plot([p50, p99], [place, place], color=shade, **thick)
    axes.plot(p50, place, "o", color=shade, markersize=5)
    axes.plot(latest, place, "|", color=shade, markersize=7)
    mark = "~" if cell.figure.noisy else ""
    note(axes, latest, place, f"{mark}{number(exact[1])} / {number(exact[2])}", key.engine)


def note(axes: Axes, x: float, y: float, text: str, engine: str) -> None:
    """Write figures to the right of a mark; the port's are bold."""
    look: dict[str, Any] = {"va": "center_baseline", "fontsize": 6.3, "color": INK}
    look["weight"] = "bold" if engine == "port" else "normal"
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", **look)


# --- Panels ---


def panels(
    title: str,
    results: Results,
    groups: dict[str, Cells],
    along: Literal["amount", "size"],
    names: dict[str, str] | None = None,
) -> Sheet | None:
    """Return a sheet with a panel of lines for each group, all of one scale."""
    if not groups:
        return None
    keys = [key for group in groups.values() for key in group]
    columns = {1: 1, 2: 2, 4: 2}.get(len(groups), 3)
    rows = ceil(len(groups) / columns)
    engines = in_order(key.engine for key in keys)
    sheet = new_sheet(title, results, engines, rows * PANEL_HEIGHT, names)
    places = list(sheet.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in places[len(groups) :]:
        axes.remove()
    for axes, (case, group) in zip(places, groups.items()):
        lines(axes, group, along)
        axes.set_title(label(case, next(iter(group)).size if along != "size" else None))
        axes.tick_params(labelbottom=True)  # also above a panel that was removed
        axes.xaxis.set_major_locator(FixedLocator(sorted({getattr(key, along) for key in keys})))
        if along == "size":
            axes.xaxis.set_major_formatter(lambda value, _: bytes_for_people(round(value)))
    return sheet


def lines(axes: Axes, cells: Cells, along: str) -> None:
    """Draw a line for each engine and a band over its rounds; the port's line is thick."""
    for (engine,), group in by(cells, "engine").items():
        points = sorted((getattr(key, along), *cell.figure) for key, cell in group.items())
        places, least, middle, most = zip(*points)
        width = 2.6 if engine == "port" else 1.1
        axes.plot(places, middle, "o-", color=colour(engine), linewidth=width, markersize=3)
        axes.fill_between(places, least, most, color=colour(engine), alpha=0.15, linewidth=0)
    logarithmic(axes, "x")
    logarithmic(axes, "y")
    axes.tick_params(axis="y", length=0)


# --- The engines ---


def colour(engine: str) -> str:
    """Return an engine's colour: the same in all pictures."""
    return LOOKS.get(engine, ("", INK))[1]


def new_sheet(
    title: str,
    results: Results,
    engines: list[str],
    height: float,
    names: dict[str, str] | None = None,
) -> Sheet:
    """Return an empty sheet of a height in inches: title, a line about the run, the engines."""
    names = names or {engine: name for engine, (name, _) in LOOKS.items()}
    handles = [Patch(color=colour(engine), label=names.get(engine, engine)) for engine in engines]
    return titled(title, heading(results), handles, height)
