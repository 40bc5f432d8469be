"""The command line: one table of commands, and what finds a command in it and runs it.

To add a command, add a row, and write `main(arguments: list[str]) -> int` in the module that the
row names: it takes what stands behind the command's name and returns the exit status. The module is
imported when its command is run, after the check that the row names: `missing_requirement` (the
Python and all packages), `missing_elf_reader` (the Python and what reads libraries),
`outdated_python` (the Python alone), or None.

An old Python must be able to read this file: it has no annotations.
"""

import sys
from collections import namedtuple
from importlib import import_module

from signal_port import __version__
from signal_port.exit_status import OK, UNFIT, USAGE, fail
from signal_port.requirements import missing_elf_reader, missing_requirement, outdated_python

Command = namedtuple("Command", "module needs summary")

COMMANDS = {
    "worker": Command("worker_command", None, "serve an Erlang VM on standard input and output"),
    "serve": Command("serve", missing_requirement, "serve workers on a Unix socket"),
    "doctor": Command(
        "doctor", outdated_python, "examine this Python: what it has and what it lacks"
    ),
    "selftest": Command(
        "selftest", missing_requirement, "compute known answers, hold conversations, run a worker"
    ),
    "inspect-session": Command(
        "inspect_session", missing_requirement, "describe a stored session without its secrets"
    ),
    "autopsy": Command(
        "autopsy", missing_elf_reader, "find out why a NIF library kills the VM, without loading it"
    ),
    "requirements": Command("requirements", None, "print the packages that are needed, for pip"),
    "version": Command(
        "version", missing_requirement, "print the versions of everything that takes part"
    ),
}


def run():
    # type: () -> None
    """Run the process's own command line and exit."""
    sys.exit(main(sys.argv[1:]))


def main(arguments):
    # type: (list[str]) -> int
    """Run a command line and return the exit status."""
    name = arguments[0] if arguments else ""
    if name in ("--help", "-h"):
        print(_overview())
        return OK
    if name == "--version" or (name in COMMANDS and arguments[1:] == ["--version"]):
        print("signal-port " + __version__)
        return OK
    if name not in COMMANDS:
        what = "there is no command '%s'" % name if name else "no command is given"
        return fail("%s: 'signal-port --help' lists them" % what, USAGE)
    command = COMMANDS[name]
    reason = command.needs and command.needs()
    if reason:
        return fail(reason, UNFIT)
    return int(import_module("signal_port." + command.module).main(arguments[1:]))


def _overview():
    # type: () -> str
    rows = "\n".join("  %-17s%s" % (name, row.summary) for name, row in COMMANDS.items())
    return (
        "usage: signal-port COMMAND [ARGUMENTS]\n"
        "       signal-port --help | --version\n\n"
        "%s\n\n'signal-port COMMAND --help' describes the arguments of a command; "
        "'signal-port version'\nprints the versions of what it runs on." % rows
    )
