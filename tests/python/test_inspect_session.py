"""What `signal-port inspect-session` prints of a session, and that it prints no secret."""

import base64
import io
from pathlib import Path
from random import Random

import blob
import pytest
from child import python
from parties import Parties

from signal_port import double_ratchet, inspect_session, static_session
from signal_port.exit_status import DATA, NO_INPUT

NUMBERS = ("magic", "version", "size", "sending number", "receiving number", "previous number")
FLAGS = ("initialized", "may send", "zero", "clock")


def told(session: bytes) -> dict[str, str]:
    """Return the description of a session, by the names of its lines."""
    return {line[:27].strip(): line[27:] for line in inspect_session.describe(session)}


def conversation(parties: Parties) -> tuple[bytes, bytes]:
    """Return both sessions after five messages, of which the second and third are late."""
    wires, alice, bob = [], parties.alice, parties.bob
    for _ in range(4):
        wire, alice = double_ratchet.encrypt(alice, b"text")
        wires.append(wire)
    for wire in (wires[0], wires[3]):
        _, bob = double_ratchet.decrypt(bob, wire)
    wire, bob = double_ratchet.encrypt(bob, b"answer")
    _, alice = double_ratchet.decrypt(alice, wire)
    return alice, bob


class TestDescribe:
    """The facts of a session."""

    def test_first_session_of_an_initiator_is_described(self, parties: Parties) -> None:
        facts = told(parties.alice)
        assert facts["size"] == "7740 bytes"
        assert facts["kind"] == "Double Ratchet session, version 1"
        assert (facts["initialized"], facts["may send"]) == ("yes", "yes")
        assert facts["stage"] == "an initiator that has received nothing yet"
        assert (facts["sending chain key"], facts["receiving chain key"]) == ("set", "not set")
        assert (facts["sending header key"], facts["receiving header key"]) == ("set", "not set")
        assert facts["skipped message keys"] == "0 of 96"
        assert facts["of messages"] == "none"

    def test_first_session_of_a_responder_is_described(self, parties: Parties) -> None:
        facts = told(parties.bob)
        assert facts["may send"] == "no"
        assert facts["stage"] == "a responder that has received nothing yet"
        assert (facts["sending chain key"], facts["receiving chain key"]) == ("not set", "not set")
        assert (facts["ratchet key pair"], facts["remote ratchet key"]) == ("set", "not set")

    def test_sessions_after_messages_are_described(self, parties: Parties) -> None:
        alice, bob = map(told, conversation(parties))
        assert (
            alice["stage"]
            == bob["stage"]
            == "has received; nothing shows any more which side began"
        )
        assert (alice["next message to send"], alice["previous sending chain"]) == (
            "0",
            "4 messages",
        )
        assert (bob["next message to send"], bob["next message to receive"]) == ("1", "4")
        assert bob["skipped message keys"] == "2 of 96"
        assert bob["of messages"] == "1 2"

    def test_skipped_messages_are_listed_oldest_first(self, parties: Parties) -> None:
        kept = [
            blob.Slot(b"h" * 32, number, b"m" * 32, clock, 1)
            for number, clock in ((7, 3), (5, 1), (6, 2))
        ]
        session = blob.with_slots(parties.bob, [*kept, blob.Slot(b"h" * 32, 4, b"m" * 32, 9, 0)])
        assert told(session)["of messages"] == "5 6 7"

    def test_session_not_initialized_is_described_as_such(self, parties: Parties) -> None:
        assert told(blob.replaced(parties.bob, "initialized", b"\0"))["initialized"] == "no"

    def test_static_key_session_is_known_by_its_size(self) -> None:
        session = static_session.create_session(b"\x41" * 32, b"\x09" + bytes(31))
        assert len(session) == 64
        facts = told(session)
        assert facts["size"] == "64 bytes"
        assert facts["kind"] == (
            "static-key session of the NIF's releases 0.1 and 0.2, judged by its size alone"
        )


def planted() -> bytes:
    """Return a session that is random except numbers and flags, with 96 occupied slots."""
    dice = Random(1)
    session = inspectable = bytes(blob.SIZE)
    for name, (_, size) in blob.FIELDS.items():
        if name not in (*NUMBERS, *FLAGS, "slots"):
            session = blob.replaced(session, name, dice.randbytes(size))
    kept = [
        blob.Slot(dice.randbytes(32), number, dice.randbytes(32), number, 1) for number in range(96)
    ]
    session = blob.with_slots(session, kept)
    assert session != inspectable
    prefix = b"\x31\x53\x52\x44\x01\x00" + blob.SIZE.to_bytes(2, "little")
    return blob.replaced(prefix + session[8:], "initialized", b"\1")


