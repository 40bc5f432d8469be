"""The command line, and what an installation says that cannot serve."""

import ast
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from child import PACKAGE, TIMEOUT, WORKER, code, python, terms

from signal_port import __main__, __version__

UNFIT_STATUS = 78  # EX_CONFIG
USAGE_STATUS = 2
OLD = "sys.version_info = (3, 9, 2)"


def run(command: str) -> tuple[str, str]:
    """Return the lines that run a command and exit with its status."""
    return "from signal_port.__main__ import main", f"sys.exit(main([{command!r}]))"


def test_version_says_what_answers() -> None:
    ended = python("-m", "signal_port", "version")
    assert (ended.status, ended.stderr) == (0, "")
    line = ended.stdout.decode()
    assert line.startswith(f"signal_port {__version__}, python {sys.version_info[0]}.")
    assert line.count("\n") == 1
    for name in ("cryptography", "OpenSSL"):
        assert name in line


def test_it_runs_by_its_folder_too() -> None:
    assert python("-I", "-B", str(PACKAGE), "version") == python("-m", "signal_port", "version")


NO_COMMANDS = [
    *["", "help", "--help", "version now", "1 worker"],
    *["doctor now", "selftest 1", "inspect-session", "inspect-session a b"],
    *["worker many", "worker -1", "worker +1", "worker 1.5", "worker 1_0", "worker 0x10"],
    *[
        "worker 1000 many",
        "worker 1000 -1",
        "worker 1000 1.5",
        "worker many 1000",
        "worker 1000 0 0",
    ],
]


@pytest.mark.parametrize("arguments", NO_COMMANDS)
def test_anything_else_is_answered_with_the_usage(arguments: str) -> None:
    ended = python("-m", "signal_port", *arguments.split())
    assert ended == (USAGE_STATUS, b"", f"signal-port: {__main__.USAGE}\n")


@pytest.mark.parametrize(
    "arguments", [["\u00b2"], ["\u0663"], ["1000", "\u00b2"], [""], ["1000", ""], [" 1000"]]
)
def test_a_number_in_other_digits_is_answered_with_the_usage(arguments: list[str]) -> None:
    ended = python("-m", "signal_port", "worker", *arguments)
    assert ended == (USAGE_STATUS, b"", f"signal-port: {__main__.USAGE}\n")


@pytest.mark.parametrize("arguments", [[], ["1000"], ["1000", "0"], ["1000", "50"]])
def test_a_worker_takes_a_limit_and_a_time_to_stay_awake(arguments: list[str]) -> None:
    ended = python("-m", "signal_port", "worker", *arguments)
    assert (ended.status, ended.stderr) == (0, "")
    assert terms(ended.stdout)[0][0] == "ready"


def test_a_worker_at_a_terminal_says_who_starts_it() -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, *WORKER]
    ended = subprocess.run(command, stdin=theirs, capture_output=True, timeout=TIMEOUT, check=False)
    os.close(ours)
    os.close(theirs)
    assert (ended.returncode, ended.stdout) == (USAGE_STATUS, b"")
    assert ended.stderr.startswith(b"signal-port: it is started by an Erlang VM")


def test_a_worker_without_standard_input_says_so() -> None:
    ended = python(*code("import os", "os.close(0)", *run("worker")))
    assert ended == (USAGE_STATUS, b"", "signal-port: standard input or output is closed\n")


# --- Pipes ---


def test_a_pipe_is_widened() -> None:
    fcntl = pytest.importorskip("fcntl")
    if not hasattr(fcntl, "F_GETPIPE_SZ"):
        pytest.skip("this system widens no pipes")
    ends = os.pipe()
    before = fcntl.fcntl(ends[0], fcntl.F_GETPIPE_SZ)
    __main__.widen(ends[0])
    after = fcntl.fcntl(ends[1], fcntl.F_GETPIPE_SZ)
    for end in ends:
        os.close(end)
    # A user with many pipes open is refused, and the pipe stays as it was.
    assert after in (before, __main__.PIPE_SIZE)
    assert os.geteuid() != 0 or after == __main__.PIPE_SIZE


