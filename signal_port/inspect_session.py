"""`signal-port inspect-session FILE`: a stored session without its secrets.

It prints no key and no identity, and nothing that is derived from one.
"""

import sys
from argparse import ArgumentParser

from signal_port import session, static_session
from signal_port.errors import SignalError
from signal_port.exit_status import DATA, NO_INPUT, OK, fail
from signal_port.limits import MAX_SKIPPED_KEYS
from signal_port.session import Facts

_READ_SIZE = session.SIZE + 1  # bytes; enough to see that a file is too long for a session


def main(arguments: list[str]) -> int:
    """Describe the session in a file, `-` for standard input; return the exit status."""
    description = "Describe a stored session without its secrets."
    parser = ArgumentParser("signal-port inspect-session", description=description)
    parser.add_argument("file", metavar="FILE", help="a session as it was stored; - for stdin")
    name = parser.parse_args(arguments).file
    try:
        blob = _read(name)
    except OSError as error:
        return fail(f"{name} cannot be read: {error.strerror}", NO_INPUT)
    try:
        lines = describe(blob)
    except SignalError:
        return fail(f"{name} is not a session: {_mismatch(blob)}", DATA)
    print("\n".join(lines))
    return OK


def describe(blob: bytes) -> list[str]:
    """Return what people may see of a session, a line for each fact.

    Raises:
        SignalError: `invalid_session_size`, `invalid_session`.
    """
    if len(blob) == static_session.SIZE:
        kind = "static-key session of the NIF's releases 0.1 and 0.2, judged by its size alone"
        return _lines({"size": f"{len(blob)} bytes", "kind": kind})
    facts = session.facts(blob)
    return _lines(
        {
            "size": f"{len(blob)} bytes",
            "kind": "Double Ratchet session, version 1",
            "initialized": _yes(facts.initialized),
            "may send": _yes(facts.may_send),
            "stage": _stage(facts),
            "next message to send": facts.sending_number,
            "next message to receive": facts.receiving_number,
            "previous sending chain": f"{facts.previous_number} messages",
            **{name: "set" if is_set else "not set" for name, is_set in facts.is_set.items()},
            "skipped message keys": f"{len(facts.skipped)} of {MAX_SKIPPED_KEYS}",
            "of messages": " ".join(map(str, facts.skipped)) or "none",
        }
    )


def _lines(told: dict[str, object]) -> list[str]:
    return [f"{name:<27}{value}" for name, value in told.items()]


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(_READ_SIZE)
    with open(name, "rb") as file:
        return file.read(_READ_SIZE)


def _mismatch(blob: bytes) -> str:
    if len(blob) == session.SIZE:
        return "it does not begin with a session's magic number, version and size"
    size = f"more than {session.SIZE}" if len(blob) > session.SIZE else str(len(blob))
    return (
        f"it has {size} bytes, but a session has {session.SIZE} and a static-key session "
        f"{static_session.SIZE}"
    )


def _stage(facts: Facts) -> str:
    if facts.is_set["receiving chain key"]:
        return "has received; nothing shows any more which side began"
    return (
        "an initiator that has received nothing yet"
        if facts.may_send
        else "a responder that has received nothing yet"
    )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
