"""Renews the files in requirements/: every Python package that is installed anywhere, with hashes.

    .venv/bin/python3 scripts/lock.py

The bounds stand in pyproject.toml: what the package needs, its extra `autopsy`, and the dependency
groups `build` (for packages that have no wheel) and `bundle`. Each becomes one file that pip and uv
read: newest versions, for all Pythons and platforms, the differences as markers. Of a package that
has wheels only these are locked. `uv` resolves; then each file is resolved again for each platform,
by its hashes alone.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "requirements"
TITLES = {
    "runtime": "What signal_port needs to run.",
    "autopsy": "What its extra `autopsy` needs beside that.",
    "build": "What builds those packages of the other files that have no wheel.",
    "bundle": "What makes the bundle. Nothing of it is needed where the bundle runs.",
}
HEAD = "# {}\n# `make lock` renews this file from the bounds in pyproject.toml.\n\n"

WITHOUT_WHEEL = ["erlang-py"]  # Python alone, on PyPI as source
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
)
# Newer versions of a package may come without a wheel for one of these: the last that has one is
# locked for it.
REQUIRED = "sys_platform == '{}' and platform_machine == '{}'"
ENVIRONMENTS = [
    REQUIRED.format(*platform)
    for platform in (
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("darwin", "x86_64"),
        ("darwin", "arm64"),
    )
]


def bounds() -> dict[str, list[str]]:
    """Return the bounds of each file, as pyproject.toml states them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = settings["project"], settings["dependency-groups"]
    return {
        "runtime": project["dependencies"],
        "autopsy": project["optional-dependencies"]["autopsy"],
        "build": groups["build"],
        "bundle": groups["bundle"],
    }


def resolve(folder: Path) -> dict[str, Any]:
    """Resolve all bounds together in an empty folder; return what uv locked."""
    groups = "\n".join(f"{name} = {json.dumps(wanted)}" for name, wanted in bounds().items())
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "locked"\nversion = "0"\n'
        f'requires-python = ">={PYTHONS[0]}"\n'
        f"[dependency-groups]\n{groups}\n"
        "[tool.uv]\npackage = false\nno-build = true\n"
        f"no-binary-package = {json.dumps(WITHOUT_WHEEL)}\n"
        f"required-environments = {json.dumps(ENVIRONMENTS)}\n"
    )
    uv("lock", "--quiet", "--project", str(folder))
    return tomllib.loads((folder / "uv.lock").read_text())


def unwanted(locked: dict[str, Any]) -> set[str]:
    """Return the hashes of the source distributions that nobody needs: wheels are there."""
    return {
        package["sdist"]["hash"]
        for package in locked["package"]
        if "sdist" in package and package.get("wheels")
    }


def export(folder: Path, name: str, hashes: set[str]) -> str:
    """Return the text of one file: the packages of one group, without these hashes."""
    group = ("--only-group", name, "--project", str(folder))
    text = uv("export", "--quiet", "--frozen", "--no-header", "--no-annotate", *group)
    lines = [line.removesuffix(" \\") for line in text.splitlines()]
    wanted = [line for line in lines if line.strip().removeprefix("--hash=") not in hashes]
    return "\n".join(wanted).replace("\n    --hash", " \\\n    --hash") + "\n"


def verify(name: str) -> None:
    """Resolve a file again by its hashes, for each platform and each Python.

    Raises:
        subprocess.CalledProcessError: one of them cannot be served by it.
    """
    for python in PYTHONS:
        for platform in PLATFORMS:
            target = ("--python-version", python, "--python-platform", platform, "--target", "none")
            file = str(TARGET / f"{name}.txt")
            uv("pip", "install", "--quiet", "--dry-run", "--require-hashes", *target, "-r", file)
            print(".", end="", flush=True)
    print(f" {name}: {len(PYTHONS)} Pythons on {len(PLATFORMS)} platforms")


def uv(*arguments: str) -> str:
    """Run uv and return what it printed."""
    command = [sys.executable, "-m", "uv", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Renew all files, then verify them."""
    with tempfile.TemporaryDirectory() as folder:
        hashes = unwanted(resolve(Path(folder)))
        for name, title in TITLES.items():
            text = HEAD.format(title) + export(Path(folder), name, hashes)
            (TARGET / f"{name}.txt").write_text(text)
    for name in ("runtime", "autopsy", "build"):
        verify(name)


if __name__ == "__main__":
    main()
