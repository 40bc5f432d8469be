#!/usr/bin/env python3
"""Load for a served socket: callers with known answers, who retry as the application does.

    load.py SOCKET [--connections 4] [--callers 16] [--stall 1.0]

Every line on standard input is answered by a line of JSON: what happened since the line before. It
ends with its input. Any program that keeps to this can take its place, an Erlang VM too.

    calls     calls that returned the right answer
    failed    calls that returned none within `CALL_TIMEOUT`, or lost three workers
    wrong     calls that returned another answer
    retries   calls that were made again, after the worker they were given to was lost
    lost      connections that were lost; ready is how many there are now
    slowest_ms, p99_ms, p50_ms   of calls, retries included

The rules are those of `signal_port_dispatch`: of a lost worker's calls the oldest pays one of three
attempts and the others a tenth; a worker that is silent for the stall timeout while it has calls is
lost. A call is a value: it may be made again by any worker.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import logging
import os
import sys
from argparse import ArgumentParser
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import msgpack

CALL_TIMEOUT = 15.0  # seconds
START_TIMEOUT = 15.0  # seconds
FIRST_BACKOFF, LAST_BACKOFF = 0.1, 2.0  # seconds
RETRY_BUDGET = 3.0  # attempts
BYSTANDER_COST = 0.1  # attempts
WINDOW = 64  # calls of a worker that are not answered yet

OK = msgpack.ExtType(1, b"ok")


class Lost(Exception):
    """The worker was lost; it carries what that costs the call."""

    def __init__(self, cost: float) -> None:
        super().__init__(cost)
        self.cost = cost


class Worker:
    """One connection that is ready, with the calls that it has not answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.calls: deque[asyncio.Future[Any]] = deque()
        self.moved_at = monotonic()

    async def receive(self) -> Any:
        """Return the next frame's term."""
        length = int.from_bytes(await self._reader.readexactly(4), "big")
        return msgpack.unpackb(await self._reader.readexactly(length))

    async def call(self, operation: str, arguments: list[Any]) -> Any:
        """Return the answer to a call. Raises Lost."""
        answer = asyncio.get_running_loop().create_future()
        if not self.calls:
            self.moved_at = monotonic()
        self.calls.append(answer)
        payload = msgpack.packb([0, operation, arguments])
        self._writer.write(len(payload).to_bytes(4, "big") + payload)
        return await answer

    async def read(self, stall: float) -> None:
        """Hand out answers until the worker is lost."""
        watchdog = asyncio.create_task(self._watch(stall))
        try:
            while True:
                answer = (await self.receive())[1]
                self.moved_at = monotonic()
                future = self.calls.popleft()
                if not future.done():  # else its caller gave up
                    future.set_result(answer)
        finally:
            watchdog.cancel()

    def lose(self) -> None:
        """Close it; every call that it has must be made again."""
        self._writer.transport.abort()
        for place, future in enumerate(self.calls):
            if not future.done():
                future.set_exception(Lost(BYSTANDER_COST if place else 1.0))

    async def _watch(self, stall: float) -> None:
        while True:
            await asyncio.sleep(stall / 4)
            if self.calls and monotonic() - self.moved_at > stall:
                self._writer.transport.abort()


