"""Makes small changes in the pure modules, one at a time, and shows those that no test notices.

    .venv/bin/python tests/mutate/mutate.py [--sample N] [--seed N] [--jobs N] [MODULE]

A changed source is a mutant. A mutant that changes nothing a caller can see is equivalent: it is
listed in equivalent.txt with the reason, and is not counted. Exit status 1: less than 95 % of the
others were noticed, or a test notices one that is listed.

Own code, because the packages that exist know one language each, and no list of equivalents that
outlives a change of the source.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import NamedTuple

import erlang_edits
import python_edits
from copies import ROOT, Copy
from edits import Edit
from targets import TARGETS, Target

FLOOR = 95  # percent
PATIENCE = 60  # seconds, besides ten times what the tests take without a mutant
NOTICED = ("failed", "timed out")


class Mutant(NamedTuple):
    """A target's source, and one edit of it."""

    target: Target
    text: str
    edit: Edit

    @property
    def entry(self) -> tuple[str, str, str]:
        """Return what names it in the list of equivalents."""
        return (self.target.path, *self.edit.lines(self.text))

    def __str__(self) -> str:
        path, old, new = self.entry
        return f"{path}:{self.edit.line(self.text)}\n- {old}\n+ {new}"


def mutants(target: Target) -> list[Mutant]:
    """Return all mutants of a target."""
    text = (ROOT / target.path).read_text()
    edits = python_edits.edits if target.path.endswith(".py") else erlang_edits.edits
    return [Mutant(target, text, edit) for edit in edits(text)]


def equivalents() -> Iterator[tuple[str, str, str]]:
    """Yield the listed mutants: a path, the line before, the line after; `#` begins a reason."""
    listed = (Path(__file__).parent / "equivalent.txt").read_text().splitlines()
    path, old = "", ""
    for line in listed:
        match line[:1]:
            case "-":
                old = line[2:]
            case "+":
                yield path, old, line[2:]
            case "" | "#":
                pass
            case _:
                path = line


class Copies:
    """The copies of the repository; each runs the tests of one mutant at a time."""

    def __init__(self, count: int, seed: int, folder: Path) -> None:
        self._seed = seed
        self._free: SimpleQueue[Copy] = SimpleQueue()
        self._timeouts: dict[str, float] = {}
        for number in range(count):
            self._free.put(Copy(folder / str(number)))

    def measure(self, target: Target) -> None:
        """Run the tests of a target without a mutant; they must pass."""
        copy, since = self._free.get(), time.monotonic()
        if copy.run(target, self._seed, None) != "passed":
            output = (copy.folder / "output").read_text(errors="replace")
            sys.exit(f"{output}the tests of {target.path} fail without a mutant")
        self._timeouts[target.path] = PATIENCE + 10 * (time.monotonic() - since)
        self._free.put(copy)

    def try_mutant(self, mutant: Mutant) -> str:
        """Return `passed`, `failed`, `timed out`, or `invalid` if it cannot be compiled."""
        copy, target = self._free.get(), mutant.target
        try:
            copy.put(target.path, mutant.edit.apply(mutant.text))
            return copy.run(target, self._seed, self._timeouts[target.path])
        finally:
            copy.put(target.path, mutant.text)
            self._free.put(copy)


def report(outcomes: list[tuple[Mutant, str]], listed: set[tuple[str, str, str]]) -> bool:
    """Print the score of each module. Return whether the floor is reached and the list is right."""
    counted = [one for one in outcomes if one[1] != "invalid" and one[0].entry not in listed]
    for path in dict.fromkeys(mutant.target.path for mutant, _ in counted):
        print(f"{path:42} {_score([one for one in counted if one[0].target.path == path])}")
    kinds = Counter(outcome for _, outcome in outcomes)
    noticed = sum(kinds[kind] for kind in NOTICED)
    print(f"{'all':42} {_score(counted)}; {kinds['timed out']} of {noticed} by a timeout")
    wrong = [
        mutant for mutant, outcome in outcomes if mutant.entry in listed and outcome in NOTICED
    ]
    for mutant in wrong:
        print(f"listed as equivalent, but a test notices it:\n{mutant}")
    survivors = sum(outcome == "passed" for _, outcome in counted)
    return survivors * 100 <= (100 - FLOOR) * len(counted) and not wrong


def _score(counted: list[tuple[Mutant, str]]) -> str:
    noticed = sum(outcome in NOTICED for _, outcome in counted)
    return f"{noticed:4} of {len(counted):4} noticed, {100 * noticed / max(len(counted), 1):5.1f} %"


def main() -> int:
    """Try the mutants; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sample", type=int, help="try so many mutants; default all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample and of hypothesis")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once")
    parser.add_argument("module", nargs="?", default="", help="a part of the paths to change")
    options = parser.parse_args()
    targets = [one for one in TARGETS if options.module in one.path]
    tried = [mutant for target in targets for mutant in mutants(target)]
    listed = set(equivalents())
    stale = listed - {mutant.entry for target in TARGETS for mutant in mutants(target)}
    for entry in sorted(stale):
        print("listed as equivalent, but no mutant now: {}\n- {}\n+ {}".format(*entry))
    if options.sample is not None:
        tried = random.Random(options.seed).sample(tried, min(options.sample, len(tried)))
    outcomes = []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = Copies(options.jobs, options.seed, Path(folder))
        list(pool.map(copies.measure, dict.fromkeys(mutant.target for mutant in tried)))
        for mutant, outcome in zip(tried, pool.map(copies.try_mutant, tried)):
            outcomes.append((mutant, outcome))
            if outcome == "passed" and mutant.entry not in listed:
                print(f"not noticed: {mutant}", flush=True)
    return 0 if report(outcomes, listed) else 1


if __name__ == "__main__":
    sys.exit(main())
