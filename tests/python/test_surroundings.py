"""A worker and its surroundings: memory, descriptors, files, modules, signals, words."""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from child import PACKAGE, WORKER, Child, code, framed, frames, python, request, terms, worker_with
from vectors import recorded

from signal_port.codec import atom
from signal_port.exit_status import CRASHED, MEMORY, PROTOCOL
from signal_port.operations import OPERATIONS

AS_THE_VM = (*WORKER, "134217728", "50")  # longest frame in bytes, busy wait in microseconds
INIT = request("tag", "init")
OK = atom("ok")
SECRET = "attack at dawn"
AT_ONCE = 10  # seconds, for events that take milliseconds on an idle machine

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a fact of Linux")
CONVERSATION = b"".join(request(call.name, call.operation, *call.args) for call in recorded())


@contextmanager
def worker() -> Iterator[Child]:
    """Start a worker as the VM does, and wait until it is ready."""
    with Child(*AS_THE_VM) as child:
        assert child.receive()[0] == "ready"
        yield child


def status_of(child: Child) -> dict[str, str]:
    """Return what Linux knows of a process, by name."""
    lines = Path(f"/proc/{child.process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def inside(*lines: str, modules: str = "sys") -> tuple[str, ...]:
    """Return the arguments of a worker whose `sha256` answers `answer`, which these lines set."""
    return worker_with(*lines, "return operations.atom('ok'), answer", modules=modules)


def said_inside(*lines: str) -> Any:
    """Return `answer`, which these lines set inside an operation of a worker."""
    ended = python(*inside(*lines), stdin=request(1, "sha256", b""))
    assert (ended.status, ended.stderr) == (0, "")
    return terms(ended.stdout)[1][1][1]


class TestMemory:
    """Other processes cannot read a worker's memory."""

    @ON_LINUX
    def test_crash_leaves_no_core_dump(self) -> None:
        with worker() as child:
            limits = Path(f"/proc/{child.process.pid}/limits").read_text().splitlines()
        (line,) = (line for line in limits if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]

    @ON_LINUX
    @pytest.mark.usefixtures("no_sandbox")
    def test_worker_cannot_be_traced(self) -> None:
        get_dumpable = 3  # prctl(2)
        assert (
            said_inside(
                f"import ctypes\nanswer = ctypes.CDLL(None).prctl({get_dumpable}, 0, 0, 0, 0)"
            )
            == 0
        )

    @ON_LINUX
    @pytest.mark.parametrize("name", ["environ", "mem", "maps"])
    def test_memory_can_be_read_by_root_alone(self, name: str) -> None:
        with worker() as child:
            path = Path(f"/proc/{child.process.pid}/{name}")
            assert path.stat().st_uid == 0
            if os.geteuid() != 0:
                with pytest.raises(PermissionError):
                    path.open("rb").read(1)

    def test_system_without_hardening_gets_a_ready_worker(self) -> None:
        lines = (
            "sys.modules['resource'] = sys.modules['ctypes'] = None",
            "from signal_port import worker_command",
            "sys.exit(worker_command.run_worker())",
        )
        ended = python(*code(*lines), stdin=INIT)
        assert (ended.status, terms(ended.stdout)[1]) == (0, ["tag", OK])


DESCRIPTORS = """
import os, stat
answer = []
for descriptor in range(256):
    try:
        found = os.fstat(descriptor)
    except OSError:
        continue
    if "/libffi.so" in os.path.realpath(f"/proc/self/fd/{descriptor}"):
        continue  # ctypes' library; since 3.4 it can keep its own file open
    null = os.stat(os.devnull)
    is_null = stat.S_ISCHR(found.st_mode) and found.st_rdev == null.st_rdev
    kind = "null" if is_null else "pipe" if stat.S_ISFIFO(found.st_mode) else "other"
    answer.append([descriptor, kind, found.st_ino])
"""

AUDITED = """
import os
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
WHILE_SERVING = (
    "open", "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn",
    "os.spawn", "os.mkdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate",
    "shutil.", "tempfile.", "urllib.", "compile", "exec", "import", "ctypes.", "pickle.",
    "marshal.",
)
seen, is_serving = set(), False
def hook(event, args):
    is_write = event == "open" and args[2] & WRITES
    is_forbidden = is_serving and event.startswith(WHILE_SERVING)
    if is_write or is_forbidden or event.startswith("socket."):
        seen.add(event)
sys.addaudithook(hook)
from signal_port import worker, worker_command
serve = worker.Worker.serve
def watched(self):
    global is_serving
    is_serving = True
    try:
        serve(self)
    finally:
        is_serving = False
worker.Worker.serve = watched
status = worker_command.run_worker()
sys.stderr.write(" ".join(sorted(seen)))
sys.exit(status)
"""


class TestFiles:
    """Descriptors, files and sockets."""

    @pytest.mark.usefixtures("no_sandbox")
    def test_descriptors_are_null_standard_error_and_the_pipes(self) -> None:
        found = said_inside(DESCRIPTORS)
        assert [(descriptor, kind) for descriptor, kind, _ in found] == [
            (0, "null"),
            *((descriptor, "pipe") for descriptor in (1, 2, 3, 4)),
        ]
        output, error, source, sink = (inode for *_, inode in found[1:])
        assert output == error
        assert len({error, source, sink}) == 3

    @ON_LINUX
    def test_operations_without_any_file_are_answered(self) -> None:
        from resource import RLIMIT_FSIZE, RLIMIT_NOFILE, prlimit

        assert {call.operation for call in recorded()} | {
            "x25519",
            "hkdf_sha256",
        } >= OPERATIONS.keys()
        beside_the_nif = request(0, "x25519", bytes(32), bytes(32)) + request(
            0, "hkdf_sha256", b"", b"", b"", 1
        )
        with worker() as child:
            prlimit(child.process.pid, RLIMIT_NOFILE, (1, 1))  # poll(2) needs one
            prlimit(child.process.pid, RLIMIT_FSIZE, (0, 0))
            stdout, stderr = child.process.communicate(CONVERSATION + beside_the_nif, timeout=60)
        assert (child.process.returncode, stderr) == (0, b"")
        assert len(frames(stdout)) == len(recorded()) + 2

    def test_serving_worker_opens_and_connects_nothing(self) -> None:
        ended = python(*code(AUDITED), stdin=CONVERSATION)
        assert (ended.status, ended.stderr) == (0, "")
        assert len(frames(ended.stdout)) == len(recorded()) + 1

    def test_opened_file_is_seen_by_this_audit(self) -> None:
        opens = "import os\nos.close(os.open(os.devnull, os.O_WRONLY))\nanswer = 0"
        ended = python(
            *code(
                AUDITED.partition("from signal_port")[0], opens, "sys.stderr.write(' '.join(seen))"
            )
        )
        assert ended.stderr == "open"


PLANT = "import os\nos.write(2, b'planted ' + __name__.encode() + b'\\n')\n"
PLANTED = [
    "cryptography",
    "erlang",
    "msgpack",
    "resource",
    "sitecustomize",
    "usercustomize",
    "signal_port",
]


def plant(folder: Path) -> None:
    """Write modules with the names of a worker's imports into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLANTED:
        (folder / f"{name}.py").write_text(PLANT)


def planted_everywhere(tmp_path: Path) -> dict[str, Any]:
    """Return folder and environment of a process, with planted modules in every place of both."""
    here, elsewhere, user = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "user"
    paths = sysconfig.get_paths(sysconfig.get_preferred_scheme("user"), {"userbase": str(user)})
    for folder in here, elsewhere, Path(paths["purelib"]):
        plant(folder)
    (here / "startup.py").write_text(PLANT)
    environment = {
        "PYTHONPATH": f"{elsewhere}{os.pathsep}.",
        "PYTHONSTARTUP": str(here / "startup.py"),
        "PYTHONUSERBASE": str(user),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONWARNINGS": "always",
    }
    return {"cwd": here, "env": {**os.environ, **environment}}


def files(folder: Path) -> set[Path]:
    """Return all files in a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


class TestModules:
    """Modules that somebody left in the folder or in the environment."""

    def test_planted_modules_are_not_imported_and_nothing_is_written(
        self,
        tmp_path: Path,
    ) -> None:
        surroundings = planted_everywhere(tmp_path)
        before = files(tmp_path)
        command = [sys.executable, *AS_THE_VM]
        ended = subprocess.run(
            command, input=INIT, capture_output=True, timeout=60, check=False, **surroundings
        )
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert terms(ended.stdout)[1:] == [["tag", OK]]
        assert files(tmp_path) == before

    def test_planted_module_without_isolation_is_imported(self, tmp_path: Path) -> None:
        surroundings = planted_everywhere(tmp_path)
        command = [sys.executable, "-B", "-c", "import msgpack"]
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            **surroundings,
        )
        assert b"planted msgpack" in ended.stderr

    def test_folder_of_the_package_is_unchanged(self) -> None:
        def listed() -> set[tuple[str, float]]:
            return {(str(path), path.stat().st_mtime) for path in PACKAGE.rglob("*.py*")}

        before = listed()
        with worker() as child:
            child.send(INIT)
            child.receive()
            assert child.end().status == 0
        assert listed() == before


