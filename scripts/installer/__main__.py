"""Makes the virtual environment `venv` in the folder above; the script `install` there runs this.

A new environment is made beside the old one and takes its place by rename: an interruption leaves
the old one or none. All is done under one lock, which the processes that are started also hold.
"""

import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from environment import ENDING, Environment, progress
from interpreters import choose, describe
from refusals import Refusal, failed_call
from wanted import PRIV, is_right, versions

VENV, NEW, OLD = PRIV / "venv", PRIV / "venv.new", PRIV / "venv.old"


def main() -> int:
    """Install what is wanted if it is not there; return the exit status."""
    if sys.argv[1:] == ["describe"]:
        describe()
        return 0
    for number in ENDING:
        signal.signal(number, terminate)
    try:
        with lock() as descriptor:
            install(descriptor)
    except (Refusal, OSError) as error:
        refusal = failed_call(error, PRIV) if isinstance(error, OSError) else error
        print(f"signal_port: {refusal}", file=sys.stderr)
        return 1
    return 0


def terminate(number: int, frame: object) -> NoReturn:
    """End as by an exception, so that nothing half-made stays; a second signal changes nothing."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


@contextmanager
def lock() -> Iterator[int]:
    """Hold the folder's lock; it ends with the last process that has the descriptor."""
    folder = os.open(PRIV, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"signal_port: waiting for another install in {PRIV} to end", file=sys.stderr)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def install(lock: int) -> None:
    """Make the environment, unless the one that is there is right."""
    if not os.path.lexists(VENV) and OLD.exists():  # an interrupted replacement left it there
        OLD.rename(VENV)
    if is_right(VENV):
        if sys.stdout.isatty():
            print(f"signal_port: {VENV} is up to date: {versions(VENV)}")
        return
    uv = shutil.which("uv") if os.environ.get("UV") != "no" else None
    python, why = choose(os.environ.get("PYTHON"), bool(uv))
    try:
        remove(NEW)
        Environment(NEW, VENV, uv, lock).make(python)
        replace()
    finally:
        progress()
        remove(NEW)
    print(f"signal_port: {VENV} is made of {python.path} ({why}): {versions(VENV)}")


def replace() -> None:
    """Put NEW in the place of VENV."""
    remove(OLD)
    if os.path.lexists(VENV):
        VENV.rename(OLD)
    NEW.rename(VENV)
    remove(OLD)


def remove(path: Path) -> None:
    """Remove a folder, or the link in its place, if it is there."""
    if path.is_symlink():
        path.unlink()
    attempts = 20  # of 0.1 s: processes that were killed can still write for a moment
    while path.exists():
        attempts -= 1
        shutil.rmtree(path, ignore_errors=attempts > 0)
        time.sleep(0.1 if path.exists() else 0)


if __name__ == "__main__":
    sys.exit(main())
