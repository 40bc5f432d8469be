"""`signal-port selftest`: it passes here, and it sees what is wrong."""

import subprocess
from types import ModuleType

import pytest
from child import framed, python

from signal_port import double_ratchet, ed25519, primitives, selftest, static_session, x3dh
from signal_port.codec import encode_notice
from signal_port.errors import SignalError
from signal_port.exit_status import CRASHED
from signal_port.known_answers import KNOWN_ANSWERS

PRIMITIVES = {
    "sha256": (primitives, "sha256"),
    "sha512": (primitives, "sha512"),
    "blake2b": (primitives, "blake2b_256"),
    "hmac_sha256": (primitives, "hmac_sha256"),
    "hkdf_sha256": (primitives, "hkdf_sha256"),
    "x25519": (primitives, "x25519"),
    "ed25519": (ed25519, "sign_data"),
    "aes_gcm": (primitives, "aes_gcm_encrypt"),
    "aes_cbc": (primitives, "aes_cbc_encrypt"),
    "chacha20_poly1305": (primitives, "chacha20_poly1305_encrypt"),
}


def failures(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run the selftest in this process; return its lines about failures."""
    status = selftest.main([])
    failed = [line for line in capsys.readouterr().out.splitlines() if not line.endswith(" ok")]
    assert status == (CRASHED if failed else 0)
    return failed


def refuse(*args: object) -> bytes:
    """Stand in for a primitive that this OpenSSL does not have."""
    raise ValueError(args)


class TestKnownAnswers:
    """Each primitive is tried, and a wrong answer is seen."""

    def test_primitives_are_all_tried(self) -> None:
        assert [*KNOWN_ANSWERS] == [*PRIMITIVES]

    @pytest.mark.parametrize("name", PRIMITIVES)
    def test_wrong_answer_is_seen(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        module, function_name = PRIMITIVES[name]
        function = getattr(module, function_name)

        def wrong(*args: object) -> object:
            right = function(*args)
            return (
                bytes([right[0] ^ 1]) + right[1:] if type(right) is bytes else (b"wrong", right[1])
            )

        monkeypatch.setattr(module, function_name, wrong)
        assert not KNOWN_ANSWERS[name]()

    @pytest.mark.parametrize(
        ("module", "accepted", "check"),
        [(ed25519, "verify_signature", "ed25519"), (primitives, "aes_gcm_decrypt", "aes_gcm")],
    )
    def test_accepted_forgery_is_seen(
        self, module: ModuleType, accepted: str, check: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, accepted, lambda *_: bytes(16))
        assert not KNOWN_ANSWERS[check]()


class TestSelftest:
    """The command's output, in success and failure."""

    def test_selftest_here_passes(self) -> None:
        ended = python("-m", "signal_port", "selftest")
        assert (ended.status, ended.stderr) == (0, "")
        said = ended.stdout.decode().splitlines()
        assert [line.split("  ")[0] for line in said] == [*selftest.CHECKS]
        assert all(line.endswith(" ok") for line in said)

    def test_failing_primitive_is_reported_without_its_text(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(primitives, "chacha20_poly1305_encrypt", refuse)
        failed = failures(capsys)
        assert [line.split("  ")[0] for line in failed] == [
            "chacha20_poly1305",
            "static-key session",
        ]
        assert all(line.endswith("FAILED (ValueError)") for line in failed)

    def test_parties_that_do_not_agree_are_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(x3dh, "respond", lambda *_: bytes(96))
        assert "x3dh, both sides                    FAILED (ArithmeticError)" in failures(capsys)

    def test_message_read_wrongly_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(double_ratchet, "decrypt", lambda session, _: (b"wrong", session))
        monkeypatch.setattr(static_session, "decrypt_message", lambda *_: b"wrong")
        assert [line.split("  ")[0] for line in failures(capsys)] == [
            "double ratchet, both ways",
            "double ratchet, out of order",
            "double ratchet, forged message",
            "static-key session",
        ]

    def test_message_refused_for_another_reason_is_seen(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object) -> bytes:
            raise SignalError("invalid_message")

        monkeypatch.setattr(double_ratchet, "decrypt", refused)
        assert not selftest.CHECKS["double ratchet, forged message"]()

    @pytest.mark.parametrize(
        ("status", "stream", "said"),
        [
            (
                78,
                framed(encode_notice("unfit", "it lacks something")),
                "FAILED: it lacks something",
            ),
            (0, framed(encode_notice("ready", 2)), "FAILED"),
            (0, b"", "FAILED (ValueError)"),
            (70, b"garbage", "FAILED: a frame of 1734439522 bytes is over the limit of 134217728"),
        ],
        ids=["unfit", "another protocol", "silent", "garbage"],
    )
    def test_wrong_worker_is_reported(
        self,
        status: int,
        stream: bytes,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        ended = subprocess.CompletedProcess([], status, stream, b"")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
        assert failures(capsys) == [f"{'worker process':<36}{said}"]
