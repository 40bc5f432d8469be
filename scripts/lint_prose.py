"""Checks the prose of Markdown files: the length of sentences, and a list of words.

    .venv/bin/python3 scripts/lint_prose.py FILE...

Prints each offence as `FILE:LINE: RULE: SENTENCE`; the exit status is 1 if there is one. Code,
HTML and the targets of links are not prose. A code span in a sentence counts as one word.
The words are data: `prose_words.txt` beside this file has a pattern and a cure on each line.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST = 28  # words of a sentence; the goal is 20
WORDS = Path(__file__).with_name("prose_words.txt")
CODE = "\N{REPLACEMENT CHARACTER}"  # stands for a code span, so that its text is not judged
END = re.compile(r"(?<=[.!?])[)\"']*\s+|\s+· ")
INSIDE = re.compile(r"(?:e\.g|i\.e|vs|etc)\.$")


class Offence(NamedTuple):
    """One sentence that breaks one rule; `line` counts from 1."""

    line: int
    rule: str
    sentence: str


class Word(NamedTuple):
    """A pattern that no sentence may have, and what to write instead."""

    pattern: re.Pattern[str]
    cure: str


def read_words(path: Path) -> list[Word]:
    """Return the list of words: `PATTERN<TAB>CURE` on each line that is no comment."""
    lines = (line for line in path.read_text().splitlines() if line and line[0] != "#")
    pairs = (line.split("\t") for line in lines)
    return [Word(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), cure) for pattern, cure in pairs]


def plain(inline: Token) -> str:
    """Return the text of a paragraph, heading or cell with its line breaks, without markup."""
    parts = []
    for child in inline.children or []:
        if child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif child.type == "code_inline":
            parts.append(CODE + "\n" * child.content.count("\n"))
        elif child.type == "text":
            parts.append(child.content)
    return "".join(parts)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield each sentence of a paragraph, with the number of line breaks before it."""
    start = 0
    for end in [*END.finditer(text), None]:
        stop = end.start() if end else len(text)
        if INSIDE.search(text[start:stop]):
            continue
        if text[start:stop].strip():
            yield text.count("\n", 0, start), " ".join(text[start:stop].split())
        start = end.end() if end else stop


def broken_rules(sentence: str, words: list[Word]) -> Iterator[str]:
    """Yield the rules that a sentence breaks."""
    count = len(re.findall(rf"[\w{CODE}][^\s]*", sentence))
    if count > LONGEST:
        yield f"{count} words, over {LONGEST}"
    for word in words:
        found = word.pattern.search(sentence)
        if found:
            yield f'"{found[0]}", write {word.cure}'


def offences(markdown: str, words: list[Word]) -> Iterator[Offence]:
    """Yield every offence of a document, in its order."""
    first = 0
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        first = token.map[0] if token.map else first  # a cell has none, its row has
        if token.type != "inline":
            continue
        for breaks, sentence in sentences(plain(token)):
            for rule in broken_rules(sentence, words):
                yield Offence(first + breaks + 1, rule, sentence.replace(CODE, "`...`"))


def main(files: list[str]) -> int:
    """Print the offences of the files; return 1 if there is one, else 0."""
    words = read_words(WORDS)
    found = [
        f"{file}:{offence.line}: {offence.rule}: {offence.sentence}"
        for file in files
        for offence in offences(Path(file).read_text(), words)
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
