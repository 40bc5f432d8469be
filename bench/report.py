"""`python bench/report.py RESULT.json [--pictures DIR]`: one benchmark result as tables, and as pictures.

It computes nothing but ratios, and leaves out what the result has not: an engine that did not run, a size that a case
does not take. The same result gives the same bytes of SVG, so that a picture in the repository changes only with its
figures.
"""

import argparse
import json
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Literal

import matplotlib
from goals import IN_ECHOES, Cell, Result, bytes_for_people, in_echoes, label, verdicts
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

FORMAT = 1
CONSOLE_WIDTH = 200  # on a terminal and in a pipe: more than the widest table, so that nothing is cut short
COLOURS = {  # by engine, in the order of the tables; Okabe and Ito's, which the colour-blind can tell apart
    "port": "#0072b2",
    "nif": "#d55e00",
    "crypto": "#e69f00",
    "echo": "#8c8c8c",
    "erlport": "#b5528f",
    "python": "#009e73",
    "none": "#333333",
}
NAMES = {
    "port": "signal_port",
    "nif": "libsignal_protocol_nif",
    "crypto": "crypto of OTP (a NIF)",
    "echo": "echo in C (the floor of a port)",
    "python": "Python alone, no port",
    "none": "idle VM",
}
PICTURE_WIDTH = 9.0  # inches of 72 pt; GitHub shows an SVG of it 864 pixels wide
PICTURE_DPI = 200
HEAD_HEIGHT = 0.85  # inches: title, line about the run, engines
LINE_FITS = 1200  # points: the characters of a line times its size, at most
MARGIN = 0.012  # of the width
PANEL_HEIGHT = 1.75  # inches
BAR_HEIGHT = 0.1  # inches
TIMER_HEIGHT = 0.17  # inches
GAP = 1.0  # bars, between groups
LEAST_MS = 0.01  # what a logarithmic scale shows of a timer that was on time
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
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
}
LEGEND = {"frameon": False, "fontsize": 7.5, "handlelength": 1.0, "handleheight": 0.9, "columnspacing": 1.4}


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Show one benchmark result.")
    parser.add_argument("result", type=Path, metavar="RESULT.json")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write the pictures there too")
    options = parser.parse_args(arguments)
    try:
        result = read(options.result)
    except ValueError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 2
    show(result, Console(width=CONSOLE_WIDTH, highlight=False, markup=False))
    if options.pictures:
        draw(result, options.pictures)
    return 0


def read(path: Path) -> Result:
    """Return the result in a file.

    Raises:
        ValueError: in one sentence, the file cannot be read or is no result.
    """
    try:
        result: Result = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise ValueError(f"{path} is not a benchmark result of format {FORMAT}")
    return result


# --- What a run was ---


def heading(result: Result) -> str:
    """Return a line that says what was measured, where and when."""
    machine, versions = result.get("machine", {}), result.get("versions", {})
    parts = [
        machine.get("cpu"),
        machine.get("architecture", "").partition("-")[0],
        f"{machine.get('cores', '?')} cores",
        f"OTP {versions.get('otp', '?')}",
        f"Python {versions.get('python', '?')}",
        f"cryptography {versions.get('cryptography', '?')}",
        " ".join(str(versions.get("openssl", "")).split()[:2]),  # without its date of release
        versions.get("nif") and f"NIF {versions['nif']}",
        versions.get("erlport") and f"erlport {versions['erlport']}",
        result.get("workers") and f"{result['workers']} workers",
        str(result.get("date", "")).partition("T")[0],
        result.get("commit"),
        "a quick run: rough figures" if result.get("quick") else None,
    ]
    return " · ".join(part for part in parts if part)


def engines(cells: list[Cell]) -> list[str]:
    """Return the engines of the cells, in the order of the tables; those without a colour come last."""
    found = {cell["engine"] for cell in cells}
    return [engine for engine in COLOURS if engine in found] + sorted(found - COLOURS.keys())


