"""The lines of the server's log, in both forms, and the words for a worker's end."""

import json
import sys
from datetime import datetime

import pytest

from signal_port.serve_connection import describe_end
from signal_port.serve_log import FORMATS, Fact, Log, as_json, as_text

PEER: dict[str, Fact] = {"connection": 7, "uid": 1000, "pid": 42}
EVENTS: dict[str, tuple[dict[str, Fact], str]] = {
    "listening": (
        {"socket": "/run/w.sock", "mode": "0600", "uids": [0, 9], "max_workers": 64},
        "listening on /run/w.sock (mode 0600) for the users [0, 9], up to 64 workers",
    ),
    "warning": ({"reason": "it is so"}, "warning: it is so"),
    "begin": (
        {**PEER, "worker": 43, "open": 2},
        "connection 7 of user 1000 (pid 42) begins: worker 43, 2 open",
    ),
    "end": (
        {**PEER, "worker": 43, "seconds": 1.5, "reason": "ended"},
        "connection 7 of user 1000 (pid 42) ends after 1.5 s: worker 43 ended",
    ),
    "refused": (
        {**PEER, "reason": "it is so"},
        "connection 7 of user 1000 (pid 42) is refused: it is so",
    ),
    "draining": (
        {"open": 2, "seconds": 5.0},
        "stopping: 2 connections have 5.0 s to finish their calls",
    ),
    "stopped": (
        {"killed": 1},
        "stopped: 1 workers did not finish in time and were killed",
    ),
}


@pytest.mark.parametrize("event", EVENTS)
class TestALine:
    """An event is one line in either form."""

    def test_text_is_a_sentence(self, event: str) -> None:
        facts, sentence = EVENTS[event]
        assert as_text(event, facts) == f"signal-port serve: {sentence}"

    def test_json_is_an_object_with_a_time(self, event: str) -> None:
        facts, _ = EVENTS[event]
        line = as_json(event, facts)
        found = json.loads(line)
        assert datetime.fromisoformat(found.pop("time")).tzinfo
        assert found == {"event": event, **facts}
        assert "\n" not in line


class TestALog:
    """A line goes to standard error, and a log that is closed stops nothing."""

    @pytest.mark.parametrize("name", FORMATS)
    def test_event_is_written(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        Log(FORMATS[name]).write("warning", reason="it is so")
        assert "it is so" in capsys.readouterr().err

    def test_closed_standard_error_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Closed:
            def write(self, _: str) -> None:
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stderr", Closed())
        Log(as_text).write("warning", reason="it is so")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended"),
        (70, "ended by an error of its own, which it wrote above"),
        (76, "ended: the peer sent invalid protocol data"),
        (78, "ended: it lacks a requirement, which its notice named"),
        (1, "ended with exit status 1"),
        (-9, "was killed by SIGKILL"),
        (71, "ended: a call took more memory than it may use"),
        (-31, "was killed by SIGSYS: it tried what the sandbox forbids"),
        (-15, "was killed by SIGTERM"),
        (-40, "was killed by signal 40"),
    ],
)
def test_end_of_a_worker_has_words(status: int, words: str) -> None:
    assert describe_end(status) == words
