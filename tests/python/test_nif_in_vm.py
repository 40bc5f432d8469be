"""What a VM does with each library of tests/nifs is what the autopsy says.

Each library is loaded by a VM of its own, then one of its functions is called. The same tests run
in the emulated root of tests/systems/aarch64.sh, where `$NIF_FOLDER` has libraries for aarch64.
"""

import signal
import subprocess
from pathlib import Path

import nifs
import pytest
from child import TIMEOUT

from signal_port import nif_host
from signal_port.autopsy import examine
from signal_port.autopsy_arguments import parse

pytestmark = nifs.ON_LINUX

# A file says that it was loaded: what the VM printed may be lost with it.
LOAD = """
case fixture_nif:load("{library}") of
    ok -> ok = file:write_file("{mark}", ""), io:write(catch fixture_nif:hello());
    {{error, {{_, Text}}}} -> io:put_chars(["refused: ", Text])
end, halt()."""
LOAD_DRIVER = 'io:write(erl_ddll:load_driver("{folder}", "driver")), halt().'


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled module of the libraries."""
    return nifs.build_module(tmp_path_factory.mktemp("module"))


def run(code: str, *arguments: str) -> tuple[int, str]:
    """Return the exit status of a VM that evaluates something, and its output."""
    command = ["erl", "-noshell", *arguments, "-eval", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return ended.returncode, ended.stdout


def effect(library: Path, module: Path, mark: Path) -> str:
    """Return what a VM does that loads a library and calls a function, in the autopsy's words."""
    code = LOAD.format(library=library.with_suffix(""), mark=mark)
    status, output = run(code, "-pa", str(module.parent))
    if status == -signal.SIGSEGV:  # a shell makes 139 of it
        return "crash_at_call" if mark.exists() else "crash"
    assert status == 0
    if output.startswith("refused: "):
        return "refused"
    assert output == "ok"
    return "harmless"


@pytest.mark.parametrize("name", nifs.EXPECTED)
def test_vm_does_to_a_library_what_autopsy_says(name: str, tmp_path: Path, module: Path) -> None:
    architecture = nif_host.architecture()
    library = nifs.build(name, tmp_path, architecture)
    report = examine(str(library), True, parse([str(library), "--beam", str(module)]))
    expected = nifs.EXPECTED[name]
    assert [found.code for found in report.findings] == [expected.code] * (
        expected.code is not None
    )
    assert {found.effect for found in report.findings} <= {expected.effect}
    assert effect(library, module, tmp_path / "loaded") == expected.effect


def test_vm_that_loads_a_crashing_driver_dies_as_with_a_nif(tmp_path: Path) -> None:
    nifs.build("driver", tmp_path, nif_host.architecture(), "-DCRASH")
    assert run(LOAD_DRIVER.format(folder=tmp_path))[0] == -signal.SIGSEGV


def test_vm_that_loads_a_healthy_driver_lives(tmp_path: Path) -> None:
    nifs.build("driver", tmp_path, nif_host.architecture())
    assert run(LOAD_DRIVER.format(folder=tmp_path)) == (0, "ok")
