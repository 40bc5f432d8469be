"""`python -m signal_port`: the worker at the other end of a port, and the small command line.

As a worker it speaks `{packet, 4}` frames on standard input and output. The streams themselves are put out of reach at
once: what a stray print writes goes to standard error, never between two frames. Until the ready notice, this module
keeps to the language of old Pythons and to the standard library, so that an unfit installation can still say what it
lacks.
"""

import os
import signal
import sys

PROTOCOL_VERSION = 1
PYTHON_FLOOR = (3, 10)
PACKAGES = {
    "cryptography": "cryptography>=42.0",
    "msgpack": "msgpack>=1.0.3",
    "erlang": "erlang_py>=2.0.4",
}

PIPE_SIZE = 256 * 1024  # bytes; all pipes of a user together may hold 64 MiB on Linux

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # prctl(2)

# As in sysexits.h.
EXIT_OK, EXIT_USAGE, EXIT_DATA, EXIT_NO_INPUT, EXIT_CRASHED, EXIT_PROTOCOL, EXIT_UNFIT = (
    0,
    2,
    65,
    66,
    70,
    76,
    78,
)

USAGE = (
    "usage: signal-port worker [MAX_FRAME [BUSY_WAIT]] | doctor | selftest | version | requirements"
    " | inspect-session FILE"
)


def main(arguments):
    # type: (list[str]) -> int
    """Run the command line and return the exit status."""
    if arguments == ["doctor"] and sys.version_info >= PYTHON_FLOOR:
        from signal_port import doctor

        return doctor.main()
    if arguments in (["doctor"], ["selftest"], ["version"]) or arguments[:-1] == [
        "inspect-session"
    ]:
        reason = unfit()
        return complain(reason, EXIT_UNFIT) if reason else run_command(*arguments)
    if arguments == ["requirements"]:
        reason = too_old("say PYTHON=path of a later one")
        if reason:
            return complain(reason, EXIT_UNFIT)
        print("\n".join(PACKAGES.values()))
        return EXIT_OK
    if arguments[:1] == ["worker"] and len(arguments) <= 3 and all(map(is_number, arguments[1:])):
        if os.isatty(0):
            return complain(
                "it is started by an Erlang VM, with pipes for standard input and output",
                EXIT_USAGE,
            )
        return work(*map(int, arguments[1:]))
    return complain(USAGE, EXIT_USAGE)


def run_command(name, *arguments):
    # type: (str, *str) -> int
    """Run a command that needs all packages; return the exit status."""
    if name == "version":
        print(", ".join("%s %s" % item for item in versions().items()))
        return EXIT_OK
    if name == "selftest":
        from signal_port import selftest

        return selftest.main()
    from signal_port import inspect_session

    return inspect_session.main(*arguments)


def is_number(argument):
    # type: (str) -> bool
    """Tell whether it is a number of up to ten digits."""
    return 0 < len(argument) <= 10 and not argument.strip("0123456789")


def work(max_frame=None, busy_wait=0):
    # type: (int | None, int) -> int
    """Serve the VM on standard input and output until it has no more requests; return the exit status.

    `max_frame` is the longest payload in either direction, in bytes; `busy_wait` the microseconds to stay awake for
    requests that come fast.
    """
    withdraw()
    try:
        source, sink = take_streams()
    except OSError:
        return complain("standard input or output is closed", EXIT_USAGE)
    reason = unfit()
    if reason:
        write_unfit(sink, reason)
        return EXIT_UNFIT
    from signal_port.errors import ProtocolError
    from signal_port.limits import MAX_FRAME
    from signal_port.worker import Worker

    try:
        worker = Worker(source, sink, MAX_FRAME if max_frame is None else max_frame, busy_wait)
        worker.notify("ready", PROTOCOL_VERSION, dict(versions(), os_pid=os.getpid()))
        worker.serve()
    except ProtocolError as error:
        return complain(str(error), EXIT_PROTOCOL)
    except BrokenPipeError:
        return EXIT_OK  # the VM has gone, nobody waits for an answer
    except (
        BaseException
    ) as error:  # a panic below is no Exception; its text may quote a secret: the place must do
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        where = (
            "%s:%d" % (place.tb_frame.f_code.co_filename, place.tb_lineno)
            if place
            else "an unknown place"
        )
        return complain("%s at %s" % (type(error).__name__, where), EXIT_CRASHED)
    return EXIT_OK


