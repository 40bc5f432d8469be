"""Makes system calls by their numbers, in processes that have loaded the filter.

Reads a line for each: how to call, `x86-64`, `x32` or `i386`, and the number; all arguments are -1:
that makes none wait.
Writes a line for each: `killed` (by SIGSYS), `crashed` (by SIGSEGV), `refused` (EPERM) or
`carried out`.
"""

import ctypes
import errno
import mmap
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from signal_port import seccomp

X32 = 0x40000000  # bit of a number
# push rbx; mov eax, number; or ebx, -1; the same for ecx, edx, esi, edi; int 0x80; pop rbx; ret
INT_0X80 = b"\x53\xb8%b\x83\xcb\xff\x83\xc9\xff\x83\xca\xff\x83\xce\xff\x83\xcf\xff\xcd\x80\x5b\xc3"
LIBC = ctypes.CDLL(None, use_errno=True)
SOURCE = 0
ENDS = {-signal.SIGSYS: "killed", -signal.SIGSEGV: "crashed"}
ARGUMENTS = [ctypes.c_long(-1)] * 6


def call_through_libc(number: int) -> bool:
    """Make a system call; return whether it was carried out."""
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(number), *ARGUMENTS)
    return result != -1 or ctypes.get_errno() != errno.EPERM


def call_as_i386(code: mmap.mmap, number: int) -> bool:
    """Make a system call of a 32-bit program; return whether it was carried out."""
    code.seek(0)
    code.write(INT_0X80 % number.to_bytes(4, "little"))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)() != -errno.EPERM


def outcomes(calls: list[Callable[[], bool]]) -> Iterator[str]:
    """Yield what becomes of each call. If one ends the process, another makes the next ones."""
    while calls:
        ours, sink = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(2)  # a crash is one of the outcomes
            seccomp.load_filter(SOURCE, sink)
            for call in calls:
                os.write(sink, b"c" if call() else b"r")
            os._exit(0)
        os.close(sink)
        with open(ours, "rb") as stream:
            survived = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        yield from ("carried out" if said == ord("c") else "refused" for said in survived)
        if len(survived) < len(calls):
            yield ENDS.get(status, "carried out")
        calls = calls[len(survived) + 1 :]


def main() -> None:
    """Make the calls that standard input asks for."""
    ways: dict[str, Callable[[int], bool]] = {
        platform.machine().replace("_", "-"): call_through_libc,
        "x32": lambda number: call_through_libc(number | X32),
    }
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=7)  # made before the filter forbids it
    ways["i386"] = lambda number: call_as_i386(code, number)
    lines = [line.split() for line in sys.stdin.read().splitlines()]
    calls = [partial(ways[way], int(number)) for way, number in lines]
    print("\n".join(outcomes(calls)))


if __name__ == "__main__":
    main()
