"""The pictures of one benchmark result, as SVG and as PNG, in the width of a page of README.md.

A picture shows a part of the tables, never a figure of its own. The same result gives the same bytes of SVG, so that a
picture in the repository changes only with its figures.
"""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Literal

import matplotlib
from goals import IN_ECHOES, Cell, Result, bytes_for_people, label
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from report import WAYS, by, engines, figure, heading

LOOKS = {  # name and colour by engine; colours of Okabe and Ito, which the colour-blind can tell apart
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
ASKED_FIRST = [key for key in IN_ECHOES if "new identity" not in key[0]]
MANY = (
    *("sha256", "aes_gcm_encrypt", "sign_data"),
    *("process_pre_key_bundle, known identity", "dr_encrypt", "dr_decrypt, in the chain"),
)
WIDTH = 9.0  # inches of 72 pt; GitHub shows an SVG of it 864 pixels wide
PNG_DPI = 200
HEAD_HEIGHT = 0.85  # inches: title, line about the run, engines
PANEL_HEIGHT = 1.85  # inches
GAP = 1.0  # rows, between groups
INK, PALE = "#222222", "#666666"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "signal_port",  # the same names inside the file each time
    "svg.fonttype": "path",  # letters look the same without the font
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.edgecolor": PALE,
    "axes.labelcolor": PALE,
    "xtick.color": PALE,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
}


def draw(result: Result, folder: Path) -> None:
    """Write each picture that the result has figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name, picture in PICTURES.items():
            if sheet := picture(result):
                sheet.savefig(folder / f"{name}.svg", metadata={"Date": None})
                sheet.savefig(folder / f"{name}.png", dpi=PNG_DPI)


# --- The pictures ---


def latency(result: Result) -> Figure | None:
    """Return the bars of one caller's latencies: the operations that people ask for first."""
    cells = [cell for cell in result.get("one_caller", []) if cell["engine"] != "echo_as_long"]
    found = by(cells, "case", "size")
    groups = {two_lines(*key): found[key] for key in ASKED_FIRST if key in found}
    title = "One call: median in microseconds, with p99 as a line"
    return grouped(title, result, groups, 0.115, bar, "microseconds, logarithmic scale")


def lateness(result: Result) -> Figure | None:
    """Return how late a timer is, by load and engine."""
    cells = result.get("lateness", [])
    groups = {
        two_lines(load or "nothing", size): group
        for (load, size), group in by(cells, "load", "size").items()
    }
    title = "A timer of 1 ms beside the calls of 8 processes: how late it is"
    note = "milliseconds late, logarithmic scale: dot = median, bar to p99, stroke = the latest; figures: p99 / latest"
    return grouped(title, result, groups, 0.2, timer, note)


def throughput(result: Result) -> Figure | None:
    """Return the lines of calls a second by the number of callers."""
    found = by(result.get("many_callers", []), "case")
    groups = {case: found[case,] for case in MANY if (case,) in found}
    return panels(
        "Many callers: calls a second by the number of callers",
        result,
        groups,
        "callers",
        "per_second",
    )


def size(result: Result) -> Figure | None:
    """Return the lines of latency by size, for each case that has several sizes."""
    cells = [
        cell for cell in result.get("one_caller", []) if cell["size"]
    ]  # a logarithmic scale has no 0
    title = "One call: median in microseconds by the size of its data"
    return panels(title, result, with_several(cells, "size"), "size", "p50")


def batch(result: Result) -> Figure | None:
    """Return the lines of calls a second by the length of a batch, for each way to make the calls."""
    title = "One caller with many calls to make: calls a second by their number"
    groups = with_several(result.get("batches", []), "length")
    return panels(title, result, groups, "length", "per_second", WAYS)


PICTURES: dict[str, Callable[[Result], Figure | None]] = {  # by file
    "latency": latency,
    "throughput": throughput,
    "lateness": lateness,
    "size": size,
    "batch": batch,
}


def two_lines(case: str, size: int | None) -> str:
    """Return the label of a case, its variant or size below its name."""
    return label(case, size).replace(", ", "\n", 1)


def with_several(cells: list[Cell], field: str) -> dict[str, list[Cell]]:
    """Return the cells of those cases that have several values of a field."""
    return {
        case: group for (case,), group in by(cells, "case").items() if len(by(group, field)) > 1
    }


# --- Rows ---


def grouped(
    title: str,
    result: Result,
    groups: dict[str, list[Cell]],
    height: float,
    draw_row: Callable[[Axes, float, Cell], None],
    note: str,
) -> Figure | None:
    """Return a sheet with a row for each cell, of that height in inches, and a gap after each group."""
    cells = [cell for group in groups.values() for cell in group]
    if not cells:
        return None
    sheet = new_sheet(
        title, result, engines(cells), (len(cells) + GAP * len(groups)) * height + 0.5
    )
    axes = sheet.subplots()
    place, ticks = 0.0, {}
    for name, group in groups.items():
        ticks[place + (len(group) - 1) / 2] = name
        for cell in sorted(group, key=lambda cell: engines(group).index(cell["engine"])):
            draw_row(axes, place, cell)
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


