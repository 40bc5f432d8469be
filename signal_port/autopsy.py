"""`signal-port autopsy`: what is wrong with NIF libraries, read without loading them.

It owns the command: its arguments, the walk through folders, the reading of files, what goes to
which stream, the exit status.
"""

import json
import os
import stat
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from signal_port import nif_findings, nif_host, nif_interface, nif_report
from signal_port.beam_file import MAX_SIZE, Module, NoBeam, read_module
from signal_port.elf_image import Image
from signal_port.elf_memory import Unreadable
from signal_port.exit_status import OK, USAGE, fail
from signal_port.nif_findings import HARMLESS, REFUSED, Finding, Target
from signal_port.nif_library import HiddenEntry, NoNif, read_entry
from signal_port.nif_report import Report, printable

FOUND, UNREADABLE = 1, USAGE  # exit statuses

MAX_LIBRARY = 256 * 1024 * 1024  # bytes; a file is read whole
_SUFFIXES = (".so", ".dylib")
_FOLDERS_ABOVE = 4  # an application's ebin is beside its priv, which has the library

_DESCRIPTION = """\
Find out why a NIF library kills the Erlang VM, or is refused by it. The library is read as a file:
nothing of it is loaded or run. So it may be sick, hostile, or built for another machine. What is
read are 64-bit little-endian ELF libraries for x86-64 and aarch64; in a folder, all *.so and
*.dylib."""

_EPILOG = """\
effects of a finding:
  crash          the VM dies when it loads the library
  crash_at_call  the VM dies when the function is called
  refused        erlang:load_nif/2 returns an error
  harmless       nothing happens, or nothing is known

exit status:
  0   nothing found that crashes or is refused
  1   something found that crashes or is refused
  2   a file cannot be read, or the arguments are wrong
  78  pyelftools is not installed: pip install 'signal-port[autopsy]'"""


class Options(NamedTuple):
    """What libraries are compared with.

    Attributes:
        target: where they are to be loaded.
        is_here: that is this machine, so its libraries count.
        module: the module of all of them, if it was named.
        folder: where compiled modules are looked for first.
    """

    target: Target
    is_here: bool = False
    module: tuple[Path, Module] | None = None
    folder: Path | None = None