def traces(secret: bytes) -> list[bytes]:
    """Return every way in which four bytes of a secret can be printed."""
    pieces = [secret[start : start + 4] for start in range(len(secret) - 3)]
    in_hex = [piece.hex().encode() for piece in pieces]
    in_base64 = [base64.b64encode(secret[start:])[:6] for start in range(len(secret) - 5)]
    in_url_base64 = [
        base64.urlsafe_b64encode(secret[start:])[:6] for start in range(len(secret) - 5)
    ]
    in_repr = [repr(piece)[2:-1].encode() for piece in pieces]
    return [
        *pieces,
        *in_hex,
        *(digits.upper() for digits in in_hex),
        *in_base64,
        *in_url_base64,
        *in_repr,
    ]


class TestSecrets:
    """No key and no identity is printed."""

    @pytest.mark.parametrize(
        "session", [planted(), Random(2).randbytes(64)], ids=["ratchet", "static key"]
    )
    @pytest.mark.parametrize("damage", [b"", b"!"], ids=["whole", "too long"])
    def test_keys_and_identities_are_not_printed(self, session: bytes, damage: bytes) -> None:
        ended = python("-m", "signal_port", "inspect-session", "-", stdin=session + damage)
        assert ended.status == (DATA if damage else 0)
        output = ended.stdout + ended.stderr.encode()
        assert output
        start = 8 if len(session) == blob.SIZE else 0
        secrets = session[start:].replace(bytes(4), b"")  # numbers and padding are no secret
        assert [trace for trace in traces(secrets) if trace in output] == []

    def test_printed_key_is_seen_by_this_search(self) -> None:
        key = Random(1).randbytes(32)
        for shown in (key, key.hex().encode(), base64.b64encode(key), repr(key).encode()):
            assert any(trace in b"root key: " + shown for trace in traces(key))


def refused(path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the sentence about a file that is not a session."""
    path.write_bytes(content)
    assert inspect_session.main([str(path)]) == DATA
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err.removeprefix(f"signal-port: {path} is not a session: ").strip()


class TestFiles:
    """Files, standard input, and what is not a session."""

    def test_file_and_standard_input_give_the_same(self, tmp_path: Path, parties: Parties) -> None:
        (tmp_path / "session").write_bytes(parties.alice)
        of_file = python("-m", "signal_port", "inspect-session", str(tmp_path / "session"))
        assert (of_file.status, of_file.stderr) == (0, "")
        assert of_file == python("-m", "signal_port", "inspect-session", "-", stdin=parties.alice)
        assert of_file.stdout.decode().splitlines() == inspect_session.describe(parties.alice)

    def test_facts_are_printed_and_nothing_else(
        self, parties: Parties, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(parties.bob)))
        assert inspect_session.main(["-"]) == 0
        assert capsys.readouterr() == ("\n".join(inspect_session.describe(parties.bob)) + "\n", "")

    @pytest.mark.parametrize("size", [0, 63, 65, 7739])
    def test_file_of_another_size_is_refused(
        self, size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sentence = refused(tmp_path / "file", bytes(size), capsys)
        assert sentence == (
            f"it has {size} bytes, but a session has 7740 and a static-key session 64"
        )

    def test_longer_file_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert refused(tmp_path / "file", bytes(8000), capsys).startswith(
            "it has more than 7740 bytes"
        )

    @pytest.mark.parametrize("field", ["magic", "version", "size"])
    def test_file_with_another_beginning_is_refused(
        self, field: str, parties: Parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = blob.replaced(parties.alice, field, bytes(blob.FIELDS[field][1]))
        sentence = refused(tmp_path / "file", content, capsys)
        assert sentence == "it does not begin with a session's magic number, version and size"

    def test_endless_file_is_refused(self) -> None:
        ended = python("-m", "signal_port", "inspect-session", "/dev/zero")
        assert ended.status == DATA

    def test_unreadable_file_is_reported(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for path, reason in (
            (tmp_path / "none", "No such file or directory"),
            (tmp_path, "Is a directory"),
        ):
            assert inspect_session.main([str(path)]) == NO_INPUT
            assert capsys.readouterr().err == f"signal-port: {path} cannot be read: {reason}\n"
