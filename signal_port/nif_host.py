"""What this machine has of that which a NIF library asks for: files are looked at, nothing is run.

It knows the linker's search path as far as `ld.so(8)` and musl document it, and where Erlang keeps
the number of its release.
"""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_ARCHITECTURES = {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64"}

# With glibc in the process these are there: parts of it, or the linker itself.
_OF_GLIBC = re.compile(r"(lib(c|m|dl|rt|util|pthread|resolv)\.so\.\d+|ld-linux[^/]*\.so\.\d+)$")

_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_LINKER_CONFIGURATION = Path("/etc/ld.so.conf")
_MAX_FILES = 100  # of it; they may include one another


def architecture(name: str = "") -> str:
    """Return the one name of an architecture, whatever it is called; "" is this machine's."""
    name = (name or platform.machine()).lower()
    return _ARCHITECTURES.get(name, name)


def glibc() -> tuple[int, int] | None:
    """Return the version of this machine's glibc, or None if it has another C library."""
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return None
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", version)
    return (int(match[1]), int(match[2])) if match else None


def otp_release() -> int | None:
    """Return the OTP release of the `erl` on the path, or None. Erlang is not started."""
    found = shutil.which("erl")
    if not found:
        return None
    root = Path(os.path.realpath(found)).parent.parent
    for releases in (root / "releases", root / "lib" / "erlang" / "releases"):
        try:
            _, release = (releases / "start_erl.data").read_text().split()
            return int(release)
        except (OSError, ValueError):
            continue
    return None


def missing_libraries(needed: list[str], run_path: str, library: str) -> list[str]:
    """Return those of the libraries that are in no folder where the linker looks.

    Args:
        needed: their names.
        run_path: the folders that the library itself names, separated by colons.
        library: where it lies, for `$ORIGIN` in these.
    """
    folders = list(_search_path(run_path, library))
    return [name for name in needed if not _is_there(name, folders)]


def _is_there(name: str, folders: list[str]) -> bool:
    if "/" in name:
        return os.path.exists(name)
    if glibc() and _OF_GLIBC.match(name):
        return True
    return any(os.path.exists(os.path.join(folder, name)) for folder in folders)


def _search_path(run_path: str, library: str) -> Iterator[str]:
    origin = str(Path(library).absolute().parent)
    own = run_path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
    yield from filter(None, own.split(":"))
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    yield from _configured([_LINKER_CONFIGURATION])
    yield from _FOLDERS


def _configured(files: list[Path]) -> Iterator[str]:
    # Each line is a folder, or `include` with the names of more files.
    for number in range(_MAX_FILES):
        try:
            lines = files[number].read_text(errors="replace").splitlines()
        except IndexError:
            return
        except OSError:
            continue
        for words in (line.partition("#")[0].split() for line in lines):
            if words[:1] == ["include"]:
                files += [found for name in words[1:] for found in sorted(Path("/").glob(name[1:]))]
            elif words:
                yield words[0]