def main(arguments: list[str]) -> int:
    """Examine libraries and print what was found; return the exit status."""
    parsed = _parser().parse_args(arguments)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return _run(parsed.paths, parsed.json, _options(parsed))
    except Unreadable as error:  # what --beam names
        return fail(printable(str(error)), UNREADABLE)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def examine(path: Path, is_named: bool, options: Options) -> Report:
    """Return the report of a library.

    Args:
        path: of the file.
        is_named: it was named as a NIF library, and not come across in a folder.
        options: what it is compared with.

    Raises:
        Unreadable: it cannot be read, or is no library.
    """
    image = Image(read_file(path, MAX_LIBRARY))
    missing: list[str] = []
    if options.is_here:
        missing = nif_host.missing_libraries(image.needed, image.run_path, path)
    findings = list(nif_findings.of_image(image, options.target, missing))
    try:
        entry = read_entry(image)
    except (NoNif, HiddenEntry) as reason:
        findings.append(nif_findings.of_no_entry(reason, is_named))
        return nif_report.of_library(str(path), image, None, None, findings)
    findings += nif_findings.of_entry(image, entry, options.target)
    found = options.module or _find_module(entry.module.text, path, options.folder)
    if found:
        findings += nif_findings.of_module(entry, found[1])
    module_file = str(found[0]) if found else None
    return nif_report.of_library(str(path), image, entry, module_file, findings)


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a regular file, and of nothing else.

    Raises:
        Unreadable: it is none, has more bytes than the limit, or may not be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a device may do something
            raise Unreadable("is no regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if os.fstat(descriptor).st_size > limit:
                raise Unreadable(f"is longer than {limit >> 20} MiB")
            return file.read(limit)
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _run(paths: list[str], is_json: bool, options: Options) -> int:
    reports: list[Report] = []
    problems: list[str] = []
    for path, is_named in _libraries(paths, problems):
        try:
            report = examine(path, is_named, options)
        except Unreadable as error:
            problems.append(f"{path} {error}")
            report = _unreadable(path, str(error))
        except Exception as error:  # a fault of ours must not hide the other libraries
            problems.append(f"{path} cannot be read: {type(error).__name__}")
            report = _unreadable(path, f"cannot be read: {type(error).__name__}")
        reports.append(report)
    _print(reports, is_json, options)
    for problem in problems:
        fail(printable(problem), UNREADABLE)
    if problems:
        return UNREADABLE
    return FOUND if any(map(_is_bad, reports)) else OK


def _print(reports: list[Report], is_json: bool, options: Options) -> None:
    if is_json:
        text = json.dumps([nif_report.as_object(report) for report in reports], indent=2)
        print(text.replace("\x7f", "\\u007f"))  # the one control character that JSON leaves
        return
    readable = [report for report in reports if report.architecture]
    for report in readable:
        print(nif_report.as_table(report), end="\n\n")
    if readable:
        print(_summary(readable, options.target))


def _summary(reports: list[Report], target: Target) -> str:
    bad = sum(map(_is_bad, reports))
    found = f"{bad} of {len(reports)} would crash the VM or be refused" if bad else "nothing found"
    facts = [f"OTP {target.release}", target.architecture or "any architecture"]
    if target.glibc:
        facts.append(f"glibc {target.glibc[0]}.{target.glibc[1]}")
    return f"Compared with {', '.join(facts)}: {found}."


def _is_bad(report: Report) -> bool:
    return any(finding.effect != HARMLESS for finding in report.findings)


def _unreadable(path: Path, reason: str) -> Report:
    advice = "name a 64-bit ELF library that is whole"
    finding = Finding("no_entry", REFUSED, f"the file {reason}", advice)
    return nif_report.of_unreadable(str(path), finding)


# --- Files ---


def _libraries(paths: list[str], problems: list[str]) -> Iterator[tuple[Path, bool]]:
    """Yield the files to read, and whether each was named; add what went wrong to the problems."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield path, True
            continue
        errors: list[OSError] = []
        walk = os.walk(path, onerror=errors.append)
        names = [Path(folder, file) for folder, _, files in walk for file in files]
        yield from ((name, False) for name in sorted(names) if name.suffix in _SUFFIXES)
        problems += [f"{error.filename} cannot be read: {error.strerror}" for error in errors]


def _find_module(
    name: str | None, library: Path, folder: Path | None
) -> tuple[Path, Module] | None:
    if not name or name != os.path.basename(name):  # it is part of a path below
        return None
    own = library.absolute().parent
    above = [one / "ebin" for one in (own, *own.parents)[:_FOLDERS_ABOVE]]
    for place in filter(None, (folder, own, *above)):
        file = place / f"{name}.beam"
        try:
            return file, _read_module(file)
        except Unreadable:
            continue
    return None


def _read_module(file: Path) -> Module:
    try:
        return read_module(read_file(file, MAX_SIZE))
    except NoBeam as error:
        raise Unreadable(str(error)) from None


# --- Arguments ---


def _options(parsed: Namespace) -> Options:
    here = nif_host.architecture()
    wanted = nif_host.architecture(parsed.target) if parsed.target else here
    is_here = wanted == here
    target = Target(
        None if wanted == "any" else wanted,
        parsed.otp or _release_here(),
        parsed.glibc or (nif_host.glibc() if is_here else None),
    )
    beam = Path(parsed.beam) if parsed.beam else None
    if beam is None or beam.is_dir():
        return Options(target, is_here, folder=beam)
    try:
        return Options(target, is_here, module=(beam, _read_module(beam)))
    except Unreadable as error:
        raise Unreadable(f"{beam} {error}") from None


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "signal-port autopsy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="FILE|DIR", nargs="+", help="a NIF library, or a folder")
    parser.add_argument(
        "--json", action="store_true", help="print a list of objects, one a library"
    )
    parser.add_argument(
        "--otp",
        metavar="RELEASE",
        type=_release,
        help="the OTP release that loads it, for example 27; default: that of the erl on the path,"
        f" else {nif_interface.NEWEST_RELEASE}",
    )
    parser.add_argument(
        "--target",
        metavar="ARCH",
        help="the architecture that it is loaded on, as uname -m has it, or 'any'; default: this"
        " machine's",
    )
    parser.add_argument(
        "--glibc",
        metavar="VERSION",
        type=_version,
        help="the glibc that it is loaded with, for example 2.36; default: this machine's, if the"
        " target is this machine",
    )
    parser.add_argument(
        "--beam",
        metavar="FILE|DIR",
        help="the compiled module of the libraries, or a folder of modules; default: MODULE.beam"
        " beside the library, or in the ebin beside its priv",
    )
    return parser


def _release_here() -> int:
    found = nif_host.otp_release() or nif_interface.NEWEST_RELEASE
    return max(found, nif_interface.OLDEST_RELEASE)


def _release(text: str) -> int:
    release = int(text) if text.isdecimal() and len(text) < 4 else 0
    if release < nif_interface.OLDEST_RELEASE:
        raise ArgumentTypeError(f"it is a number, {nif_interface.OLDEST_RELEASE} or later")
    return release


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(text) < 10):
        raise ArgumentTypeError("a version is two numbers, such as 2.36")
    return int(major), int(minor)
