"""Who imports what: no module imports itself through others; some imports are for few."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from child import PACKAGE, ROOT
from source import imports, parsed

FOLDERS = [PACKAGE, ROOT / "bench", ROOT / "tests" / "python", ROOT / "tests" / "fuzz"]

# By the module that is imported: which modules import it. A new importer needs a reason.
IMPORTERS = {
    "cryptography": {"primitives"},
    "erlang": {"codec"},
    "msgpack": {"codec", "doctor_socket", "selftest"},
    "elftools": {"elf_image", "requirements"},
    "socket": {"doctor_socket", "serve_connection", "serve_socket", "server", "systemd"},
    "subprocess": {"selftest", "serve_connection"},
    "select": {"serve_connection", "server", "worker"},
    "signal": {"process", "serve_connection", "server"},
    "ctypes": {"memory", "process", "seccomp", "serve_connection"},
    "resource": {"memory", "process", "serve"},
    "fcntl": {"process", "serve_socket"},
    "worker": {"doctor_socket", "selftest", "worker_command"},
    "process": {"worker_command"},
    "command_line": {"__main__"},
    "__main__": set[str](),
}
# Nothing imports these: they execute code, open connections, or decode without limits.
UNUSED = {"asyncio", "http", "marshal", "multiprocessing", "pickle", "ssl", "threading", "urllib"}

# Modules of functions on values: they know no file, no process, no clock.
PURE = {
    *{"codec", "etf", "frame", "operations", "errors", "limits"},
    *{"double_ratchet", "ratchet_keys", "session", "messages", "x3dh", "static_session"},
    *{"ed25519", "edwards25519", "known_answers", "arguments", "results"},
}
PURE_IMPORTS = {"collections", "enum", "functools", "struct", "typing", "erlang", "msgpack"}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the names of a circle, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def forbidden(graph: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return the imports that the tables do not allow: who, and what."""
    found = {
        (name, other)
        for name, others in graph.items()
        for other in others
        if other in UNUSED or name not in IMPORTERS.get(other, {name})
    }
    impure = {(name, other) for name in PURE & graph.keys() for other in graph[name]}
    pure = {
        (name, other)
        for name, other in impure
        if other in PURE_IMPORTS or other in PURE or other == "primitives"
    }
    return found | (impure - pure)


def fixture(**sources: str) -> dict[str, set[str]]:
    """Return the imports of modules that exist here alone."""
    return imports({name: ast.parse(source) for name, source in sources.items()})


class TestCircles:
    """No module imports itself through others, not even inside functions."""

    @pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
    def test_folder_has_no_circle(self, folder: Path) -> None:
        graph = imports(parsed(folder))
        assert len(graph) > 1
        assert circle(graph) == []

    @pytest.mark.parametrize(
        "source",
        [
            *["import first", "from first import f", "def f():\n    from first import g"],
            *["from signal_port import first", "from signal_port.first import f"],
            *["import signal_port.first", "from typing import Any\nimport os, first as f"],
        ],
    )
    def test_circle_is_seen(self, source: str) -> None:
        assert circle(fixture(first="import second", second=source)) != []

    def test_command_that_imports_the_command_line_is_seen(self) -> None:
        sources = {"command_line": "", "doctor": "from signal_port import command_line"}
        assert circle(fixture(**sources)) != []


class TestImporters:
    """Packages and system modules have the importers of the table."""

    def test_package_imports_nothing_forbidden(self) -> None:
        assert forbidden(imports(parsed(PACKAGE))) == set()

    def test_table_names_no_importer_in_vain(self) -> None:
        graph = imports(parsed(PACKAGE))
        allowed = {(name, other) for other, names in IMPORTERS.items() for name in names}
        assert allowed == {(name, other) for name, other in allowed if other in graph[name]}
        assert graph.keys() >= PURE

    @pytest.mark.parametrize(
        ("name", "source", "found"),
        [
            ("x3dh", "from cryptography.hazmat.primitives.hmac import HMAC", "cryptography"),
            ("version", "def f():\n    import cryptography", "cryptography"),
            ("operations", "import erlang", "erlang"),
            ("anything", "import pickle", "pickle"),
            ("anything", "from socket import socket", "socket"),
            ("codec", "import os", "os"),
            ("session", "from pathlib import Path", "pathlib"),
            ("messages", "import signal_port.worker", "worker"),
            ("etf", "from signal_port import process", "process"),
        ],
    )
    def test_forbidden_import_is_seen(self, name: str, source: str, found: str) -> None:
        others = {"worker": "", "process": "", "codec": ""} | {name: source}
        assert (name, found) in forbidden(fixture(**others))
