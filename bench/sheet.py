"""The sheet of a picture: its look, colours, head and file. It knows no results.

The same picture gives the same bytes of SVG.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullLocator

WIDTH = 9.0  # inches of 72 pt; GitHub shows an SVG of it 864 pixels wide
HEAD_HEIGHT = 0.85  # inches: title, line about the run, engines
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


def save(picture: Callable[[], Sheet | None], file: Path) -> None:
    """Write one picture, if there is one."""
    with matplotlib.rc_context(STYLE):
        if sheet := picture():
            file.parent.mkdir(parents=True, exist_ok=True)
            sheet.savefig(file, metadata={"Date": None})


def titled(title: str, line: str, handles: list[Any], height: float) -> Sheet:
    """Return an empty sheet below a title, a line of text and a legend."""
    whole = height + HEAD_HEIGHT
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, height / whole), w_pad=0.1)
    sheet = Sheet(figsize=(WIDTH, whole), layout=below)
    sheet.text(0.012, 1 - 0.1 / whole, title, va="top", fontsize=13, weight="bold", color=INK)
    fitting = min(8, 1110 / len(line))
    sheet.text(0.012, 1 - 0.39 / whole, line, va="top", fontsize=fitting, color=PALE)
    look: dict[str, Any] = {"frameon": False, "fontsize": 7.5, "borderpad": 0, "borderaxespad": 0}
    look |= {"handlelength": 1, "handleheight": 0.9, "columnspacing": 1.2, "loc": "upper left"}
    place = (0.012, 1 - 0.63 / whole)
    sheet.legend(handles=handles, ncols=len(handles), bbox_to_anchor=place, **look)
    return sheet


def logarithmic(axes: Axes, name: Literal["x", "y"]) -> None:
    """Give an axis a logarithmic scale with plain numbers."""
    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axis.set_minor_locator(NullLocator())
