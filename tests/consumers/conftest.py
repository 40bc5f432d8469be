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
from project import Project

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


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
