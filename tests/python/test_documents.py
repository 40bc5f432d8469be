"""The runner of the documents: a document that does not hold must fail, and say where."""

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
    """Return what is told of a document."""
    monkeypatch.setattr("run.ROOT", folder)
    (folder / "doc.md").write_text(document)
    return Story("doc.md", folder, "file:///repository", dict(os.environ)).run()


@pytest.mark.parametrize("document, expected", LIES.values(), ids=LIES)
def test_a_document_that_does_not_hold_fails(document, expected, tmp_path, monkeypatch):
    assert expected in told(document, tmp_path, monkeypatch)[-1]


def test_a_story_is_told_in_one_folder(tmp_path, monkeypatch):
    document = "<!-- file: a/b -->\n```ini\nURL-OF-THIS-REPOSITORY\n```\n\n```sh\ngrep -q file:///repository a/b\n```"
    assert told(document, tmp_path, monkeypatch) == ["doc.md: 2 blocks ok"]


def test_pictures_do_not_run_and_the_reason_of_others_is_told(tmp_path, monkeypatch):
    document = (
        "```\nfalse\n```\n```text\nfalse\n```\n\n<!-- not run: no network -->\n```sh\nfalse\n```"
    )
    assert told(document, tmp_path, monkeypatch) == [
        "doc.md:10: not run: no network",
        "doc.md: 0 blocks ok",
    ]


def test_an_indented_block_loses_its_indent():
    (block,) = blocks("1. first\n\n   ```sh\n   one\n     two\n   ```\n")
    assert (block.line, block.language, block.text) == (4, "sh", "one\n  two\n")


def test_a_missing_end_is_a_failure():
    with pytest.raises(Failure):
        list(blocks("```sh\n"))
