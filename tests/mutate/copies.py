"""A copy of the repository, in which sources are changed and tests are run."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from targets import Target

ROOT = Path(__file__).parents[2]
APPLICATION = Path("_build/test/lib/signal_port")


class Copy:
    """The tracked and new files, and the compiled application with its suites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True)
        for name in names.stdout.splitlines():
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        shutil.copytree(ROOT / APPLICATION, folder / APPLICATION, symlinks=True)
        (folder / "priv").mkdir()
        (folder / ".venv").symlink_to(ROOT / ".venv")

    def put(self, path: str, text: str) -> bool:
        """Write a source, and compile it. Return whether it is one."""
        (self.folder / path).write_text(text)
        if path.endswith(".py"):
            return True  # the tests import it
        compiler = ["erlc", "+debug_info", "-o", str(self.folder / APPLICATION / "ebin"), path]
        return subprocess.run(compiler, cwd=self.folder, capture_output=True).returncode == 0

    def run(self, target: Target, seed: int, timeout: float | None) -> str:
        """Run the tests of a target. Return `passed`, `failed` or `timed out`."""
        for command in _commands(target, seed):
            outcome = self._run(command, timeout)
            if outcome != "passed":
                return outcome
        return "passed"

    def _run(self, command: list[str], timeout: float | None) -> str:
        with open(self.folder / "output", "wb") as output:
            tests = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # no edit is taken for another
                start_new_session=True,
            )
            try:
                return "failed" if tests.wait(timeout) else "passed"
            except subprocess.TimeoutExpired:
                return "timed out"
            finally:
                _end_group(tests)


def _end_group(leader: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of a group of processes."""
    try:
        os.killpg(leader.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        leader.wait()


def _commands(target: Target, seed: int) -> list[list[str]]:
    if target.path.endswith(".py"):
        options = ["-x", "-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
        return [[sys.executable, "-m", "pytest", *options, *target.tests]]
    return [["sh", "scripts/test_erlang.sh", *tests.split()] for tests in target.tests]
