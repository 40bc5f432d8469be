"""A copy of the repository, in which sources are changed and tests are run."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from targets import Target

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "_build/test/lib/signal_port"  # the application and its suites, compiled
RUNNER = ROOT / "_build/mutate"  # signal_port_cases, compiled
INVALID = 2  # exit status of signal_port_cases if a source cannot be compiled


class Copy:
    """The tracked and the new files of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._puts = 0
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True)
        for name in names.stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "files").mkdir()  # of the cases

    def put(self, path: str, text: str) -> None:
        """Write a source."""
        (self.folder / path).write_text(text)
        self._puts += 1
        os.utime(self.folder / path, (self._puts, self._puts))  # each has bytecode of its own

    def run(self, target: Target, seed: int, timeout: float | None) -> str:
        """Run a target's tests. Return `passed`, `failed`, `timed out` or `invalid`."""
        is_python = target.path.endswith(".py")
        command = _pytest(target, seed) if is_python else _erl(target)
        with open(self.folder / "output", "wb") as output:
            tests = subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=output, start_new_session=True
            )
            try:
                status = tests.wait(timeout)
            except subprocess.TimeoutExpired:
                return "timed out"
            finally:
                _end_group(tests)
        if status == INVALID and not is_python:
            return "invalid"
        return "failed" if status else "passed"


def _pytest(target: Target, seed: int) -> list[str]:
    options = ["-x", "-q", "--assert=plain", f"--hypothesis-seed={seed}"]
    return [sys.executable, "-m", "pytest", *options, *target.tests]


def _erl(target: Target) -> list[str]:
    paths = ["-pa", str(BUILT / "ebin"), str(BUILT / "tests/erlang"), str(RUNNER)]
    start = ["-s", "signal_port_cases", "main", "-extra", "files", target.path]
    return ["erl", "-noshell", *paths, *start, *target.tests]


def _end_group(leader: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of a group of processes."""
    try:
        os.killpg(leader.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        leader.wait()
