"""`signal-port worker`: the process at the other end of a port, from its start to its end.

Until the ready notice it keeps to the language of old Pythons and to the standard library, so that
an unfit installation can write a notice of what it lacks. Every start of a worker pays for what is
imported here.
"""

import os
import struct
import sys

from signal_port.exit_status import CRASHED, MEMORY, OK, PROTOCOL, UNFIT, USAGE, fail
from signal_port.process import harden_process, take_streams
from signal_port.requirements import missing_requirement

_USAGE = "usage: signal-port worker [MAX_FRAME [BUSY_WAIT]]"
_HELP = """
Serve an Erlang VM on standard input and output, as PROTOCOL.md describes it.

  MAX_FRAME   longest frame to read or write, in bytes; default 134217728
  BUSY_WAIT   microseconds to wait awake for the next request; default 0

Without arguments, SIGNAL_PORT_MAX_FRAME and SIGNAL_PORT_BUSY_WAIT in the environment are used."""
_LIMITS = (("max_frame", "SIGNAL_PORT_MAX_FRAME"), ("busy_wait", "SIGNAL_PORT_BUSY_WAIT"))
_NO_NUMBER = (
    "SIGNAL_PORT_MAX_FRAME (bytes) or SIGNAL_PORT_BUSY_WAIT (microseconds) is set to something "
    "else than a number of up to ten digits: correct or unset it"
)
_OUT_OF_MEMORY = (
    "a call took more memory than the worker may use: set signal_port's option max_memory higher, "
    "or max_frame lower"
)


def main(arguments):
    # type: (list[str]) -> int
    """Run a worker; return the exit status."""
    if arguments in (["--help"], ["-h"]):
        print(_USAGE + "\n" + _HELP)
        return OK
    if len(arguments) > 2 or not all(map(_is_number, arguments)):
        return fail(_USAGE, USAGE)
    if os.isatty(0):
        return fail("an Erlang VM starts the worker, with pipes instead of a terminal", USAGE)
    if arguments:
        return run_worker(*map(int, arguments))
    limits = [(name, os.environ[variable]) for name, variable in _LIMITS if variable in os.environ]
    if not all(_is_number(value) for _, value in limits):
        return fail(_NO_NUMBER, USAGE)
    return run_worker(**{name: int(value) for name, value in limits})


def run_worker(max_frame=None, busy_wait=0):
    # type: (int | None, int) -> int
    """Serve the VM on standard input and output until the VM ends it; return the exit status.

    `max_frame` is the longest payload in either direction, in bytes; `busy_wait` the microseconds
    to wait awake for requests that come fast.
    """
    try:
        source, sink = take_streams()  # first: what opens a file would take a closed one's number
    except OSError:
        return fail("standard input or output is closed", USAGE)
    harden_process()
    reason = missing_requirement()
    if reason:
        write_unfit(sink, reason)
        return UNFIT
    from signal_port.errors import ProtocolError, UnfitError

    try:
        _serve(source, sink, max_frame, busy_wait)
    except UnfitError as error:
        write_unfit(sink, str(error))
        return UNFIT
    except ProtocolError as error:
        return fail(str(error), PROTOCOL)
    except (BrokenPipeError, ConnectionResetError):  # of a pipe, of a socket
        return OK  # the VM has gone, nobody waits for an answer
    except MemoryError:
        return fail(_OUT_OF_MEMORY, MEMORY)
    except BaseException as error:  # a panic in native code is no Exception
        return fail("%s at %s" % (type(error).__name__, _place(error)), CRASHED)
    return OK


def _serve(source, sink, max_frame, busy_wait):
    # type: (int, int, int | None, int) -> None
    from signal_port import memory, sandbox
    from signal_port.limits import MAX_FRAME
    from signal_port.version import versions
    from signal_port.worker import PROTOCOL_VERSION, Worker

    max_frame = MAX_FRAME if max_frame is None else max_frame
    worker = Worker(source, sink, max_frame, busy_wait)
    facts = dict(versions(), executable=sys.executable, os_pid=os.getpid())
    memory.limit(os.environ, max_frame)
    facts["sandbox"] = sandbox.enter(os.environ, source, sink)
    worker.notify("ready", PROTOCOL_VERSION, facts)
    worker.serve()


def write_unfit(sink, reason):
    # type: (int, str) -> None
    """Write the notice `["unfit", Reason]` without msgpack, which may be what is missing."""
    text = reason[:10000].encode("utf-8", "replace")
    payload = b"\x92\xa5unfit\xda" + struct.pack(">H", len(text)) + text
    os.write(sink, struct.pack(">I", len(payload)) + payload)


def _is_number(argument):
    # type: (str) -> bool
    # Up to ten digits: int() also takes signs, spaces, underscores and the digits of other scripts.
    return 0 < len(argument) <= 10 and not argument.strip("0123456789")


def _place(error):
    # type: (BaseException) -> str
    # File and line of an error, and no more: its text may quote a secret.
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    if place is None:
        return "an unknown place"
    return "%s:%d" % (place.tb_frame.f_code.co_filename, place.tb_lineno)
