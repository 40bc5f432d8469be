"""`signal-port selftest`: known answers, conversations and a worker, in a fraction of a second.

It shows that this machine computes what the specifications say. It tries each thing once: it does
not replace the tests of the package.
"""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgpack import packb, unpackb

from signal_port import double_ratchet, primitives, static_session, x3dh
from signal_port.codec import atom
from signal_port.double_ratchet import Role
from signal_port.errors import ProtocolError
from signal_port.exit_status import CRASHED, OK
from signal_port.frame import Unpacker, header
from signal_port.known_answers import KNOWN_ANSWERS, is_refused
from signal_port.worker import PROTOCOL_VERSION

_TIMEOUT = 30  # seconds for a worker that needs a tenth of one


def main(arguments: list[str]) -> int:
    """Try each check and print a line for it; return the exit status."""
    description = "Compute known answers, hold conversations and run a worker, each once."
    ArgumentParser("signal-port selftest", description=description).parse_args(arguments)
    failures = [name for name, check in CHECKS.items() if not _report(name, check)]
    return CRASHED if failures else OK


def _report(name: str, check: Callable[[], bool]) -> bool:
    print(f"{name:<36}", end="", flush=True)  # before the check: native code can crash
    try:
        is_right = check()
    except ProtocolError as error:
        print(f"FAILED: {error}")
        return False
    except Exception as error:  # only its type: its text can quote a key
        print(f"FAILED ({type(error).__name__})")
        return False
    print("ok" if is_right else "FAILED")
    return is_right


# --- Conversations ---


def _agree() -> tuple[bytes, bytes]:
    """Return the first sessions of two parties, initiator and responder."""
    alice_identity, alice_secret = primitives.generate_ed25519_keypair()
    bob_identity, bob_secret = primitives.generate_ed25519_keypair()
    _, signed, signed_private, signature = x3dh.generate_signed_pre_key(bob_secret, 1)
    _, one_time, one_time_private = x3dh.generate_pre_key(2)
    shared, ephemeral = x3dh.initiate(alice_secret, bob_identity + signed + signature + one_time)
    if shared != x3dh.respond(
        bob_secret, signed_private, one_time_private, alice_identity, ephemeral
    ):
        raise ArithmeticError  # they did not agree on the same secret
    return (
        double_ratchet.init(shared, alice_identity, bob_identity, alice_secret, Role.INITIATOR),
        double_ratchet.init(shared, bob_identity, alice_identity, bob_secret, Role.RESPONDER),
    )


def _both_ways() -> bool:
    alice, bob = _agree()
    for turn in range(3):
        text = b"turn %d" % turn
        wire, alice = double_ratchet.encrypt(alice, text)
        plaintext, bob = double_ratchet.decrypt(bob, wire)
        if plaintext != text:
            return False
        alice, bob = bob, alice  # the other side writes next
    return True


def _out_of_order() -> bool:
    alice, bob = _agree()
    wires = []
    for text in (b"first", b"second", b"third"):
        wire, alice = double_ratchet.encrypt(alice, text)
        wires.append(wire)
    read = []
    for wire in reversed(wires):
        plaintext, bob = double_ratchet.decrypt(bob, wire)
        read.append(plaintext)
    return read == [b"third", b"second", b"first"] and is_refused(
        "bad_mac", double_ratchet.decrypt, bob, wires[0]
    )


def _forged() -> bool:
    alice, bob = _agree()
    wire, _ = double_ratchet.encrypt(alice, b"Hello")
    forged = wire[:-1] + bytes([wire[-1] ^ 1])
    return is_refused("bad_mac", double_ratchet.decrypt, bob, forged) and (
        double_ratchet.decrypt(bob, wire)[0] == b"Hello"
    )


def _static_session() -> bool:
    alice, bob = primitives.generate_curve25519_keypair(), primitives.generate_curve25519_keypair()
    message = static_session.encrypt_message(
        static_session.create_session(alice[1], bob[0]), b"Hello"
    )
    session = static_session.create_session(bob[1], alice[0])
    forged = message[:-1] + bytes([message[-1] ^ 1])
    return static_session.decrypt_message(session, message) == b"Hello" and (
        is_refused("decryption_failed", static_session.decrypt_message, session, forged)
    )


# --- A worker, started like the VM starts it ---


def _framed(*terms: Any) -> bytes:
    payload: bytes = packb(terms)
    return header(len(payload)) + payload


def _worker() -> bool:
    requests = (
        _framed(1, "sha256", [b"abc"])
        + _framed(2, "batch", [["init", []], ["sha256", [b""]]])
        + _framed(3, "x25519", [b"", b""])
        + header(0)
    )
    is_bundle = getattr(sys, "frozen", False)  # then the program is signal-port itself
    package = [] if is_bundle else ["-I", "-B", str(Path(__file__).parent)]
    ended = subprocess.run(
        [sys.executable, *package, "worker"],
        input=requests,
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
    )
    notice, *replies = [unpackb(payload) for payload in Unpacker().feed(ended.stdout)]
    if notice[0] == "unfit":
        raise ProtocolError(notice[1])
    ok, error = atom("ok"), atom("error")
    return (
        ended.returncode == OK
        and notice[:2] == ["ready", PROTOCOL_VERSION]
        and replies
        == [
            [1, [ok, primitives.sha256(b"abc")]],
            [2, [ok, [ok, primitives.sha256(b"")]]],
            [3, [error, atom("invalid_key_sizes")]],
        ]
    )


CHECKS: dict[str, Callable[[], bool]] = {
    **KNOWN_ANSWERS,
    "x3dh, both sides": lambda: bool(_agree()),
    "double ratchet, both ways": _both_ways,
    "double ratchet, out of order": _out_of_order,
    "double ratchet, forged message": _forged,
    "static-key session": _static_session,
    "worker process": _worker,
}
