"""The URL of the repository: the one placeholder of the documents, and what replaces it."""

import re
from pathlib import Path

import pytest
import repository

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "*.md",
    "guides/*.*md",
    "guides/Dockerfile*",
    "erlang/*.app.src",
    "deploy/*/*",
    "examples/*/*.md",
)
PLACEHOLDER = re.compile(
    r"\b[A-Z]{2,}(?:-[A-Z]{2,}){2,}\b|\b(?:TODO|FIXME|TBD)\b|\bYOUR[-_]\w+|<your[^>]*>"
)
# A file name's parts, which nobody replaces.
DESCRIBED = {"VERSION-OS-ARCH"}

REMOTES = {
    "https://example.org/a/b.git": "https://example.org/a/b.git",
    "https://name:word@example.org/a/b": "https://example.org/a/b",
    "git@example.org:a/b.git": "ssh://git@example.org/a/b.git",
    "ssh://git@example.org/a/b": "ssh://git@example.org/a/b",
    "/home/me/checkout": repository.PLACEHOLDER,
    "file:///home/me/checkout": repository.PLACEHOLDER,
    "": repository.PLACEHOLDER,
}


class TestDocuments:
    """What a user copies."""

    def test_placeholder_is_the_repository_alone(self) -> None:
        files = [file for pattern in COPIED for file in ROOT.glob(pattern) if file.is_file()]
        texts = [file.read_text() for file in files]
        found = {match[0] for text in texts for match in PLACEHOLDER.finditer(text)}
        assert found - DESCRIBED == {repository.PLACEHOLDER}


class TestUrl:
    """What a built page shows."""

    @pytest.mark.parametrize("remote", REMOTES)
    def test_remote_becomes_a_url_without_a_password(self, remote: str) -> None:
        assert repository.public(remote) == REMOTES[remote]

    def test_readme_with_a_url_asks_for_nothing(self) -> None:
        text = repository.filled((ROOT / "README.md").read_text(), "https://example.org/a")
        assert repository.PLACEHOLDER not in text
        assert "Replace `" not in text

    def test_readme_without_a_url_stays(self) -> None:
        text = (ROOT / "README.md").read_text()
        assert repository.filled(text, repository.PLACEHOLDER) == text
