"""What the port is asked to reach, and what a result says to it.

A goal for one caller is in echoes: the median of the C program that answers the same bytes, in the same cell of the
same run, is 1. So it holds on machines of any speed. The other goals are plain figures of a reference machine.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

Result = dict[str, Any]
Cell = dict[str, Any]


class Echoes(NamedTuple):
    """A time in units of the echo."""

    goal: float
    nif: float | None  # what the NIF took on the reference machine


IN_ECHOES: dict[tuple[str, int | None], Echoes] = {  # by case and size
    ("sha256", 64): Echoes(1.6, 0.24),
    ("aes_gcm_encrypt", 64): Echoes(1.8, 0.29),
    ("aes_gcm_encrypt", 65536): Echoes(6, 3.9),
    ("generate_curve25519_keypair", None): Echoes(4.8, 3.3),
    ("sign_data", 64): Echoes(6.6, 2.7),
    ("verify_signature", 64): Echoes(9.3, 7.2),
    ("process_pre_key_bundle, known identity", None): Echoes(29, 19.6),
    ("process_pre_key_bundle, new identity", None): Echoes(38, None),
    ("process_pre_key_bundle_bob, known identity", None): Echoes(22, 13.2),
    ("process_pre_key_bundle_bob, new identity", None): Echoes(30, None),
    ("dr_init, known identities", None): Echoes(9.5, 11.8),
    ("dr_encrypt", 64): Echoes(5.5, 2.1),
    ("dr_decrypt, in the chain", 64): Echoes(5.5, 2.1),
    ("dr_decrypt, ratchet step", None): Echoes(22, 10.7),
}
PER_SECOND = {
    ("sha256", 64, 128): 90_000,
    ("dr_encrypt", 64, 32): 20_000,
}  # by case, size and callers
LARGE = ("aes_gcm_encrypt", 16 * 2**20)
LARGE_MB_PER_SECOND = 250
TIMER_P99_MS = 10  # beside BUNDLE
FIRST_ANSWER_MS = 250
WORKER_MIB = 32
BUNDLE = "process_pre_key_bundle"
BUNDLE_CALLERS = 32
BUNDLE_OF_NIF = 0.7  # calls a second, of the NIF's
SMALL = ("sha256", 64)
FASTER_THAN_ERLPORT = 2.5  # one caller's median of SMALL
ERLPORT_CALLERS = 128
MORE_THAN_ERLPORT = 7  # calls a second of SMALL


class Verdict(NamedTuple):
    """A goal, and whether it is met: None where the run has no figure for it."""

    goal: str
    measured: float | None
    wanted: str
    met: bool | None


def verdicts(result: Result) -> list[Verdict]:
    """Return what the result says to each goal; goals against an engine that did not run are left out."""
    return [
        *_of_one_caller(result),
        *_of_many_callers(result),
        *_of_the_rest(result),
        *_against_erlport(result),
    ]


def label(case: str, size: int | None) -> str:
    """Return a case and its size for people."""
    return case if size is None else f"{case}, {bytes_for_people(size)}"


def bytes_for_people(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves it whole."""
    for unit, factor in (("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def find(
    cells: list[Cell], case: str, size: int | None, engine: str, callers: int | None = None
) -> Cell:
    """Return the cell of these, or an empty one; only cells of many callers have `callers`."""
    for cell in cells:
        if (cell["case"], cell["size"], cell["engine"], cell.get("callers")) == (
            case,
            size,
            engine,
            callers,
        ):
            return cell
    return {}


def ratio(above: float | None, below: float | None) -> float | None:
    """Return the quotient of two figures, None where one of them is missing."""
    return above / below if above is not None and below else None


def in_echoes(cells: list[Cell], case: str, size: int | None, engine: str) -> float | None:
    """Return an engine's median in units of the echo's in the same cell."""
    time, echo = (find(cells, case, size, name).get("p50") for name in (engine, "echo"))
    return ratio(time, echo)


def _of_one_caller(result: Result) -> Iterator[Verdict]:
    cells = result.get("one_caller", [])
    for (case, size), echoes in IN_ECHOES.items():
        yield _at_most(
            f"{label(case, size)}, one caller",
            in_echoes(cells, case, size, "port"),
            echoes.goal,
            "echoes",
        )
    speed = ratio(LARGE[1], find(cells, *LARGE, "port").get("p50"))  # bytes a microsecond are MB/s
    yield _at_least(f"{label(*LARGE)}, one caller", speed, LARGE_MB_PER_SECOND, "MB/s")


def _of_many_callers(result: Result) -> Iterator[Verdict]:
    cells = result.get("many_callers", [])
    for (case, size, callers), wanted in PER_SECOND.items():
        rate = find(cells, case, size, "port", callers).get("per_second")
        yield _at_least(f"{label(case, size)}, {callers} callers", rate, wanted, "calls a second")
    for nif in cells:
        if (nif["operation"], nif["callers"], nif["engine"]) == (BUNDLE, BUNDLE_CALLERS, "nif"):
            port = find(cells, nif["case"], nif["size"], "port", BUNDLE_CALLERS)
            part = ratio(port.get("per_second"), nif["per_second"])
            goal = f"{label(nif['case'], nif['size'])}, {BUNDLE_CALLERS} callers"
            yield _at_least(goal, part, BUNDLE_OF_NIF, "of the NIF's calls a second")


def _of_the_rest(result: Result) -> Iterator[Verdict]:
    cells = result.get("lateness", [])
    late = [cell["p99_ms"] for cell in cells if (cell["load"], cell["engine"]) == (BUNDLE, "port")]
    yield _at_most(f"p99 of a timer beside {BUNDLE}", max(late, default=None), TIMER_P99_MS, "ms")
    yield _at_most(
        "first answer", result.get("start", {}).get("first_answer_ms"), FIRST_ANSWER_MS, "ms"
    )
    workers = result.get("memory", {}).get("workers_mib", [])
    yield _at_most("memory of the largest worker", max(workers, default=None), WORKER_MIB, "MiB")


def _against_erlport(result: Result) -> Iterator[Verdict]:
    cells = result.get("one_caller", [])
    if erlport := find(cells, *SMALL, "erlport"):
        times = ratio(erlport["p50"], find(cells, *SMALL, "port").get("p50"))
        yield _at_least(
            f"{label(*SMALL)}, one caller", times, FASTER_THAN_ERLPORT, "times faster than erlport"
        )
    cells = result.get("many_callers", [])
    if erlport := find(cells, *SMALL, "erlport", ERLPORT_CALLERS):
        times = ratio(
            find(cells, *SMALL, "port", ERLPORT_CALLERS).get("per_second"), erlport["per_second"]
        )
        goal = f"{label(*SMALL)}, {ERLPORT_CALLERS} callers"
        yield _at_least(goal, times, MORE_THAN_ERLPORT, "times erlport's calls a second")


def _at_most(goal: str, measured: float | None, limit: float, unit: str) -> Verdict:
    return Verdict(
        goal, measured, f"at most {limit:,} {unit}", None if measured is None else measured <= limit
    )


def _at_least(goal: str, measured: float | None, limit: float, unit: str) -> Verdict:
    return Verdict(
        goal,
        measured,
        f"at least {limit:,} {unit}",
        None if measured is None else measured >= limit,
    )
