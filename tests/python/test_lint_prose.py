"""The linter of the documents' prose: it finds what the rules forbid, and nothing in code."""

from pathlib import Path

import pytest
from lint_prose import LONGEST, WORDS, Offence, main, offences, read_words

WORD_LIST = read_words(WORDS)
LONG = " ".join(["word"] * (LONGEST + 1)) + "."


def found(markdown: str) -> list[Offence]:
    """Return the offences of a document, with the project's list of words."""
    return list(offences(markdown, WORD_LIST))


class TestSentences:
    """A sentence has 28 words at most."""

    def test_longest_sentence_is_allowed(self) -> None:
        assert found(" ".join(["word"] * LONGEST) + ".") == []

    def test_longer_sentence_is_found_with_its_line(self) -> None:
        [offence] = found(f"# Title\n\nA short sentence.\n{LONG}\n")
        assert offence == Offence(4, "29 words, over 28", LONG)

    def test_sentence_in_a_cell_is_found_with_the_line_of_its_row(self) -> None:
        [offence] = found(f"| a |\n|---|\n| short |\n| {LONG} |\n")
        assert offence.line == 4

    def test_items_of_a_list_are_sentences_of_their_own(self) -> None:
        assert found("".join(f"- {'word ' * 10}\n" for _ in range(9))) == []

    def test_code_span_counts_as_one_word(self) -> None:
        assert found(f"Call `{LONG}` first.") == []

    def test_abbreviation_and_version_do_not_end_a_sentence(self) -> None:
        [offence] = found("word " * 14 + "e.g. OTP 25.3 " + "word " * 14)
        assert offence.rule == "31 words, over 28"


class TestWords:
    """The list forbids words in prose alone."""

    @pytest.mark.parametrize(
        "sentence",
        ["Whoever calls it.", "The pool\nhas not started.", "It **may not** start.", "As ever."],
    )
    def test_forbidden_word_is_found(self, sentence: str) -> None:
        assert len(found(sentence)) == 1

    @pytest.mark.parametrize(
        "markdown",
        [
            "```sh\nwhoever\n```",
            "`whoever`",
            "[link](whoever.md)",
            "<!-- whoever -->",
            "A bearer, a shallow copy.",
            '![picture](whoever.svg "title")',
        ],
    )
    def test_code_target_and_longer_word_are_not_prose(self, markdown: str) -> None:
        assert found(markdown) == []


class TestCommand:
    """It prints one line for an offence, and its exit status fails the build."""

    def test_clean_file_is_silent(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "clean.md"
        file.write_text("The pool retries the call.\n")
        assert main([str(file)]) == 0
        assert capsys.readouterr().out == ""

    def test_offence_names_file_line_rule_and_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "bad.md"
        file.write_text("\nThe worker shall end.\n")
        assert main([str(file)]) == 1
        assert capsys.readouterr().out == (
            f'{file}:2: "shall", write "must" or the present tense: The worker shall end.\n'
        )
