"""Coverage-guided fuzzing of the operations: recorded calls with changed arguments.

    python tests/fuzz/fuzz_operations.py [-max_total_time=60] [CORPUS]

It needs `atheris`; other options are libFuzzer's. An input is one call in msgpack, `[Operation,
Args]`. Its answer must be in `tests/vectors/operations.json` or `badarg`, and never an exception.
The mutations know what they change: a field of a session, a key, an integer at its limit. Some
changed messages get the right MACs again, to reach the code behind the check.
"""

import random
import sys
from pathlib import Path
from typing import Any

import atheris
from command_line import fuzz

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "python")]

with atheris.instrument_imports(include=["signal_port"]):
    import blob
    import msgpack
    from edwards import small_order_encodings
    from msgpack import ExtType
    from vectors import known, recorded

    from signal_port import double_ratchet, messages, operations, primitives, ratchet_keys, session
    from signal_port.codec import atom
    from signal_port.errors import SignalError
    from signal_port.messages import Header

MAX_INPUT = 32 * 1024  # bytes; a call with two sessions
MAX_SEEDS = 16  # of an operation
RSS_LIMIT = 512  # MiB

NUMBERS = [
    0,
    1,
    16,
    32,
    33,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**64 - 1,
    -1,
    -(2**31),
    -(2**31) - 1,
]
COUNTERS = [number for number in NUMBERS if 0 <= number < 2**32]
KEYS = [bytes(32), b"\xff" * 32, b"\1" + bytes(31), *sorted(small_order_encodings())]
OTHER_TERMS: list[Any] = [
    0,
    "text",
    None,
    True,
    1.5,
    [],
    {},
    b"",
    ExtType(1, b"undefined"),
    ExtType(5, b""),
]
MESSAGE = 0x33
MAC, HEADER_MAC, IV = 8, 16, 16


ERRORS = {name: set(row["errors"]) for name, row in known("operations.json").items()}
OK, ERROR = atom("ok"), atom("error")


def check(data: bytes) -> None:
    """Fail unless a call gets an answer of the contract."""
    try:
        operation, args = msgpack.unpackb(data)
    except (ValueError, TypeError, msgpack.UnpackException):
        return
    answer = operations.perform(operation, args)
    if type(operation) is not str or operation not in ERRORS:
        assert answer == (ERROR, atom("unknown_operation")) or operation == "batch"
        return
    match answer:
        case ExtType(code=1, data=name):
            assert (operation, name) in {
                ("init", b"ok"),
                ("verify_signature", b"ok"),
                ("verify_signature", b"invalid_signature"),
            }
        case (ExtType() as kind, ExtType(code=1, data=name)) if kind == ERROR:
            assert name == b"badarg" or name.decode() in ERRORS[operation], (
                f"{operation} knows no {name.decode()}"
            )
        case (ExtType() as kind, *_) if kind == OK:
            check_value(operation, args, answer)
        case _:
            raise AssertionError("not an answer of the contract")
    assert msgpack.packb(answer)


def check_value(operation: str, args: list[Any], answer: tuple[Any, ...]) -> None:
    """Fail unless a returned session can be used, and a returned message can be decoded."""
    if operation == "dr_init":
        check_session(answer[1])
    elif operation in ("dr_encrypt", "dr_encrypt_prekey"):
        wire, after = answer[1]
        check_session(after)
        if operation == "dr_encrypt_prekey":
            wire = messages.decode_pre_key_message(wire).message
        assert wire[0] == MESSAGE
        assert len(messages.decode_envelope(wire[1:-MAC])[0]) == 80
    elif operation == "dr_decrypt":
        _, after = answer[1]
        check_session(after)
        assert operations.perform("dr_decrypt", [after, args[1]])[0] == ERROR, (
            "a message was decrypted twice"
        )


def check_session(stored: bytes) -> None:
    """Fail unless a session encrypts another message, or must receive one first."""
    assert len(stored) == blob.SIZE
    kind, *value = operations.perform("dr_encrypt", [stored, b""])
    assert kind == OK or value == [atom("must_receive_first")]


