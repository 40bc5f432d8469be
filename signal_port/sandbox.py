"""The sandbox of a worker: whether it is entered, what the ready notice says, what follows from it.

A worker handles private keys and bytes from strangers. Once it has started it needs memory, its
descriptors, time and random numbers; `seccomp` takes everything else away.

Rule: from `enter` on nothing can be imported and no file can be opened, not even to print an error.
What a call needs must be imported before; what it loads late must be loaded before.
"""

import sys
import warnings
from collections.abc import Mapping

from signal_port.errors import UnfitError

VARIABLE = "SIGNAL_PORT_SANDBOX"
_MODES = ("auto", "required", "off")


def enter(environment: Mapping[str, str], source: int, sink: int) -> str:
    """Enter the sandbox; return what the ready notice says of it: `seccomp`, or `none: REASON`.

    Args:
        environment: its SIGNAL_PORT_SANDBOX is `auto` (the default), `required` or `off`.
        source: the descriptor that may be read, beside standard input.
        sink: the descriptor that may be written, beside standard output and standard error.

    Raises:
        UnfitError: it is required and cannot be had, or the variable has another value.
    """
    mode = environment.get(VARIABLE, "auto")
    if mode not in _MODES:
        raise UnfitError(f"{VARIABLE} is {mode[:40]!r}: set it to {', '.join(_MODES[:-1])} or off")
    if mode == "off":
        return "none: it is switched off"
    obstacle = _load_filter(source, sink)
    if obstacle is None:
        _print_without_sources()
        return "seccomp"
    if mode == "required":
        raise UnfitError(
            f"the worker cannot enter its sandbox, which is required ({obstacle}): remedy that, "
            "or set signal_port's option {sandbox, auto}"
        )
    return f"none: {obstacle}"


def _load_filter(source: int, sink: int) -> str | None:
    # Returns what is in the way.
    try:
        from signal_port import seccomp
    except ImportError:
        return "this Python has no ctypes"
    try:
        seccomp.load_filter(source, sink)
    except seccomp.UnavailableError as error:
        return str(error)
    return None


def _print_without_sources() -> None:
    # Python opens source files to print the lines that a warning or an ignored error comes from.
    warnings.showwarning = _show_warning
    sys.unraisablehook = _show_ignored


def _show_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    sys.stderr.write(f"signal-port: {category.__name__}: {message}\n")


def _show_ignored(ignored: "sys.UnraisableHookArgs") -> None:
    # The kind alone: the text may quote a secret.
    sys.stderr.write(f"signal-port: an error was ignored ({ignored.exc_type.__name__})\n")
