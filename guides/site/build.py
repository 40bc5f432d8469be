"""The documentation as pages to browse, without a network: `make docs` writes them.

Every Markdown file becomes a page at its own place; the README is the first one. Edoc's pages and
the Elixir API get the same frame, and pdoc's pages a link back. Files that pages link to are
copied; a folder becomes its README's page, or a list of its files. A link or an anchor that leads
nowhere fails the build.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import body
import markdown_text
import pdoc
import pdoc.doc
import pdoc.render
import repository
from links import broken
from pygments.formatters import HtmlFormatter
from sections import Sections

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ROOMS = {"Guides": "guides", "Examples": "examples", "Benchmarks": "bench", "Deployment": "deploy"}
REST = ("PROTOCOL.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
APIS = {
    "Erlang": "erlang/signal_port.html",
    "Elixir": "elixir/SignalPort.html",
    "Python": "python/signal_port.html",
}
URL = repository.url(ROOT)

Entry = tuple[str, str, str, str, str]  # page, anchor, title, page's title, text


def page_of(source: Path) -> Path:
    """Where a Markdown file's page is, from the first page."""
    page = source.relative_to(ROOT).with_suffix(".html")
    return page.with_name("index.html") if page.name == "README.html" else page


def sources() -> dict[str, list[Path]]:
    """The Markdown files, by the headings of the navigation and in its order."""
    rooms = {title: sorted((ROOT / room).rglob("*.md")) for title, room in ROOMS.items()}
    rest = [ROOT / name for name in REST]
    return {"Start": [ROOT / "README.md"], **rooms, "Project": rest}


def title_of(text: str) -> str:
    """The first heading of a Markdown text."""
    return next(line[2:] for line in text.splitlines() if line.startswith("# ")).replace("`", "")


def navigation(here: Path) -> str:
    """The links to all pages, from one of them."""
    groups = {
        group: {title_of(file.read_text()): page_of(file).as_posix() for file in files}
        for group, files in sources().items()
    }
    up = "../" * (len(here.parts) - 1)
    lines = []
    for group, pages in (groups | {"API": APIS}).items():
        lines.append(f"<h2>{group}</h2>")
        for title, page in pages.items():
            current = " aria-current=page" if page == here.as_posix() else ""
            lines.append(f'<a href="{up}{page}"{current}>{html.escape(title)}</a>')
    return "\n".join(lines)


