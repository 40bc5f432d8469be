"""The links of the written site: those that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)


def broken(site: Path) -> Iterator[str]:
    """The links within the site that lead to no file or to no anchor of it."""
    pages = {page.resolve(): Links(page) for page in site.rglob("*.html")}
    for page, found in pages.items():
        for link in sorted(found.links):
            parts = urlsplit(link)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchors = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            outside = parts.scheme or parts.netloc
            if not outside and not (
                target.exists() and (not parts.fragment or unquote(parts.fragment) in anchors)
            ):
                yield f"{page.relative_to(site.resolve())}: {link} leads nowhere"