def by(cells: list[Cell], *fields: str) -> dict[tuple[Any, ...], list[Cell]]:
    """Return the cells by the values of some fields, in the order of their first appearance."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell[field] for field in fields), []).append(cell)
    return groups


def figure(value: float | None) -> str:
    """Return a figure with the digits that matter."""
    if value is None:
        return ""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f}"


# --- Tables ---


def show(result: Result, console: Console) -> None:
    """Print a result; what was not measured has no table."""
    console.print(heading(result), style="bold")
    for section, table in TABLES.items():
        if cells := result.get(section):
            console.print()
            console.print(table(cells))
    console.print()
    console.print(memory_and_start(result))
    console.print()
    unmet(result, console)


def one_caller(cells: list[Cell]) -> Table:
    """Return the table of latencies, with the goals that have a cell."""
    columns = engines(cells)
    titles = [f"{engine}\n{'p50':>5} {'p99':>5}" for engine in columns]
    title = "One caller: microseconds, and p50 in units of the echo's"
    table = new_table(title, ["case", "size"], [*titles, "port\n/ echo", "NIF\n/ echo", "\ngoal", "\nport"])
    for (case, size), group in by(cells, "case", "size").items():
        found = {cell["engine"]: cell for cell in group}
        times = [latency(found[engine]) if engine in found else "" for engine in columns]
        port, nif = (in_echoes(group, case, size, engine) for engine in ("port", "nif"))
        goal = IN_ECHOES.get((case, size))
        other = figure(nif)
        if nif is None and goal and goal.nif:
            other = f"{figure(goal.nif)}*"
            table.caption = "* the NIF on the reference machine: this run has no figure of its own"
        wanted: list[str | Text] = [f"{goal.goal:g}", mark(port, goal.goal)] if goal else []
        table.add_row(case, sized(size), *times, figure(port), other, *wanted)
    return table


def latency(cell: Cell) -> str:
    """Return the median and p99, in columns of their own."""
    return f"{short(cell['p50']):>5} {short(cell['p99']):>5}"


def short(value: float) -> str:
    """Return a figure in five characters."""
    return figure(value).replace(",", "") if value < 9999.5 else f"{value / 1000:.3g}k"


def mark(measured: float | None, limit: float) -> Text:
    """Return the word for a limit that is kept or not, in its colour."""
    if measured is None:
        return Text("")
    return Text("met", style="green") if measured <= limit else Text("not met", style="bold red")


def callers(cells: list[Cell]) -> Table:
    """Return the table of calls a second by the number of callers."""
    return rates("Callers by number: calls a second", cells, "callers")


def batches(cells: list[Cell]) -> Table:
    """Return the table of calls a second by the length of a batch."""
    return rates("Batches by length: calls a second", cells, "length")


def rates(title: str, cells: list[Cell], field: str) -> Table:
    """Return a table of calls a second, a column for each value of a field."""
    values = sorted({cell[field] for cell in cells})
    table = new_table(title, ["case", "size", "engine"], [f"{value:,}" for value in values])
    for (case, size, engine), group in by(cells, "case", "size", "engine").items():
        found = {cell[field]: cell["per_second"] for cell in group}
        table.add_row(case, sized(size), engine, *(figure(found.get(value)) for value in values))
    return table


def lateness(cells: list[Cell]) -> Table:
    """Return the table of how late a timer is."""
    times = {"p50_ms": "p50", "p99_ms": "p99", "max_ms": "max"}
    columns = ["callers", "timers", *times.values()]
    table = new_table("A timer of 1 ms beside 8 callers: milliseconds late", ["load", "size", "engine"], columns)
    for cell in cells:
        counts = [f"{cell[name]:,}" if cell.get(name) else "" for name in ("callers", "timers")]
        load = [cell["load"] or "nothing", sized(cell.get("size")), cell["engine"]]
        table.add_row(*load, *counts, *(figure(cell[name]) for name in times))
    return table


def memory_and_start(result: Result) -> Table:
    """Return the table of what the bridge holds, and how soon it answers."""
    memory, start = result.get("memory", {}), result.get("start", {})
    table = new_table("Memory and start", ["what"], ["figure"])
    table.add_row("the VM before, MiB", figure(memory.get("vm_mib")))
    table.add_row("the VM after, MiB", figure(memory.get("vm_after_mib")))
    table.add_row("each worker, MiB", "  ".join(figure(worker) for worker in memory.get("workers_mib", [])))
    table.add_row("first answer, ms", figure(start.get("first_answer_ms")))
    return table


def unmet(result: Result, console: Console) -> None:
    """Print the goals that are not met, and those that the run has no figure for."""
    found = verdicts(result)
    missed = [verdict for verdict in found if verdict.met is False]
    unknown = [verdict for verdict in found if verdict.met is None]
    if missed:
        console.print("Goals that are not met", style="bold")
    for verdict in missed:
        console.print(f"  {verdict.goal}: {figure(verdict.measured)}, and {verdict.wanted} is wanted")
    if unknown:
        console.print("Goals that this run has no figure for", style="bold")
    for verdict in unknown:
        console.print(f"  {verdict.goal}: {verdict.wanted}")
    if not missed and not unknown:
        console.print("All goals are met.")


def new_table(title: str, names: list[str], figures: list[str]) -> Table:
    """Return an empty table: columns of names to the left, of figures to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left", box=SIMPLE_HEAD)
    table.padding = (0, 1, 0, 0)
    table.show_edge = table.pad_edge = False
    for name in names:
        table.add_column(name, no_wrap=True, vertical="bottom")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def sized(size: int | None) -> str:
    """Return the size of a case, nothing for a case without sizes."""
    return "" if size is None else bytes_for_people(size)


