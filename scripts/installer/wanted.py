"""What an environment must contain, and whether one does.

What is wanted stands in two environment variables. LOCKED=no: whatever version the bounds of the
package allow, else what the files in `requirements` lock. AUTOPSY=1: also what the extra needs.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from interpreters import Interpreter, examine

PRIV = Path(__file__).resolve().parent.parent
PACKAGE = PRIV / "python" / "signal_port"
REQUIREMENTS = PRIV / "requirements"
STAMP = "signal_port.stamp"  # in an environment: what it was made from


def is_locked() -> bool:
    """Tell whether the locked versions are wanted."""
    return os.environ.get("LOCKED") != "no"


def extras() -> list[str]:
    """Return the extras that are wanted."""
    return ["autopsy"] if os.environ.get("AUTOPSY", "no") not in ("", "0", "no") else []


def locked_files() -> list[str]:
    """Return the paths of the files that lock what is wanted."""
    return [str(REQUIREMENTS / f"{name}.txt") for name in ("runtime", *extras())]


def bounds(python: Interpreter) -> list[str]:
    """Return the packages that are wanted with their lowest versions, as the package names them."""
    options = [option for extra in extras() for option in ("--extra", extra)]
    command = [python.path, "-I", "-B", str(PACKAGE), "requirements", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def stamp() -> str:
    """Return the stamp of an environment that is made now: a line for each part of it."""
    if not is_locked():
        return "".join(f"{name} not locked\n" for name in ("runtime", *extras()))
    files = [Path(file) for file in locked_files()]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return "".join(f"{file.stem} {digest}\n" for file, digest in zip(files, digests))


def is_right(venv: Path) -> bool:
    """Tell whether an environment works and has what is wanted; an extra more does no harm.

    One without a stamp was not made here but put here: it is right if it works.
    """
    if not (venv / STAMP).exists():
        return versions(venv) is not None
    has = (venv / STAMP).read_text().splitlines()
    if not set(stamp().splitlines()) <= set(has) or not is_of_named_python(venv):
        return False
    return versions(venv) is not None


def is_of_named_python(venv: Path) -> bool:
    """Tell whether an environment is made of the Python that PYTHON names, if it names one."""
    named = os.environ.get("PYTHON")
    found = named and examine(named)
    return not found or os.path.realpath(found.path) == os.path.realpath(venv / "bin" / "python3")


def versions(venv: Path) -> str | None:
    """Return the versions that answer in an environment, or None if it does not work."""
    command = [str(venv / "bin" / "python3"), "-I", "-B", str(PACKAGE), "version"]
    try:
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    except OSError:
        return None
    return None if ended.returncode else ended.stdout.decode().strip()
