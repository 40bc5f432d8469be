"""`signal-port doctor`: its report if nothing is missing, and if something is."""

import sys

import pytest
from child import PACKAGE, code, python

from signal_port import doctor, known_answers, primitives, python_build, version
from signal_port.exit_status import UNFIT
from signal_port.requirements import PACKAGES, missing_requirement, remedy


def lines(printed: str) -> dict[str, str]:
    """Return the report by the names of its lines."""
    return {
        name.strip(): said.strip()
        for name, said in ((line[:20], line[20:]) for line in printed.splitlines())
    }


def refuse(*args: object) -> bytes:
    """Stand in for a primitive that this OpenSSL does not have."""
    raise ValueError(args)


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str], str]:
    """Return the doctor's exit status, table and advice."""
    status = doctor.main([])
    table, _, advice = capsys.readouterr().out.partition("\n\n")
    return status, lines(table), advice.strip()


class TestPrimitives:
    """An OpenSSL that computes wrongly."""

    def test_failing_primitive_is_reported_with_a_remedy(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(primitives, "chacha20_poly1305_encrypt", refuse)
        monkeypatch.setattr(primitives, "sha512", lambda _: bytes(64))
        status, told, advice = examined(capsys)
        assert status == UNFIT
        assert told["chacha20_poly1305"] == "fails (ValueError)"
        assert told["sha512"] == "answers wrongly"
        assert told["sha256"] == "works"
        assert "--only-binary cryptography" in advice


class TestPackages:
    """Packages that are there, missing, or too old."""

    def test_complete_python_lacks_nothing(self) -> None:
        ended = python("-m", "signal_port", "doctor")
        assert (ended.status, ended.stderr) == (0, "")
        table, _, advice = ended.stdout.decode().partition("\n\n")
        told = lines(table)
        assert advice == (python_build.advice() or "nothing is missing") + "\n"
        assert told["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
        assert sys.executable in told["python"]
        assert told["openssl"] == version.versions()["openssl"]
        for package in PACKAGES.values():
            name, _, lowest = package.partition(">=")
            assert told[name].endswith(f", {lowest} or later is needed")
            assert told[name][0].isdigit()
        assert all(told[name] == "works" for name in known_answers.KNOWN_ANSWERS)

    @pytest.mark.parametrize("module", PACKAGES)
    def test_missing_package_is_reported_with_a_remedy(self, module: str) -> None:
        run = (
            "from signal_port.command_line import main",
            "from signal_port.requirements import missing_requirement",
            "print(missing_requirement())",
            "sys.exit(main(['doctor']))",
        )
        ended = python(*code(f"sys.modules[{module!r}] = None", *run))
        assert (ended.status, ended.stderr) == (UNFIT, "")
        sentence, *table, blank, advice = ended.stdout.decode().splitlines()
        package, _, lowest = PACKAGES[module].partition(">=")
        assert f"{package:<20}missing, {lowest} or later is needed" in table
        assert blank == ""
        assert advice == sentence

    def test_missing_packages_are_reported_at_once(self) -> None:
        ended = python("-S", "-I", "-B", str(PACKAGE), "doctor")
        assert ended.status == UNFIT
        assert ended.stdout.decode().count("missing, ") == len(PACKAGES)

    def test_old_package_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("cryptography.__version__", "3.4.8")
        status, told, advice = examined(capsys)
        assert (status, told["cryptography"]) == (UNFIT, "3.4.8, 42.0 or later is needed")
        assert advice == missing_requirement()

    def test_old_package_without_a_version_attribute_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(doctor, "version", lambda _: "1.8.1")
        status, told, advice = examined(capsys)
        assert (status, told["erlang_py"]) == (UNFIT, "1.8.1, 2.0.6 or later is needed")
        assert advice == f"erlang_py 1.8.1 is too old: {remedy()}"

    def test_package_of_unknown_version_is_accepted(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def unknown(package: str) -> str:
            raise doctor.PackageNotFoundError(package)

        monkeypatch.setattr(doctor, "version", unknown)
        status, told, _ = examined(capsys)
        assert (status, told["erlang_py"]) == (0, "version unknown, 2.0.6 or later is needed")

    def test_old_python_gets_one_sentence(self) -> None:
        ended = python(
            *code(
                "sys.version_info = (3, 9, 2)",
                "from signal_port.command_line import main",
                "main(['doctor'])",
            )
        )
        assert (ended.stdout, ended.stderr.count("\n")) == (b"", 1)
        assert "Python 3.10 or later is needed" in ended.stderr