TABLES: dict[str, Callable[[list[Cell]], Table]] = {
    "one_caller": one_caller,
    "many_callers": callers,
    "batches": batches,
    "lateness": lateness,
}


# --- Pictures ---


def draw(result: Result, folder: Path) -> None:
    """Write each picture that the result has figures for, as SVG and as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name, (section, picture) in PICTURES.items():
            cells = result.get(section)
            if cells and (drawn := picture(result, cells)):
                drawn.savefig(folder / f"{name}.svg", metadata={"Date": None})
                drawn.savefig(folder / f"{name}.png", dpi=PICTURE_DPI)


def draw_latency(result: Result, cells: list[Cell]) -> Figure:
    """Return the bars of one caller's latencies: each case in its smallest size, in two columns."""
    groups = [smallest(group) for group in by(cells, "case").values()]
    middle = halfway([len(group) + GAP for group in groups])
    halves = [half for half in (groups[:middle], groups[middle:]) if half]
    bars = max(sum(len(group) + GAP for group in half) for half in halves)
    title = "One call: median in microseconds, with p99 as a line"
    sheet = new_sheet(title, result, engines(cells), bars * BAR_HEIGHT + 0.5)
    columns = sheet.subplots(1, len(halves), sharex=True, squeeze=False)[0]
    for axes, half in zip(columns, halves):
        place = 0.0
        ticks = {}
        for group in half:
            ticks[place + (len(group) - 1) / 2] = label(group[0]["case"], group[0]["size"]).replace(", ", "\n", 1)
            for cell in group:
                bar(axes, place, cell)
                place += 1
            place += GAP
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.set_ylim(bars - GAP / 2, -1 - GAP / 2)
        logarithmic(axes, "x")
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("microseconds, logarithmic scale")
    fastest = min(cell["p50"] for group in groups for cell in group)
    slowest = max(cell["p99"] for group in groups for cell in group)
    columns[0].set_xlim(fastest / 2, slowest * 4)  # room for the last figure
    return sheet


def halfway(heights: list[float]) -> int:
    """Return how many of the heights make up the first half of their sum."""
    return min(range(1, len(heights) + 1), key=lambda count: max(sum(heights[:count]), sum(heights[count:])))


def smallest(cells: list[Cell]) -> list[Cell]:
    """Return a case's cells of its smallest size, in the order of the engines."""
    sizes = [cell["size"] for cell in cells if cell["size"] is not None]
    found = {cell["engine"]: cell for cell in cells if cell["size"] == min(sizes, default=None)}
    return [found[engine] for engine in engines(list(found.values()))]


def bar(axes: Axes, place: float, cell: Cell) -> None:
    """Draw one latency: a bar to the median, a line to p99, the median in figures."""
    axes.barh(place, cell["p50"], height=0.84, color=colour(cell["engine"]))
    axes.plot([cell["p50"], cell["p99"]], [place, place], color=INK, linewidth=0.7, solid_capstyle="butt")
    end = max(cell["p50"], cell["p99"]) * 1.15
    weight = "bold" if cell["engine"] == "port" else "normal"
    axes.text(end, place, figure(cell["p50"]), va="center_baseline", fontsize=5.6, color=INK, weight=weight)


def draw_throughput(result: Result, cells: list[Cell]) -> Figure:
    """Return the lines of calls a second by the number of callers, a panel for each case."""
    groups = by(cells, "case", "size")
    sheet, panels = new_panels("Many callers: calls a second by the number of callers", result, list(groups.values()))
    for axes, ((case, size), group) in zip(panels, groups.items()):
        lines(axes, group, "callers", "per_second")
        axes.set_title(label(case, size))
        axes.xaxis.set_major_locator(FixedLocator(sorted({cell["callers"] for cell in cells})))
    return sheet


