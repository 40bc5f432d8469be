"""What this package needs of a Python: its lowest version, and three packages with theirs.

It is read before anything is known of the Python that reads it, so it keeps to the language of
Python 2.7 and imports the standard library alone. `signal-port requirements` prints the packages
for pip.
"""

import os
import sys

from signal_port.exit_status import OK, UNFIT, fail

LOWEST_PYTHON = (3, 10)
PACKAGES = {  # what pip installs, by the name of the module
    "cryptography": "cryptography>=42.0",
    "msgpack": "msgpack>=1.0.3",
    "erlang": "erlang_py>=2.0.6",
}
EXTRAS = {"autopsy": "pyelftools>=0.31"}  # what one command needs beside these, by its name


def main(arguments):
    # type: (list[str]) -> int
    """Print what pip must install; return the exit status."""
    from argparse import ArgumentParser

    description = "Print the Python packages that signal-port needs, one a line, for pip."
    parser = ArgumentParser("signal-port requirements", description=description)
    parser.add_argument(
        "--extra", action="append", choices=sorted(EXTRAS), default=[], help="add what it needs"
    )
    extras = parser.parse_args(arguments).extra
    reason = outdated_python("run it again with PYTHON=path of a later one")
    if reason:
        return fail(reason, UNFIT)
    packages = list(PACKAGES.values()) + [EXTRAS[extra] for extra in extras]
    print("\n".join(packages))
    return OK


def outdated_python(remedy="set {python, Path} to a later one"):
    # type: (str) -> str | None
    """Return a sentence that names this Python's version and what to do; None if it is fit."""
    if sys.version_info >= LOWEST_PYTHON:
        return None
    lowest, found = "%d.%d" % LOWEST_PYTHON, "%d.%d" % sys.version_info[:2]
    return "Python %s or later is needed, and %s is %s: %s" % (
        lowest,
        sys.executable,
        found,
        remedy,
    )


def missing_requirement():
    # type: () -> str | None
    """Return a sentence that says what this Python lacks and what to do; None if it is fit."""
    reason = outdated_python()
    if reason:
        return reason
    for module in PACKAGES:
        _, lack = examine_package(module)
        if lack:
            return "%s: %s" % (lack, remedy())
    return None


def missing_elf_reader():
    # type: () -> str | None
    """Return a sentence that says what the autopsy lacks and what to do; None if it is fit."""
    reason = outdated_python("run it with a later one")
    if reason:
        return reason
    try:
        import elftools  # noqa: F401
    except ImportError:
        lack = "Python (%s) has no pyelftools, by which libraries are read: run " % sys.executable
        install = _installer()
        if install:
            return lack + "'AUTOPSY=1 sh %s'" % install
        return lack + "'%s -m pip install \"%s\"'" % (sys.executable, EXTRAS["autopsy"])
    return None


def examine_package(module):
    # type: (str) -> tuple[str, str | None]
    """Return the version that a module states, else "", and what is wrong with it, or None."""
    from importlib import import_module

    failure = "Python %d.%d (%%s) cannot import %%s (%%s)" % sys.version_info[:2]
    try:
        imported = import_module(module)
    except ImportError as error:
        cause = (str(error).splitlines() or ["no reason given"])[0]
        return "", failure % (sys.executable, module, cause)
    if not getattr(imported, "__file__", None):  # Python takes any folder for a package
        cause = "only a folder of that name is there"
        return "", failure % (sys.executable, module, cause)
    found = getattr(imported, "__version__", "")
    return found, outdated_package(module, module, found)


def outdated_package(module, name, found):
    # type: (str, str, str) -> str | None
    """Return what is wrong with a version, in words; None if it is high enough or unknown."""
    if found and _numbers(found) < _numbers(lowest_version(module)):
        return "%s %s is too old" % (name, found)
    return None


def lowest_version(module):
    # type: (str) -> str
    """Return the lowest version of a package that is accepted."""
    return PACKAGES[module].partition(">=")[2]


def remedy():
    # type: () -> str
    """Return what to do if this Python lacks a package."""
    packages = " ".join('"%s"' % package for package in PACKAGES.values())
    install = _installer()
    if install:
        return (
            "run 'sh %s' and leave signal_port's option python away, or let it name a Python "
            "that has them" % install
        )
    if sys.prefix != sys.base_prefix:  # a virtual environment
        return "run '%s -m pip install %s'" % (sys.executable, packages)
    return (
        "run '%s -m venv DIR' and 'DIR/bin/pip install %s', and set "
        '{python, "DIR/bin/python3"}' % (sys.executable, packages)
    )


def _installer():
    # type: () -> str | None
    # What lies beside the package in the application's priv. It serves this Python if that is in no
    # virtual environment, or in the one that the installer makes.
    folder, name = os.path.split(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    install, venv = os.path.join(folder, "install"), os.path.join(folder, "venv")
    if name != "python" or not os.path.isfile(install):
        return None
    is_its_own = os.path.realpath(sys.prefix) == os.path.realpath(venv)
    return install if is_its_own or sys.prefix == sys.base_prefix else None


def _numbers(version):
    # type: (str) -> list[int]
    # The numbers before any letter, to compare.
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return numbers
