"""The NIF libraries that the tests examine: built from tests/nifs, for two architectures.

    python tests/python/nifs.py ARCHITECTURE FOLDER    builds what test_nif_in_vm.py loads

A test in an emulated root has no compiler: there `$NIF_FOLDER` names what was built before.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the libraries are for Linux")

SOURCES = Path(__file__).parents[1] / "nifs"
ARCHITECTURES = ("x86_64", "aarch64")


class Expected(NamedTuple):
    """What the autopsy finds in a library, and what the VM does with it."""

    code: str | None
    effect: str


HEALTHY = Expected(None, "harmless")

# By the name of the source.
EXPECTED = {
    "healthy": HEALTHY,
    "local_function": HEALTHY,
    "old_interface": HEALTHY,
    "null_end": Expected("null_entry", "crash"),
    "null_middle": Expected("null_entry", "crash"),
    "null_name": Expected("null_entry", "crash"),
    "null_table": Expected("null_entry", "crash"),
    "null_module": Expected("null_entry", "crash"),
    "null_variant": Expected("null_entry", "crash"),
    "external_entry": Expected("null_entry", "crash"),
    "busy_init": Expected("null_entry", "crash"),
    "null_function": Expected("null_entry", "crash_at_call"),
    "newer_interface": Expected("newer_nif_interface", "refused"),
    "other_major": Expected("other_nif_major", "refused"),
    "not_exported": Expected("not_exported", "refused"),
    "missing_symbol": Expected("lazy_symbol_missing", "refused"),
    "missing_library": Expected("missing_library", "refused"),
    "newer_glibc": Expected("newer_glibc", "refused"),
    "illegal_flags": Expected("illegal_entry", "refused"),
    "duplicate": Expected("illegal_entry", "refused"),
    "other_variant": Expected("illegal_entry", "refused"),
    "other_module": Expected("illegal_entry", "refused"),
    "static_nif": Expected("no_entry", "refused"),
    "mangled_init": Expected("no_entry", "refused"),
    "driver": Expected("no_entry", "refused"),
    "run_time_entry": Expected("no_entry", "harmless"),
    "run_time_table": Expected("no_entry", "harmless"),
}

# Sources that are linked with another library: its file, and the version of its one symbol.
_LINKED = {
    "missing_library": ("libmarvel.so", "MARVEL_1"),
    "newer_glibc": ("libc.so.6", "GLIBC_2.99"),
}


def build(name: str, folder: Path, architecture: str, *flags: str, compiler: str = "gcc") -> Path:
    """Return a library built from a source, in a folder of its own.

    Args:
        name: of the source; `newer_glibc` is that of `missing_library`.
        folder: where its folder is made.
        architecture: one of ARCHITECTURES.
        flags: for compiler and linker.
        compiler: `gcc` or `clang`.
    """
    if "NIF_FOLDER" in os.environ:
        return Path(os.environ["NIF_FOLDER"]) / f"{name}.so"
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{name}.so"
    source = "missing_library" if name == "newer_glibc" else name
    command = [*_compiler(compiler, architecture), "-shared", "-fPIC", "-w", f"-I{headers()}"]
    linked = [_build_linked(name, folder, command)] if name in _LINKED else []
    _run(*command, *flags, "-o", library, SOURCES / f"{source}.c", *linked)
    for one in linked:
        one.unlink()
    return library


def build_module(folder: Path) -> Path:
    """Return the compiled module of the libraries."""
    if "NIF_FOLDER" in os.environ:
        return Path(os.environ["NIF_FOLDER"]) / "fixture_nif.beam"
    _run("erlc", "-o", folder, SOURCES / "fixture_nif.erl")
    return folder / "fixture_nif.beam"


@cache
def headers() -> Path:
    """Return the folder of this machine's erl_nif.h."""
    erl = shutil.which("erl")
    assert erl, "there is no erl on the path"
    root = Path(os.path.realpath(erl)).parent.parent
    found = (root / "usr/include", root / "lib/erlang/usr/include")
    return next(folder for folder in found if (folder / "erl_nif.h").exists())


def _build_linked(name: str, folder: Path, command: list[str]) -> Path:
    file, version = _LINKED[name]
    (folder / "marvel.c").write_text("int marvel(void) { return 1; }\n")
    (folder / "marvel.map").write_text(f"{version} {{ global: marvel; }};\n")
    script = f"-Wl,--version-script={folder / 'marvel.map'},-soname,{file}"
    library = folder / file
    _run(*command, "-nostdlib", script, "-o", library, folder / "marvel.c")
    return library


def _compiler(compiler: str, architecture: str) -> list[str]:
    triplet = f"{architecture}-linux-gnu"
    return [f"{triplet}-gcc"] if compiler == "gcc" else ["clang", f"--target={triplet}"]


def _run(*command: str | Path) -> None:
    words = list(map(str, command))
    assert shutil.which(words[0]), f"there is no {words[0]}: run 'sh tests/nifs/need.sh'"
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"


if __name__ == "__main__":
    for source in EXPECTED:
        build(source, Path(sys.argv[2]), sys.argv[1])
    build_module(Path(sys.argv[2]))