def draw_lateness(result: Result, cells: list[Cell]) -> Figure:
    """Return how late a timer is, by load and engine: a dot for the median, a bar to p99, a stroke for the latest."""
    groups = by(cells, "load", "size")
    rows = len(cells) + GAP * len(groups)
    title = "A timer of 1 ms beside other work: how late it is"
    sheet = new_sheet(title, result, engines(cells), rows * TIMER_HEIGHT + 0.5)
    axes = sheet.subplots()
    place = 0.0
    ticks = {}
    for (load, size), group in groups.items():
        ticks[place + (len(group) - 1) / 2] = label(load or "nothing", size).replace(", ", "\n", 1)
        for cell in group:
            timer(axes, place, cell)
            place += 1
        place += GAP
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_ylim(rows - GAP / 2, -1 - GAP / 2)
    logarithmic(axes, "x")
    axes.set_xlim(LEAST_MS / 1.5, max(max(cell["max_ms"] for cell in cells), 1) * 3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("milliseconds late, logarithmic scale: dot = p50, end of the bar = p99, stroke = the latest of all")
    return sheet


def timer(axes: Axes, place: float, cell: Cell) -> None:
    """Draw one row of lateness, with p99 and the latest in figures."""
    p50, p99, latest = (max(cell[name], LEAST_MS) for name in ("p50_ms", "p99_ms", "max_ms"))
    shade = colour(cell["engine"])
    axes.plot([p99, latest], [place, place], color=shade, linewidth=0.8)
    axes.plot([p50, p99], [place, place], color=shade, linewidth=5, alpha=0.55, solid_capstyle="butt")
    axes.plot(p50, place, "o", color=shade, markersize=5)
    axes.plot(latest, place, "|", color=shade, markersize=7)
    axes.annotate(
        f"{figure(cell['p99_ms'])} / {figure(cell['max_ms'])}",
        (latest, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=6.5,
        color=INK,
    )


def draw_size(result: Result, cells: list[Cell]) -> Figure | None:
    """Return the lines of latency by size, a panel for each case that has several."""
    groups = {case: group for case, group in by(cells, "case").items() if len(by(group, "size")) > 1}
    if not groups:
        return None
    title = "One call: median time in microseconds, by the size of its data"
    sheet, panels = new_panels(title, result, list(groups.values()))
    for axes, group in zip(panels, groups.values()):
        lines(axes, group, "size", "p50")
        axes.set_title(group[0]["case"])
        axes.xaxis.set_major_locator(LogLocator(base=16))
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


def logarithmic(axes: Axes, name: Literal["x", "y"]) -> None:
    """Give an axis a logarithmic scale with plain numbers."""
    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axis.set_minor_locator(NullLocator())


def colour(engine: str) -> str:
    """Return an engine's colour: the same in all pictures."""
    return COLOURS.get(engine, INK)


def new_panels(title: str, result: Result, groups: list[list[Cell]]) -> tuple[Figure, list[Axes]]:
    """Return a sheet and its panels, one for each group, with a common scale."""
    columns = {1: 1, 2: 2, 4: 2}.get(len(groups), 3)
    rows = ceil(len(groups) / columns)
    shown = engines([cell for group in groups for cell in group])
    sheet = new_sheet(title, result, shown, rows * PANEL_HEIGHT)
    panels = list(sheet.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[len(groups) :]:
        axes.remove()
    for axes in panels[: len(groups)]:
        axes.tick_params(labelbottom=True)  # also where the panel below was removed
        axes.tick_params(axis="y", length=0)
    return sheet, panels[: len(groups)]


def new_sheet(title: str, result: Result, shown: list[str], height: float) -> Figure:
    """Return an empty figure of that height in inches, below a title, a line about the run and the engines' colours."""
    whole = height + HEAD_HEIGHT
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, height / whole), w_pad=0.1)
    sheet = Figure(figsize=(PICTURE_WIDTH, whole), layout=below)
    line = heading(result)
    sheet.text(MARGIN, 1 - 0.1 / whole, title, va="top", fontsize=13, weight="bold", color=INK)
    sheet.text(MARGIN, 1 - 0.39 / whole, line, va="top", fontsize=min(8, LINE_FITS / len(line)), color=PALE)
    handles = [Patch(color=colour(engine), label=NAMES.get(engine, engine)) for engine in shown]
    place = (MARGIN - 0.005, 1 - 0.56 / whole)
    sheet.legend(handles=handles, loc="upper left", bbox_to_anchor=place, ncols=len(handles), **LEGEND)
    return sheet


PICTURES: dict[str, tuple[str, Callable[[Result, list[Cell]], Figure | None]]] = {  # by file, of a section
    "latency": ("one_caller", draw_latency),
    "throughput": ("many_callers", draw_throughput),
    "lateness": ("lateness", draw_lateness),
    "size": ("one_caller", draw_size),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
