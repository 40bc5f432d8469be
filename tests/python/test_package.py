"""What is installed: the files of wheel and sdist, metadata, one version, types, the example."""

import doctest
import email
import inspect
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from child import PACKAGE, ROOT, TIMEOUT
from flit_core import buildapi

import signal_port
from signal_port import (
    codec,
    double_ratchet,
    ed25519,
    edwards25519,
    etf,
    frame,
    messages,
    operations,
    primitives,
    ratchet_keys,
    requirements,
    session,
    static_session,
    x3dh,
)

VERSION = signal_port.__version__
MODULES = {path.name for path in PACKAGE.glob("*.py")}
DIST_INFO = f"signal_port-{VERSION}.dist-info"
CONSUMER = """
from signal_port import SignalError, double_ratchet, primitives, x3dh


def refused(session: bytes, wire: bytes) -> str:
    try:
        double_ratchet.decrypt(session, wire)
    except SignalError as error:
        return error.atom
    return ""


secret: bytes = primitives.generate_ed25519_keypair()[1]
key_id, public, private, signature = x3dh.generate_signed_pre_key(secret, 1)
wrong: int = x3dh.respond(secret, private, None, public, public)
"""


def built(build: Callable[[str], str], source: Path, target: Path) -> Path:
    """Return what a function of the build backend builds from a source folder, like pip does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(source)
        return target / build(str(target))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel."""
    return built(buildapi.build_wheel, ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source distribution."""
    return built(buildapi.build_sdist, ROOT, tmp_path_factory.mktemp("sdist"))


def metadata(wheel: Path) -> Message:
    """Return the metadata of a wheel."""
    return email.message_from_bytes(zipfile.ZipFile(wheel).read(f"{DIST_INFO}/METADATA"))


def content(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    archive = zipfile.ZipFile(wheel)
    return {name: archive.read(name) for name in archive.namelist()}


class TestFiles:
    """The files of wheel and sdist."""

    def test_wheel_has_the_package_and_nothing_else(self, wheel: Path) -> None:
        assert wheel.name == f"signal_port-{VERSION}-py3-none-any.whl"
        about = {
            f"{DIST_INFO}/{name}"
            for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
        }
        assert (
            set(content(wheel))
            == {f"signal_port/{name}" for name in (*MODULES, "py.typed")} | about
        )

    def test_sdist_has_what_builds_the_wheel_and_nothing_else(self, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            names = {name.removeprefix(f"signal_port-{VERSION}/") for name in archive.getnames()}
        around = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
        assert names == {f"signal_port/{name}" for name in (*MODULES, "py.typed")} | around

    def test_sdist_builds_the_same_wheel(self, sdist: Path, wheel: Path, tmp_path: Path) -> None:
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path)
        assert content(
            built(buildapi.build_wheel, tmp_path / f"signal_port-{VERSION}", tmp_path)
        ) == content(wheel)


class TestMetadata:
    """Name, requirements and classifiers."""

    def test_metadata_describe_the_package(self, wheel: Path) -> None:
        about = metadata(wheel)
        assert (about["Name"], about["Version"]) == ("signal-port", VERSION)
        assert about["Summary"] == (signal_port.__doc__ or "").splitlines()[0]
        assert (about["License-Expression"], about["License-File"]) == ("Apache-2.0", "LICENSE")
        assert about["Description-Content-Type"] == "text/markdown"
        assert about.get_payload().startswith("# signal-port")  # type: ignore[union-attr]
        assert "Typing :: Typed" in about.get_all("Classifier", [])

    def test_metadata_have_no_invented_address(self, wheel: Path) -> None:
        assert not {"Project-URL", "Home-page", "Author", "Author-email"} & set(
            metadata(wheel).keys()
        )

    def test_lowest_python_is_that_of_the_requirements(self, wheel: Path) -> None:
        assert metadata(wheel)["Requires-Python"] == ">={}.{}".format(*requirements.LOWEST_PYTHON)
        lowest = "Programming Language :: Python :: {}.{}".format(*requirements.LOWEST_PYTHON)
        versions = [
            line
            for line in metadata(wheel).get_all("Classifier", [])
            if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
        ]
        assert versions[0] == lowest

    def test_dependencies_are_those_of_the_requirements(self, wheel: Path) -> None:
        needed = [
            line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line
        ]
        assert needed == [*requirements.PACKAGES.values()]

    def test_documents_name_the_same_packages(self) -> None:
        documents = "".join(
            path.read_text() for path in [ROOT / "README.md", *(ROOT / "guides").glob("*.md")]
        )
        named = re.findall(r"'cryptography[^\n]*'", documents)
        assert named
        assert set(named) == {
            " ".join(f"'{package}'" for package in requirements.PACKAGES.values())
        }


class TestVersion:
    """One version everywhere."""

    def test_erlang_application_has_the_same_version(self) -> None:
        (vsn,) = re.findall(
            r'\{vsn, "(.*)"\}', (ROOT / "erlang" / "signal_port.app.src").read_text()
        )
        assert vsn == VERSION

    def test_changelog_has_no_later_version(self) -> None:
        headings = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert headings[0] == "Unreleased" or headings[0] == VERSION
        assert [heading for heading in headings if heading != "Unreleased"][:1] in ([], [VERSION])


PUBLIC_MODULES = (
    *(x3dh, double_ratchet, ed25519, primitives, ratchet_keys, static_session, session, messages),
    *(edwards25519, etf, codec, frame, operations),
)
PUBLIC = [
    function
    for module in PUBLIC_MODULES
    for name, function in vars(module).items()
    if isinstance(function, FunctionType)
    and function.__module__ == module.__name__
    and not name.startswith("_")
]


class TestApi:
    """Types, docstrings and the example."""

    def test_consumer_is_type_checked_against_the_wheel(self, wheel: Path, tmp_path: Path) -> None:
        venv.create(tmp_path / "venv", symlinks=True)
        (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
        zipfile.ZipFile(wheel).extractall(site)
        (tmp_path / "consumer.py").write_text(CONSUMER)
        installed = ("--python-executable", str(tmp_path / "venv" / "bin" / "python3"))
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--cache-dir",
                "types",
                *installed,
                "consumer.py",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 5,
            check=False,
        )
        found = [line for line in ended.stdout.splitlines() if line.startswith("consumer.py:")]
        assert found == [
            'consumer.py:15: error: Incompatible types in assignment (expression has type "bytes", '
            'variable has type "int")  [assignment]'
        ], ended.stdout + ended.stderr

    def test_example_runs(self) -> None:
        assert doctest.testmod(signal_port) == doctest.TestResults(failed=0, attempted=14)

    @pytest.mark.parametrize(
        "function", PUBLIC, ids=lambda function: f"{function.__module__}.{function.__name__}"
    )
    def test_public_function_documents_what_it_raises(self, function: FunctionType) -> None:
        raised = set(re.findall(r'raise SignalError\("(\w+)"\)', inspect.getsource(function)))
        text = inspect.getdoc(function) or ""
        assert text
        assert {atom for atom in raised if f"`{atom}`" not in text} == set()

    @pytest.mark.parametrize("module", [x3dh, double_ratchet], ids=lambda module: module.__name__)
    def test_dunder_all_lists_what_is_public(self, module: ModuleType) -> None:
        names = {function.__name__ for function in PUBLIC if function.__module__ == module.__name__}
        assert names <= set(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)
