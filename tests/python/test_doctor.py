"""`signal-port doctor`: what it says where nothing is missing, and where something is."""

import sys

import pytest
from child import PACKAGE, code, python

from signal_port import doctor, known_answers, primitives, version
from signal_port.requirements import PACKAGES, missing_requirement, remedy

UNFIT_STATUS = 78


def lines(printed: str) -> dict[str, str]:
    """Return what is said of each thing."""
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


def test_a_doctor_finds_nothing_missing_here() -> None:
    ended = python("-m", "signal_port", "doctor")
    assert (ended.status, ended.stderr) == (0, "")
    table, _, advice = ended.stdout.decode().partition("\n\n")
    told = lines(table)
    assert advice == "nothing is missing\n"
    assert told["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert sys.executable in told["python"]
    assert told["openssl"] == version.versions()["openssl"]
    for package in PACKAGES.values():
        name, _, lowest = package.partition(">=")
        assert told[name].endswith(f", {lowest} or later is needed")
        assert told[name][0].isdigit()
    assert all(told[name] == "works" for name in known_answers.KNOWN_ANSWERS)


@pytest.mark.parametrize("module", PACKAGES)
def test_a_missing_package_is_told_with_what_to_do(module: str) -> None:
    run = (
        "from signal_port.command_line import main",
        "from signal_port.requirements import missing_requirement",
        "print(missing_requirement())",
        "sys.exit(main(['doctor']))",
    )
    ended = python(*code(f"sys.modules[{module!r}] = None", *run))
    assert (ended.status, ended.stderr) == (UNFIT_STATUS, "")
    sentence, *table, blank, advice = ended.stdout.decode().splitlines()
    package, _, lowest = PACKAGES[module].partition(">=")
    assert f"{package:<20}missing, {lowest} or later is needed" in table
    assert blank == ""
    assert advice == sentence


def test_all_missing_packages_are_told_at_once() -> None:
    ended = python("-S", "-I", "-B", str(PACKAGE), "doctor")
    assert ended.status == UNFIT_STATUS
    assert ended.stdout.decode().count("missing, ") == len(PACKAGES)


def test_an_old_package_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cryptography.__version__", "3.4.8")
    status, told, advice = examined(capsys)
    assert (status, told["cryptography"]) == (UNFIT_STATUS, "3.4.8, 42.0 or later is needed")
    assert advice == missing_requirement()


def test_an_old_package_that_does_not_tell_its_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "version", lambda _: "1.8.1")
    status, told, advice = examined(capsys)
    assert (status, told["erlang_py"]) == (UNFIT_STATUS, "1.8.1, 2.0.4 or later is needed")
    assert advice == f"erlang_py 1.8.1 is too old: {remedy()}"


def test_a_package_of_an_unknown_version_will_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(package: str) -> str:
        raise doctor.PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "version", unknown)
    status, told, _ = examined(capsys)
    assert (status, told["erlang_py"]) == (0, "version unknown, 2.0.4 or later is needed")


def test_a_primitive_that_fails_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(primitives, "chacha20_poly1305_encrypt", refuse)
    monkeypatch.setattr(primitives, "sha512", lambda _: bytes(64))
    status, told, advice = examined(capsys)
    assert status == UNFIT_STATUS
    assert told["chacha20_poly1305"] == "fails (ValueError)"
    assert told["sha512"] == "answers wrongly"
    assert told["sha256"] == "works"
    assert "--only-binary cryptography" in advice


def test_an_old_python_gets_the_one_sentence() -> None:
    ended = python(
        *code(
            "sys.version_info = (3, 9, 2)",
            "from signal_port.command_line import main",
            "main(['doctor'])",
        )
    )
    assert (ended.stdout, ended.stderr.count("\n")) == (b"", 1)
    assert "Python 3.10 or later is needed" in ended.stderr
