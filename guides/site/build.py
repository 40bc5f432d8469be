"""The documentation as pages to browse, without a network: `make docs` writes them.

Every Markdown file becomes a page at its own place; the README is the first one. Edoc's pages get
the same frame, and pdoc's pages a link back. Files that pages link to are copied; a folder becomes
its README's page, or a list of its files. A link or an anchor that leads nowhere fails the build.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pdoc
import pdoc.render
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIRST = ("README.md", "PROTOCOL.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
APIS = {"Erlang": "erlang/signal_port.html", "Python": "python/signal_port.html"}


def page_of(source: Path) -> Path:
    """Where a Markdown file's page is, from the first page."""
    page = source.relative_to(ROOT).with_suffix(".html")
    return page.with_name("index.html") if page.name == "README.html" else page


def sources() -> list[Path]:
    """The Markdown files in the order of the navigation: the README, the guides, the rest."""
    rooms = ("guides", "examples", "bench", "deploy")
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.md"))]
    return [ROOT / FIRST[0], *found, *(ROOT / name for name in FIRST[1:])]


def title_of(source: Path) -> str:
    """A Markdown file's first heading."""
    return next(
        line[2:] for line in source.read_text().splitlines() if line.startswith("# ")
    ).replace("`", "")


# --- Markdown ---


def highlighted(code: str, language: str, _attributes: str) -> str:
    """A block of code with marked words; empty for an unknown language: Markdown renders it."""
    try:
        return str(highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return ""


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchor_headings(tokens: list[Token]) -> None:
    """Gives each heading its anchor; the second of the same name ends in -1, as on GitHub."""
    seen: dict[str, int] = {}
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            name = slug("".join(child.content for child in content.children or []))
            count = seen[name] = seen.get(name, -1) + 1
            opening.attrSet("id", f"{name}-{count}" if count else name)


def follow_links(tokens: list[Token], source: Path, site: Path) -> None:
    """Points links to Markdown files and to folders at pages; copies other linked files."""
    for token in (child for parent in tokens for child in parent.children or []):
        name = "src" if token.type == "image" else "href"
        link = urlsplit(str(token.attrGet(name) or ""))
        if link.scheme or link.netloc or not link.path:
            continue
        target = (source.parent / unquote(link.path)).resolve()
        if target.suffix == ".md":
            up = "../" * (len(page_of(source).parts) - 1)
            token.attrSet(name, link._replace(path=up + page_of(target).as_posix()).geturl())
        elif target.is_dir():
            token.attrSet(name, f"{link.path}/index.html")
            if not (target / "README.md").exists():
                write_listing(target, site)
        elif target.is_file():
            copy(target, site)


def copy(file: Path, site: Path) -> None:
    """Copies a file to its own place."""
    target = site / file.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def write_listing(folder: Path, site: Path) -> None:
    """Copies the files of a folder, and writes a page with a link to each."""
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    for file in files:
        copy(file, site)
    name = folder.relative_to(ROOT)
    items = "".join(f'<li><a href="{file.name}">{file.name}</a></li>' for file in files)
    title = html.escape(str(name))
    write(site, name / "index.html", title, f"<h1>{title}</h1><ul>{items}</ul>")


def rendered(source: Path, site: Path) -> str:
    """A Markdown file as HTML."""
    markdown = MarkdownIt("commonmark", {"highlight": highlighted}).enable("table")
    tokens = markdown.parse(source.read_text())
    anchor_headings(tokens)
    follow_links(tokens, source, site)
    return str(markdown.renderer.render(tokens, markdown.options, {}))


# --- Pages ---


def navigation(here: Path) -> str:
    """The links to all pages, from one of them."""
    pages = {title_of(source): page_of(source).as_posix() for source in sources()}
    up = "../" * (len(here.parts) - 1)
    links = []
    for title, page in (pages | APIS).items():
        current = " aria-current=page" if page == here.as_posix() else ""
        links.append(f'<a href="{up}{page}"{current}>{html.escape(title)}</a>')
    return "\n".join(links)


def write(site: Path, page: Path, title: str, body: str) -> None:
    """Writes a page: the body in the frame that all have."""
    frame = (HERE / "frame.html").read_text()
    parts = {
        "title": title,
        "up": "../" * (len(page.parts) - 1),
        "navigation": navigation(page),
        "body": body,
    }
    (site / page).parent.mkdir(parents=True, exist_ok=True)
    (site / page).write_text(re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], frame))


def style() -> str:
    """Our rules, and those of the highlighted code, for light and for dark."""
    light, dark = (
        HtmlFormatter(style=name).get_style_defs("pre") for name in ("friendly", "github-dark")
    )
    return (
        HERE / "style.css"
    ).read_text() + f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def erlang(edoc: Path, site: Path) -> None:
    """Edoc's pages: the part between its bars, without links to modules that have no page."""
    pages = {page.name: page for page in sorted(edoc.glob("signal_port*.html"))}
    for name, page in pages.items():
        body = page.read_text().split("</div>", 1)[1].rsplit('<div class="navbar">', 1)[0]
        body = re.sub(r"^\s*<hr>|<hr>\s*$", "", body)
        body = re.sub(
            r'<a href="([^"#]+)[^"]*">(.*?)</a>',
            lambda link: link[0] if link[1] in pages else link[2],
            body,
        )
        write(site, Path("erlang", name), page.stem, body)


def python(site: Path) -> None:
    """Pdoc's pages, with a link to our first one."""
    pdoc.render.configure(
        docformat="google", template_directory=HERE / "pdoc", footer_text="signal-port"
    )
    pdoc.pdoc("signal_port", output_directory=site / "python")


# --- Links ---


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


def main(edoc: Path, site: Path) -> None:
    """Writes the whole site anew."""
    shutil.rmtree(site, ignore_errors=True)
    for source in sources():
        write(site, page_of(source), title_of(source), rendered(source, site))
    erlang(edoc, site)
    python(site)
    (site / "style.css").write_text(style())
    if wrong := list(broken(site)):
        sys.exit("\n".join(wrong))
    print(f"{site}/index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
