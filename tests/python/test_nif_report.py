"""What is told of a library: nothing that a terminal would obey, and all that a program needs."""

import json

import pytest

from signal_port import nif_report
from signal_port.finding import CRASH, Finding
from signal_port.nif_report import Report

HOSTILE = "a\x1b[31m\n\x07\x7f\x9b\u202eb\udcff"
FINDING = Finding("null_entry", CRASH, "function 2 of 2 has a name that is NULL", "take it out")


def report(name: str = "fixture_nif", *findings: Finding) -> Report:
    """Return a report with that name in all places."""
    return Report(
        file=name,
        module=name,
        module_file=name,
        architecture="x86_64",
        nif_version=(2, 16),
        functions=[(name, 0, []), (name, 1, ["dirty_cpu"])],
        needed_libraries=[name],
        needed_glibc=(2, 34),
        findings=list(findings),
    )


class TestTable:
    """For people."""

    def test_every_fact_has_its_line(self) -> None:
        assert nif_report.as_table(report("m", FINDING)).split("\n") == [
            "m",
            "  module                m, in m",
            "  architecture          x86_64",
            "  NIF interface         2.16, loaded by OTP 24 and later",
            "  functions             m/0, m/1 (dirty_cpu)",
            "  needs                 m",
            "  needs glibc           2.34 or later",
            "  null_entry            crash: function 2 of 2 has a name that is NULL. Take it out.",
        ]

    def test_what_is_not_known_has_no_line(self) -> None:
        of_nothing = Report("m", None, None, None, None, [], [], None, [])
        assert nif_report.as_table(of_nothing) == "m"

    def test_module_without_its_file_is_told_so(self) -> None:
        table = nif_report.as_table(report()._replace(module_file=None))
        assert "fixture_nif, whose BEAM file is not here" in table

    def test_library_without_functions_has_none(self) -> None:
        assert "functions             none" in nif_report.as_table(report()._replace(functions=[]))

    def test_interface_of_no_release_is_told_alone(self) -> None:
        table = nif_report.as_table(report()._replace(nif_version=(2, 99)))
        assert "NIF interface         2.99\n" in table

    def test_no_line_is_longer_than_a_terminal(self) -> None:
        long = report("a_name_of_some_length", *[FINDING] * 3)
        table = nif_report.as_table(long._replace(functions=long.functions * 50))
        assert max(map(len, table.split("\n"))) <= 100

    def test_control_characters_are_escaped(self) -> None:
        finding = Finding("null_entry", CRASH, HOSTILE, HOSTILE)
        for line in nif_report.as_table(report(HOSTILE, finding)).split("\n"):
            assert line.isprintable()


class TestObject:
    """For programs."""

    def test_object_has_these_fields(self) -> None:
        assert nif_report.as_object(report("m", FINDING)) == {
            "file": "m",
            "module": "m",
            "module_file": "m",
            "architecture": "x86_64",
            "nif_version": "2.16",
            "functions": [
                {"name": "m", "arity": 0, "flags": []},
                {"name": "m", "arity": 1, "flags": ["dirty_cpu"]},
            ],
            "needed_libraries": ["m"],
            "needed_glibc": "2.34",
            "findings": [
                {
                    "code": "null_entry",
                    "effect": "crash",
                    "evidence": "function 2 of 2 has a name that is NULL",
                    "advice": "take it out",
                }
            ],
        }

    def test_object_of_an_unreadable_file_has_the_same_fields(self) -> None:
        of_nothing = nif_report.as_object(nif_report.of_unreadable("m", FINDING))
        assert of_nothing.keys() == nif_report.as_object(report()).keys()
        assert of_nothing["nif_version"] is None

    def test_names_survive_json(self) -> None:
        text = json.dumps(nif_report.as_object(report(HOSTILE)))
        assert json.loads(text)["module"] == HOSTILE


@pytest.mark.parametrize(
    "text, printed",
    [
        ("hello", "hello"),
        ("grüße", "grüße"),
        ("\x1b[0m", "\\x1b[0m"),
        ("\n", "\\n"),
        ("\u202e", "\\u202e"),
        ("\udcff", "\\udcff"),
    ],
)
def test_text_is_printable(text: str, printed: str) -> None:
    assert nif_report.printable(text) == printed
