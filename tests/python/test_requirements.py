"""What an installation that cannot serve says, and that an old Python can read what says it."""

import ast
import shutil
import sys
from pathlib import Path

import pytest
from child import PACKAGE, WORKER, code, python, terms

from signal_port import requirements
from signal_port.exit_status import UNFIT
from signal_port.requirements import PACKAGES

OLD = "sys.version_info = (3, 9, 2)"
READ_BY_AN_OLD_PYTHON = [
    *["__init__", "__main__", "command_line", "errors", "exit_status", "requirements"],
    *["process", "worker_command"],
]


def run(command: str) -> tuple[str, str]:
    """Return the lines that run a command and exit with its status."""
    return "from signal_port.command_line import main", f"sys.exit(main([{command!r}]))"


THIS_PYTHON = f"Python {sys.version_info[0]}.{sys.version_info[1]} ({sys.executable})"


class TestMissingPackage:
    """One sentence names the package and what to do."""

    def test_worker_without_packages_writes_the_notice(self) -> None:
        ended = python("-S", *WORKER)
        ((kind, sentence),) = terms(ended.stdout)
        assert ended.status == UNFIT
        assert kind == "unfit"
        assert sentence.startswith(f"{THIS_PYTHON} cannot import cryptography (")
        assert "\n" not in sentence
        assert ended.stderr == ""

    def test_sentence_names_the_packages_to_install(self) -> None:
        ended = python("-S", "-I", "-B", str(PACKAGE), "version")
        assert ended.status == UNFIT
        assert ended.stderr.startswith(f"signal-port: {THIS_PYTHON} cannot import cryptography (")
        advice = ended.stderr.partition("pip install ")[2]
        assert all(package in advice for package in ("cryptography", "msgpack", "erlang_py"))
        assert ended.stderr.count("\n") == 1

    @pytest.mark.parametrize("module", ["cryptography", "msgpack", "erlang"])
    def test_each_package_is_asked_for(self, module: str) -> None:
        ended = python(*code(f"sys.modules[{module!r}] = None", *run("version")))
        assert f"cannot import {module} (" in ended.stderr

    def test_folder_of_the_same_name_is_not_taken_for_a_package(self, tmp_path: Path) -> None:
        (tmp_path / "erlang").mkdir()
        first = f"sys.path.insert(0, {str(tmp_path)!r}); sys.modules.pop('erlang', None)"
        without = "sys.path[:] = [place for place in sys.path if 'site-packages' not in place]"
        ended = python(*code("import cryptography, msgpack", first, without, *run("version")))
        assert ended.status == UNFIT
        assert "cannot import erlang (only a folder of that name is there)" in ended.stderr

    def test_installer_of_the_application_is_named_if_there_is_one(self, tmp_path: Path) -> None:
        package = tmp_path / "priv" / "python"
        shutil.copytree(PACKAGE, package / "signal_port")
        (tmp_path / "priv" / "install").touch()
        found = f"sys.path.insert(0, {str(package)!r})", "from signal_port import requirements"
        ended = python(
            *code("sys.prefix = sys.base_prefix", *found, "print(requirements.remedy())")
        )
        advice = ended.stdout.decode()
        assert advice.startswith(
            f"run 'sh {tmp_path}/priv/install' and leave signal_port's option python away, or "
        )

    def test_this_python_lacks_nothing(self) -> None:
        assert requirements.missing_requirement() is None


class TestRequirementsCommand:
    """`signal-port requirements`, from which the installer takes its list."""

    def test_list_is_printed_without_any_package(self) -> None:
        ended = python("-S", "-I", "-B", str(PACKAGE), "requirements")
        assert ended.status == 0
        assert ended.stdout.decode().split() == [*PACKAGES.values()]

    def test_old_python_prints_no_list(self) -> None:
        ended = python(*code(OLD, *run("requirements")))
        assert (ended.status, ended.stdout) == (UNFIT, b"")
        assert ended.stderr.endswith("is 3.9: run it again with PYTHON=path of a later one\n")


