"""The log of `serve`: one line for each event, on standard error, as text or as JSON.

An event has a name and facts. Facts are numbers, paths and sentences of ours: nothing that came
through a connection is ever logged. What a worker itself writes to standard error stands between
these lines as it is.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone

Fact = int | float | str | list[int]

_TEXTS = {
    "listening": "listening on {socket} (mode {mode}) for the users {uids}, "
    "up to {max_workers} workers",
    "warning": "warning: {reason}",
    "begin": "connection {connection} of user {uid} (pid {pid}) begins: "
    "worker {worker}, {open} open",
    "end": "connection {connection} of user {uid} (pid {pid}) ends after {seconds} s: "
    "worker {worker} {reason}",
    "refused": "connection {connection} of user {uid} (pid {pid}) is refused: {reason}",
    "draining": "stopping: {open} connections have {seconds} s to finish their calls",
    "stopped": "stopped: {killed} workers did not finish in time and were killed",
}


def as_text(event: str, facts: dict[str, Fact]) -> str:
    """Return an event as a sentence. It has no time: whatever collects standard error adds that."""
    return "signal-port serve: " + _TEXTS[event].format_map(facts)


def as_json(event: str, facts: dict[str, Fact]) -> str:
    """Return an event as a JSON object with its UTC time, on one line."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "event": event, **facts})


FORMATS = {"text": as_text, "json": as_json}


class Log:
    """Writes events in one of the formats.

    Args:
        form: formats an event; one of `FORMATS`.
    """

    def __init__(self, form: Callable[[str, dict[str, Fact]], str]) -> None:
        self._form = form

    def write(self, event: str, **facts: Fact) -> None:
        """Write one event; a log that nobody reads any more stops nothing."""
        try:
            sys.stderr.write(self._form(event, facts) + "\n")
            sys.stderr.flush()
        except OSError:
            pass