def withdraw():
    # type: () -> None
    """Keep memory to itself: no core dump, and on Linux not to be traced; there, end with the VM even when stopped."""
    try:
        from resource import RLIMIT_CORE, setrlimit

        setrlimit(RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            from ctypes import CDLL

            CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
            CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # a Python without these modules, or a C library without the call


def take_streams():
    # type: () -> tuple[int, int]
    """Return descriptors of their own for the port; standard input becomes empty, standard output standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the VM's shell is the VM's
    for stream in 0, 1:
        os.fstat(stream)  # the copy of the other would take the place of a closed one
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for pipe in source, sink:
        os.set_blocking(pipe, True)
        widen(pipe)
    return source, sink


def widen(pipe):
    # type: (int) -> None
    """Make a pipe hold more where the system lets us: each time a long frame fills it, both sides wait."""
    if sys.platform == "linux":
        try:
            from fcntl import F_SETPIPE_SZ, fcntl

            fcntl(pipe, F_SETPIPE_SZ, PIPE_SIZE)
        except (ImportError, OSError):
            pass


def unfit():
    # type: () -> str | None
    """Return a sentence that says what this Python lacks, or None."""
    reason = too_old("set {python, Path} to a later one")
    if reason:
        return reason
    for name in PACKAGES:
        _, lack = examine(name)
        if lack:
            return "%s: %s" % (lack, remedy())
    return None


def examine(name):
    # type: (str) -> tuple[str, str | None]
    """Return the version of one of the packages, as far as it tells it, and what is wrong with it, or None."""
    from importlib import import_module

    failure = "Python (%s) cannot import %s (%s)"
    try:
        module = import_module(name)
    except ImportError as error:
        return "", failure % (
            sys.executable,
            name,
            (str(error).splitlines() or ["no reason given"])[0],
        )
    if not getattr(module, "__file__", None):  # Python takes any folder for a package
        return "", failure % (sys.executable, name, "only a folder of that name is there")
    found = getattr(module, "__version__", "")
    if found and numbers(found) < numbers(lowest(name)):
        return found, "%s %s is too old" % (name, found)
    return found, None


def lowest(name):
    # type: (str) -> str
    """Return the lowest version of one of the packages that will do."""
    return PACKAGES[name].partition(">=")[2]


def too_old(remedy):
    # type: (str) -> str | None
    """Return a sentence that says so of this Python, with what to do, or None."""
    if sys.version_info >= PYTHON_FLOOR:
        return None
    versions = (*PYTHON_FLOOR, sys.executable, *sys.version_info[:2], remedy)
    return "Python %d.%d or later is needed, and %s is %d.%d: %s" % versions


def remedy():
    # type: () -> str
    """Return what to do where this Python lacks a package."""
    packages = " ".join('"%s"' % wanted for wanted in PACKAGES.values())
    if sys.prefix != sys.base_prefix:  # a virtual environment
        return "run '%s -m pip install %s'" % (sys.executable, packages)
    folder, name = os.path.split(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    install = os.path.join(folder, "install")
    if name == "python" and os.path.isfile(install):  # in the Erlang application's priv
        return (
            "run 'sh %s' and leave signal_port's option python away, or let it name a Python that has them"
            % install
        )
    return (
        "run '%s -m venv DIR' and 'DIR/bin/pip install %s', and set {python, \"DIR/bin/python3\"}"
        % (
            sys.executable,
            packages,
        )
    )


def numbers(version):
    # type: (str) -> list[int]
    """Return the numbers of a version, to compare: those before any letter."""
    result = []
    for part in version.split("."):
        if not part.isdigit():
            break
        result.append(int(part))
    return result


def versions():
    # type: () -> dict[str, str]
    """Return the versions of what answers."""
    from cryptography import __version__ as cryptography_version
    from cryptography.hazmat.backends.openssl import backend

    from signal_port import __version__

    return {
        "signal_port": __version__,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "cryptography": cryptography_version,
        "openssl": backend.openssl_version_text(),
    }


def write_unfit(sink, reason):
    # type: (int, str) -> None
    """Write the notice `["unfit", Reason]` without msgpack, which may be what is missing."""
    text = reason[:10000].encode("utf-8", "replace")
    payload = b"\x92\xa5unfit\xda" + len(text).to_bytes(2, "big") + text
    os.write(sink, len(payload).to_bytes(4, "big") + payload)


def complain(reason, status):
    # type: (str, int) -> int
    """Say on standard error why it ends; return the exit status."""
    sys.stderr.write("signal-port: %s\n" % reason)
    return status


def run():
    # type: () -> None
    """Run as a console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    if (
        not __package__
    ):  # run by its folder, as the Erlang side does: the package is beside this file
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    run()
