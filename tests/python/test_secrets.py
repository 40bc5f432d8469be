"""No key, session or plaintext is printable: not by an exception, not by a worker that crashes."""

import traceback
from typing import Any

import msgpack
import pytest
from child import code, python, request, serve
from parties import Parties

from signal_port import codec, double_ratchet, primitives
from signal_port.errors import ProtocolError, SignalError

SECRET = "attack at dawn"
CRASH_STATUS = 70  # EX_SOFTWARE

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
    "deep recursion": "return answer(data)",
}


def crash(body: str) -> tuple[str, ...]:
    """Return the arguments of a worker whose sha256 does that."""
    return code(
        "from signal_port import operations, worker_command",
        "def answer(data):",
        f"    {body}",
        "operations.OPERATIONS['sha256'] = operations.OPERATIONS['sha256']._replace(function=answer, is_term=True)",
        "sys.exit(worker_command.run_worker())",
    )


def printed(error: BaseException) -> str:
    """Return all that Python would show of an exception."""
    shown = "".join(traceback.format_exception(error))
    return f"{error} {error!r} {error.args!r} {vars(error)!r} {shown}"


@pytest.mark.parametrize("body", CRASHES.values(), ids=CRASHES)
def test_a_crash_says_what_and_where_and_no_more(body: str) -> None:
    ended = python(*crash(body), stdin=request(1, "sha256", SECRET.encode()))
    assert ended.status == CRASH_STATUS
    assert ended.stderr.startswith("signal-port: ")
    assert ended.stderr.count("\n") == 1
    assert SECRET not in ended.stderr
    assert SECRET.encode() not in ended.stdout


def test_the_replies_before_a_crash_are_delivered() -> None:
    ended = python(
        *crash("raise ValueError"), stdin=request("before", "init") + request(1, "sha256", b"")
    )
    assert msgpack.packb(["before", codec.atom("ok")]) in ended.stdout
    assert "ValueError at <string>:" in ended.stderr


@pytest.mark.parametrize("payload", [[SECRET, "init"], {SECRET: 1}, [1, 2, 3, SECRET], SECRET])
def test_a_payload_that_is_no_request_is_not_quoted(payload: Any) -> None:
    data = msgpack.packb(payload)
    with pytest.raises(ProtocolError) as caught:
        codec.decode(data)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    ended = serve(len(data).to_bytes(4, "big") + data)
    assert SECRET not in ended.stderr


def test_a_refusal_carries_its_atom_and_nothing_else(parties: Parties) -> None:
    wire, _ = double_ratchet.encrypt(parties.alice, SECRET.encode())
    with pytest.raises(SignalError) as caught:
        double_ratchet.decrypt(parties.bob, wire[:-1] + bytes([wire[-1] ^ 1]))
    assert caught.value.args == ("bad_mac",)
    assert vars(caught.value) == {"atom": "bad_mac"}
    assert repr(caught.value) == "SignalError('bad_mac')"


@pytest.mark.parametrize("size", [31, 33])
def test_a_key_of_a_wrong_size_is_not_quoted(size: int) -> None:
    key = (SECRET * 3).encode()[:size]
    with pytest.raises(SignalError) as caught:
        primitives.x25519(key, key)
    assert SECRET not in repr(caught.value)
    assert caught.value.args == ("invalid_key_sizes",)


def test_a_refusal_of_the_library_below_is_not_shown_as_its_cause() -> None:
    with pytest.raises(SignalError) as caught:
        primitives.x25519(SECRET.encode().ljust(32), bytes(32))
    assert caught.value.__suppress_context__
    assert "ValueError" not in printed(caught.value)


def test_a_request_s_secrets_are_not_in_a_worker_s_words_on_a_bad_frame() -> None:
    ended = serve(request(1, "sha256", SECRET.encode()) + b"\0\0\0\x20" + SECRET.encode())
    assert ended.status != 0
    assert SECRET not in ended.stderr