class TestOldPython:
    """A Python below the lowest version gets that sentence, whatever else it lacks."""

    def test_sentence_names_the_lowest_version(self) -> None:
        ended = python(*code(OLD, *run("version")))
        assert ended.status == UNFIT
        assert "Python 3.10 or later is needed" in ended.stderr
        assert "is 3.9: set {python, Path} to a later one" in ended.stderr

    def test_no_package_is_imported_before(self) -> None:
        lines = "from signal_port import command_line, requirements, worker_command"
        ended = python(
            *code(OLD, lines, "requirements.missing_requirement()", "print(*sys.modules)")
        )
        imported = ended.stdout.decode().split()
        assert "signal_port.worker_command" in imported
        assert not {"cryptography", "msgpack", "erlang", "signal_port.worker"} & set(imported)

    def test_worker_writes_the_notice(self) -> None:
        ended = python(*code(OLD, *run("worker")))
        ((kind, sentence),) = terms(ended.stdout)
        assert (ended.status, kind) == (UNFIT, "unfit")
        assert sentence.startswith("Python 3.10 or later is needed")


NOT_IN_PYTHON_2 = (
    *(ast.AnnAssign, ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await, ast.JoinedStr),
    *(ast.MatMult, ast.Match, ast.NamedExpr, ast.Nonlocal, ast.YieldFrom),
)


def newer_syntax(source: str) -> list[str]:
    """Return what a Python 2.7 could not parse of a source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(returns=ast.expr()) | ast.arg(annotation=ast.expr()):
                found.append("annotation")
            case ast.arguments(kwonlyargs=[_, *_]) | ast.arguments(posonlyargs=[_, *_]):
                found.append("special parameters")
            case ast.Raise(cause=ast.expr()):
                found.append("raise from")
            case ast.List() | ast.Tuple() | ast.Set() if any(
                isinstance(element, ast.Starred) for element in node.elts
            ):
                found.append("unpacking")
            case ast.Dict() if None in node.keys:
                found.append("unpacking")
            case _ if isinstance(node, NOT_IN_PYTHON_2):
                found.append(type(node).__name__)
    return found


class TestOldSyntax:
    """A Python that is too old can read the code that says so."""

    @pytest.mark.parametrize("module", READ_BY_AN_OLD_PYTHON)
    def test_module_has_no_newer_syntax(self, module: str) -> None:
        source = (PACKAGE / f"{module}.py").read_text()
        assert newer_syntax(source) == []
        source.encode("ascii")  # the encoding that Python 2 takes for granted

    def test_modules_are_all_that_is_imported_before_the_check(self) -> None:
        lines = "from signal_port import __main__, worker_command"
        ended = python(*code(lines, "print(*(n for n in sys.modules if 'signal_port' in n))"))
        imported = {name.partition(".")[2] or "__init__" for name in ended.stdout.decode().split()}
        assert imported == {*READ_BY_AN_OLD_PYTHON}

    @pytest.mark.parametrize(
        "source",
        [
            *["def f(a: int): 0", "def f() -> int: 0", "x: int = 1", "f''", "(y := 1)"],
            *["def f(*, a): 0", "def f(a, /): 0", "raise A from b", "[*a, 1]", "{**a}", "a @ b"],
            *["async def f(): 0", "def f(): yield from a", "match a:\n  case 1: 0"],
        ],
    )
    def test_newer_syntax_is_seen(self, source: str) -> None:
        assert newer_syntax(source)


class TestWriteUnfit:
    """The notice is a frame, however long the reason."""

    def written(self, reason: str) -> list[object]:
        """Return the terms of the notice of a reason, given as an expression."""
        write = "from signal_port.worker_command import write_unfit"
        return terms(python(*code(write, f"write_unfit(1, {reason})")).stdout)

    def test_long_reason_is_cut(self) -> None:
        assert self.written("'x' * 100000") == [["unfit", "x" * 10000]]

    def test_reason_is_cut_between_two_characters(self) -> None:
        assert self.written("'\\u00e4' * 100000") == [["unfit", "\u00e4" * 10000]]
