"""What the documents promise of themselves: the README is short, and the guides are complete."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "erlang" / "src"
GUIDES = ROOT / "guides"
README_LINES = 150


def explained(module: str) -> list[str]:
    """Return the sentences of a module's function explain/1, with their placeholders."""
    text = (SOURCE / f"{module}.erl").read_text()
    bodies = re.findall(r"^explain\(.*?->\n(.*?)[;.]$", text, re.DOTALL | re.MULTILINE)
    literals = (re.findall(r'"([^"]*)"', body) for body in bodies)
    return [sentence for sentence in map("".join, literals) if sentence]


def essence(sentence: str) -> str:
    """Return the longest part of what a sentence says first that is the same on every machine."""
    first = re.split(r": |, after ", sentence)[0]
    return max(re.split(r"~\w+", first), key=len).strip(" (),")


SENTENCES = [*explained("signal_port_reason"), *explained("signal_port_node_reason")]


class TestReadme:
    """It decides in two minutes."""

    def test_length_is_that_of_a_short_read(self) -> None:
        assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


class TestTroubleshooting:
    """Every sentence of the log has its cause and cure."""

    def test_sentences_are_found(self) -> None:
        assert len(SENTENCES) > 25

    @pytest.mark.parametrize("sentence", SENTENCES, ids=essence)
    def test_sentence_stands_in_the_guide(self, sentence: str) -> None:
        assert essence(sentence) in (GUIDES / "troubleshooting.md").read_text()


class TestConfiguration:
    """Every option has its row."""

    def test_options_are_those_of_the_application(self) -> None:
        text = (SOURCE / "signal_port_config.erl").read_text()
        options = re.findall(r"^     ?[{\[]+(\w+), .*fun is_\w+/1,", text, re.MULTILINE)
        rows = re.findall(
            r"^\| `(\w+)` \|", (GUIDES / "configuration.md").read_text(), re.MULTILINE
        )
        assert options
        assert sorted(rows) == sorted(options)