class Pool:
    """Connections that are opened again when they are lost."""

    def __init__(self, path: str, stall: float) -> None:
        self._path = path
        self._stall = stall
        self._changed = asyncio.Condition()
        self.workers: set[Worker] = set()
        self.lost = 0
        self.retries = 0

    async def keep_one(self) -> None:
        """Keep one connection open, for ever."""
        backoff = FIRST_BACKOFF
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.TimeoutError):
                await self._live()
                backoff = FIRST_BACKOFF
                continue
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF, backoff * 2)

    async def call(self, operation: str, arguments: list[Any]) -> Any:
        """Return the answer to a call; after the loss of its worker another is asked."""
        budget = RETRY_BUDGET
        while budget > 0:
            worker = await self._choose()
            try:
                return await worker.call(operation, arguments)
            except Lost as loss:
                budget -= loss.cost
                self.retries += 1
        raise TimeoutError

    async def _choose(self) -> Worker:
        async with self._changed:
            while not self.workers:
                await self._changed.wait()
            return min(self.workers, key=lambda worker: len(worker.calls))

    async def _live(self) -> None:
        """Open a connection and serve calls on it until it is lost; raise if it never got ready."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        worker = Worker(reader, writer)
        try:
            notice = await asyncio.wait_for(worker.receive(), START_TIMEOUT)
            if notice[:2] != ["ready", 1]:
                raise ConnectionRefusedError(str(notice))
            await self._add(worker)
            with contextlib.suppress(OSError, EOFError):
                await worker.read(self._stall)
        finally:
            if worker in self.workers:
                self.lost += 1
                self.workers.discard(worker)
            worker.lose()

    async def _add(self, worker: Worker) -> None:
        async with self._changed:
            self.workers.add(worker)
            self._changed.notify_all()


class Tally:
    """What happened since it was last asked."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.latencies: list[float] = []
        self.failed = self.wrong = 0
        self._pool.lost = self._pool.retries = 0

    def report(self) -> dict[str, Any]:
        """Return the figures, and begin anew."""
        ordered = sorted(self.latencies) or [0.0]
        figures = {
            "calls": len(self.latencies),
            "failed": self.failed,
            "wrong": self.wrong,
            "retries": self._pool.retries,
            "lost": self._pool.lost,
            "ready": len(self._pool.workers),
            "slowest_ms": round(ordered[-1] * 1000, 1),
            "p99_ms": round(ordered[len(ordered) * 99 // 100] * 1000, 2),
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        }
        self.reset()
        return figures


def hashed(number: int) -> tuple[str, list[Any], Any]:
    """Return a call and its answer."""
    data = os.urandom(64)
    return "sha256", [data], hashlib.sha256(data).digest()


def hashed_long(number: int) -> tuple[str, list[Any], Any]:
    """Return a call with a longer message, and its answer."""
    data = os.urandom(1 + number % 20_000)
    return "sha512", [data], hashlib.sha512(data).digest()


def authenticated(number: int) -> tuple[str, list[Any], Any]:
    """Return a call with a key, and its answer."""
    key, data = os.urandom(32), number.to_bytes(8, "big")
    return "hmac_sha256", [key, data], hmac.digest(key, data, "sha256")


CASES: tuple[Callable[[int], tuple[str, list[Any], Any]], ...] = (
    hashed,
    hashed_long,
    authenticated,
)


async def call_for_ever(pool: Pool, tally: Tally) -> None:
    """Be one caller."""
    for number, case in zip(itertools.count(), itertools.cycle(CASES)):
        operation, arguments, expected = case(number)
        begun = monotonic()
        try:
            answer = await asyncio.wait_for(pool.call(operation, arguments), CALL_TIMEOUT)
        except (TimeoutError, asyncio.TimeoutError):
            tally.failed += 1
            continue
        if answer == [OK, expected]:
            tally.latencies.append(monotonic() - begun)
        else:
            tally.wrong += 1


async def answer_lines(tally: Tally) -> None:
    """Answer each line of standard input with the figures, until its end."""
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(tally.report()), flush=True)


async def main(arguments: list[str]) -> None:
    """Run the load until the input ends."""
    parser = ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--stall", type=float, default=1.0)
    options = parser.parse_args(arguments)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # writing to a lost worker is usual here
    pool = Pool(options.socket, options.stall)
    tally = Tally(pool)
    jobs: list[Awaitable[None]] = [pool.keep_one() for _ in range(options.connections)]
    jobs += [call_for_ever(pool, tally) for _ in range(options.callers)]
    tasks = [asyncio.ensure_future(job) for job in jobs]
    await answer_lines(tally)
    del tasks
    os._exit(0)  # callers that wait are not waited for


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
