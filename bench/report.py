"""`python bench/report.py RESULT.json [--pictures DIR]`: one benchmark result as tables, and as pictures.

It computes nothing but ratios, and leaves out what the result has not: an engine that did not run, a size that a case
does not take. What no table shows (least times, p95, rounds) is in the JSON. Only pictures.py knows how to draw, so
only who asks for pictures needs matplotlib.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goals import IN_ECHOES, Cell, Result, Verdict, in_echoes, label, verdicts
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

FORMAT = 1
PIPE_WIDTH = 160  # columns, where the output is no terminal
ENGINES = (
    "port",
    "nif",
    "crypto",
    "echo",
    "echo_as_long",
    "erlport",
    "python",
)  # in the order of the tables
WAYS = {
    "port": "batch/1",
    "port, in flight": "send_request/2, all in flight",
    "port, one by one": "one by one",
}
MET = {True: Text("yes", "green"), False: Text("no", "bold red"), None: Text("?", "dim")}


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
    show(result, new_console())
    if options.pictures:
        from pictures import draw

        draw(result, options.pictures)
    return 0


def new_console() -> Console:
    """Return where tables are printed: as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False)


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
    """Return the engines of the cells, in the order of the tables; those it does not know come last."""
    found = {cell["engine"]: None for cell in cells}
    return [
        *(engine for engine in ENGINES if engine in found),
        *(engine for engine in found if engine not in ENGINES),
    ]


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
    if console.width < PIPE_WIDTH:  # 120 columns have no room for this engine
        cells = [cell for cell in result.get("one_caller", []) if cell["engine"] != "echo_as_long"]
        result = {**result, "one_caller": cells}
    found = verdicts(result)
    tables = [table(result[section]) for section, table in TABLES.items() if result.get(section)]
    console.print(heading(result), style="bold")
    for table in [*tables, all_goals(found)]:
        console.print()
        console.print(table)
    console.print()
    console.print(summary(found), style="bold")


def one_caller(cells: list[Cell]) -> Table:
    """Return the table of medians, with p99 of the port, and the goals that have a cell."""
    columns = [
        (engine, "p50", engine.replace("_", "\n", 1).replace("_", " ")) for engine in engines(cells)
    ]
    columns.insert(1, ("port", "p99", "p99"))
    headings = [*(heading for _, _, heading in columns), "port\n/echo", "NIF\n/echo", "goal", "met"]
    table = new_table(
        "One caller: median in microseconds, and in units of the echo of 64 bytes",
        ["case"],
        headings,
    )
    for (case, size), group in by(cells, "case", "size").items():
        found = {cell["engine"]: cell for cell in group}
        times = [short(found.get(engine, {}).get(name)) for engine, name, _ in columns]
        table.add_row(label(case, size), *times, *to_the_goal(group, case, size))
    if not any(cell["engine"] == "nif" for cell in cells):
        table.caption = "* the NIF on the reference machine: it was not measured in this run"
    return table


def to_the_goal(cells: list[Cell], case: str, size: int | None) -> list[str | Text]:
    """Return the end of a row: port and NIF in units of the echo, the goal, and whether it is met."""
    port, nif = (in_echoes(cells, case, size, engine) for engine in ("port", "nif"))
    goal = IN_ECHOES.get((case, size))
    if goal is None:
        return [figure(port), figure(nif)]
    reference = f"{figure(goal.nif)}*" if goal.nif else ""
    met = None if port is None else port <= goal.goal
    return [figure(port), reference if nif is None else figure(nif), f"{goal.goal:g}", MET[met]]


def short(value: float | None) -> str:
    """Return a figure in five characters."""
    return f"{value / 1000:.3g}k" if value and value >= 9999.5 else figure(value).replace(",", "")


def many_callers(cells: list[Cell]) -> Table:
    """Return the table of calls a second by the number of callers."""
    return rates("Callers by number: calls a second", cells, "callers", {})


def batches(cells: list[Cell]) -> Table:
    """Return the table of calls a second by the length of a batch."""
    return rates("Batches by length: calls a second", cells, "length", WAYS)


def rates(title: str, cells: list[Cell], field: str, names: dict[str, str]) -> Table:
    """Return a table of calls a second, a column for each value of a field."""
    values = sorted({cell[field] for cell in cells})
    table = new_table(title, ["case", "by"], [f"{value:,}" for value in values])
    for (case, size, engine), group in by(cells, "case", "size", "engine").items():
        found = {cell[field]: cell["per_second"] for cell in group}
        table.add_row(
            label(case, size),
            names.get(engine, engine),
            *(figure(found.get(value)) for value in values),
        )
    return table


def lateness(cells: list[Cell]) -> Table:
    """Return the table of how late a timer is."""
    title = "A timer of 1 ms beside a load: milliseconds late"
    table = new_table(title, ["load", "by"], ["callers", "p50", "p99", "max"])
    for cell in cells:
        times = [figure(cell[name]) for name in ("p50_ms", "p99_ms", "max_ms")]
        table.add_row(
            label(cell["load"] or "nothing", cell["size"]),
            cell["engine"],
            str(cell["callers"]),
            *times,
        )
    return table


def memory(measured: dict[str, Any]) -> Table:
    """Return the table of what the bridge holds."""
    table = new_table("Memory: MiB", ["of"], ["at rest", "after the load"])
    table.add_row("the VM", figure(measured.get("vm_mib")), figure(measured.get("vm_after_mib")))
    before, after = measured.get("workers_mib", []), measured.get("workers_after_mib", [])
    for index in range(max(len(before), len(after))):
        row = (
            figure(workers[index]) if index < len(workers) else "" for workers in (before, after)
        )
        table.add_row(f"worker {index + 1}", *row)
    return table


def start(measured: dict[str, Any]) -> Table:
    """Return the table of how soon the application answers."""
    table = new_table("Start: milliseconds", ["to"], ["median", "least", "most"])
    times = measured["rounds"]
    table.add_row(
        "the first answer",
        figure(measured["first_answer_ms"]),
        figure(min(times)),
        figure(max(times)),
    )
    return table


def all_goals(found: list[Verdict]) -> Table:
    """Return the table of what is wanted and what was measured."""
    table = new_table("Goals", ["goal"], ["measured"])
    table.add_column("wanted", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for verdict in found:
        table.add_row(verdict.goal, figure(verdict.measured), verdict.wanted, MET[verdict.met])
    return table


def summary(found: list[Verdict]) -> str:
    """Return what the run says to the goals, in one sentence."""
    met, missed, unknown = (
        [one.met for one in found].count(answer) for answer in (True, False, None)
    )
    if met == len(found):
        return f"All {met} goals are met."
    return f"Of {len(found)} goals {met} are met, {missed} are not, and {unknown} could not be measured."


def new_table(title: str, names: list[str], figures: list[str]) -> Table:
    """Return an empty table: columns of names to the left, of figures to the right."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.padding = (0, 1, 0, 0)
    table.show_edge = table.pad_edge = False
    for name in names:
        table.add_column(name, no_wrap=True, vertical="bottom")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return table


TABLES: dict[str, Callable[[Any], Table]] = {  # by section
    "one_caller": one_caller,
    "many_callers": many_callers,
    "batches": batches,
    "lateness": lateness,
    "memory": memory,
    "start": start,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
