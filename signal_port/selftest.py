"""`signal-port selftest`: known answers, conversations, and a worker spoken to; in a fraction of a second.

It tells that this machine computes what the specifications say. It is no substitute for the tests of the package: it
tries each thing once.
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
from signal_port.errors import ProtocolError, SignalError
from signal_port.exit_status import CRASHED, OK
from signal_port.frame import Unpacker, header
from signal_port.worker import PROTOCOL_VERSION

_PATIENCE = 30  # seconds that a worker may take for what takes a tenth of one


def main(arguments: list[str]) -> int:
    """Try everything, print a line for each; return the exit status."""
    description = "Compute known answers, hold conversations and run a worker, each once."
    ArgumentParser("signal-port selftest", description=description).parse_args(arguments)
    failures = [name for name, check in CHECKS.items() if not _report(name, check)]
    return CRASHED if failures else OK


def _report(name: str, check: Callable[[], bool]) -> bool:
    print(f"{name:<36}", end="", flush=True)  # before it is tried: native code may crash
    try:
        is_right = check()
    except ProtocolError as error:
        print(f"FAILED: {error}")
        return False
    except Exception as error:  # its kind alone: a text may quote a key
        print(f"FAILED ({type(error).__name__})")
        return False
    print("ok" if is_right else "FAILED")
    return is_right


# --- Known answers ---

_hex = bytes.fromhex


def _sha256() -> bool:  # FIPS 180, "abc"
    return primitives.sha256(b"abc") == _hex(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def _sha512() -> bool:  # FIPS 180, "abc"
    return primitives.sha512(b"abc") == _hex(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )


def _hmac_sha256() -> bool:  # RFC 4231, case 2
    return primitives.hmac_sha256(b"Jefe", b"what do ya want for nothing?") == _hex(
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def _hkdf_sha256() -> bool:  # RFC 5869, case 1
    info = _hex("f0f1f2f3f4f5f6f7f8f9")
    return primitives.hkdf_sha256(b"\x0b" * 22, bytes(range(13)), info, 42) == _hex(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def _x25519() -> bool:  # RFC 7748, 5.2
    private = _hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    public = _hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    return primitives.x25519(private, public) == _hex(
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    )


def _ed25519() -> bool:  # RFC 8032, 7.1, test 2
    public = _hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    secret = _hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb") + public
    signature = _hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    return (
        primitives.sign_data(secret, b"\x72") == signature
        and primitives.verify_signature(public, b"\x72", signature)
        and not primitives.verify_signature(public, b"\x73", signature)
    )


def _aes_gcm() -> bool:  # NIST's validation of AES-256-GCM: an all-zero key, IV and block
    key, iv, plaintext = bytes(32), bytes(12), bytes(16)
    ciphertext, tag = primitives.aes_gcm_encrypt(key, iv, plaintext, b"", 16)
    return (
        (ciphertext, tag)
        == (_hex("cea7403d4d606b6e074ec5d3baf39d18"), _hex("d0d1c8a799996bf0265b98b5d48ab919"))
        and primitives.aes_gcm_decrypt(key, iv, ciphertext, b"", tag, 16) == plaintext
        and _is_refused(
            "decryption_failed", primitives.aes_gcm_decrypt, key, iv, ciphertext, b"", bytes(16), 16
        )
    )


def _aes_cbc() -> bool:  # NIST SP 800-38A, F.2.5, its first block; padding follows
    key = _hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    iv, plaintext = bytes(range(16)), _hex("6bc1bee22e409f96e93d7e117393172a")
    ciphertext = primitives.aes_cbc_encrypt(key, iv, plaintext)
    return (
        ciphertext[:16] == _hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6")
        and primitives.aes_cbc_decrypt(key, iv, ciphertext) == plaintext
    )


def _chacha20_poly1305() -> bool:  # RFC 8439's cipher is in every message of a static session
    key, nonce = bytes(32), bytes(12)
    sealed = primitives.chacha20_poly1305_encrypt(key, nonce, bytes(32))
    return (  # RFC 8439, A.1, test vector 2: the key stream's second block begins so
        sealed[:32] == _hex("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed")
        and primitives.chacha20_poly1305_decrypt(key, nonce, sealed) == bytes(32)
    )


def _blake2b() -> bool:  # the empty input, with a digest of 32 bytes
    return primitives.blake2b_256(b"") == _hex(
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    )


KNOWN_ANSWERS: dict[str, Callable[[], bool]] = {
    "sha256": _sha256,
    "sha512": _sha512,
    "blake2b": _blake2b,
    "hmac_sha256": _hmac_sha256,
    "hkdf_sha256": _hkdf_sha256,
    "x25519": _x25519,
    "ed25519": _ed25519,
    "aes_gcm": _aes_gcm,
    "aes_cbc": _aes_cbc,
    "chacha20_poly1305": _chacha20_poly1305,
}


# --- Conversations ---


def _is_refused(name: str, function: Callable[..., object], *args: object) -> bool:
    try:
        function(*args)
    except SignalError as error:
        return error.atom == name
    return False


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
        raise ArithmeticError  # they do not come to the same secret
    return (
        double_ratchet.init(shared, alice_identity, bob_identity, alice_secret, 1),
        double_ratchet.init(shared, bob_identity, alice_identity, bob_secret, 0),
    )


def _both_ways() -> bool:
    alice, bob = _agree()
    for turn in range(3):
        text = b"turn %d" % turn
        wire, alice = double_ratchet.encrypt(alice, text)
        plaintext, bob = double_ratchet.decrypt(bob, wire)
        if plaintext != text:
            return False
        alice, bob = bob, alice  # the other one writes
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
    return read == [b"third", b"second", b"first"] and _is_refused(
        "bad_mac", double_ratchet.decrypt, bob, wires[0]
    )


def _forged() -> bool:
    alice, bob = _agree()
    wire, _ = double_ratchet.encrypt(alice, b"Hello")
    forged = wire[:-1] + bytes([wire[-1] ^ 1])
    return _is_refused("bad_mac", double_ratchet.decrypt, bob, forged) and (
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
        _is_refused("decryption_failed", static_session.decrypt_message, session, forged)
    )


# --- A worker, as the Erlang side starts it ---


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
    command = [sys.executable, "-I", "-B", str(Path(__file__).parent), "worker"]
    ended = subprocess.run(
        command, input=requests, capture_output=True, timeout=_PATIENCE, check=False
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
