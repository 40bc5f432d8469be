"""The memory of a worker: its limit, and what it gives back when it is idle.

The limit is RLIMIT_DATA, which counts the memory that a process may write to and shares with
nobody. RLIMIT_AS would count the files of all libraries as well, which differ from system to
system.
"""

import sys
from collections.abc import Mapping

from signal_port.errors import UnfitError
from signal_port.limits import MEMORY_PER_FRAME_BYTE, MIN_MEMORY

VARIABLE = "SIGNAL_PORT_MAX_MEMORY"
_MAX_DIGITS = 15


def limit(environment: Mapping[str, str], max_frame: int) -> None:
    """Limit the memory of this process, for good, if the system is Linux.

    Args:
        environment: its SIGNAL_PORT_MAX_MEMORY is `auto` (the default), `infinity` or bytes, at
            least 67108864. `auto` follows from the longest frame.
        max_frame: the longest payload in either direction, in bytes.

    Raises:
        UnfitError: the variable has another value.
    """
    wanted = environment.get(VARIABLE, "auto")
    if wanted == "auto":
        _set_limit(MIN_MEMORY + MEMORY_PER_FRAME_BYTE * max_frame)
    elif wanted != "infinity":
        _set_limit(_bytes(wanted))


def release() -> None:
    """Give back to the system what long frames have left behind, if the C library knows how."""
    try:
        from ctypes import CDLL

        CDLL(None).malloc_trim(0)
    except (ImportError, OSError, AttributeError):
        pass  # musl does that by itself


def _bytes(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not is_number or int(text) < MIN_MEMORY:
        raise UnfitError(
            f"{VARIABLE} is {text[:40]!r}: set it to auto, to infinity or to a number of bytes, "
            f"at least {MIN_MEMORY}"
        )
    return int(text)


def _set_limit(size: int) -> None:
    if sys.platform != "linux":
        return  # other systems take the limit and do not apply it
    try:
        from resource import RLIM_INFINITY, RLIMIT_DATA, getrlimit, setrlimit

        _, hard = getrlimit(RLIMIT_DATA)
        lowest = size if hard == RLIM_INFINITY else min(size, hard)
        setrlimit(RLIMIT_DATA, (lowest, lowest))
    except (ImportError, OSError, ValueError):
        pass  # a Python without this module, or a system that does not let us
