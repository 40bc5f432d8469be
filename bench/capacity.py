"""`make capacity RATE=2000`: the cores and hosts that a rate of calls needs, and how calls wait.

What a call costs is read from benchmark results by `mix`. How long calls wait is simulated by
`queueing`. Two things are assumed: a host with more cores serves as many more calls, and calls are
spread evenly over hosts. Nothing is added for what else runs on a host.
"""

import argparse
import sys
from collections.abc import Iterator
from math import ceil, isfinite
from pathlib import Path
from typing import NamedTuple

from labels import heading, in_full, label, number
from mix import Load, measured_cores, read_mix
from queueing import Waiting, waiting
from results import Figure, Results, read
from rich.table import Table
from tables import new_console, new_table

MIX = "dr_encrypt:40,dr_decrypt:40,process_pre_key_bundle:1"  # a chat: 40 each way, one new contact
BUSY = 0.7  # of its cores that a host may use: the rest is for bursts and for the loss of a host
TOLERANCE = 0.005  # of a host: less would not show in a percentage
SHOWN = (0.95, 0.9, 0.8, BUSY, 0.5)  # numbers of hosts are shown that are so busy at most
MAX_CORES = 256  # of a host
AUTO_POOL_SIZE = 8  # workers, at most, with pool_size auto
CALLS = 40_000  # simulated for a row of the table
CURVE_CALLS = 10_000  # simulated for a point of the picture
CURVE_POINTS = 16
REFERENCE = Path(__file__).parent / "results"


class Hosts(NamedTuple):
    """How a number of hosts would do."""

    hosts: int
    busy: float  # part of their cores
    waiting: Waiting  # seconds
    busy_with_one_lost: float | None


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Tell the cores that a rate of calls needs.")
    parser.add_argument("--rate", default="", help="calls a second")
    parser.add_argument("--mix", default="", help=f"operations and weights (default {MIX})")
    parser.add_argument("--cores", default="", help="of a host (default: of the measured machine)")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the waiting there")
    parser.add_argument("results", type=Path, nargs="*", metavar="RESULT")
    options = parser.parse_args(arguments)
    try:
        results = read(options.results or [REFERENCE])
        cores = read_cores(options.cores, results)
        rate = read_rate(options.rate)
        loads = read_mix(options.mix or MIX, results)
    except ValueError as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 2
    show(results, rate, loads, cores)
    if options.picture:
        draw(results, rate, loads, cores, options.picture)
        print(f"{options.picture} shows how long calls wait by their rate.")
    return 0


# --- What was asked ---


def read_rate(text: str) -> float:
    """Return a rate of calls.

    Raises:
        ValueError: in one sentence, it is no number above 0.
    """
    try:
        rate = float(text.replace("_", ""))
    except ValueError:
        rate = 0.0
    if not (isfinite(rate) and rate > 0):
        raise ValueError(f"RATE is calls a second, for example RATE=2000; it is {text!r}")
    return rate


def read_cores(text: str, results: Results) -> int:
    """Return the cores of a host, those of the measured machine if nothing was given.

    Raises:
        ValueError: in one sentence, it is no whole number from 1 to 256.
    """
    text = text or str(measured_cores(results))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_CORES):
        raise ValueError(f"CORES is a whole number from 1 to {MAX_CORES}; it is {text!r}")
    return int(text)


# --- What follows ---


def busy_cores(rate: float, loads: list[Load]) -> float:
    """Return how many cores are busy at a rate."""
    return rate * sum(load.share * load.cost.median for load in loads)


def simulated(rate: float, loads: list[Load], workers: int, calls: int = CALLS) -> Waiting:
    """Return how long the calls of one host wait."""
    times = [load.cost.median for load in loads]
    return waiting(rate, times, [load.share for load in loads], workers, calls)


def needed(rate: float, loads: list[Load], cores: int) -> int:
    """Return the fewest hosts whose cores are not too busy."""
    return hosts_at(BUSY, busy_cores(rate, loads), cores)


def hosts_at(part: float, busy: float, cores: int) -> int:
    """Return the fewest hosts of so many cores of which at most a part is busy."""
    return max(1, ceil(busy / (cores * part) - TOLERANCE))