def bar(axes: Axes, place: float, cell: Cell) -> None:
    """Draw one latency: a bar to the median, a line to p99, the median in figures."""
    axes.barh(place, cell["p50"], height=0.86, color=colour(cell["engine"]))
    axes.plot(
        [cell["p50"], cell["p99"]], [place, place], color=INK, linewidth=0.7, solid_capstyle="butt"
    )
    note(axes, cell["p99"], place, figure(cell["p50"]), cell["engine"])


def timer(axes: Axes, place: float, cell: Cell) -> None:
    """Draw one row of lateness, with p99 and the latest in figures."""
    p50, p99, latest = (
        max(cell[name], 0.01) for name in ("p50_ms", "p99_ms", "max_ms")
    )  # 0 has no logarithm
    shade = colour(cell["engine"])
    axes.plot([p99, latest], [place, place], color=shade, linewidth=0.8)
    axes.plot(
        [p50, p99], [place, place], color=shade, linewidth=5, alpha=0.55, solid_capstyle="butt"
    )
    axes.plot(p50, place, "o", color=shade, markersize=5)
    axes.plot(latest, place, "|", color=shade, markersize=7)
    note(
        axes, latest, place, f"{figure(cell['p99_ms'])} / {figure(cell['max_ms'])}", cell["engine"]
    )


def note(axes: Axes, x: float, y: float, text: str, engine: str) -> None:
    """Write figures to the right of a mark; the port's are bold."""
    axes.annotate(
        text,
        (x, y),
        xytext=(4, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=6.3,
        color=INK,
        weight="bold" if engine == "port" else "normal",
    )


# --- Panels ---


def panels(
    title: str,
    result: Result,
    groups: dict[str, list[Cell]],
    along: str,
    value: str,
    names: dict[str, str] | None = None,
) -> Figure | None:
    """Return a sheet with a panel of lines for each group, all of one scale."""
    if not groups:
        return None
    columns = {1: 1, 2: 2, 4: 2}.get(len(groups), 3)
    rows = ceil(len(groups) / columns)
    cells = [cell for group in groups.values() for cell in group]
    sheet = new_sheet(title, result, engines(cells), rows * PANEL_HEIGHT, names)
    places = list(sheet.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in places[len(groups) :]:
        axes.remove()
    for axes, (case, group) in zip(places, groups.items()):
        lines(axes, group, along, value)
        axes.set_title(label(case, group[0]["size"] if along != "size" else None))
        axes.tick_params(labelbottom=True)  # also where the panel below was removed
        axes.xaxis.set_major_locator(FixedLocator(sorted({cell[along] for cell in cells})))
        if along == "size":
            axes.xaxis.set_major_formatter(lambda value, _: bytes_for_people(round(value)))
    return sheet


def lines(axes: Axes, cells: list[Cell], along: str, value: str) -> None:
    """Draw a line for each engine; the port's is thick and below, so that no other hides it or is hidden."""
    for engine in engines(cells):
        points = sorted((cell[along], cell[value]) for cell in cells if cell["engine"] == engine)
        width = 2.6 if engine == "port" else 1.1
        axes.plot(*zip(*points), "o-", color=colour(engine), linewidth=width, markersize=3)
    logarithmic(axes, "x")
    logarithmic(axes, "y")
    axes.tick_params(axis="y", length=0)


def logarithmic(axes: Axes, name: Literal["x", "y"]) -> None:
    """Give an axis a logarithmic scale with plain numbers."""
    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axis.set_minor_locator(NullLocator())


# --- The sheet ---


def colour(engine: str) -> str:
    """Return an engine's colour: the same in all pictures."""
    return LOOKS.get(engine, ("", INK))[1]


def new_sheet(
    title: str, result: Result, shown: list[str], height: float, names: dict[str, str] | None = None
) -> Figure:
    """Return an empty figure of that height in inches, below a title, a line about the run and the engines' colours."""
    names = names or {engine: name for engine, (name, _) in LOOKS.items()}
    whole = height + HEAD_HEIGHT
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, height / whole), w_pad=0.1)
    sheet = Figure(figsize=(WIDTH, whole), layout=below)
    line = heading(result)
    sheet.text(0.012, 1 - 0.1 / whole, title, va="top", fontsize=13, weight="bold", color=INK)
    sheet.text(
        0.012, 1 - 0.39 / whole, line, va="top", fontsize=min(8, 1200 / len(line)), color=PALE
    )  # it fits
    handles = [Patch(color=colour(engine), label=names.get(engine, engine)) for engine in shown]
    place = (0.012, 1 - 0.63 / whole)
    look: dict[str, Any] = {
        "frameon": False,
        "fontsize": 7.5,
        "handlelength": 1,
        "handleheight": 0.9,
        "borderpad": 0,
    }
    look |= {"loc": "upper left", "bbox_to_anchor": place, "borderaxespad": 0, "columnspacing": 1.2}
    sheet.legend(handles=handles, ncols=len(handles), **look)
    return sheet
