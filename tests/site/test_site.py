"""The site of `make docs` in a browser, as a phone shows it: narrow, light and dark.

The search is tested on the site as it is, from a file, as a reader opens it. The probe reads pages
in frames, for which Chromium must let files read files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from browser import visit

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "docs"
AXE = ROOT / "_build" / "site_tools" / "node_modules" / "axe-core" / "axe.min.js"
# python/index.html only leads on to the package.
PAGES = sorted(set(SITE.rglob("*.html")) - {SITE / "python" / "index.html"})
NARROW = 400  # pixels, as in probe.js
RULES = [
    "color-contrast",
    "scrollable-region-focusable",
    "duplicate-id",
    "label",
    "link-name",
    "image-alt",
]
# query: the page that has the answer, and a title there
SEARCHES = {
    "dr_encrypt_prekey": ("erlang/signal_port.html#dr_encrypt_prekey-3", "dr_encrypt_prekey"),
    "SignalPort.Session": ("elixir/SignalPort.Session.html", "SignalPort.Session"),
    "max_queue": ("guides/configuration.html", "Configuration"),
}

Found = dict[str, Any]


@pytest.fixture(scope="session", params=[False, True], ids=["light", "dark"])
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the probe found on each page, and the console; by the scheme of colours."""
    page = tmp_path_factory.mktemp("site") / "probe.html"
    given = {"PAGES": [file.as_uri() for file in PAGES], "AXE": AXE.as_uri(), "RULES": RULES}
    constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
    page.write_text(
        f'<!DOCTYPE html><pre id="found"></pre><script>{constants}</script>'
        f'<script src="{(Path(__file__).parent / "probe.js").as_uri()}"></script>'
    )
    seen = visit(page.as_uri(), "--allow-file-access-from-files", dark=request.param)
    found = seen.text("found")
    assert found, seen.console
    return {"dark": request.param, "console": seen.console, "pages": json.loads(found)}


class TestPages:
    """All pages, in both schemes of colours."""

    def test_pages_are_all_probed(self, probed: Found) -> None:
        assert len(probed["pages"]) == len(PAGES) > 30

    def test_console_stays_empty(self, probed: Found) -> None:
        assert probed["console"] == []

    def test_colours_are_those_asked_for(self, probed: Found) -> None:
        assert {page["dark"] for page in probed["pages"]} == {probed["dark"]}

    def test_narrow_screen_has_no_horizontal_scroll(self, probed: Found) -> None:
        wide = {page["page"]: page["width"] for page in probed["pages"] if page["width"] > NARROW}
        assert wide == {}

    def test_axe_finds_no_violation(self, probed: Found) -> None:
        found = {page["page"]: page["violations"] for page in probed["pages"]}
        assert {page: list_ for page, list_ in found.items() if list_} == {}

    def test_skip_link_is_first(self, probed: Found) -> None:
        ours = [page for page in probed["pages"] if "/docs/python/" not in page["page"]]
        assert {page["first"] for page in ours} == {"skip"}

    def test_slash_moves_to_the_search(self, probed: Found) -> None:
        ours = [page for page in probed["pages"] if "/docs/python/" not in page["page"]]
        assert {page["focused"] for page in ours} == {"search"}

    def test_links_lead_to_a_file_and_an_anchor(self, probed: Found) -> None:
        anchors = {page["page"]: set(page["anchors"]) for page in probed["pages"]}
        wrong = []
        for page in probed["pages"]:
            for link in page["links"]:
                parts = urlsplit(link)
                file = parts._replace(fragment="", query="").geturl()
                lost = parts.fragment and unquote(parts.fragment) not in anchors.get(file, ())
                missing = not Path(unquote(parts.path)).exists()
                if parts.scheme == "file" and (missing or lost):
                    wrong.append((page["page"], link))
        assert wrong == []


class TestSearch:
    """The search of a page that is opened from a file."""

    @pytest.mark.parametrize("query", SEARCHES)
    def test_search_finds_the_page(self, query: str) -> None:
        page, title = SEARCHES[query]
        seen = visit(f"{(SITE / 'index.html').as_uri()}?search={query}")
        assert seen.console == []
        assert f'href="{page}' in seen.document.split('id="results"')[1].split("</ul>")[0]
        assert title in seen.document

    def test_unknown_word_finds_nothing(self) -> None:
        seen = visit(f"{(SITE / 'index.html').as_uri()}?search=qqqqqq")
        assert "Nothing found" in seen.text("results")
