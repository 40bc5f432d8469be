"""What the port is asked to reach, and whether a result reaches it.

A goal names a figure of every round and a limit. Most compare two engines of the same run, round by
round, so they mean the same on machines of any speed. The median of the rounds decides; how many
rounds reach the goal shows whether that could be chance. Lateness compares p99 with p99.

The echo is a unit only for calls that are nearly all trip: their cost is the bridge's own.
Calls that do work are measured against the NIF, which does the same work.
"""

from collections.abc import Callable
from typing import NamedTuple

from labels import label
from results import Figure, Key, Results, figure_of

BUNDLE = "process_pre_key_bundle, known identity"
LOAD = "process_pre_key_bundle"  # of the lateness section
LARGE = ("aes_gcm_encrypt", 16 * 2**20)
ERLPORT_OPERATIONS = ("sha256", "sha512", "hmac_sha256", "aes_gcm_encrypt", "sign_data")


class Goal(NamedTuple):
    """A limit for the median of a figure."""

    name: str
    limit: float
    unit: str
    at_most: bool
    rounds: Callable[[Results], list[float]]

    @property
    def wanted(self) -> str:
        """Return the limit in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:,g} {self.unit}"

    def reached_by(self, value: float) -> bool:
        """Tell whether a value is within the limit."""
        return value <= self.limit if self.at_most else value >= self.limit


class Verdict(NamedTuple):
    """A goal, and what was measured: None if the result has no figure for it."""

    goal: Goal
    measured: Figure | None = None
    rounds: int = 0
    rounds_reached: int = 0

    @property
    def met(self) -> bool | None:
        """Tell whether the median meets the goal; None if nothing was measured."""
        return self.goal.reached_by(self.measured.median) if self.measured else None


def verdicts(results: Results) -> list[Verdict]:
    """Return whether the results reach each goal."""
    return [verdict(goal, goal.rounds(results)) for goal in GOALS]


def verdict(goal: Goal, rounds: list[float]) -> Verdict:
    """Return whether the rounds of a goal's figure reach it."""
    if not rounds:
        return Verdict(goal)
    return Verdict(goal, figure_of(rounds), len(rounds), sum(map(goal.reached_by, rounds)))


def summary(found: list[Verdict]) -> str:
    """Return in one sentence how many goals are met."""
    met, missed, unknown = ([one.met for one in found].count(it) for it in (True, False, None))
    if met == len(found):
        return f"All {met} goals are met."
    return f"Of {len(found)} goals {met} are met, {missed} are missed, {unknown} were not measured."


# --- Figures of a round ---


def _ratio(above: Key, below: Key) -> Callable[[Results], list[float]]:
    return lambda results: results.ratios(above, below)


def _rounds(key: Key) -> Callable[[Results], list[float]]:
    return lambda results: results.cells[key].figures if key in results.cells else []


def _large_mb_per_second(results: Results) -> list[float]:
    times = _rounds(Key("one_caller", *LARGE, "port"))(results)
    return [LARGE[1] / time for time in times]  # bytes a microsecond are MB/s


def _workers_mib(results: Results) -> list[float]:
    """The memory of the largest worker, of each file."""
    at_rest = [memory.get("before", {}).get("workers_mib", []) for memory in results.memory]
    return [max(workers) for workers in at_rest if workers]


# --- The goals ---


def _time(case: str, size: int | None, other: str, limit: float, unit: str) -> Goal:
    """The port's time for one caller is at most that in units of another engine's."""
    key = Key("one_caller", case, size, "port")
    ratio = _ratio(key, key._replace(engine=other))
    return Goal(f"{label(case, size)}, one caller", limit, unit, True, ratio)


def _rate(case: str, size: int | None, callers: int, other: str, limit: float, unit: str) -> Goal:
    """The port's calls a second are at least that in units of another engine's."""
    key = Key("many_callers", case, size, "port", callers)
    ratio = _ratio(key, key._replace(engine=other))
    name = label(case, size).replace(LOAD, "X3DH")
    return Goal(f"{name}, {callers} callers", limit, unit, False, ratio)


def _channel_time(case: str, channel: str, limit: float) -> Goal:
    """One caller's time over a channel is at most that in units of the port's own."""
    key = Key("one_caller", case, 64, channel)
    ratio = _ratio(key, key._replace(engine="port"))
    name = f"{label(case, 64)}, one caller, {channel}"
    return Goal(name, limit, "times the child's time", True, ratio)


def _channel_rate(case: str, channel: str, limit: float) -> Goal:
    """The calls a second over a channel are at least that in units of the port's own."""
    key = Key("many_callers", case, 64, channel, 128)
    ratio = _ratio(key, key._replace(engine="port"))
    name = f"{label(case, 64)}, 128 callers, {channel}"
    return Goal(name, limit, "of the child's calls a second", False, ratio)


_TIMER = "p99 of a timer, 8 callers of X3DH"
_LATE = Key("lateness", LOAD, None, "port", 8)
_LATENESS = _ratio(_LATE._replace(engine="nif"), _LATE)
_MANY = Key("many_callers", "sha256", 64, "port", 128)
GOALS = (
    _time("sha256", 64, "echo", 1.6, "echoes"),
    _time("aes_gcm_encrypt", 64, "echo", 1.8, "echoes"),
    _time("dr_encrypt", 64, "nif", 5, "times the NIF's time"),
    _rate("dr_encrypt", 64, 32, "nif", 0.3, "of the NIF's calls a second"),
    _rate(BUNDLE, None, 32, "nif", 0.55, "of the NIF's calls a second"),
    Goal(_TIMER, 200, "times less late than the NIF", False, _LATENESS),
    Goal(_TIMER, 10, "ms late", True, _rounds(_LATE)),
    *(_time(one, 64, "erlport", 1, "times erlport's time") for one in ERLPORT_OPERATIONS),
    _rate("sha256", 64, 128, "erlport", 3, "times erlport's calls a second"),
    Goal("sha256, 64 B, 128 callers", 90_000, "calls a second", False, _rounds(_MANY)),
    _channel_time("sha256", "socket", 1.3),
    _channel_rate("sha256", "socket", 0.8),
    _channel_time("sha256", "node", 4),
    _channel_time("dr_encrypt", "node", 1.6),
    _channel_rate("sha256", "node", 0.3),
    _channel_rate("dr_encrypt", "node", 0.6),
    Goal(f"{label(*LARGE)}, one caller", 250, "MB/s", False, _large_mb_per_second),
    Goal("first answer", 250, "ms", True, lambda results: results.start),
    Goal("memory of the largest worker", 32, "MiB", True, _workers_mib),
)
