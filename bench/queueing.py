"""How long calls wait for a worker, simulated: the pool's own rule, and no knowledge of benchmarks.

Calls arrive at random and independently of each other (a Poisson process). Each goes to the worker
with the fewest calls in flight, the first of equals, as `signal_port_dispatch` chooses; there calls
are served in order. What a call takes depends on its operation alone. The same seed gives the same
answer. Times are in seconds.
"""

from collections import deque
from collections.abc import Sequence
from itertools import repeat
from random import Random
from typing import NamedTuple

SEED = 2026
WARM_UP = 0.1  # of the calls, left out: the pool begins empty


class Waiting(NamedTuple):
    """How long a call waits before a worker begins with it."""

    p50: float
    p99: float


def waiting(
    rate: float, times: Sequence[float], weights: Sequence[float], workers: int, calls: int
) -> Waiting:
    """Return how long calls wait if they arrive at a rate, in calls a second.

    Args:
        rate: less than what the workers serve; above that a queue grows without end.
        times: what each operation takes a worker.
        weights: how often each operation is called, relative to the others.
        workers: how many there are.
        calls: how many are simulated.
    """
    random = Random(SEED)
    served = random.choices(times, weights, k=calls)
    waits = sorted(waits_of(arrivals(rate, calls, random), served, workers)[int(calls * WARM_UP) :])
    return Waiting(percentile(50, waits), percentile(99, waits))


def arrivals(rate: float, calls: int, random: Random) -> list[float]:
    """Return when each of so many calls arrives."""
    clock = 0.0
    return [clock := clock + random.expovariate(one) for one in repeat(rate, calls)]


def waits_of(arrivals: Sequence[float], times: Sequence[float], workers: int) -> list[float]:
    """Return how long each call waits that arrives then and takes so long."""
    ends: list[deque[float]] = [deque() for _ in range(workers)]  # of the calls in flight
    waits = []
    for now, time in zip(arrivals, times):
        for queue in ends:
            while queue and queue[0] <= now:
                queue.popleft()
        chosen = min(ends, key=len)
        begin = chosen[-1] if chosen else now
        chosen.append(begin + time)
        waits.append(begin - now)
    return waits


def percentile(percent: float, ordered: Sequence[float]) -> float:
    """Return a percentile of values in order."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
