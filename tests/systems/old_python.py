"""What a real Python below the lowest version says: Debian 11's 3.9.

    bash tests/systems/debian.sh bullseye python3 tests/systems/old_python.py

Run by that Python, in the repository's root. It fails if a command, a worker or the installer gives
anything but its sentence.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.getcwd())

from signal_port.command_line import COMMANDS
from signal_port.exit_status import UNFIT
from signal_port.requirements import LOWEST_PYTHON

FOUND = "{}.{}".format(*sys.version_info)
NEEDED = f"Python 3.10 or later is needed, and {sys.executable} is {FOUND}: "


def run(*command):
    """Return how a command ends: status, standard output, standard error."""
    pipe = subprocess.PIPE
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    return ended.returncode, ended.stdout, ended.stderr.decode()


def signal_port(*arguments):
    """Run a command line as the VM does it."""
    return run(sys.executable, "-I", "-B", "signal_port", *arguments)


assert sys.version_info < LOWEST_PYTHON, "this Python is not old enough"
for name in COMMANDS:
    status, said, error = signal_port(name)
    sentence = said[4:].decode("latin-1") if name == "worker" else error
    assert status == UNFIT, (name, status)
    assert NEEDED in sentence, (name, sentence)
    assert sentence.count("\n") == (0 if name == "worker" else 1), (name, sentence)
assert signal_port("--help")[0] == 0

subprocess.check_call(["sh", "scripts/copy_python.sh"])
status, _, error = run("sh", "priv/install")
assert (status, error.count("\n")) == (1, 1), error
assert f"is {FOUND}: install a later one" in error, error
print(f"old_python: {len(COMMANDS)} commands and the installer say what is needed")
