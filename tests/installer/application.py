"""An application's priv on this machine, and installations in it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
PYTHON: str = getattr(sys, "_base_executable", sys.executable)
UV = str(Path(sys.executable).parent / "uv")
TIMEOUT = 300  # seconds


class Ended(NamedTuple):
    """How an installation ended, and what it said."""

    status: int
    stdout: str
    stderr: str


class Priv:
    """An application's priv, and installations in it.

    Args:
        path: the folder, as yet without the one above it.
        packages: a folder of packages, where all installations look for them.
    """

    def __init__(self, path: Path, packages: Path) -> None:
        self.path = path
        self.venv = path / "venv"
        self.python = self.venv / "bin" / "python3"
        path.parent.mkdir()
        for name in ("signal_port", "scripts", "requirements"):
            (path.parent / name).symlink_to(ROOT / name)
        subprocess.run(["sh", "scripts/copy_python.sh"], cwd=path.parent, check=True)
        self._tools = path.parent / "tools"
        self._tools.mkdir()
        self.environment = {
            "HOME": os.environ.get("HOME", "/"),
            "PATH": f"{self._tools}:/usr/bin:/bin",
            "PYTHON": PYTHON,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": packages.as_uri(),
        }

    def use(self, tool: Path | str, name: str) -> None:
        """Put a program first on the PATH of all later installations, under a name."""
        (self._tools / name).unlink(missing_ok=True)
        (self._tools / name).symlink_to(tool)

    def start(self, **variables: str | None) -> "subprocess.Popen[str]":
        """Start an installation; None takes a variable away."""
        merged = {**self.environment, **variables}
        return subprocess.Popen(
            ["/bin/sh", str(self.path / "install")],
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, **variables: str | None) -> Ended:
        """Install, and return how it ended."""
        process = self.start(**variables)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        return Ended(process.returncode, stdout, stderr)

    def refusal(self, **variables: str | None) -> str:
        """Return the sentence in which an installation is refused."""
        ended = self.install(**variables)
        assert (ended.status, ended.stdout) == (1, "")
        assert ended.stderr.startswith("signal_port: ")
        assert ended.stderr.count("\n") == 1
        return ended.stderr.strip()

    def works(self) -> bool:
        """Tell whether the environment answers, and nothing half-made lies beside it."""
        worker = [self.python, "-I", "-B", self.path / "python" / "signal_port", "version"]
        ended = subprocess.run(worker, capture_output=True, timeout=TIMEOUT, check=False)
        return ended.returncode == 0 and not [*self.path.glob("venv.*")]

    def packages(self) -> set[str]:
        """Return the names of what is installed."""
        found = self.venv.glob("lib/python3*/site-packages/*.dist-info")
        return {path.name.partition("-")[0] for path in found}
