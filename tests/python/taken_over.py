"""A worker that an attacker has taken over: its operation `sha256` runs Python code.

It starts as every worker does. The code is run with what an attacker may hope to find: modules that
are imported and descriptors that are open. Its answer is what the code leaves in `answer`; of an
OSError, the number.

To be run with a folder as its argument, which becomes its own.
"""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from signal_port import operations, worker_command

MODULES = (fcntl, mmap, resource, signal, socket, subprocess, threading, warnings)

os.chdir(sys.argv[1])
LEFT_OPEN = os.open("left_open", os.O_RDWR | os.O_CREAT)
SECRET = "attack at dawn"
SOURCE, SINK = LEFT_OPEN + 1, LEFT_OPEN + 2  # the next that are free
LIBC = ctypes.CDLL(None, use_errno=True)


def call(function: Any, *arguments: Any) -> Any:
    """Return what a function of C returns; raise OSError if it fails."""
    ctypes.set_errno(0)
    result = function(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def run(code: bytes) -> Any:
    """Run the attacker's code; return what it leaves in `answer`."""
    names: dict[str, Any] = {**globals(), "answer": None}
    try:
        exec(code, names)
    except OSError as error:
        return operations.atom("error"), error.errno
    return operations.atom("ok"), names["answer"]


if __name__ == "__main__":
    sha256 = operations.OPERATIONS["sha256"]
    operations.OPERATIONS["sha256"] = sha256._replace(function=run, answer=lambda term: term)
    sys.exit(worker_command.run_worker())
