"""A consumer's project: a copy of its folder, and the commands that its owner runs in it."""

import subprocess
from pathlib import Path

import pytest

TIMEOUT = 600  # seconds, for one command


class Project:
    """A copy of a consumer's folder, and what its owner does in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def attempt(self, *command: object, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder, and return how it ended, with all its output.

        Args:
            command: The program and its arguments.
            variables: Environment variables, besides those of all commands.
        """
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=self.environment | {name: str(value) for name, value in variables.items()},
            timeout=TIMEOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *command: object, **variables: object) -> str:
        """Run a command that must succeed, and return its output; see `attempt`."""
        ended = self.attempt(*command, **variables)
        if ended.returncode:
            pytest.fail(f"{ended.args} ended with {ended.returncode}:\n{ended.stdout}")
        return ended.stdout

    def erl(self, module: str, function: str, *flags: str, **variables: object) -> None:
        """Call a function in a VM with what rebar3 compiled; it must end the VM with status 0."""
        ebins = sorted(self.folder.glob("_build/default/*/*/ebin"))
        self.run("erl", "-noinput", "-pa", *ebins, *flags, "-s", module, function, **variables)

    def with_broken_python3(self) -> str:
        """Return a path on which the project's own python3 comes first."""
        return f"{self.folder / 'bin'}:{self.environment['PATH']}"

    def release(self) -> Path:
        """Return the folder of the release."""
        (found,) = self.folder.glob("_build/*/rel/consumer")
        return found

    def boot(self, *flags: object, **variables: object) -> subprocess.CompletedProcess[str]:
        """Start the VM of the release in embedded mode, without its script.

        The script would start other VMs first, with the same flags.
        """
        release = self.release()
        (binaries,) = release.glob("erts-*/bin")
        version = release / "releases/1.0.0"
        return self.attempt(
            *(binaries / "erlexec", "-noinput", "-mode", "embedded", "-boot", version / "start"),
            *("-boot_var", "SYSTEM_LIB_DIR", release / "lib", "-config", version / "sys", *flags),
            ROOTDIR=release,
            BINDIR=binaries,
            EMU="beam",
            PROGNAME="erl",
            **variables,
        )