def test_what_is_no_pipe_stays_as_it_is(tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    one, other = socket.socketpair()
    with one, other:
        for descriptor in (file, one.fileno()):
            __main__.widen(descriptor)
            os.write(descriptor, b"still")
        assert other.recv(5) == b"still"
    os.close(file)
    __main__.widen(file)  # closed
    assert (tmp_path / "file").read_bytes() == b"still"


def test_a_system_that_widens_no_pipes_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.delattr(fcntl, "F_SETPIPE_SZ", raising=False)
    ends = os.pipe()
    __main__.widen(ends[0])
    for end in ends:
        os.close(end)


def test_a_system_without_fcntl_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    __main__.widen(0)


# --- A Python that lacks something ---


def test_a_worker_without_packages_writes_a_notice_with_one_sentence() -> None:
    ended = python("-S", *WORKER)
    ((kind, sentence),) = terms(ended.stdout)
    assert ended.status == UNFIT_STATUS
    assert kind == "unfit"
    assert sentence.startswith(f"Python ({sys.executable}) cannot import cryptography (")
    assert "\n" not in sentence
    assert ended.stderr == ""


def test_the_sentence_says_what_to_install() -> None:
    ended = python("-S", "-I", "-B", str(PACKAGE), "version")
    assert ended.status == UNFIT_STATUS
    assert ended.stderr.startswith(
        f"signal-port: Python ({sys.executable}) cannot import cryptography ("
    )
    advice = ended.stderr.partition("pip install ")[2]
    assert all(package in advice for package in ("cryptography", "msgpack", "erlang_py"))
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["selftest"], ["inspect-session", "-"]])
def test_what_needs_the_packages_says_so(arguments: list[str]) -> None:
    ended = python("-S", "-m", "signal_port", *arguments)
    assert (ended.status, ended.stdout) == (UNFIT_STATUS, b"")
    assert ended.stderr.startswith(
        f"signal-port: Python ({sys.executable}) cannot import cryptography ("
    )


@pytest.mark.parametrize("module", ["cryptography", "msgpack", "erlang"])
def test_each_package_is_asked_for(module: str) -> None:
    ended = python(*code(f"sys.modules[{module!r}] = None", *run("version")))
    assert f"cannot import {module} (" in ended.stderr


def test_a_folder_of_the_package_s_name_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "erlang").mkdir()
    first = f"sys.path.insert(0, {str(tmp_path)!r}); sys.modules.pop('erlang', None)"
    without = "sys.path[:] = [place for place in sys.path if 'site-packages' not in place]"
    ended = python(*code("import cryptography, msgpack", first, without, *run("version")))
    assert ended.status == UNFIT_STATUS
    assert "cannot import erlang (only a folder of that name is there)" in ended.stderr


def test_where_the_application_has_an_installer_the_sentence_names_it(tmp_path: Path) -> None:
    package = tmp_path / "priv" / "python"
    shutil.copytree(PACKAGE, package / "signal_port")
    (tmp_path / "priv" / "install").touch()
    found = f"sys.path.insert(0, {str(package)!r})", "from signal_port import __main__"
    ended = python(*code("sys.prefix = sys.base_prefix", *found, "print(__main__.remedy())"))
    advice = ended.stdout.decode()
    assert advice.startswith(
        f"run 'sh {tmp_path}/priv/install' and leave signal_port's option python away, or "
    )


def test_the_requirements_need_no_package() -> None:
    ended = python("-S", "-I", "-B", str(PACKAGE), "requirements")
    assert ended.status == 0
    assert ended.stdout.decode().split() == [*__main__.PACKAGES.values()]


def test_an_old_python_does_not_say_what_it_would_require() -> None:
    ended = python(*code(OLD, *run("requirements")))
    assert (ended.status, ended.stdout) == (UNFIT_STATUS, b"")
    assert ended.stderr.endswith("is 3.9: say PYTHON=path of a later one\n")


def test_an_old_python_says_which_is_needed() -> None:
    ended = python(*code(OLD, *run("version")))
    assert ended.status == UNFIT_STATUS
    assert "Python 3.10 or later is needed" in ended.stderr
    assert "is 3.9: set {python, Path} to a later one" in ended.stderr


def test_an_old_python_is_told_before_any_package_is_imported() -> None:
    ended = python(
        *code(OLD, "from signal_port import __main__", "__main__.unfit()", "print(*sys.modules)")
    )
    imported = ended.stdout.decode().split()
    assert "signal_port.__main__" in imported
    assert not {"cryptography", "msgpack", "erlang", "signal_port.worker"} & set(imported)


def test_an_old_python_s_worker_writes_the_notice() -> None:
    ended = python(*code(OLD, *run("worker")))
    ((kind, sentence),) = terms(ended.stdout)
    assert (ended.status, kind) == (UNFIT_STATUS, "unfit")
    assert sentence.startswith("Python 3.10 or later is needed")


def test_a_long_reason_is_cut_and_still_a_frame() -> None:
    write = ("from signal_port.__main__ import write_unfit", "write_unfit(1, 'x' * 100000)")
    assert terms(python(*code(*write)).stdout) == [["unfit", "x" * 10000]]


def test_a_reason_is_cut_between_two_characters() -> None:
    write = ("from signal_port.__main__ import write_unfit", "write_unfit(1, '\\u00e4' * 100000)")
    ((_, reason),) = terms(python(*code(*write)).stdout)
    assert reason == "\u00e4" * 10000


def test_this_python_lacks_nothing() -> None:
    assert __main__.unfit() is None


def test_the_module_needs_no_newer_language_until_it_is_ready() -> None:
    source = (PACKAGE / "__main__.py").read_text()
    ast.parse(source, feature_version=(3, 5))
