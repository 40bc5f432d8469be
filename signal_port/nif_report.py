"""What is told of a NIF library: a table for people, an object for programs.

Names come out of the file and may hold anything. A terminal gets none of it before `printable`.
"""

import os
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from signal_port.elf_findings import needed_glibc
from signal_port.elf_image import Image
from signal_port.finding import HARMLESS, Finding, dotted
from signal_port.nif_findings import FLAGS
from signal_port.nif_interface import first_release
from signal_port.nif_library import Entry

_WIDTH = 100  # characters of a line
_LABEL = 22


class Report(NamedTuple):
    """A library and the findings of it; None for what it does not tell."""

    file: str
    module: str | None
    module_file: str | None
    architecture: str | None
    nif_version: tuple[int, int] | None
    functions: list[tuple[str, int, list[str]]]
    needed_libraries: list[str]
    needed_glibc: tuple[int, int] | None
    findings: list[Finding]


def of_library(
    file: str,
    image: Image,
    entry: Entry | None,
    module_file: str | None,
    findings: list[Finding],
) -> Report:
    """Return the report of a library that could be read."""
    return Report(
        file,
        entry.module.text if entry else None,
        module_file,
        image.architecture,
        entry.version if entry else None,
        _functions(entry) if entry else [],
        image.needed,
        needed_glibc(image),
        findings,
    )


def of_unreadable(file: str, finding: Finding) -> Report:
    """Return the report of a file that could not be read."""
    return Report(file, None, None, None, None, [], [], None, [finding])


def as_object(report: Report) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return report._asdict() | {
        "nif_version": report.nif_version and dotted(report.nif_version),
        "functions": [
            {"name": name, "arity": arity, "flags": flags}
            for name, arity, flags in report.functions
        ],
        "needed_glibc": report.needed_glibc and dotted(report.needed_glibc),
        "findings": [finding._asdict() for finding in report.findings],
    }


def as_table(report: Report) -> str:
    """Return a report as lines of printable characters."""
    rows = [*_facts(report), *((one.code, _sentence(one)) for one in report.findings)]
    lines = [printable(report.file)]
    for label, text in rows:
        lines += textwrap.wrap(
            printable(text),
            _WIDTH,
            initial_indent=f"  {label:<{_LABEL}}",
            subsequent_indent=" " * (_LABEL + 2),
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def as_lines(report: Report) -> list[str]:
    """Return each finding that is not harmless as one line of printable characters."""
    name = os.path.basename(report.file)
    return [
        printable(f"{name}: {one.code}, {_sentence(one)}")
        for one in report.findings
        if one.effect != HARMLESS
    ]


def printable(text: str) -> str:
    """Return a text with all that is no character of a line as its escape sequence."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    if report.module is not None:
        file = report.module_file
        yield (
            "module",
            report.module + (f", in {file}" if file else ", whose BEAM file is not here"),
        )
    if report.architecture is not None:
        yield "architecture", report.architecture
    if report.nif_version is not None:
        first = first_release(report.nif_version)
        loaded = f", loaded by OTP {first} and later" if first else ""
        yield "NIF interface", f"{dotted(report.nif_version)}{loaded}"
        yield "functions", ", ".join(map(_called, report.functions)) or "none"
    if report.needed_libraries:
        yield "needs", ", ".join(report.needed_libraries)
    if report.needed_glibc is not None:
        yield "needs glibc", f"{dotted(report.needed_glibc)} or later"


def _sentence(finding: Finding) -> str:
    return f"{finding.effect}: {finding.evidence}. {finding.advice[0].upper()}{finding.advice[1:]}."


def _functions(entry: Entry) -> list[tuple[str, int, list[str]]]:
    return [
        (function.name.text, function.arity, _flags(function.flags))
        for function in entry.functions
        if function.name.text is not None
    ]


def _flags(flags: int) -> list[str]:
    return [FLAGS.get(flags, f"{flags:#x}")] if flags else []


def _called(function: tuple[str, int, list[str]]) -> str:
    name, arity, flags = function
    return f"{name}/{arity}" + (f" ({', '.join(flags)})" if flags else "")
