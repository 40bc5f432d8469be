"""Puts into a bundle what it contains: the folder `licences`, and the list `sbom.json` (CycloneDX).

    PYTHONPATH=REPOSITORY python3 describe.py BUNDLE VENV BINARIES PYPROJECT

BUNDLE is the folder that PyInstaller made of the packages in VENV; BINARIES the file in which
signal_port.spec says where each binary came from. The list is cyclonedx-py's, of the packages, with
what PyInstaller took besides: Python itself, the system's libraries, the program that starts it.
"""

import json
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from signal_port import __version__

ROOT = Path(__file__).resolve().parents[2]


class Part(NamedTuple):
    """A part of a bundle that is no Python package."""

    name: str
    version: str
    licences: list[Path]
    type: str = "library"


def packages(venv: Path, bundle: Path) -> list[Distribution]:
    """Return the packages of an environment that have something in a bundle."""
    (site,) = venv.glob("lib/python3*/site-packages")
    there = {path.name.partition(".")[0] for path in (bundle / "_internal").iterdir()}
    return [found for found in distributions(path=[str(site)]) if modules(found) & there]


def modules(package: Distribution) -> set[str]:
    """Return the names of a package's modules."""
    files = (PurePath(file).parts[0] for file in package.files or ())
    return {file.partition(".")[0] for file in files if not file.endswith(".dist-info")}


def licences_of(package: Distribution) -> list[Path]:
    """Return the files with a package's licences."""
    paths = (Path(str(file.locate())) for file in package.files or ())
    return [path for path in paths if "licenses" in path.parts or path.name.startswith("LICEN")]


def parts(binaries: dict[str, str]) -> Iterator[Part]:
    """Yield what is in a bundle besides packages."""
    libraries = [source for target, source in binaries.items() if target.startswith("lib")]
    libpython = [source for source in libraries if "libpython" in source]
    own = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    found = [own] if own.exists() else [licence for it in libpython for licence in owner(it)[2]]
    yield Part("Python", platform.python_version(), found, "platform")
    starter = distribution("pyinstaller")
    yield Part("PyInstaller bootloader", starter.version, licences_of(starter))
    for source in libraries:
        if source not in libpython:
            name, number, files = owner(source)
            yield Part(name, number, files)


def owner(library: str) -> tuple[str, str, list[Path]]:
    """Return the name of the Debian package that a library is from, its version and licence.

    Raises:
        SystemExit: it is from none.
    """
    path = str(Path(library).resolve())
    for known in (path, path.removeprefix("/usr")):  # /lib is a link to /usr/lib since Debian 12
        name = dpkg("--search", known).partition(":")[0]
        if name:
            number = dpkg("--show", "--showformat=${Version}", name)
            return name, number, [Path("/usr/share/doc") / name / "copyright"]
    sys.exit(
        f"bundle: the licence of {library} is unknown, since no Debian package has it: make the "
        "bundle on Debian or Ubuntu, with the system's libraries"
    )


def dpkg(*arguments: str) -> str:
    """Return what Debian's list of packages says, or nothing."""
    try:
        command = ["dpkg-query", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def write_licences(bundle: Path, found: list[Distribution], others: list[Part]) -> None:
    """Write a folder of licences for each part, in the bundle's folder `licences`."""
    licences = {"signal-port": [ROOT / "LICENSE"]}
    licences |= {package.name: licences_of(package) for package in found}
    licences |= {part.name: part.licences for part in others}
    for name, files in licences.items():
        assert files, f"{name} has no licence"
        folder = bundle / "licences" / name.replace(" ", "-")
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)


def sbom(venv: Path, project: Path, found: list[Distribution], others: list[Part]) -> Any:
    """Return the list of all parts, as cyclonedx-py makes it of an environment."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    options = ["--pyproject", str(project), str(venv / "bin" / "python3")]
    output = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE).stdout
    listed = json.loads(output)
    names = {package.name for package in found}
    kept = [component for component in listed["components"] if component["name"] in names]
    added = [
        {"type": part.type, "name": part.name, "version": part.version, "bom-ref": part.name}
        for part in others
    ]
    refs = {component["bom-ref"] for component in kept} | {"root-component"}
    listed["metadata"]["component"]["version"] = __version__
    listed["components"] = kept + added
    listed["dependencies"] = [
        {**it, "dependsOn": [ref for ref in it.get("dependsOn", []) if ref in refs]}
        for it in listed["dependencies"]
        if it["ref"] in refs
    ]
    return listed


def main(bundle: Path, venv: Path, binaries: Path, project: Path) -> None:
    """Write both into the bundle.

    Raises:
        SystemExit: a licence is unknown, or the list is not what CycloneDX specifies.
    """
    found = packages(venv, bundle)
    others = [*{part.name: part for part in parts(json.loads(binaries.read_text()))}.values()]
    write_licences(bundle, found, others)
    text = json.dumps(sbom(venv, project, found, others), indent=2)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        sys.exit(f"bundle: {error}")
    (bundle / "sbom.json").write_text(text + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
