"""The sentences in which an installation is refused: what happened, to what, and what to do.

It knows the words in which pip and uv report their failures, and nothing of how they are run.
"""

import errno
import os
import re
import shutil
import tempfile
from pathlib import Path

FULL = r"No space left|os error 28|Disk quota exceeded"
READ_ONLY = r"Permission denied|Read-only file system|os error (13|30)\b"
HASH = r"DO NOT MATCH THE HASHES|[Hh]ash mismatch"
ABSENT = (
    r"No matching distribution|Could not find a version|Max retries|Connection|ProxyError"
    r"|[Ff]ailed to fetch|Could not connect|dns error|No solution found|not found in|no wheels"
)


class Refusal(Exception):
    """Why nothing was installed, and what to do, in one sentence."""


def failed_tool(tool: str, output: str, priv: Path) -> Refusal:
    """Return what the output of pip or uv means for an installation in a folder."""
    if re.search(FULL, output) or is_full(priv):
        return full_disk(priv)
    if re.search(HASH, output):
        return wrong_hash(re.split(HASH, output)[-1], priv)
    if re.search(ABSENT, output):
        return Refusal(
            f"{tool} cannot get the packages: is there a network (proxy: HTTPS_PROXY, index: "
            "PIP_INDEX_URL)? Without one run this again with PIP_NO_INDEX=1 and PIP_FIND_LINKS="
            "FOLDER-OF-THE-PACKAGES"
        )
    if re.search(READ_ONLY, output):
        return not_writable(priv)
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["nothing"]
    return Refusal(f"{tool} failed and wrote '{lines[-1]}': correct that and run this again")


def wrong_hash(output: str, priv: Path) -> Refusal:
    """Return that a package is not the locked one; the output names it."""
    package = re.search(r"[\w.-]+==[\w.]+", output)
    return Refusal(
        f"{package[0] if package else 'a package'} as found does not have the hash that the files "
        f"in {priv / 'requirements'} state, so nothing was installed: get both again from where "
        "you trust them, or run this again with LOCKED=no, which checks no hash"
    )


def failed_call(error: OSError, priv: Path) -> Refusal:
    """Return what an error of the system means for an installation in a folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk(priv)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return not_writable(priv)
    return Refusal(f"{error}: correct that and run this again")


def is_full(priv: Path) -> bool:
    """Tell whether a disk has no space: some tools do not repeat what the system told them."""
    return any(shutil.disk_usage(folder).free < 2**20 for folder in (priv, tempfile.gettempdir()))


def full_disk(priv: Path) -> Refusal:
    """Return that there is no space."""
    return Refusal(
        f"the disk of {priv} or of {tempfile.gettempdir()} is full: free 100 MB on it and run this "
        "again"
    )


def not_writable(priv: Path) -> Refusal:
    """Return that this user must not write."""
    return Refusal(
        f"this user (id {os.getuid()}) cannot write to {priv}: run this as a user who can, or make "
        "a virtual environment elsewhere and name its Python in signal_port's option python"
    )


def no_venv(paths: str) -> Refusal:
    """Return that no Python here can make a virtual environment."""
    return Refusal(
        f"{paths} cannot make a virtual environment, since its module venv or ensurepip is "
        "missing: install them (on Debian and Ubuntu: 'apt-get install python3-venv') or uv, and "
        "run this again"
    )


def no_import(path: str) -> Refusal:
    """Return that a Python does not import what was just installed for it."""
    return Refusal(
        f"{path} cannot import the packages that were installed for it: run this again with "
        "PYTHON=path of another"
    )
