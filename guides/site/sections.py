"""The sections of a page: its headings with their anchors, and the text below each.

The contents list of a page and the index of the search are made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass
class Section:
    """A heading, and what follows it up to the next one."""

    level: int
    anchor: str
    title: str = ""
    text: str = ""


class Sections(HTMLParser):
    """Reads the sections of a page's body. Text before the first heading is left out."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.found: list[Section] = []
        self._in_heading = False
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3", "h4"):
            self.found.append(Section(int(tag[1]), dict(attrs).get("id") or ""))
            self._in_heading = True
        elif self.found and not self._in_heading and tag in ("p", "pre", "li", "td", "th", "br"):
            self.found[-1].text += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h1", "h2", "h3", "h4"):
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self.found and self._in_heading:
            self.found[-1].title += data
        elif self.found:
            self.found[-1].text += data
