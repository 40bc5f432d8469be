"""The edits of an Erlang module. Attributes but `-define', and texts, stay as they are.

The edits do not know the grammar: the compiler refuses those that make no sense.
"""

import re
from collections.abc import Iterator

from edits import Edit

TOKEN = re.compile(
    r"""(?P<skip>\s+|%[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\$(?:\\.|.))
    |(?P<number>\d+\#[0-9A-Fa-f]+|\d[\d_]*(?:\.\d+)?)
    |(?P<end>\.(?=\s))
    |(?P<other><<|>>|->|=:=|=/=|=<|>=|<-|\|\||\+\+|--|\w+|.)""",
    re.VERBOSE,
)
SWAPS = {
    "=:=": "=/=",
    "=/=": "=:=",
    "<": "=<",
    "=<": "<",
    ">": ">=",
    ">=": ">",
    "andalso": "orelse",
    "orelse": "andalso",
    "true": "false",
    "false": "true",
    "not": "",
    "+": "-",
    "-": "+",
    "*": "div",
    "div": "*",
    "rem": "div",
    "bsl": "bsr",
    "bsr": "bsl",
    "--": "++",
    "min": "max",
    "max": "min",
}
CLAUSE = re.compile(r"^.* -> .*;\n", re.MULTILINE)
STATEMENT = re.compile(r"^ +(?:receive .* end|(?:\w+ = )?[a-z_:]+\(.*\)|\w+ ! .*),\n", re.MULTILINE)
GUARD = re.compile(r"\s+when .*?(?= ->)", re.DOTALL)


def edits(text: str) -> Iterator[Edit]:
    """Yield every edit of a module: of a token, and without a clause, a guard or a statement."""
    places = [place for form in _forms(text) for place in form[1:]]
    for place in places:
        new = _other(place)
        if new is not None:
            yield Edit(*place.span(), new)
    starts = {place.start() for form in _forms(text) for place in form}
    for part in CLAUSE, STATEMENT, GUARD:
        for found in part.finditer(text):
            first = found.start() + len(found.group()) - len(found.group().lstrip())
            if first in starts:
                yield Edit(*found.span(), "")


def _forms(text: str) -> Iterator[list[re.Match[str]]]:
    """Yield the tokens of each function and definition."""
    form: list[re.Match[str]] = []
    for token in TOKEN.finditer(text):
        if token.lastgroup == "end":
            if form[0].group() != "-" or form[1].group() == "define":
                yield form
            form = []
        elif token.lastgroup != "skip":
            form.append(token)


def _other(token: re.Match[str]) -> str | None:
    text = token.group()
    if token.lastgroup != "number":
        return SWAPS.get(text)
    base, _, digits = text.rpartition("#")
    if base == "16":
        return f"16#{int(digits, 16) + 1:X}"
    return str(int(text.replace("_", "")) + 1) if not base and "." not in text else None
