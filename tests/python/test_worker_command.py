"""`signal-port worker` as it starts: its arguments, its terminal, and what its start imports."""

import os
import subprocess
import sys

import pytest
from child import TIMEOUT, WORKER, Ended, code, python, request, terms

from signal_port.exit_status import PROTOCOL, USAGE

LINE = "signal-port: usage: signal-port worker [MAX_FRAME [BUSY_WAIT]]\n"


class TestArguments:
    """Two numbers, each of which can be left away."""

    @pytest.mark.parametrize("arguments", [[], ["1000"], ["1000", "0"], ["1000", "50"]])
    def test_limit_and_busy_wait_are_accepted(self, arguments: list[str]) -> None:
        ended = python("-m", "signal_port", "worker", *arguments)
        assert (ended.status, ended.stderr) == (0, "")
        assert terms(ended.stdout)[0][0] == "ready"

    @pytest.mark.parametrize(
        "arguments",
        [
            *["many", "-1", "+1", "1.5", "1_0", "0x10", "12345678901"],
            *["1000 many", "1000 -1", "1000 1.5", "many 1000", "1000 0 0"],
        ],
    )
    def test_anything_else_is_answered_with_the_usage(self, arguments: str) -> None:
        ended = python("-m", "signal_port", "worker", *arguments.split())
        assert ended == (USAGE, b"", LINE)

    @pytest.mark.parametrize(
        "arguments", [["\u00b2"], ["\u0663"], ["1000", "\u00b2"], [""], ["1000", ""], [" 1000"]]
    )
    def test_other_digits_are_answered_with_the_usage(self, arguments: list[str]) -> None:
        assert python("-m", "signal_port", "worker", *arguments) == (USAGE, b"", LINE)


class TestEnvironment:
    """Limits in the environment, for a worker that is started without arguments."""

    @staticmethod
    def started(*arguments: str, max_frame: str, stdin: bytes = b"") -> Ended:
        variable = "import os; os.environ['SIGNAL_PORT_MAX_FRAME'] = " + repr(max_frame)
        run = (
            "from signal_port.command_line import main",
            f"sys.exit(main({['worker', *arguments]}))",
        )
        return python(*code(variable, *run), stdin=stdin)

    def test_limit_is_taken_from_the_variable(self) -> None:
        call = request(1, "sha256", bytes(200))
        assert self.started(max_frame="100", stdin=call).status == PROTOCOL
        assert self.started(max_frame="1000", stdin=call).status == 0

    def test_argument_goes_before_the_variable(self) -> None:
        call = request(1, "sha256", bytes(200))
        assert self.started("1000", max_frame="100", stdin=call).status == 0

    @pytest.mark.parametrize("value", ["", "many", "-1", "12345678901"])
    def test_variable_that_is_no_number_is_refused_with_a_sentence(self, value: str) -> None:
        ended = self.started(max_frame=value)
        assert (ended.status, ended.stdout) == (USAGE, b"")
        assert ended.stderr.startswith("signal-port: SIGNAL_PORT_MAX_FRAME (bytes) or ")


class TestStreams:
    """A worker needs the pipes of a port."""

    def test_terminal_is_refused_with_a_sentence(self) -> None:
        ours, theirs = os.openpty()
        command = [sys.executable, *WORKER]
        ended = subprocess.run(
            command, stdin=theirs, capture_output=True, timeout=TIMEOUT, check=False
        )
        os.close(ours)
        os.close(theirs)
        assert (ended.returncode, ended.stdout) == (USAGE, b"")
        assert ended.stderr.startswith(b"signal-port: an Erlang VM starts the worker")

    def test_closed_standard_input_is_refused_with_a_sentence(self) -> None:
        run = "from signal_port.command_line import main", "sys.exit(main(['worker']))"
        ended = python(*code("import os", "os.close(0)", *run))
        assert ended == (USAGE, b"", "signal-port: standard input or output is closed\n")


# What a worker needs to answer requests, and the modules of Python that its start takes beside it.
SERVES = [
    "import signal_port.worker, resource, fcntl, signal, struct, importlib, ctypes",
    "type('S', (ctypes.Structure,), {'_fields_': []})",  # since 3.14 it imports more of ctypes
]
STARTS = {
    *{"command_line", "exit_status", "process", "requirements", "sandbox", "seccomp", "version"},
    "worker_command",
}

START = "from signal_port import command_line", "command_line.main(['worker'])"


def imported(*lines: str) -> set[str]:
    """Return the modules that a Python has imported after these lines."""
    ended = python(*code(*lines, "import os; os.write(2, ' '.join(sys.modules).encode())"))
    assert ended.status == 0
    return set(ended.stderr.split())


class TestImports:
    """Every start of a worker pays for what it imports."""

    def test_start_imports_nothing_that_serving_does_not_need(self) -> None:
        needed = imported(*SERVES)
        assert imported(*START) - needed == {f"signal_port.{name}" for name in STARTS}

    def test_other_commands_are_not_imported(self) -> None:
        others = {"signal_port.doctor", "signal_port.selftest", "argparse", "subprocess"}
        assert not imported(*START) & others
