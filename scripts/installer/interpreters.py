"""The Pythons of this machine, and which of them the environment is made of.

Each is examined by what it says of itself, when it runs this folder with the argument `describe`. A
Python that is too old to read the folder's files is not fit for anything else either.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from refusals import no_venv

NAMES = ("python3", *(f"python3.{minor}" for minor in range(14, 9, -1)))


class Interpreter(NamedTuple):
    """A Python that an environment can be made of."""

    path: str
    is_optimized: bool  # compiled with profiles (PGO): it needs a fifth less time for a call
    has_venv: bool
    is_open: bool  # other users can run it too


def choose(named: str | None, has_uv: bool) -> tuple[Interpreter, str]:
    """Return the Python to take, and why.

    That is the named one; else the first on the PATH that is fast. If root installs, one that other
    users can run comes before all others: a worker seldom runs as root.

    Raises:
        Refusal: none can make an environment.
    """
    found = [found for found in [examine(named)] if found] if named else [*on_path()]
    fit = [python for python in found if python.has_venv or has_uv]
    if not fit:
        raise no_venv(", ".join(python.path for python in found))
    is_root = os.getuid() == 0
    best = min(fit, key=lambda it: (is_root and not it.is_open, not it.is_optimized))
    return best, reason(best, bool(named))


def reason(python: Interpreter, is_named: bool) -> str:
    """Return why a Python was taken, and what to be aware of."""
    unnamed = "built with PGO" if python.is_optimized else "the first on the PATH"
    why = "named by PYTHON" if is_named else unnamed
    return (
        why if python.is_open else f"{why}; other users cannot run it, since its folder is closed"
    )


def on_path() -> Iterator[Interpreter]:
    """Yield each fit Python on the PATH, in the order of their names and folders."""
    seen = set()
    for name in NAMES:
        for folder in os.get_exec_path():
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                if found := examine(path):
                    yield found


def examine(path: str) -> Interpreter | None:
    """Return a Python by its name or path, or None if it is too old or does not run."""
    command = [path, "-I", "-B", str(Path(__file__).parent), "describe"]
    ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return None if ended.returncode else Interpreter(**json.loads(ended.stdout))


def describe() -> None:
    """Print what the Python that runs this is; in a virtual environment, what the one below is."""
    above = Path(__file__).parents
    sys.path += [str(above[1] / "python"), str(above[2])]  # in priv; in the repository
    from signal_port.python_build import is_optimized

    path = getattr(sys, "_base_executable", sys.executable)
    found = Interpreter(
        path=path,
        is_optimized=is_optimized(),
        has_venv=bool(find_spec("venv") and find_spec("ensurepip")),
        is_open=is_open(Path(path).resolve()),
    )
    print(json.dumps(found._asdict()))


def is_open(path: Path) -> bool:
    """Tell whether every user can run a file: it and all folders above it are open."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))
