"""The runner of the documents: a wrong document fails, with the line of the fault."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "documents"))  # scripts, no package

from run import Failure, Story, blocks

LIES = {
    "a command fails": ("```sh\nfalse\ntrue\n```", "doc.md:2: FAILED: status 1"),
    "an unknown language": ("```ruby\nputs 1\n```", "doc.md:2: FAILED: no rule says"),
    "an unknown comment": (
        "\n<!-- run in: x -->\n```sh\ntrue\n```",
        "doc.md:4: FAILED: no rule says",
    ),
    "a block without an end": (
        "```sh\ntrue\n",
        "FAILED: the block that begins in line 1 has no end",
    ),
    "after one that holds": ("```sh\ntrue\n```\n\n```sh\nfalse\n```", "doc.md:6: FAILED: status 1"),
}


def told(document, folder, monkeypatch):
    """Return the lines that the runner prints of a document."""
    monkeypatch.setattr("run.ROOT", folder)
    (folder / "doc.md").write_text(document)
    return Story("doc.md", folder, "file:///repository", dict(os.environ)).run()


class TestStory:
    """A document is run from its beginning to its end."""

    @pytest.mark.parametrize("document, expected", LIES.values(), ids=LIES)
    def test_wrong_document_fails_with_its_line(self, document, expected, tmp_path, monkeypatch):
        assert expected in told(document, tmp_path, monkeypatch)[-1]

    def test_blocks_of_a_document_share_a_folder(self, tmp_path, monkeypatch):
        file = "<!-- file: a/b -->\n```ini\nURL-OF-THIS-REPOSITORY\n```"
        document = f"{file}\n\n```sh\ngrep -q file:///repository a/b\n```"
        assert told(document, tmp_path, monkeypatch) == ["doc.md: 2 blocks ok"]

    def test_pictures_are_not_run_and_other_reasons_are_printed(self, tmp_path, monkeypatch):
        pictures = "```\nfalse\n```\n```text\nfalse\n```"
        document = f"{pictures}\n\n<!-- not run: no network -->\n```sh\nfalse\n```"
        assert told(document, tmp_path, monkeypatch) == [
            "doc.md:10: not run: no network",
            "doc.md: 0 blocks ok",
        ]


class TestBlocks:
    """The blocks of a document."""

    def test_indented_block_loses_its_indent(self):
        (block,) = blocks("1. first\n\n   ```sh\n   one\n     two\n   ```\n")
        assert (block.line, block.language, block.text) == (4, "sh", "one\n  two\n")

    def test_block_without_an_end_is_a_failure(self):
        with pytest.raises(Failure):
            list(blocks("```sh\n"))
