"""The sandbox of a worker: what an attacker who runs code in it can do, and what still works."""

import errno
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import erlang
import pytest
from child import ROOT, TIMEOUT, WORKER, Ended, code, framed, frames, python, request, serve, terms
from vectors import masked, recorded

from signal_port import sandbox
from signal_port.codec import atom
from signal_port.limits import MAX_FRAME
from signal_port.primitives import sha256

OK, ERROR = atom("ok"), atom("error")
INIT = request("tag", "init")
SECRET = "attack at dawn"
PROTOCOL_STATUS, UNFIT_STATUS = 76, 78
TAKEN_OVER = str(ROOT / "tests/python/taken_over.py")
ANONYMOUS = "mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is a part of Linux")


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a worker refuse to start if it cannot enter its sandbox."""
    monkeypatch.setenv(sandbox.VARIABLE, "required")


def attacked(folder: Path, lines: str) -> Ended:
    """Return how a worker ends in which these lines are run, before another call."""
    stream = request("attack", "sha256", lines.encode()) + INIT
    return python("-B", TAKEN_OVER, str(folder), stdin=stream)


# System calls, by code that does little harm if the sandbox fails.
KILLED = {
    "file is read": "open('/etc/passwd').read()",
    "file is made": "os.open('planted', os.O_CREAT | os.O_WRONLY)",
    "file is removed": "os.unlink('planted')",
    "file is renamed": "os.rename('planted', 'other')",
    "folder is listed": "os.listdir('/')",
    "folder is made": "os.mkdir('planted')",
    "environment of the parent is read": "open(f'/proc/{os.getppid()}/environ').read()",
    "own memory is opened": "open('/proc/self/mem', 'rb')",
    "file in memory is made": "os.memfd_create('planted')",
    "module is imported": "import wave",
    "connection is made": "socket.create_connection(('127.0.0.1', 9))",
    "name is looked up": "socket.getaddrinfo('localhost', 80)",
    "socket is made": "socket.socket()",
    "pair of sockets is made": "socket.socketpair()",
    "stream is sent to as a socket": "call(LIBC.sendto, SINK, b'x', 1, 0, None, 0)",
    "message with descriptors is sent": "call(LIBC.sendmsg, SINK, None, 0)",
    "process is forked": "os.fork() or os._exit(0)",
    "process is forked by vfork": "call(LIBC.vfork) or os._exit(0)",
    "process is spawned": "os.posix_spawn('/bin/true', ['true'], {})",
    "program is executed": "os.execv('/bin/true', ['true'])",
    "shell is started": "os.system('true')",
    "thread is started": "threading.Thread(target=print).start()",
    "parent is signalled": "os.kill(os.getppid(), 0)",
    "init is signalled": "os.kill(1, 0)",
    "all are signalled": "os.kill(-1, 0)",
    "group is signalled": "os.kill(0, 0)",
    "parent's thread is signalled": "call(LIBC.tgkill, os.getppid(), os.getppid(), 0)",
    "parent is traced": "call(LIBC.ptrace, 16, os.getppid(), 0, 0)",
    "tracing by the parent is asked for": "call(LIBC.ptrace, 0, 0, 0, 0)",
    "memory of the parent is read": "call(LIBC.process_vm_readv, os.getppid(), 0, 0, 0, 0, 0)",
    "memory of the parent is written": "call(LIBC.process_vm_writev, os.getppid(), 0, 0, 0, 0, 0)",
    "memory for code is mapped": f"mmap.mmap(-1, 4096, {ANONYMOUS}, 7)",
    "memory is made executable": "call(LIBC.mprotect, id(0) & ~4095, 4096, 5)",
    "terminal is asked for": "os.isatty(2)",
    "line is typed for the terminal": "call(LIBC.ioctl, 2, 0x5412, b'x')",
    "namespace is left": "call(LIBC.unshare, 0x10000000)",
    "file system is mounted": "call(LIBC.mount, b'none', b'no folder', b'tmpfs', 0, None)",
    "root is changed": "os.chroot('/')",
    "user is changed": "os.setuid(os.getuid())",
    "memory is shared": "call(LIBC.shmget, 0, 4096, 0o1600)",
}
REFUSED = {
    "file is looked at": "os.stat('/etc/passwd')",
    "file is asked for": "call(LIBC.access, b'/etc/passwd', 0)",
    "folder is changed": "os.chdir('/')",
    "link is followed": "os.readlink('/proc/self/exe')",
    "other descriptor is read": "os.read(LEFT_OPEN, 1)",
    "other descriptor is written": "os.write(LEFT_OPEN, b'planted')",
    "other descriptor is mapped": "call(LIBC.mmap, None, 4096, 1, mmap.MAP_SHARED, LEFT_OPEN, 0)",
    "source is written": "os.write(SOURCE, b'x')",
    "sink is read": "os.read(SINK, 1)",
    "descriptor is copied": "os.dup(SINK)",
    "descriptor is copied to a number": "os.dup2(SINK, 99)",
    "descriptor is changed": "fcntl.fcntl(SINK, fcntl.F_GETFL)",
    "data goes past memory": "os.sendfile(SINK, LEFT_OPEN, 0, 1)",
    "pipe is made": "os.pipe()",
    "program is started": "subprocess.run(['true'], stdin=subprocess.PIPE)",
    "shared memory is mapped": "mmap.mmap(-1, 4096)",
    "memory that grows down is mapped": f"mmap.mmap(-1, 4096, {ANONYMOUS} | 0x100)",
    "limit is set": "call(LIBC.setrlimit, resource.RLIMIT_CORE, (ctypes.c_ulong * 2)(0, 0))",
    "limit of the parent is asked for": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "priority is changed": "os.nice(1)",
    "dumps are asked for": "call(LIBC.prctl, 3, 0, 0, 0, 0)",
    "life after the VM is asked for": "call(LIBC.prctl, 1, 0, 0, 0, 0)",
    "another filter is loaded": "call(LIBC.prctl, 22, 2, 0, 0, 0)",
    "machine's name is asked for": "os.uname()",
}
WORKS = {
    "hash": "answer = __import__('hashlib').sha256(b'abc').digest()",
    "random numbers": "answer = len(os.urandom(1000))",
    "time": "import time\nanswer = time.time() > 0 and time.monotonic() > 0",
    "pause": "answer = call(LIBC.usleep, 1)",
    "memory": "answer = len(bytes(50_000_000))",
    "memory of small things": "answer = len([str(number) for number in range(1_000_000)])",
    "lock": "lock = threading.Lock()\nlock.acquire()\nanswer = lock.acquire(timeout=0.001)",
    "own process": "answer = os.getpid() > 0 and os.getppid() > 0",
    "standard input": "answer = os.read(0, 1)",
    "standard output": "answer = os.write(1, b'said')",
    "standard error": "answer = os.write(2, b'said')",
    "collector": "import gc\nanswer = gc.collect() >= 0",
}
ERRORS = {
    "crash": ("raise ValueError(SECRET)", 70, "signal-port: ValueError at "),
    "recursion": ("def deep(): deep()\ndeep()", 70, "signal-port: RecursionError at "),
    "panic": (
        "class Panic(BaseException): pass\nraise Panic(SECRET)",
        70,
        "signal-port: Panic at ",
    ),
    "memory": ("bytes(2**40)", 71, "signal-port: a call took more memory "),
    "wrong protocol": (
        "from signal_port.errors import ProtocolError\nraise ProtocolError('wrong')",
        76,
        "signal-port: wrong\n",
    ),
    "in a destructor": (
        "class Late:\n  def __del__(self): raise ValueError(SECRET)\nLate()",
        0,
        "signal-port: an error was ignored (ValueError)\n",
    ),
    "warning": (
        "warnings.simplefilter('always')\nwarnings.warn('old')",
        0,
        "signal-port: UserWarning: old\n",
    ),
    "exit": ("sys.exit(SECRET)", 70, "signal-port: SystemExit at "),
}


class TestAttacks:
    """Code of an attacker in a worker that has started."""

    @pytest.mark.parametrize("lines", KILLED.values(), ids=KILLED)
    def test_what_is_dangerous_ends_it_with_sigsys(self, lines: str, tmp_path: Path) -> None:
        ended = attacked(tmp_path, lines)
        assert ended.status == -signal.SIGSYS
        assert terms(ended.stdout)[1:] == []

    @pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
    def test_what_is_not_needed_is_refused(self, lines: str, tmp_path: Path) -> None:
        ended = attacked(tmp_path, lines)
        assert terms(ended.stdout)[1:] == [["attack", [ERROR, errno.EPERM]], ["tag", OK]]
        assert (tmp_path / "left_open").read_bytes() == b""
        assert ended.status == 0

    @pytest.mark.parametrize("lines", WORKS.values(), ids=WORKS)
    def test_what_is_needed_works(self, lines: str, tmp_path: Path) -> None:
        ended = attacked(tmp_path, lines)
        assert terms(ended.stdout)[1][1][0] == OK
        assert ended.status == 0

    @pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
    def test_nothing_else_refuses_it(
        self, lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(sandbox.VARIABLE, "off")
        assert terms(attacked(tmp_path, lines).stdout)[1][1] != [ERROR, errno.EPERM]

    def test_it_may_abort(self, tmp_path: Path) -> None:
        assert attacked(tmp_path, "os.abort()").status == -signal.SIGABRT

    def test_it_may_signal_itself(self, tmp_path: Path) -> None:
        assert attacked(tmp_path, "os.kill(os.getpid(), 15)").status == -signal.SIGTERM


def notice() -> dict[str, Any]:
    """Return the map of the ready notice of a worker."""
    ((_, _, facts),) = terms(serve(b"").stdout)
    return facts


class TestModes:
    """What SIGNAL_PORT_SANDBOX says, and what the ready notice answers."""

    def test_required_sandbox_is_entered(self) -> None:
        assert notice()["sandbox"] == "seccomp"

    def test_sandbox_is_entered_without_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(sandbox.VARIABLE)
        assert notice()["sandbox"] == "seccomp"

    def test_sandbox_that_is_off_is_not_entered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(sandbox.VARIABLE, "off")
        assert notice()["sandbox"] == "none: it is switched off"

    @pytest.mark.parametrize("mode", ["", "on", "AUTO", "required "])
    def test_other_mode_is_unfit(self, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(sandbox.VARIABLE, mode)
        sentence = f"SIGNAL_PORT_SANDBOX is {mode!r}: set it to auto, required or off"
        ended = serve(INIT)
        assert terms(ended.stdout) == [["unfit", sentence]]
        assert ended.status == UNFIT_STATUS


# How it comes that there is no sandbox, and what the reason says.
START = "from signal_port import worker_command", "sys.exit(worker_command.run_worker())"
OTHER_SYSTEM = (
    "import types",
    "from signal_port import seccomp",
    "seccomp.sys = types.SimpleNamespace(platform='plan9')",
)
OTHER_LIBRARY = "from signal_port import seccomp", "seccomp._LIBRARY = 'libnone.so'"
OTHER_MACHINE = "import os, types", "os.uname = lambda: types.SimpleNamespace(machine='vax')"
WITHOUT_SECCOMP = str(ROOT / "tests/python/without_seccomp.py")
OBSTACLES = {
    "no ctypes": (code("sys.modules['ctypes'] = None", *START), "this Python has no ctypes"),
    "no library": (code(*OTHER_LIBRARY, *START), "libnone.so is not installed"),
    "other system": (code(*OTHER_SYSTEM, *START), "plan9 has no seccomp"),
    "other machine": (code(*OTHER_MACHINE, *START), "there is no filter for this machine, vax"),
    "32 bits": (code("sys.maxsize = 2**31 - 1", *START), "there is no filter for this machine, "),
    "system that refuses": ((WITHOUT_SECCOMP, str(errno.ENOSYS)), "libseccomp cannot load"),
    "system that only says yes": ((WITHOUT_SECCOMP, "0"), "the system does not apply the filter"),
}


@pytest.mark.parametrize(("program", "reason"), OBSTACLES.values(), ids=OBSTACLES)
class TestObstacles:
    """Where the filter cannot be had."""

    def test_worker_is_ready_and_says_why_there_is_no_sandbox(
        self, program: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(sandbox.VARIABLE, "auto")
        ended = python(*program, stdin=INIT)
        (_, _, facts), reply = terms(ended.stdout)
        assert facts["sandbox"].startswith(f"none: {reason}")
        assert reply == ["tag", OK]

    def test_worker_that_must_have_it_is_unfit(self, program: tuple[str, ...], reason: str) -> None:
        ended = python(*program, stdin=INIT)
        ((kind, sentence),) = terms(ended.stdout)
        assert (ended.status, kind) == (UNFIT_STATUS, "unfit")
        begin = f"the worker cannot enter its sandbox, which is required ({reason}"
        assert sentence.startswith(begin)
        assert sentence.endswith("or set signal_port's option {sandbox, auto}")


class TestAnswers:
    """Every operation answers in the sandbox as it does outside."""

    def test_recorded_answers_are_given(self) -> None:
        ended = serve(
            b"".join(request(call.name, call.operation, *call.args) for call in recorded())
        )
        assert (ended.status, ended.stderr) == (0, "")
        replies = terms(ended.stdout)[1:]
        for call, (tag, answer) in zip(recorded(), replies, strict=True):
            assert tag == call.name
            assert masked(tuples(answer), call.random) == masked(tuples(call.answer), call.random)

    def test_recorded_calls_are_answered_in_the_external_term_format(self) -> None:
        calls = [call for call in recorded() if not any(type(arg) is list for arg in call.args)]
        ended = serve(b"".join(framed(etf(call.operation, call.args)) for call in calls))
        assert (ended.status, ended.stderr) == (0, "")
        assert len(frames(ended.stdout)) == len(calls) + 1

    def test_garbage_ends_it_with_its_own_status(self) -> None:
        ended = serve(framed(b"\x83\x00"))
        assert (ended.status, ended.stderr.count("\n")) == (PROTOCOL_STATUS, 1)


def tuples(term: Any) -> Any:
    """Return a term with a tuple for each list."""
    return tuple(map(tuples, term)) if type(term) in (list, tuple) else term


def etf(operation: str, args: list[Any]) -> bytes:
    """Return a request in the external term format."""
    terms = [erlang.OtpErlangBinary(arg) if type(arg) is bytes else arg for arg in args]
    return bytes(erlang.term_to_binary((1, erlang.OtpErlangAtom(operation), terms)))


class TestErrors:
    """An error is told without a file being opened, in Python's development mode too."""

    @pytest.mark.parametrize("options", [[], ["-X", "dev"], ["-X", "tracemalloc"]], ids=str)
    @pytest.mark.parametrize(("lines", "status", "said"), ERRORS.values(), ids=ERRORS)
    def test_error_is_told_on_standard_error(
        self, lines: str, status: int, said: str, options: list[str], tmp_path: Path
    ) -> None:
        stream = request("attack", "sha256", lines.encode())
        ended = python(*options, TAKEN_OVER, str(tmp_path), stdin=stream)
        assert ended.status == status
        assert said in ended.stderr
        assert SECRET not in ended.stderr


class TestSocket:
    """A worker with a connection as its streams, as `signal-port serve` starts it."""

    @pytest.mark.parametrize("busy_wait", ["0", "1000"])
    def test_connection_is_served(self, busy_wait: str) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, *WORKER, str(MAX_FRAME), busy_wait]
        worker = subprocess.Popen(command, stdin=theirs, stdout=theirs)
        theirs.close()
        with ours, ours.makefile("rb") as replies:
            ours.sendall(INIT * 1000 + request("long", "sha256", bytes(3_000_000)))
            ours.shutdown(socket.SHUT_WR)
            answers = terms(replies.read())
        assert worker.wait(TIMEOUT) == 0
        assert answers[0][2]["sandbox"] == "seccomp"
        assert answers[1:-1] == [["tag", OK]] * 1000
        assert answers[-1] == ["long", [OK, sha256(bytes(3_000_000))]]