def colours(element: str) -> str:
    """The rules of the highlighted code in an element, for light and for dark."""
    light, dark = (
        HtmlFormatter(style=name).get_style_defs(element) for name in ("xcode", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


class Site:
    """The pages that are written to a folder, and the index of the search over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: list[Entry] = []

    def write(self, page: Path, title: str, text: str) -> None:
        """Writes a page: the body in the frame that all have."""
        text = body.named(text)
        sections = Sections(text).found
        for found in sections:
            words = " ".join(found.text.split())
            self.index.append((page.as_posix(), found.anchor, found.title.strip(), title, words))
        text = body.breakable(body.scrollable(body.linked(text)))
        parts = {
            "title": html.escape(title),
            "up": "../" * (len(page.parts) - 1),
            "navigation": navigation(page),
            "body": text.replace("</h1>", f"</h1>{body.contents(sections)}", 1),
        }
        frame = (HERE / "frame.html").read_text()
        (self.folder / page).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / page).write_text(re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], frame))

    def write_markdown(self, source: Path) -> None:
        """Writes the page of a Markdown file."""
        text = repository.filled(source.read_text(), URL)
        rendered = markdown_text.rendered(text, lambda link: self.follow(link, source))
        self.write(page_of(source), title_of(text), rendered)

    def follow(self, address: str, source: Path) -> str:
        """The address of a linked Markdown file's or folder's page; copies other linked files."""
        link = urlsplit(address)
        if link.scheme or link.netloc or not link.path:
            return address
        target = (source.parent / unquote(link.path)).resolve()
        if target.suffix == ".md":
            up = "../" * (len(page_of(source).parts) - 1)
            return link._replace(path=up + page_of(target).as_posix()).geturl()
        if target.is_dir():
            if not (target / "README.md").exists():
                self.write_listing(target)
            return f"{link.path.rstrip('/')}/index.html"
        if target.is_file():
            self.copy(target)
        return address

    def copy(self, file: Path) -> None:
        """Copies a file to its own place."""
        target = self.folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_text(repository.filled(file.read_text(), URL))
        except UnicodeDecodeError:
            shutil.copyfile(file, target)

    def write_listing(self, folder: Path) -> None:
        """Copies the files of a folder, and writes a page with a link to each."""
        files = [file for file in sorted(folder.iterdir()) if file.is_file()]
        for file in files:
            self.copy(file)
        name = folder.relative_to(ROOT)
        items = "".join(f'<li><a href="{file.name}">{file.name}</a></li>' for file in files)
        title = html.escape(str(name))
        self.write(name / "index.html", str(name), f"<h1>{title}</h1><ul>{items}</ul>")

    def write_erlang(self, edoc: Path) -> None:
        """Edoc's page: the part between its bars, without links to modules that have no page."""
        text = (edoc / "signal_port.html").read_text()
        text = text.split("</div>", 1)[1].rsplit('<div class="navbar">', 1)[0]
        text = re.sub(r"^\s*<hr>|<hr>\s*$", "", text)
        text = re.sub(
            r'<a [^>]*href="([^"#]+)[^"]*">(.*?)</a>',
            lambda link: link[0] if link[1] == "signal_port.html" else link[2],
            text,
        )
        self.write(Path(APIS["Erlang"]), "signal_port", text)

    def write_elixir(self, folder: Path) -> None:
        """The pages of the Elixir modules; the first one has a list of the others."""
        files = sorted(folder.glob("*.md"), key=lambda file: file.stem != "SignalPort")
        links = "".join(f"* [{file.stem}]({file.stem}.html)\n" for file in files[1:])
        for file in files:
            more = f"\n## Modules\n\n{links}" if file is files[0] else ""
            text = markdown_text.rendered(file.read_text() + more, lambda link: link)
            self.write(Path("elixir", f"{file.stem}.html"), file.stem, text)

    def write_python(self) -> None:
        """Pdoc's pages, with a link to our first one."""
        with tempfile.TemporaryDirectory() as templates:
            shutil.copytree(HERE / "pdoc", templates, dirs_exist_ok=True)
            (Path(templates) / "syntax-highlighting.css").write_text(colours(".pdoc-code"))
            pdoc.render.configure(
                docformat="google",
                template_directory=Path(templates),
                footer_text="signal-port",
            )
            pdoc.pdoc("signal_port", output_directory=self.folder / "python")
        for page in sorted((self.folder / "python").rglob("*.html")):
            name = page.relative_to(self.folder / "python").with_suffix("")
            if name.parts[0] == "signal_port":
                module = pdoc.doc.Module.from_name(".".join(name.parts))
                self.index_python(module, page.relative_to(self.folder).as_posix())

    def index_python(self, space: pdoc.doc.Namespace[Any], page: str) -> None:
        """The entries of a Python module or class, and of its members."""
        module = space.modulename
        self.index.append((page, space.qualname, space.name, module, space.docstring))
        for member in space.own_members:
            if isinstance(member, pdoc.doc.Class):
                self.index_python(member, page)
            elif member.docstring and not isinstance(member, pdoc.doc.Module):
                text = " ".join(member.docstring.split())
                self.index.append((page, member.qualname, member.name, module, text))

    def write_search(self) -> None:
        """The search and its index, which is JavaScript: a page cannot read another file."""
        shutil.copyfile(HERE / "search.js", self.folder / "search.js")
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in self.index)
        (self.folder / "search_index.js").write_text(f"const SEARCH_INDEX = [\n{lines}\n];\n")

    def write_style(self) -> None:
        """Our rules, and those of the highlighted code."""
        ours = (HERE / "style.css").read_text()
        (self.folder / "style.css").write_text(ours + colours("pre"))


def main(edoc: Path, elixir: Path, folder: Path) -> None:
    """Writes the whole site anew."""
    shutil.rmtree(folder, ignore_errors=True)
    site = Site(folder)
    for source in (file for files in sources().values() for file in files):
        site.write_markdown(source)
    site.write_erlang(edoc)
    site.write_elixir(elixir)
    site.write_python()
    site.write_search()
    site.write_style()
    if wrong := list(broken(folder)):
        sys.exit("\n".join(wrong))
    print(f"{folder}/index.html")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
