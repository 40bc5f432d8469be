"""How this Python was built, as far as it decides how fast it is.

A call needs about a fifth less time with a Python that was built with PGO (profile-guided
optimization): Debian's own, and each built with `--enable-optimizations`. The default of pyenv and
of a plain `./configure` is a build without it.
"""

import os
import sys
import sysconfig

_SLOW = (
    "This Python ({}) was built without PGO and needs about a fifth more time for a call: use the"
    " system's Python (apt-get install python3-venv on Debian and Ubuntu), or build it with"
    " --enable-optimizations (PYTHON_CONFIGURE_OPTS=--enable-optimizations for pyenv)."
)


def advice() -> str | None:
    """Return a sentence about a slow build with what to do, or None: a bundle stays as it is."""
    return None if is_optimized() or getattr(sys, "frozen", False) else _SLOW.format(sys.executable)


def is_optimized() -> bool:
    """Tell whether it was built with PGO; true if the build does not say."""
    options = sysconfig.get_config_var("CONFIG_ARGS")
    return options is None or "--enable-optimizations" in options or _is_debian()


def _is_debian() -> bool:
    # Debian builds its Python with PGO by a make target, so CONFIG_ARGS does not show it.
    return sys.base_prefix == "/usr" and os.path.exists("/etc/debian_version")
