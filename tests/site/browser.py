"""Headless Chromium, one run for each question."""

from __future__ import annotations

import html
import re
import subprocess
from dataclasses import dataclass

WAIT = 600  # seconds of the page's own clock; it stands still while the page computes
SWITCHES = (
    "chromium",
    "--headless",
    "--no-sandbox",  # Chromium's sandbox does not start as root
    "--disable-gpu",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    f"--virtual-time-budget={WAIT * 1000}",
)
DARK = {True: 0, False: 1}


@dataclass
class Visit:
    """A page after its scripts, and what they wrote to the console."""

    document: str
    console: list[str]

    def text(self, element: str) -> str:
        """The text of the element with an id, without the tags in it; empty without the element."""
        found = re.search(rf'<(\w+)[^>]* id="{element}"[^>]*>(.*?)</\1>', self.document, re.DOTALL)
        return html.unescape(re.sub(r"<[^>]*>", " ", found[2])) if found else ""


def visit(url: str, *switches: str, dark: bool = False) -> Visit:
    """Loads a page in a Chromium of its own, and waits for its scripts."""
    scheme = f"--blink-settings=preferredColorScheme={DARK[dark]}"
    command = [*SWITCHES, scheme, *switches, "--dump-dom", url]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    console = [line for line in ended.stderr.splitlines() if ":CONSOLE:" in line]
    return Visit(ended.stdout, console)


def screenshot(url: str, file: str, size: tuple[int, int], *, dark: bool = False) -> None:
    """Writes a picture of a page."""
    scheme = f"--blink-settings=preferredColorScheme={DARK[dark]}"
    window = f"--window-size={size[0]},{size[1]}"
    command = [*SWITCHES, scheme, window, f"--screenshot={file}", url]
    subprocess.run(command, capture_output=True, check=True)
