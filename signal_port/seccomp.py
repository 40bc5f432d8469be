"""The seccomp filter of a worker: which system calls it may make, and which end it.

The filter allows what serving takes: memory, the worker's descriptors, time and random numbers. It
kills the process with SIGSYS if it reaches for a file, a socket, a program, another process,
executable memory or the kernel's inner parts. Every other system call fails with EPERM: libraries
try some of them and do without.

libseccomp makes the filter; it knows the numbers of the system calls. It is called through ctypes:
that takes no compiler, and the library is part of Debian, Ubuntu, Fedora and NixOS.
"""

import os
import sys
from collections.abc import Iterator
from ctypes import CDLL, POINTER, Structure, c_int, c_uint, c_uint32, c_uint64, c_void_p

_LIBRARY = "libseccomp.so.2"
_MACHINES = ("x86_64", "aarch64")  # for which the tables below were tried

ALLOWED = (
    *("brk", "madvise", "mremap", "munmap"),
    *("poll", "ppoll", "getrandom", "futex", "sched_yield", "restart_syscall"),
    *("clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
    *("getpid", "getppid", "gettid", "exit", "exit_group"),
)
DEADLY = (
    # files
    *("open", "openat", "openat2", "open_by_handle_at", "creat", "memfd_create", "memfd_secret"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir"),
    *("link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "truncate", "chroot"),
    *("chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat"),
    # sockets, and memory and messages that are shared with other processes
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"),
    *("shmget", "shmat", "msgget", "semget", "mq_open"),
    # programs and processes
    *("fork", "vfork", "clone", "clone3", "execve", "execveat", "ptrace", "kcmp"),
    *("process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease"),
    *("pidfd_open", "pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    # the kernel's inner parts
    *("ioctl", "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "fanotify_init"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "mount_setattr"),
    *("open_tree", "fsopen", "fsmount", "fsconfig", "fspick", "personality", "modify_ldt"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"),
    *("setuid", "setgid", "setresuid", "setresgid", "setreuid", "setregid", "setgroups", "capset"),
)
_SIGNALS = ("kill", "tkill", "tgkill")  # the process itself is allowed: abort(3) does it
_PROTECTS = ("mprotect", "pkey_mprotect")

# seccomp.h: actions, attributes, comparisons
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_BAD_ARCHITECTURE, _ALL_THREADS, _NO_SSB_MITIGATION, _RAW_ERRORS = 2, 4, 7, 9
_NOT_EQUAL, _MASKED_EQUAL = 1, 7
_INT = 0xFFFFFFFF  # the kernel looks at these bits of an int

_PROT_EXEC = 4
_MAP_KIND = 0x10F  # MAP_GROWSDOWN too: RLIMIT_DATA does not count it, nor shared memory
_MAP_PRIVATE = 2


class UnavailableError(Exception):
    """The filter cannot be had; the text says why."""


class _Comparison(Structure):
    _fields_ = (("argument", c_uint), ("operator", c_int), ("datum", c_uint64), ("value", c_uint64))


_Rule = tuple[int, str, tuple[_Comparison, ...]]  # action, system call, what must hold


def load_filter(source: int, sink: int) -> None:
    """Apply the filter to this process, for good.

    Args:
        source: the descriptor that may be read, beside standard input.
        sink: the descriptor that may be written, beside standard output and standard error.

    Raises:
        UnavailableError: the filter is not applied, and the text says why.
    """
    machine = os.uname().machine
    if sys.platform != "linux":
        raise UnavailableError(f"{sys.platform} has no seccomp")
    if machine not in _MACHINES or sys.maxsize < 2**32:
        raise UnavailableError(f"there is no filter for this machine, {machine}")
    library = _library()
    context = library.seccomp_init(_EPERM)
    try:
        failed = library.seccomp_attr_set(context, _BAD_ARCHITECTURE, _KILL)
        _check(failed, "forbid system calls of another architecture")
        library.seccomp_attr_set(context, _ALL_THREADS, 1)
        library.seccomp_attr_set(context, _RAW_ERRORS, 1)
        # A kernel before 5.16 slows down all memory access otherwise, to protect a process from
        # code that it runs and does not trust. A worker runs none.
        library.seccomp_attr_set(context, _NO_SSB_MITIGATION, 1)
        for rule in _rules(source, sink, os.getpid()):
            _add(library, context, rule)
        _check(library.seccomp_load(context), "load the filter")
    finally:
        library.seccomp_release(context)
    _check_filter()


def _library() -> CDLL:
    try:
        library = CDLL(_LIBRARY)
    except OSError:
        raise UnavailableError(f"{_LIBRARY} is not installed") from None
    library.seccomp_init.argtypes, library.seccomp_init.restype = [c_uint32], c_void_p
    library.seccomp_attr_set.argtypes = [c_void_p, c_int, c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        *(c_void_p, c_uint32, c_int, c_uint, POINTER(_Comparison))
    ]
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = [c_void_p]
    library.seccomp_release.restype = None
    return library


def _add(library: CDLL, context: int, rule: _Rule) -> None:
    action, name, conditions = rule
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number == -1:
        return  # younger than this libseccomp: it fails with EPERM like all that is not named
    array = (_Comparison * len(conditions))(*conditions)
    failed = library.seccomp_rule_add_array(context, action, number, len(conditions), array)
    _check(failed, f"add {name}")


def _check(result: int, step: str) -> None:
    if result != 0:
        raise UnavailableError(f"libseccomp cannot {step}: {os.strerror(-result)}")


def _check_filter() -> None:
    # An emulator may take a filter and not apply it.
    try:
        os.getpgid(0)
    except PermissionError:
        return
    raise UnavailableError("the system does not apply the filter that it took")


def _rules(source: int, sink: int, pid: int) -> Iterator[_Rule]:
    yield from ((_ALLOW, name, ()) for name in ALLOWED)
    yield from ((_KILL, name, ()) for name in DEADLY)
    yield from ((_ALLOW, "read", (_is(0, stream),)) for stream in (0, source))
    for name in "write", "writev":
        yield from ((_ALLOW, name, (_is(0, stream),)) for stream in (1, 2, sink))
    for name in _SIGNALS:
        yield _ALLOW, name, (_is(0, pid),)
        yield _KILL, name, (_Comparison(0, _NOT_EQUAL, pid, 0),)
    no_code = _is(2, 0, _PROT_EXEC)
    yield _ALLOW, "mmap", (no_code, _is(3, _MAP_PRIVATE, _MAP_KIND))
    yield _ALLOW, "mprotect", (no_code,)
    for name in "mmap", *_PROTECTS:
        yield _KILL, name, (_is(2, _PROT_EXEC, _PROT_EXEC),)


def _is(argument: int, value: int, mask: int = _INT) -> _Comparison:
    return _Comparison(argument, _MASKED_EQUAL, mask, value)