# --- Mutations ---


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return another call, mostly with one changed argument."""
    dice = random.Random(seed)
    try:
        operation, args = msgpack.unpackb(data)
        if not args or dice.random() < 0.05:
            raise ValueError
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            at = dice.randrange(len(args))
            args[at] = mutated(args[at], dice)
        if operation == "dr_decrypt" and dice.random() < 0.7:
            args[1] = sealed_again(args[0], args[1], dice)
        return msgpack.packb([operation, args])[:max_size]
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return bytes(atheris.Mutate(data, max_size))


def mutated(term: Any, dice: random.Random) -> Any:
    """Return another argument, rarely of another type."""
    if dice.random() < 0.02:
        return dice.choice(OTHER_TERMS)
    match term:
        case bytes() if len(term) == blob.SIZE and dice.random() < 0.9:
            return mutated_session(term, dice)
        case bytes():
            return mutated_bytes(term, dice)
        case int():
            return dice.choice(NUMBERS) if dice.random() < 0.8 else term ^ 1 << dice.randrange(33)
        case list() if term:
            at = dice.randrange(len(term))
            return [
                mutated(element, dice) if index == at else element
                for index, element in enumerate(term)
            ]
    return dice.choice(OTHER_TERMS)


def mutated_session(stored: bytes, dice: random.Random) -> bytes:
    """Return a session with another number near a limit, another key or other slots."""
    name = dice.choice(list(blob.FIELDS))
    offset, size = blob.FIELDS[name]
    if name == "slots":
        header_keys = [
            blob.field(stored, other) for other in blob.FIELDS if other.endswith("header key")
        ]
        slots = [
            blob.Slot(
                dice.choice(header_keys),
                dice.choice(COUNTERS),
                dice.randbytes(32),
                dice.choice(COUNTERS),
                1,
            )
            for _ in range(dice.choice((1, 5, 95, 96)))
        ]
        return blob.with_slots(stored, slots)
    if size == 32:
        other = dice.choice([at for at, width in blob.FIELDS.values() if width == 32])
        value = dice.choice((*KEYS, stored[other : other + 32]))
    elif size == 4:
        value = dice.choice(COUNTERS).to_bytes(4, "little")
    else:
        value = mutated_bytes(stored[offset : offset + size], dice).ljust(size, b"\0")[:size]
    return blob.replaced(stored, name, value)


def mutated_bytes(data: bytes, dice: random.Random) -> bytes:
    """Return other bytes: with another key, longer, shorter, or mutated by libFuzzer."""
    match dice.randrange(6):
        case 0:
            at = dice.randrange(0, len(data) + 1, 32)
            return data[:at] + dice.choice(KEYS) + data[at + 32 :]
        case 1:
            return data[: dice.randrange(len(data) + 1)]
        case 2:
            return data + dice.randbytes(dice.choice((1, 16, 32)))
    return bytes(atheris.Mutate(data, max(len(data), 64) + 16))


def sealed_again(stored: bytes, wire: bytes, dice: random.Random) -> bytes:
    """Return a message with another header and the right MACs, like the other side makes it."""
    if type(stored) is not bytes or type(wire) is not bytes:
        return wire
    try:
        state = session.open_session(stored)
        _, body = messages.decode_envelope(wire[1:-MAC])
        names = ("receiving header key", "next receiving header key")
        header_key = dice.choice(
            [blob.field(stored, name) for name in names] + session.skipped_header_keys(state)
        )
        encrypted = encrypted_header(header_key, dice)
        message = wire[:1] + messages.encode_envelope(encrypted, body)
        _, mac_key, _ = ratchet_keys.message_keys(
            double_ratchet._find_message_key(state, encrypted)
        )
    except SignalError:
        return wire if dice.random() < 0.1 else unsealed(stored, wire, dice)
    parties = blob.field(stored, "remote identity") + blob.field(stored, "local identity")
    return message + primitives.hmac_sha256(mac_key, parties + message)[:MAC]


def unsealed(stored: bytes, wire: bytes, dice: random.Random) -> bytes:
    """Return a message that is refused after its header was decrypted."""
    header = encrypted_header(
        blob.field(stored.ljust(blob.SIZE), "next receiving header key"), dice
    )
    return wire[:1] + messages.encode_envelope(header, dice.randbytes(16)) + wire[-MAC:]


def encrypted_header(header_key: bytes, dice: random.Random) -> bytes:
    """Return a header under the right key, with numbers near their limits or mutated bytes."""
    keys = primitives.hkdf_sha256(header_key, b"", b"WhisperHeader", 64)
    ratchet_key = dice.choice((*KEYS, dice.randbytes(32), dice.randbytes(32)))
    plain = messages.encode_header(
        Header(ratchet_key, dice.choice(COUNTERS), dice.choice(COUNTERS))
    )
    if dice.random() < 0.3:
        plain = bytes(atheris.Mutate(plain, 47))
    iv = bytes(IV)
    sealed = iv + primitives.aes_cbc_encrypt(keys[:32], iv, plain)
    return sealed + primitives.hmac_sha256(keys[32:], sealed)[:HEADER_MAC]


# --- The command line ---


def seeds() -> list[bytes]:
    """Return recorded calls as inputs, up to the same number of each operation."""
    calls: dict[str, list[bytes]] = {name: [] for name in operations.OPERATIONS}
    for call in recorded():
        seed = msgpack.packb([call.operation, call.args])
        if len(seed) <= MAX_INPUT // 2 and len(calls[call.operation]) < MAX_SEEDS:
            calls[call.operation].append(seed)
    return [seed for seeds_of_one in calls.values() for seed in seeds_of_one]


if __name__ == "__main__":
    fuzz(check, mutate, seeds, MAX_INPUT, RSS_LIMIT)