def choices(rate: float, loads: list[Load], cores: int) -> Iterator[Hosts]:
    """Yield numbers of hosts, the busiest first."""
    busy = busy_cores(rate, loads)
    for count in sorted({hosts_at(part, busy, cores) for part in SHOWN}):
        lost = busy / (cores * (count - 1)) if count > 1 else None
        waits = simulated(rate / count, loads, cores)
        yield Hosts(count, busy / (cores * count), waits, lost)


# --- What is printed ---


def show(results: Results, rate: float, loads: list[Load], cores: int) -> None:
    """Print what the calls cost, what numbers of hosts give, and the result in a sentence."""
    console = new_console()
    console.print(heading(results), style="bold")
    for table in (costs_table(rate, loads), hosts_table(rate, loads, cores)):
        console.print()
        console.print(table)
    console.print()
    for sentence in conclusion(rate, loads, cores):
        console.print(sentence, style="bold")


def costs_table(rate: float, loads: list[Load]) -> Table:
    """Return the table of what each operation of the mix costs."""
    heads = ["calls a second", "core time of a call, us", "cores busy", "with the NIF"]
    table = new_table(f"{rate:,.6g} calls a second", ["operation"], heads)
    for key, share, cost, nif in loads:
        us = Figure(*(seconds * 1e6 for seconds in cost))
        by_nif = "" if nif is None else number(rate * share * nif)
        calls, busy = number(rate * share), number(rate * share * cost.median)
        table.add_row(label(key.case, key.size), calls, in_full(us), busy, by_nif)
    nifs = [rate * share * nif for _, share, _, nif in loads if nif is not None]
    whole = number(sum(nifs)) if len(nifs) == len(loads) else ""
    table.add_row("all", number(rate), "", number(busy_cores(rate, loads)), whole, style="bold")
    return table


def hosts_table(rate: float, loads: list[Load], cores: int) -> Table:
    """Return the table of numbers of hosts."""
    heads = ["cores", "busy", "waiting, p50 ms", "p99 ms", "busy if one host is lost"]
    table = new_table(f"Hosts of {cores} cores", ["hosts"], heads)
    enough = needed(rate, loads, cores)
    for count, busy, waits, lost in choices(rate, loads, cores):
        times = [number(time * 1000) for time in waits]
        alone = "no other" if lost is None else f"{lost:.0%}{' overload' if lost >= 1 else ''}"
        style = "bold" if count == enough else ""
        row = (f"{count:,}", f"{count * cores:,}", f"{busy:.0%}", *times, alone)
        table.add_row(*row, style=style)
    return table


def conclusion(rate: float, loads: list[Load], cores: int) -> Iterator[str]:
    """Yield the result in a sentence, and what to know about it."""
    count = needed(rate, loads, cores)
    hosts = f"{count:,} hosts" if count > 1 else "1 host"
    yield (
        f"{rate:,.6g} calls a second need {hosts} of {cores} core{'s' if cores > 1 else ''}: "
        f"there at most {BUSY:.0%} of the cores are busy."
    )
    if cores > AUTO_POOL_SIZE:
        yield f"Set pool_size to {cores}: auto starts {AUTO_POOL_SIZE} workers at most."
    if any(load.cost.noisy for load in loads):
        yield (
            "~ marks noise: the rounds are more than twice apart. Measure your own host by "
            "make bench, and give its file as RESULT."
        )


def draw(results: Results, rate: float, loads: list[Load], cores: int, file: Path) -> None:
    """Draw how long calls wait, by the rate, for each number of hosts of the table."""
    from capacity_picture import picture
    from sheet import save

    full = rate / busy_cores(rate, loads) * cores  # calls a second of a host with no idle core
    rates = [full * 0.98 * point / CURVE_POINTS for point in range(1, CURVE_POINTS + 1)]
    curve = [(one, simulated(one, loads, cores, CURVE_CALLS)) for one in rates]
    curves = {
        choice.hosts: [(one * choice.hosts, waits) for one, waits in curve]
        for choice in choices(rate, loads, cores)
    }
    save(lambda: picture(curves, rate, cores, heading(results)), file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
