"""The filter, system call by system call: which are carried out, which are refused, which kill."""

import errno
import os
import platform
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from child import ROOT, python

from signal_port import seccomp

SYSTEM_CALLS = str(ROOT / "tests/python/system_calls.py")

# What is carried out with -1 for every argument; `read`, `write`, `mmap` and `mprotect` are not.
CARRIED_OUT = """
    brk clock_getres clock_gettime clock_nanosleep exit exit_group futex getpid getppid getrandom
    gettid gettimeofday madvise mremap munmap nanosleep poll ppoll restart_syscall rt_sigaction
    rt_sigprocmask rt_sigreturn sched_yield sigaltstack time
"""
KILLED = """
    open openat openat2 creat memfd_create socket socketpair connect bind listen accept accept4
    sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg fork vfork clone clone3 execve execveat
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo ptrace process_vm_readv process_vm_writev
    pidfd_open pidfd_getfd pidfd_send_signal bpf keyctl add_key request_key ioctl perf_event_open
    userfaultfd io_uring_setup io_uring_enter io_uring_register mount umount2 unshare setns chroot
    pivot_root mmap mprotect pkey_mprotect personality modify_ldt init_module finit_module reboot
    setuid setgid unlink rename mkdir link symlink mknod chmod chown truncate shmget shmat
"""
# The kernel lets these two pass every filter; it ends a process that makes them by itself.
PASS_EVERY_FILTER = {335, 336}  # uretprobe, uprobe

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="the numbers are those of Linux on x86-64",
)


def outcomes(way: str, numbers: list[int]) -> dict[int, str]:
    """Return what becomes of each system call."""
    lines = "\n".join(f"{way} {number}" for number in numbers)
    ended = python("-B", SYSTEM_CALLS, stdin=lines.encode())
    assert (ended.status, ended.stderr) == (0, "")
    return dict(zip(numbers, ended.stdout.decode().splitlines(), strict=True))


def number(name: str) -> int:
    """Return the number of a system call."""
    found: int = seccomp._library().seccomp_syscall_resolve_name(name.encode())
    assert found >= 0, name
    return found


class TestFilter:
    """What the kernel does with each number."""

    def test_no_system_call_but_the_needed_ones_is_carried_out(self) -> None:
        found = outcomes("x86-64", [each for each in range(500) if each not in PASS_EVERY_FILTER])
        carried_out = {each for each, what in found.items() if what not in ("killed", "refused")}
        assert carried_out == set(map(number, CARRIED_OUT.split()))

    def test_dangerous_system_call_kills(self) -> None:
        names = KILLED.split()
        found = outcomes("x86-64", [number(name) for name in names])
        assert {name: found[number(name)] for name in names} == dict.fromkeys(names, "killed")

    def test_system_call_of_x32_kills(self) -> None:
        numbers = [*range(4), *range(39, 60), 318, *range(512, 548)]
        assert set(outcomes("x32", numbers).values()) == {"killed"}

    def test_system_call_of_i386_kills(self) -> None:
        numbers = [*range(1, 12), 20, 37, 102, 120, 190, 192, 295, 355, 358, 359]
        # A kernel that runs no such programs ends it too, by SIGSEGV.
        assert set(outcomes("i386", numbers).values()) <= {"killed", "crashed"}


class Library:
    """Stands for libseccomp, and loads nothing."""

    def __init__(self, **results: int) -> None:
        self.results = results
        self.rules: list[tuple[Any, ...]] = []
        self.is_released = False

    def seccomp_init(self, action: int) -> int:
        return 1

    def seccomp_attr_set(self, context: int, attribute: int, value: int) -> int:
        return self.results.get(f"attribute {attribute}", 0)

    def seccomp_syscall_resolve_name(self, name: bytes) -> int:
        return self.results.get(name.decode(), 1000)

    def seccomp_rule_add_array(self, *arguments: Any) -> int:
        self.rules.append(arguments)
        return self.results.get("rule", 0)

    def seccomp_load(self, context: int) -> int:
        return self.results.get("load", 0)

    def seccomp_release(self, context: int) -> None:
        self.is_released = True


def load(monkeypatch: pytest.MonkeyPatch, library: Library) -> str:
    """Return why a filter cannot be had from that library."""
    monkeypatch.setattr(seccomp, "_library", lambda: library)
    with pytest.raises(seccomp.UnavailableError) as caught:
        seccomp.load_filter(3, 4)
    assert library.is_released
    return str(caught.value)


class TestLibrary:
    """A libseccomp that is old, or a system that does not do what it is asked for."""

    def test_filter_that_is_not_applied_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load(monkeypatch, Library()) == "the system does not apply the filter that it took"

    def test_system_call_younger_than_the_library_is_left_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, older = Library(), Library(clone3=-1)
        load(monkeypatch, whole)
        load(monkeypatch, older)
        assert len(older.rules) == len(whole.rules) - 1

    @pytest.mark.parametrize(
        ("step", "told"),
        [
            ("attribute 2", "forbid system calls of another architecture"),
            ("rule", "add brk"),
            ("load", "load the filter"),
        ],
    )
    def test_step_that_fails_is_named(
        self, step: str, told: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reason = load(monkeypatch, Library(**{step: -errno.EINVAL}))
        assert reason == f"libseccomp cannot {told}: {os.strerror(errno.EINVAL)}"

    def test_filter_that_is_applied_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(_: int) -> int:
            raise PermissionError

        monkeypatch.setattr(seccomp, "_library", Library)
        monkeypatch.setattr(os, "getpgid", refused)
        seccomp.load_filter(3, 4)

    def test_unknown_machine_has_no_filter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="vax"))
        with pytest.raises(seccomp.UnavailableError, match="this machine, vax"):
            seccomp.load_filter(3, 4)

    def test_other_system_has_no_filter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "plan9")
        with pytest.raises(seccomp.UnavailableError, match="plan9 has no seccomp"):
            seccomp.load_filter(3, 4)

    def test_library_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(seccomp, "_LIBRARY", "libnone.so")
        with pytest.raises(seccomp.UnavailableError, match=r"libnone\.so is not installed"):
            seccomp.load_filter(3, 4)
