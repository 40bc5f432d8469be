"""The files of `tests/vectors`: known answers of the specifications, recorded answers of the NIF.

A recorded term has two forms: as an argument, where a tuple is a list, because msgpack has arrays
alone; and as an operation's answer.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgpack import ExtType

from signal_port.codec import atom

FOLDER = Path(__file__).parents[1] / "vectors"
BADARG = (atom("error"), atom("badarg"))
Ranges = list[list[int]]


@cache
def known(name: str) -> dict[str, Any]:
    """Return a file of known answers."""
    content: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return content


def cases(name: str) -> list[Any]:
    """Return the cases of a file of known answers, as parameters of a test."""
    return [pytest.param(case, id=case["name"]) for case in known(name)["cases"]]


def decoded(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case without its name, its hexadecimal values as bytes."""
    return {
        key: bytes.fromhex(value) if isinstance(value, str) else value
        for key, value in case.items()
        if key != "name"
    }


class Recorded(NamedTuple):
    """One call and what the NIF answered."""

    name: str  # operation and position in the file
    operation: str
    args: list[Any]
    answer: Any
    random: list[Ranges]  # for each binary of the answer, what not to compare
    follow: dict[str, Any] | None  # what the other side must read


@cache
def recorded() -> tuple[Recorded, ...]:
    """Return every recorded answer, in the order of the file."""
    with gzip.open(FOLDER / "nif-vectors.jsonl.gz", "rt") as lines:
        return tuple(
            _recorded(position, json.loads(line)) for position, line in enumerate(lines, 1)
        )


def binaries(term: Any) -> Iterator[bytes]:
    """Yield the binaries of an answer in order."""
    if type(term) is bytes:
        yield term
    elif _has_parts(term):
        for element in term:
            yield from binaries(element)


def masked(term: Any, random: list[Ranges]) -> Any:
    """Return the answer with zeros for what is random by design."""
    ranges = iter(random)

    def mask(element: Any) -> Any:
        if _has_parts(element):
            return tuple(mask(inner) for inner in element)
        if type(element) is not bytes:
            return element
        data = bytearray(element)
        for start, stop in next(ranges, []):
            data[start:stop] = bytes(len(data[start:stop]))
        return bytes(data)

    return mask(term)


def _has_parts(term: Any) -> bool:
    return isinstance(term, tuple) and type(term) is not ExtType  # an atom, also a NamedTuple


def argument(term: Any) -> Any:
    """Return a recorded term as an argument on the wire."""
    return _term(term, list)


def answer(term: Any) -> Any:
    """Return a recorded term as an operation's answer."""
    return _term(term, tuple)


def _recorded(position: int, line: dict[str, Any]) -> Recorded:
    return Recorded(
        f"{line['op']}-{position}",
        line["op"],
        [argument(term) for term in line["args"]],
        answer(line["result"]),
        line.get("random", []),
        line.get("follow"),
    )


def _term(term: Any, array: type[list[Any]] | type[tuple[Any, ...]]) -> Any:
    match term:
        case {"b": data}:
            return bytes.fromhex(data)
        case {"z": data}:
            return zlib.decompress(bytes.fromhex(data))
        case {"a": name}:
            return atom(name)
        case {"t": elements}:
            return array(_term(element, array) for element in elements)
        case {"l": elements}:
            return [_term(element, array) for element in elements]
        case {"raise": "badarg"}:
            return BADARG
        case int() | float():
            return term
    raise ValueError(f"no term: {term}")
