"""Makes a virtual environment in an empty place, by uv or by pip.

It knows the command lines of both, and not which Python to take or where the result goes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import wanted
from interpreters import Interpreter
from refusals import failed_tool, no_import

# What is told to pip by the environment, in uv's words; certificates in the system's.
FOR_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_PROXY": "ALL_PROXY",
    "PIP_CERT": "SSL_CERT_FILE",
}
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # what interrupts an installation
TOOLS = ("pip", "setuptools")  # they install the others, which do not need them


class Environment:
    """A virtual environment that is being made.

    Args:
        place: the folder to make it in.
        target: the folder that it is renamed to when it is done.
        uv: the path of uv, or None for pip.
        lock: a descriptor for the processes that are started to hold.
    """

    def __init__(self, place: Path, target: Path, uv: str | None, lock: int) -> None:
        self._place = place
        self._target = target
        self._uv = uv
        self._lock = lock

    def make(self, python: Interpreter) -> None:
        """Make it whole: it can import the packages, and its scripts name its target.

        Raises:
            Refusal: a step failed.
        """
        self._place.mkdir()
        self._create(python)
        self._install(python)
        self._remove_tools()
        self._rename_in_scripts()
        (self._place / wanted.STAMP).write_text(wanted.stamp())
        if wanted.versions(self._place) is None:
            raise no_import(python.path)

    def _create(self, python: Interpreter) -> None:
        if self._uv:
            command = [self._uv, "venv", "--quiet", "--no-project", "--python", python.path]
        else:
            command = [python.path, "-I", "-m", "venv", "--prompt", self._target.name]
        self._run("making a virtual environment", *command, str(self._place))

    def _install(self, python: Interpreter) -> None:
        if not wanted.is_locked():
            self._pip("install", *wanted.bounds(python))
            return
        build = wanted.REQUIREMENTS / "build.txt"
        self._pip("install", "--require-hashes", "-r", str(build), compiles=False)
        files = [option for file in wanted.locked_files() for option in ("-r", file)]
        self._pip("install", "--require-hashes", "--no-build-isolation", *files)

    def _remove_tools(self) -> None:
        packages = [*self._place.glob("lib/python3*/site-packages/*")]
        installed = [package.name for package in packages if package.name in TOOLS]
        if installed:
            self._pip("uninstall", *installed)

    def _pip(self, verb: str, *arguments: str, compiles: bool = True) -> None:
        python = str(self._place / "bin" / "python3")
        if self._uv:
            offline = ["--no-index"] if os.environ.get("PIP_NO_INDEX") else []
            compiling = ["--compile-bytecode"] if compiles else []
            options = {"install": [*compiling, *offline], "uninstall": []}
            command = [self._uv, "pip", verb, "--python", python, *options[verb]]
        else:
            # Without PEP 517 an old pip installs erlang_py as an egg, with no record of its files.
            compiling = [] if compiles else ["--no-compile"]
            options = {
                "install": ["--no-input", "--no-user", "--use-pep517", *compiling],
                "uninstall": ["--yes"],
            }
            quiet = "--disable-pip-version-check"
            command = [python, "-I", "-m", "pip", verb, quiet, *options[verb]]
        self._run(f"{verb}ing packages", *command, *arguments)

    def _run(self, step: str, *command: str) -> None:
        began = time.monotonic()
        # A signal that comes while the process starts must find it started, to kill it.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        with subprocess.Popen(
            command,
            env=tool_environment() if self._uv else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[self._lock],
            start_new_session=True,
        ) as process:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                while (output := finished(process)) is None:
                    progress(f"{step}, {time.monotonic() - began:.0f} s")
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started itself
                raise
        if process.returncode:
            raise failed_tool("uv" if self._uv else "pip", output, wanted.PRIV)

    def _rename_in_scripts(self) -> None:
        old, new = os.fsencode(self._place), os.fsencode(self._target)
        for file in (self._place / "pyvenv.cfg", *(self._place / "bin").iterdir()):
            if file.is_file() and not file.is_symlink():
                file.write_bytes(file.read_bytes().replace(old, new))


def tool_environment() -> dict[str, str]:
    """Return the environment of uv: its own variables hold, then those of pip."""
    variables = dict(os.environ)
    told = {FOR_UV[name]: value for name, value in variables.items() if name in FOR_UV and value}
    if not os.access(os.path.expanduser("~"), os.W_OK):
        told["UV_NO_CACHE"] = "1"
    return {**told, **variables, "UV_PYTHON_DOWNLOADS": "never"}


def finished(process: "subprocess.Popen[bytes]") -> str | None:
    """Return what a process wrote, or None if it does not end within a second."""
    try:
        return process.communicate(timeout=1)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return None


def progress(text: str = "") -> None:
    """Show on a terminal what is being done, in a line that the next one replaces."""
    if sys.stderr.isatty():
        print("\r\x1b[K" + (f"signal_port: {text}" if text else ""), end="", file=sys.stderr)
        sys.stderr.flush()
