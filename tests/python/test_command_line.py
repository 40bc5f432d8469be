"""The command line: its table, its help, and what it says of a command line that is wrong."""

import os
import re
import sys

import pytest
from child import PACKAGE, ROOT, Ended, code, python

from signal_port import __version__, exit_status, version
from signal_port.command_line import COMMANDS
from signal_port.exit_status import UNFIT, USAGE


def signal_port(*arguments: str) -> Ended:
    """Run a command line to its end."""
    return python("-m", "signal_port", *arguments)


THIS_PYTHON = f"Python {sys.version_info[0]}.{sys.version_info[1]} ({sys.executable})"


class TestCommands:
    """The table."""

    @pytest.mark.parametrize("name", COMMANDS)
    def test_module_of_every_command_exists(self, name: str) -> None:
        assert (PACKAGE / f"{COMMANDS[name].module}.py").is_file()

    @pytest.mark.parametrize("name", COMMANDS)
    def test_summary_of_every_command_fits_its_line(self, name: str) -> None:
        assert 10 < len(COMMANDS[name].summary) <= 60
        assert len(name) <= 16

    def test_run_by_folder_gives_the_same(self) -> None:
        assert python("-I", "-B", str(PACKAGE), "version") == signal_port("version")


class TestHelp:
    """What a person reads who does not know the command line."""

    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_help_lists_every_command(self, option: str) -> None:
        ended = signal_port(option)
        assert (ended.status, ended.stderr) == (0, "")
        lines = ended.stdout.decode().splitlines()
        assert lines[0] == "usage: signal-port COMMAND [ARGUMENTS]"
        for name, command in COMMANDS.items():
            assert f"  {name:<17}{command.summary}" in lines

    @pytest.mark.parametrize("option", ["--help", "-h"])
    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_a_command_describes_it(self, name: str, option: str) -> None:
        ended = signal_port(name, option)
        assert (ended.status, ended.stderr) == (0, "")
        assert ended.stdout.startswith(f"usage: signal-port {name} [".encode())
        assert b"\n\n" in ended.stdout

    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["worker", "--help"]])
    def test_help_without_packages_is_printed(self, arguments: list[str]) -> None:
        ended = python("-S", "-m", "signal_port", *arguments)
        assert (ended.status, ended.stderr) == (0, "")

    @pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=str)
    def test_version_option_prints_the_package_version(self, command: list[str]) -> None:
        ended = python("-S", "-m", "signal_port", *command, "--version")
        assert ended == (0, f"signal-port {__version__}\n".encode(), "")


class TestMistakes:
    """A wrong command line is explained on standard error, with status 2."""

    @pytest.mark.parametrize("arguments", [["help"], ["1", "worker"], ["-v"], ["Worker"]])
    def test_unknown_command_is_named_in_one_line(self, arguments: list[str]) -> None:
        sentence = f"there is no command '{arguments[0]}': 'signal-port --help' lists them"
        assert signal_port(*arguments) == (USAGE, b"", f"signal-port: {sentence}\n")

    @pytest.mark.parametrize("arguments", [[], [""]])
    def test_missing_command_gets_one_line(self, arguments: list[str]) -> None:
        sentence = "no command is given: 'signal-port --help' lists them"
        assert signal_port(*arguments) == (USAGE, b"", f"signal-port: {sentence}\n")

    @pytest.mark.parametrize(
        "line",
        [
            *["doctor now", "selftest 1", "version now", "requirements all"],
            *["inspect-session", "inspect-session a b", "inspect-session --all a"],
        ],
    )
    def test_wrong_arguments_are_answered_with_the_usage(self, line: str) -> None:
        ended = signal_port(*line.split())
        assert (ended.status, ended.stdout) == (USAGE, b"")
        assert ended.stderr.startswith(f"usage: signal-port {line.split()[0]} [")


class TestNeeds:
    """A command whose needs are not met ends with one sentence, before it is imported."""

    @pytest.mark.parametrize("arguments", [["version"], ["selftest"], ["inspect-session", "-"]])
    def test_missing_package_gets_one_sentence(self, arguments: list[str]) -> None:
        ended = python("-S", "-m", "signal_port", *arguments)
        assert (ended.status, ended.stdout) == (UNFIT, b"")
        assert ended.stderr.startswith(f"signal-port: {THIS_PYTHON} cannot import cryptography (")
        assert ended.stderr.count("\n") == 1

    @pytest.mark.parametrize("name", [name for name in COMMANDS if name != "worker"])
    def test_old_python_gets_one_sentence(self, name: str) -> None:
        run = "from signal_port.command_line import main", f"sys.exit(main([{name!r}]))"
        ended = python(*code("sys.version_info = (3, 9, 2)", *run))
        assert (ended.status, ended.stdout) == (UNFIT, b"")
        assert ended.stderr.startswith("signal-port: Python 3.10 or later is needed, and ")
        assert ended.stderr.count("\n") == 1


class TestExitStatus:
    """The statuses have the numbers of the protocol and of sysexits.h."""

    def test_worker_statuses_are_those_of_the_protocol(self) -> None:
        rows = re.findall(r"^\| (\d+) \|", (ROOT / "PROTOCOL.md").read_text(), re.MULTILINE)
        crashed = [exit_status.CRASHED, exit_status.MEMORY]
        ours = [exit_status.OK, USAGE, *crashed, exit_status.PROTOCOL, UNFIT]
        assert [int(row) for row in rows] == ours

    def test_statuses_are_those_of_the_system(self) -> None:
        assert (exit_status.DATA, exit_status.NO_INPUT) == (os.EX_DATAERR, os.EX_NOINPUT)
        assert (exit_status.CRASHED, UNFIT) == (os.EX_SOFTWARE, os.EX_CONFIG)
        assert exit_status.PROTOCOL == os.EX_PROTOCOL


class TestVersion:
    """`signal-port version`."""

    def test_version_names_all_that_takes_part(self) -> None:
        ended = signal_port("version")
        assert (ended.status, ended.stderr) == (0, "")
        line = ended.stdout.decode()
        assert line.startswith(f"signal_port {__version__}, python {sys.version_info[0]}.")
        assert line.count("\n") == 1
        for name in ("cryptography", "OpenSSL"):
            assert name in line

    def test_version_is_that_of_the_ready_notice(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert version.main([]) == 0
        printed = capsys.readouterr().out
        assert printed == ", ".join(f"{n} {v}" for n, v in version.versions().items()) + "\n"
