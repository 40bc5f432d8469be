"""Fresh projects that depend on this repository as their owners would write them.

Each folder here is a consumer. A case that is marked `consumer("mix")` gets a copy of the folder
`mix`, in which these words are replaced:

    URL-OF-THIS-REPOSITORY   a repository that has the last commit as its branch main
    /opt/venv                the virtual environment that pytest runs in

`--consumer mix` runs the cases of one folder. What is not committed is not tested.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--consumer`."""
    parser.addoption("--consumer", help="run the cases of this folder only")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of the cases."""
    config.addinivalue_line("markers", "consumer(name): the folder that the case gets a copy of")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the cases of the folder that was asked for."""
    wanted = config.getoption("--consumer")
    if wanted:
        items[:] = [item for item in items if consumer_of(item) == wanted]
        if not items:
            raise pytest.UsageError(f"there is no consumer {wanted}")


def consumer_of(item: pytest.Item) -> str:
    """Return the name of the folder that a case gets."""
    mark = item.get_closest_marker("consumer")
    assert mark, f"{item.name} has no mark 'consumer'"
    name: str = mark.args[0]
    return name


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bare clone that has the last commit as its branch main, whatever is checked out."""
    bare = tmp_path_factory.mktemp("repository") / "bare"
    head = subprocess.check_output(["git", "-C", ROOT, "rev-parse", "HEAD"], text=True).strip()
    for command in (
        ["clone", "-q", "--bare", str(ROOT), str(bare)],
        ["-C", str(bare), "update-ref", "refs/heads/main", head],
        ["-C", str(bare), "symbolic-ref", "HEAD", "refs/heads/main"],
    ):
        subprocess.run(["git", *command], check=True)
    return bare


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which no settings and caches of the user are read or written."""
    folder = tmp_path_factory.mktemp("settings")
    return os.environ | {
        "REBAR_CACHE_DIR": str(folder / "rebar_cache"),
        "REBAR_GLOBAL_CONFIG_DIR": str(folder / "rebar_config"),
        "MIX_HOME": str(folder / "mix"),
        "MIX_REBAR3": shutil.which("rebar3") or "rebar3",
    }


@pytest.fixture
def project(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path, environment: dict[str, str]
) -> Project:
    """Return a fresh copy of the consumer that the case is marked with."""
    folder = tmp_path / "project"
    shutil.copytree(HERE / consumer_of(request.node), folder)
    words = {"URL-OF-THIS-REPOSITORY": f"file://{repository}", "/opt/venv": sys.prefix}
    for file in (path for path in folder.rglob("*") if path.is_file()):
        text = file.read_text()
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        file.write_text(text)
    return Project(folder, environment)