class TestSignals:
    """Signals and the end of the input."""

    @ON_LINUX
    def test_interrupt_is_ignored_and_termination_is_not(self) -> None:
        with worker() as child:
            ignored = int(status_of(child)["SigIgn"], 16)
            assert ignored >> signal.SIGINT - 1 & 1
            assert not ignored >> signal.SIGTERM - 1 & 1
            child.process.terminate()
            assert child.process.wait(timeout=AT_ONCE) == -signal.SIGTERM
            assert child.end().stderr == ""

    def test_interrupts_between_requests_change_no_answer(self) -> None:
        with worker() as child:
            for number in range(20):
                os.kill(child.process.pid, signal.SIGINT)
                child.send(request(number, "init"))
                os.kill(child.process.pid, signal.SIGINT)
                assert child.receive() == [number, OK]
            ended = child.end()
        assert (ended.status, ended.stderr) == (0, "")

    @pytest.mark.parametrize(
        "begun", [b"", INIT, INIT * 1000], ids=["nothing", "a request", "a thousand"]
    )
    def test_closed_input_ends_it_at_once(self, begun: bytes) -> None:
        with worker() as child:
            child.send(begun)
            assert child.process.stdin
            child.process.stdin.close()
            child.process.stdin = None
            assert child.process.wait(timeout=AT_ONCE) == 0

    def test_input_closed_inside_a_frame_ends_it_at_once(self) -> None:
        with worker() as child:
            child.send(INIT[:-1])
            assert child.process.stdin
            child.process.stdin.close()
            child.process.stdin = None
            assert child.process.wait(timeout=AT_ONCE) == PROTOCOL


