"""The files in requirements/ agree with the bounds in pyproject.toml, and lock by hashes alone."""

import re

import lock
import pytest
from application import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from signal_port.requirements import EXTRAS

BOUNDS = lock.bounds()
FILES = pytest.mark.parametrize("name", lock.TITLES)


def text(name: str) -> str:
    """Return one of the files."""
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def locked(name: str) -> list[Requirement]:
    """Return what one of the files locks, without the hashes."""
    lines = re.findall(r"^([\w-].*?)(?: \\)?$", text(name), re.MULTILINE)
    return [Requirement(line) for line in lines]


@FILES
def test_each_bound_is_met_by_all_that_is_locked_for_it(name: str) -> None:
    found = locked(name)
    for bound in map(Requirement, BOUNDS[name]):
        versions = [it.specifier for it in found if it.name == canonicalize_name(bound.name)]
        assert versions, bound
        assert all(bound.specifier.contains(str(it).removeprefix("==")) for it in versions), bound


@FILES
def test_each_package_is_pinned_and_has_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=[\w-])", text(name).partition("\n\n")[2])
    assert len(blocks) == len(locked(name))
    for block in blocks:
        assert re.fullmatch(r"[\w-]+==\S+[^\n]*( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", block)


@FILES
def test_no_index_is_named(name: str) -> None:
    assert "://" not in text(name)
    assert "index" not in text(name)


def test_extras_of_the_command_are_those_of_the_project() -> None:
    assert {name: BOUNDS[name] for name in EXTRAS} == {name: [it] for name, it in EXTRAS.items()}
