"""A mix of operations, and what a call of each costs by benchmark results.

A cost is the seconds of a core that the whole machine spends on a call, Python, VM and caller
together, with as many callers as give the most calls a second.
"""

from math import isfinite
from typing import NamedTuple

from results import Figure, Key, Results, by


class Load(NamedTuple):
    """One operation of the mix."""

    key: Key  # of its calls a second by the port
    share: float  # of all calls
    cost: Figure  # seconds of a core for one call
    nif_cost: float | None


def read_mix(text: str, results: Results) -> list[Load]:
    """Return the operations of a mix, `OPERATION[ VARIANT]:WEIGHT`, separated by commas.

    Raises:
        ValueError: in one sentence, an operation was not measured, or a weight is no number.
    """
    known = measured_operations(results)
    weights: dict[Key, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().rpartition(":")
        if name not in known:
            names = ", ".join(known) or "none"
            raise ValueError(f"MIX has {part.strip()!r}; OPERATION:WEIGHT, with one of: {names}")
        weights[known[name]] = weights.get(known[name], 0) + read_weight(weight, name)
    total = sum(weights.values())
    return [Load(key, weight / total, *costs(key, results)) for key, weight in weights.items()]


def read_weight(text: str, name: str) -> float:
    """Return the weight of an operation of the mix."""
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not (isfinite(weight) and weight > 0):
        raise ValueError(f"the weight of {name} in MIX is a number above 0; it is {text!r}")
    return weight


# --- What was measured ---


def measured_cores(results: Results) -> int:
    """Return the cores of the measured machine.

    Raises:
        ValueError: in one sentence, the results do not have them.
    """
    cores = results.facts[0].get("machine", {}).get("cores")
    if not isinstance(cores, int) or cores < 1:
        raise ValueError("the result lacks the number of cores of its machine")
    return cores


def measured_operations(results: Results) -> dict[str, Key]:
    """Return the most productive cell of the port by what a mix may call its case.

    `dr_decrypt in the chain` is named in full; `dr_decrypt` is the first of its variants.
    """
    found: dict[str, Key] = {}
    cells = {
        key: cell
        for key, cell in results.section("many_callers").items()
        if key.engine == "port" and cell.figure.least > 0
    }
    for (case,), group in by(cells, "case").items():
        best = max(group, key=lambda key: group[key].figure.median)
        found.setdefault(case.partition(",")[0], best)
        found.setdefault(case.replace(",", ""), best)
    return found


def costs(key: Key, results: Results) -> tuple[Figure, float | None]:
    """Return the seconds of a core that a call takes by the port, and by the NIF if it ran."""
    cores = measured_cores(results)
    least, middle, most = results.cells[key].figure
    nif = [
        cell.figure.median
        for other, cell in results.cells.items()
        if other._replace(amount=key.amount) == key._replace(engine="nif")
    ]
    cost = Figure(cores / most, cores / middle, cores / least)
    return cost, cores / max(nif) if nif else None
