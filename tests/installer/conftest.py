"""What the tests of the installer share: the locked packages, and an application's priv."""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from application import PYTHON, ROOT, UV, Priv

LOCKED = ("build", "runtime", "autopsy")


@pytest.fixture(scope="session")
def packages() -> Path:
    """Return a folder of the locked packages for this Python, fetched once."""
    names = [f"requirements/{name}.txt" for name in LOCKED]
    content = b"".join((ROOT / name).read_bytes() for name in names) + PYTHON.encode()
    folder = ROOT / "_build" / "packages" / hashlib.sha256(content).hexdigest()[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = Path(tempfile.mkdtemp(dir=folder.parent))
            files = [option for name in names for option in ("-r", name)]
            pip = [sys.executable, "-m", "pip", "download", "-q", "--require-hashes", "--no-deps"]
            subprocess.run([*pip, "-d", str(new), *files], cwd=ROOT, check=True)
            new.chmod(0o755)
            new.rename(folder)
    return folder


@pytest.fixture
def priv(packages: Path) -> Iterator[Priv]:
    """Return an application's priv in a folder that every user may enter, with uv on the PATH."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        made = Priv(Path(folder) / "an application \u00e4" / "priv", packages)
        made.use(UV, "uv")
        yield made
