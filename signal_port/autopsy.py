"""`signal-port autopsy`: what is wrong with NIF libraries, read without loading them.

It owns the command: what is examined, what goes to which stream, the exit status.
"""

import json
import os
import sys

from signal_port import elf_findings, nif_files, nif_findings, nif_host, nif_report
from signal_port.autopsy_arguments import Options, parse
from signal_port.elf_image import Image
from signal_port.elf_memory import Unreadable
from signal_port.exit_status import OK, USAGE, fail
from signal_port.finding import HARMLESS, REFUSED, Finding, Target, dotted
from signal_port.nif_library import HiddenEntry, NoNif, read_entry
from signal_port.nif_report import Report, printable

FOUND, UNREADABLE = 1, USAGE  # exit statuses of this command


def main(arguments: list[str]) -> int:
    """Examine libraries and print what was found; return the exit status."""
    options = parse(arguments)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return _run(options)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def examine(file: str, is_named: bool, options: Options) -> Report:
    """Return the report of a library.

    Args:
        file: its path.
        is_named: it was named as a NIF library, and not come across in a folder.
        options: what it is compared with.

    Raises:
        Unreadable: it cannot be read, or is no library.
    """
    image = Image(nif_files.read_file(file, nif_files.MAX_LIBRARY))
    missing: list[str] = []
    if options.is_here:
        missing = nif_host.missing_libraries(image.needed, image.run_path, file)
    findings = list(elf_findings.of_image(image, options.target, missing))
    try:
        entry = read_entry(image)
    except (NoNif, HiddenEntry) as reason:
        findings.append(nif_findings.of_no_entry(reason, is_named))
        return nif_report.of_library(file, image, None, None, findings)
    found = options.module or nif_files.find_module(entry.module.text or "", file, options.folder)
    module_file, module = found or (None, None)
    findings += nif_findings.of_entry(image, entry, options.target, module)
    return nif_report.of_library(file, image, entry, module_file, findings)


def _run(options: Options) -> int:
    reports: list[Report] = []
    problems: list[str] = []
    for file, is_named in nif_files.libraries(options.paths, problems):
        try:
            reports.append(examine(file, is_named, options))
            continue
        except Unreadable as error:
            reason = str(error)
        except Exception as error:  # a fault of ours must not hide the other libraries
            reason = f"cannot be read: {type(error).__name__}"
        problems.append(f"{file} {reason}")
        reports.append(_unreadable(file, reason))
    _print(reports, options)
    for problem in problems:
        fail(printable(problem), UNREADABLE)
    if problems:
        return UNREADABLE
    return FOUND if any(map(_is_bad, reports)) else OK


def _print(reports: list[Report], options: Options) -> None:
    if options.form == "brief":
        for report in reports:
            sys.stdout.writelines(line + "\n" for line in nif_report.as_lines(report))
        return
    if options.form == "json":
        text = json.dumps([nif_report.as_object(report) for report in reports], indent=2)
        print(text.replace("\x7f", "\\u007f"))  # the one control character that JSON leaves
        return
    libraries = [report for report in reports if report.architecture]
    for report in libraries:
        print(nif_report.as_table(report), end="\n\n")
    if libraries:
        print(_summary(libraries, options.target))
    elif not reports:
        print("There is no *.so and no *.dylib.")


def _summary(reports: list[Report], target: Target) -> str:
    facts = [f"OTP {target.release}", target.architecture or "any architecture"]
    if target.glibc:
        facts.append("glibc " + dotted(target.glibc))
    bad = sum(map(_is_bad, reports))
    found = f"{bad} of {len(reports)} would crash the VM or be refused" if bad else "nothing found"
    return f"Compared with {', '.join(facts)}: {found}."


def _is_bad(report: Report) -> bool:
    return any(finding.effect != HARMLESS for finding in report.findings)


def _unreadable(file: str, reason: str) -> Report:
    advice = "name a 64-bit ELF library that is whole"
    finding = Finding("no_entry", REFUSED, f"the file {reason}", advice)
    return nif_report.of_unreadable(file, finding)
