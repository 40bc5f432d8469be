"""What a worker's OS process does before it serves: it takes its streams and shields its memory.

The port's pipes are put out of reach of everything else: what a stray print writes goes to standard
error, never between two frames. If the system cannot do a step, the process starts without it.

An old Python must be able to read this file: it has no annotations.
"""

import os
import signal
import sys

PIPE_SIZE = 256 * 1024  # bytes; all pipes of a user together may hold 64 MiB on Linux

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # prctl(2)


def harden_process():
    # type: () -> None
    """Forbid core dumps; on Linux forbid tracing too, and have the kernel end us with the VM."""
    try:
        from resource import RLIMIT_CORE, setrlimit

        setrlimit(RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            from ctypes import CDLL

            prctl = CDLL(None).prctl
            prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # even if we are stopped
    except (ImportError, OSError, AttributeError):
        pass  # a Python without these modules, or a C library without the call


def take_streams():
    # type: () -> tuple[int, int]
    """Return descriptors of our own for the port, to read from and to write to.

    Standard input becomes empty, standard output becomes standard error. Raises OSError if standard
    input or output is closed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the VM's shell is the VM's
    for stream in 0, 1:
        os.fstat(stream)  # if one were closed, the copy of the other would take its number
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for pipe in source, sink:
        os.set_blocking(pipe, True)
        enlarge_pipe(pipe)
    return source, sink


def enlarge_pipe(pipe):
    # type: (int) -> None
    """Make a pipe hold more if the system allows it: whenever it is full, both sides wait."""
    if sys.platform == "linux":
        try:
            from fcntl import F_SETPIPE_SZ, fcntl

            fcntl(pipe, F_SETPIPE_SZ, PIPE_SIZE)
        except (ImportError, OSError):
            pass
