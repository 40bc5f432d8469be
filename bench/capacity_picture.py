"""The picture of capacity.py: how long calls wait, by the rate of calls and the number of hosts."""

from typing import TypeAlias

from matplotlib.figure import Figure as Sheet
from matplotlib.lines import Line2D
from queueing import Waiting
from sheet import INK, logarithmic, titled

COLOURS = ("#d55e00", "#e69f00", "#009e73", "#0072b2", "#b5528f")
HEIGHT = 3.2  # inches
LEAST_MS = 0.01  # 0 has no logarithm

Curve: TypeAlias = list[tuple[float, Waiting]]  # by calls a second


def picture(curves: dict[int, Curve], rate: float, cores: int, line: str) -> Sheet:
    """Return a curve for each number of hosts; the wanted rate is an upright line."""
    handles = [
        Line2D([], [], color=colour, label=f"{hosts:,} host{'s' if hosts > 1 else ''}")
        for hosts, colour in zip(curves, COLOURS)
    ]
    title = f"How long calls wait on hosts of {cores} core{'s' if cores > 1 else ''}"
    sheet = titled(title, line, handles, HEIGHT)
    axes = sheet.subplots()
    for curve, colour in zip(curves.values(), COLOURS):
        rates = [one for one, _ in curve]
        for name, style in (("p99", "-"), ("p50", ":")):
            times = [max(1000 * getattr(waits, name), LEAST_MS) for _, waits in curve]
            axes.plot(rates, times, style, color=colour, linewidth=1.6)
    axes.axvline(rate, color=INK, linewidth=0.8)
    logarithmic(axes, "y")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_xlim(left=0)
    axes.set_ylabel("milliseconds")
    note = f"line = p99, dots = p50; {LEAST_MS} ms or less are at the foot"
    axes.set_xlabel(f"calls a second, upright line: {rate:,.6g}; {note}")
    return sheet
