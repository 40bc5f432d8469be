"""Markdown as HTML: headings with GitHub's anchors, code with marked words.

It does not know of files and pages: its caller changes the links.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound


def highlighted(code: str, language: str, _attributes: str) -> str:
    """A block of code with marked words; empty for an unknown language: Markdown renders it."""
    try:
        return str(highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return ""


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading; a function `name/1` is its own."""
    if re.fullmatch(r"\w+[?!]?/\d+", heading):
        return heading
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchor_headings(tokens: list[Token]) -> None:
    """Gives each heading its anchor; the second of the same name ends in -1, as on GitHub."""
    seen: dict[str, int] = {}
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            name = slug("".join(child.content for child in content.children or []))
            count = seen[name] = seen.get(name, -1) + 1
            opening.attrSet("id", f"{name}-{count}" if count else name)


def change_links(tokens: list[Token], change: Callable[[str], str]) -> None:
    """Replaces the address of each link and each image by what `change` returns for it."""
    for token in (child for parent in tokens for child in parent.children or []):
        name = "src" if token.type == "image" else "href"
        if address := token.attrGet(name):
            token.attrSet(name, change(str(address)))


def rendered(text: str, change: Callable[[str], str]) -> str:
    """A Markdown text as HTML."""
    markdown = MarkdownIt("commonmark", {"highlight": highlighted}).enable("table")
    tokens = markdown.parse(text)
    anchor_headings(tokens)
    change_links(tokens, change)
    return str(markdown.renderer.render(tokens, markdown.options, {}))
