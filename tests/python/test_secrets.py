"""No exception and no crashing worker prints a key, a session or a plaintext."""

import traceback
from typing import Any

import msgpack
import pytest
from child import python, request, serve, worker_with
from parties import Parties

from signal_port import codec, double_ratchet, primitives
from signal_port.errors import ProtocolError, SignalError
from signal_port.exit_status import CRASHED

SECRET = "attack at dawn"

CRASHES = {
    "error with the secret in its text": "raise ValueError(data)",
    "error with a secret cause": "raise KeyError(data) from ValueError(data)",
    "error in another error": """
    try:
        raise ValueError(data)
    finally:
        {}[data]""",
    "failed assertion": "assert data == b'', data",
    "answer that is no term": "return object(), data",
    "deep recursion": "return function(data)",
}


def printed(error: BaseException) -> str:
    """Return everything that Python can print of an exception."""
    shown = "".join(traceback.format_exception(error))
    return f"{error} {error!r} {error.args!r} {vars(error)!r} {shown}"


class TestCrashes:
    """What a crashing worker prints."""

    @pytest.mark.parametrize("body", CRASHES.values(), ids=CRASHES)
    def test_crash_names_type_and_place_and_no_more(self, body: str) -> None:
        ended = python(*worker_with(body), stdin=request(1, "sha256", SECRET.encode()))
        assert ended.status == CRASHED
        assert ended.stderr.startswith("signal-port: ")
        assert ended.stderr.count("\n") == 1
        assert SECRET not in ended.stderr
        assert SECRET.encode() not in ended.stdout

    def test_replies_before_a_crash_are_delivered(self) -> None:
        ended = python(
            *worker_with("raise ValueError"),
            stdin=request("before", "init") + request(1, "sha256", b""),
        )
        assert msgpack.packb(["before", codec.atom("ok")]) in ended.stdout
        assert "ValueError at <string>:" in ended.stderr


UNDECODABLE = {
    "string that is not UTF-8": b"\x93\x01\xa4init\x91\xaf" + SECRET.encode() + b"\xff",
    "more behind it": msgpack.packb([1, "init", []]) + SECRET.encode(),
    "unknown byte behind it": b"\x93" + msgpack.packb(SECRET) + b"\xc1",
    "atom that is not UTF-8": b"\x83\x68\x03\x61\x01\x77\x0f" + SECRET.encode() + b"\xff\x6a",
    "tuple of four": b"\x83\x68\x04" + b"\x61\x01" * 3 + b"\x6b\0\x0e" + SECRET.encode(),
}


class TestErrors:
    """What errors hold."""

    @pytest.mark.parametrize("payload", UNDECODABLE.values(), ids=UNDECODABLE)
    def test_undecodable_payload_is_not_quoted(self, payload: bytes) -> None:
        assert SECRET.encode() in payload
        with pytest.raises(ProtocolError) as caught:
            codec.decode(payload)
        assert SECRET not in repr(caught.value)
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize("payload", [[SECRET, "init"], {SECRET: 1}, [1, 2, 3, SECRET], SECRET])
    def test_refused_payload_is_not_quoted(self, payload: Any) -> None:
        data = msgpack.packb(payload)
        with pytest.raises(ProtocolError) as caught:
            codec.decode(data)
        assert SECRET not in str(caught.value)
        assert SECRET not in repr(caught.value)
        ended = serve(len(data).to_bytes(4, "big") + data)
        assert SECRET not in ended.stderr

    def test_refused_message_error_holds_its_atom_alone(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, SECRET.encode())
        with pytest.raises(SignalError) as caught:
            double_ratchet.decrypt(parties.bob, wire[:-1] + bytes([wire[-1] ^ 1]))
        assert caught.value.args == ("bad_mac",)
        assert vars(caught.value) == {"atom": "bad_mac"}
        assert repr(caught.value) == "SignalError('bad_mac')"

    @pytest.mark.parametrize("size", [31, 33])
    def test_key_of_a_wrong_size_is_not_quoted(self, size: int) -> None:
        key = (SECRET * 3).encode()[:size]
        with pytest.raises(SignalError) as caught:
            primitives.x25519(key, key)
        assert SECRET not in repr(caught.value)
        assert caught.value.args == ("invalid_key_sizes",)

    def test_error_of_cryptography_is_not_shown_as_cause(self) -> None:
        with pytest.raises(SignalError) as caught:
            primitives.x25519(SECRET.encode().ljust(32), bytes(32))
        assert caught.value.__suppress_context__
        assert "ValueError" not in printed(caught.value)

    def test_bad_frame_error_does_not_quote_an_earlier_request(self) -> None:
        ended = serve(request(1, "sha256", SECRET.encode()) + b"\0\0\0\x20" + SECRET.encode())
        assert ended.status != 0
        assert SECRET not in ended.stderr
