"""`signal-port doctor`: what this Python has, what it lacks, and what to do about it.

It must run if packages are missing, so it imports none of them at its head. It prints the name of
each check before the check: if native code crashes, the last line shows which.
"""

import platform
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from signal_port import __version__, python_build
from signal_port.exit_status import OK, UNFIT, fail
from signal_port.requirements import (
    PACKAGES,
    examine_package,
    lowest_version,
    missing_elf_reader,
    missing_requirement,
    outdated_package,
    remedy,
)

_OTHER_OPENSSL = (
    "cryptography uses an OpenSSL that is restricted (FIPS) or damaged; its binary package has "
    "another OpenSSL: run '%s -m pip install --force-reinstall --only-binary cryptography \"%s\"'"
)


def main(arguments: list[str]) -> int:
    """Examine what the arguments name, print a table and what to do; return the status."""
    description = "Examine this Python: what it has, what it lacks, and what to do about it."
    parser = ArgumentParser("signal-port doctor", description=description)
    parser.add_argument(
        "--socket", metavar="PATH", help="make a call through a served socket instead"
    )
    parser.add_argument("--advice", action="store_true", help="print only what makes it slow")
    parser.add_argument(
        "--nif", metavar="FILE|DIR", nargs="+", help="also read NIF libraries, as autopsy does"
    )
    parsed = parser.parse_args(arguments)
    if parsed.socket is not None:
        return _examine_socket(parsed.socket)
    if parsed.advice:
        print(python_build.advice() or "", end="")
        return OK
    return max(_examine_python(), _examine_nifs(parsed.nif) if parsed.nif else OK)


def _examine_python() -> int:
    _say("signal_port", __version__)
    system = f"{platform.system()} {platform.machine()}"
    _say("python", f"{platform.python_version()}, {sys.executable}, on {system}")
    _say("python build", "with PGO" if python_build.is_optimized() else "without PGO")
    lacks = [lack for name in PACKAGES if (lack := _examine_package(name))]
    if lacks:
        print(f"\n{'; '.join(lacks)}: {remedy()}")
        return UNFIT
    from signal_port import primitives

    _say("openssl", primitives.versions()["openssl"])
    if not _try_primitives():
        print("\n" + _OTHER_OPENSSL % (sys.executable, PACKAGES["cryptography"]))
        return UNFIT
    print("\n" + (python_build.advice() or "nothing is missing"))
    return OK


def _examine_nifs(paths: list[str]) -> int:
    if reason := missing_elf_reader():
        return fail(reason, UNFIT)
    from signal_port import autopsy

    print()
    return autopsy.main(paths)


def _examine_socket(path: str) -> int:
    if reason := missing_requirement():
        return fail(reason, UNFIT)
    from signal_port import doctor_socket

    return doctor_socket.examine(path)


def _examine_package(name: str) -> str | None:
    package = PACKAGES[name].partition(">=")[0]
    _begin(package)
    found, lack = examine_package(name)
    if not found and not lack:  # the module does not state it
        found = _installed(package)
        lack = outdated_package(name, package, found)
    state = found or ("missing" if lack else "version unknown")
    print(f"{state}, {lowest_version(name)} or later is needed")
    return lack


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _try_primitives() -> bool:
    from signal_port.known_answers import KNOWN_ANSWERS

    failed = [name for name, check in KNOWN_ANSWERS.items() if not _try(name, check)]
    return not failed


def _try(name: str, check: Callable[[], bool]) -> bool:
    _begin(name)
    try:
        works = check()
    except Exception as error:
        print(f"fails ({type(error).__name__})")
        return False
    print("works" if works else "answers wrongly")
    return works


def _begin(name: str) -> None:
    print(f"{name:<20}", end="", flush=True)


def _say(name: str, value: str) -> None:
    _begin(name)
    print(value)