STRAY = {
    "print": "print(data)",
    "warning": "warnings.warn(data.decode())",
    "log": "logging.error(data.decode())",
    "descriptor 1": "os.write(1, data)",
    "error in a destructor": """
        class Late:
            def __del__(self): raise ValueError
        Late()
        print(data)""",
}
OF_OTHERS = {
    "another process": "subprocess.run(['echo', data.decode()])",
    "thread": """
        thread = threading.Thread(target=print, args=[data])
        thread.start()
        thread.join()""",
}

CRASHES = {
    "too deep": ("raise RecursionError(data)", "RecursionError"),
    "really too deep": ("function(data)", "RecursionError"),
    "a panic below": (
        "class PanicException(BaseException): pass\nraise PanicException(data)",
        "PanicException",
    ),
    "an exit": ("raise SystemExit(data.decode())", "SystemExit"),
    "an interrupt": ("raise KeyboardInterrupt(data)", "KeyboardInterrupt"),
}


def check_stray_word(lines: str) -> None:
    """Assert that a word printed inside an operation is on standard error, in no frame."""
    stray = request(1, "sha256", b"stray word")
    modules = "logging, os, subprocess, sys, threading, warnings"
    ended = python(*inside(lines, "answer = 0", modules=modules), stdin=INIT + stray + INIT)
    assert terms(ended.stdout)[1:] == [["tag", OK], [1, [OK, 0]], ["tag", OK]]
    assert "stray word" in ended.stderr


class TestWords:
    """What a worker says on standard error, and what it does not."""

    @pytest.mark.parametrize("lines", STRAY.values(), ids=STRAY)
    def test_stray_word_goes_to_standard_error_and_between_no_frames(self, lines: str) -> None:
        check_stray_word(lines)

    @pytest.mark.usefixtures("no_sandbox")
    @pytest.mark.parametrize("lines", OF_OTHERS.values(), ids=OF_OTHERS)
    def test_stray_word_of_others_goes_to_standard_error_too(self, lines: str) -> None:
        check_stray_word(lines)

    @pytest.mark.parametrize(("lines", "kind"), CRASHES.values(), ids=CRASHES)
    def test_crash_names_its_type_and_no_secret(self, lines: str, kind: str) -> None:
        ended = python(
            *inside(lines), stdin=INIT + request(1, "sha256", SECRET.encode() * 100) + INIT
        )
        assert SECRET not in ended.stderr
        assert ended.stderr.startswith(f"signal-port: {kind} at ")
        assert ended.stderr.count("\n") == 1
        assert ended.status == CRASHED
        assert terms(ended.stdout)[1:] == [["tag", OK]]

    @ON_LINUX
    def test_worker_out_of_memory_prints_no_secret(self) -> None:
        from resource import RLIMIT_AS, prlimit

        long = framed(
            msgpack.packb([1, "encrypt_message", [SECRET.encode() * 5, SECRET.encode() * 2**21]])
        )
        with worker() as child:
            size = int(status_of(child)["VmSize"].split()[0]) * 1024 + 48 * 1024 * 1024
            prlimit(child.process.pid, RLIMIT_AS, (size, size))
            stdout, stderr = child.process.communicate(INIT + long, timeout=60)
        assert child.process.returncode == MEMORY
        assert SECRET.encode() not in stderr
        assert b"max_memory" in stderr
        assert stderr.count(b"\n") == 1
        assert terms(stdout) == [["tag", OK]]

    def test_killed_worker_prints_nothing(self) -> None:
        with worker() as child:
            child.send(request(1, "sha256", SECRET.encode()) + INIT[:-1])
            child.receive()
            child.process.kill()
            ended = child.end()
        assert (ended.status, ended.stdout, ended.stderr) == (-signal.SIGKILL, b"", "")
