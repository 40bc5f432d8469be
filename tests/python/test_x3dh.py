"""X3DH: both sides agree on the contract's secret; refusals come in the contract's order."""

import hashlib
import hmac
from typing import Any

import pytest
from refusal import refused

from signal_port import ed25519, primitives, x3dh

ALICE, ALICE_SECRET = primitives.generate_ed25519_keypair()
BOB, BOB_SECRET = primitives.generate_ed25519_keypair()
_, SIGNED, SIGNED_PRIVATE, SIGNATURE = x3dh.generate_signed_pre_key(BOB_SECRET, 1)
_, ONE_TIME, ONE_TIME_PRIVATE = x3dh.generate_pre_key(2)
BUNDLE = BOB + SIGNED + SIGNATURE
ZERO_POINT = bytes(32)  # as an X25519 public key it makes every shared secret zero
NO_POINT = (2).to_bytes(32, "little")  # as an Ed25519 identity it is not on the curve


def derived(*secrets: bytes) -> bytes:
    """Return the HKDF of the contract, computed with HMAC alone."""
    key = hmac.digest(bytes(32), b"\xff" * 32 + b"".join(secrets), hashlib.sha256)
    output = block = b""
    for counter in (1, 2, 3):
        block = hmac.digest(key, block + b"X3DH-Signal" + bytes([counter]), hashlib.sha256)
        output += block
    return output


def bundle_signed(signed_pre_key: bytes, one_time: bytes = b"") -> bytes:
    return BOB + signed_pre_key + ed25519.sign_data(BOB_SECRET, signed_pre_key) + one_time


class TestAgreement:
    """Both sides agree, on what the contract derives."""

    @pytest.mark.parametrize(
        ("one_time", "private"), [(b"", b""), (ONE_TIME, ONE_TIME_PRIVATE)], ids=["without", "with"]
    )
    def test_both_sides_agree(self, one_time: bytes, private: bytes) -> None:
        secret, ephemeral = x3dh.initiate(ALICE_SECRET, BUNDLE + one_time)
        assert (len(secret), len(ephemeral)) == (96, 32)
        assert x3dh.respond(BOB_SECRET, SIGNED_PRIVATE, private, ALICE, ephemeral) == secret

    def test_one_time_pre_key_changes_the_secret(self) -> None:
        secret, ephemeral = x3dh.initiate(ALICE_SECRET, BUNDLE + ONE_TIME)
        assert x3dh.respond(BOB_SECRET, SIGNED_PRIVATE, b"", ALICE, ephemeral) != secret

    def test_two_agreements_give_two_secrets(self) -> None:
        assert x3dh.initiate(ALICE_SECRET, BUNDLE) != x3dh.initiate(ALICE_SECRET, BUNDLE)

    def test_secret_is_derived_as_in_the_contract(self) -> None:
        secret, ephemeral = x3dh.initiate(ALICE_SECRET, BUNDLE + ONE_TIME)
        alice = ed25519.ed25519_pk_to_curve25519(ALICE)
        bob = ed25519.ed25519_sk_to_curve25519(BOB_SECRET)
        assert secret == derived(
            primitives.x25519(SIGNED_PRIVATE, alice),
            primitives.x25519(bob, ephemeral),
            primitives.x25519(SIGNED_PRIVATE, ephemeral),
            primitives.x25519(ONE_TIME_PRIVATE, ephemeral),
        )

    def test_public_half_of_an_identity_is_ignored(self) -> None:
        secret, ephemeral = x3dh.initiate(ALICE_SECRET[:32] + bytes(32), BUNDLE)
        assert (
            x3dh.respond(BOB_SECRET[:32] + bytes(32), SIGNED_PRIVATE, b"", ALICE, ephemeral)
            == secret
        )


class TestSignedPreKey:
    """Making a signed pre-key."""

    def test_signed_pre_key_is_signed_and_belongs_together(self) -> None:
        assert ed25519.verify_signature(BOB, SIGNED, SIGNATURE)
        assert primitives.x25519(SIGNED_PRIVATE, b"\x09" + bytes(31)) == SIGNED

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_identity_of_another_size_is_refused(self, size: int) -> None:
        with refused("invalid_identity_key_size"):
            x3dh.generate_signed_pre_key(bytes(size), 1)

    def test_identity_of_two_keys_is_refused(self) -> None:
        with refused("signature_failed"):
            x3dh.generate_signed_pre_key(BOB_SECRET[:32] + ALICE, 1)


class TestInitiate:
    """What the initiator refuses."""

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_identity_of_another_size_is_refused(self, size: int) -> None:
        with refused("invalid_local_identity_key_size"):
            x3dh.initiate(bytes(size), b"no bundle")

    @pytest.mark.parametrize("size", [0, 127, 129, 159, 161, 192])
    def test_bundle_of_another_size_is_refused(self, size: int) -> None:
        with refused("invalid_bundle_size"):
            x3dh.initiate(ALICE_SECRET, bytes(size))

    @pytest.mark.parametrize("place", [0, 31, 32, 63, 64, 127])
    def test_flipped_bit_of_a_bundle_is_refused(self, place: int) -> None:
        bundle = bytearray(BUNDLE)
        bundle[place] ^= 1
        with refused("signature_verification_failed"):
            x3dh.initiate(ALICE_SECRET, bytes(bundle))

    def test_bundle_of_a_small_order_identity_is_refused(self) -> None:
        neutral = b"\x01" + bytes(31)
        signature = (
            b"\x58" + b"\x66" * 31 + b"\x01" + bytes(31)
        )  # R = B, S = 1: the plain equation holds
        with refused("signature_verification_failed"):
            x3dh.initiate(ALICE_SECRET, neutral + SIGNED + signature)

    def test_signed_pre_key_that_gives_zero_is_refused(self) -> None:
        with refused("dh1_calculation_failed"):
            x3dh.initiate(ALICE_SECRET, bundle_signed(ZERO_POINT))

    def test_one_time_pre_key_that_gives_zero_is_refused(self) -> None:
        with refused("dh4_calculation_failed"):
            x3dh.initiate(ALICE_SECRET, BUNDLE + ZERO_POINT)


def fail_exchange(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exchange of that number, from 1 on, give zero. Some cannot, as an earlier would."""
    exchange, errors = x3dh.x25519_exchange, list[str]()

    def exchanged(key: Any, public: bytes, error: str) -> bytes:
        errors.append(error)
        return exchange(key, ZERO_POINT if len(errors) == number else public, error)

    monkeypatch.setattr(x3dh, "x25519_exchange", exchanged)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
class TestExchanges:
    """The four Diffie-Hellman exchanges of an agreement, each with an error of its own."""

    def test_failed_exchange_is_named_to_the_initiator(
        self, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fail_exchange(number, monkeypatch)
        with refused(f"dh{number}_calculation_failed"):
            x3dh.initiate(ALICE_SECRET, BUNDLE + ONE_TIME)

    def test_failed_exchange_is_named_to_the_responder(
        self, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fail_exchange(number, monkeypatch)
        with refused(f"dh{number}_calculation_failed"):
            x3dh.respond(**RIGHT)


RIGHT = {
    "identity_secret": BOB_SECRET,
    "signed_pre_key": SIGNED_PRIVATE,
    "one_time_pre_key": ONE_TIME_PRIVATE,
    "remote_identity": ALICE,
    "remote_ephemeral": ONE_TIME,
}
SIZE_ERRORS = {
    "identity_secret": "invalid_identity_priv_size",
    "signed_pre_key": "invalid_signed_pre_key_priv_size",
    "one_time_pre_key": "invalid_one_time_pre_key_priv_size",
    "remote_identity": "invalid_remote_identity_pub_size",
    "remote_ephemeral": "invalid_remote_ephemeral_pub_size",
}


class TestRespond:
    """What the responder refuses."""

    @pytest.mark.parametrize("size", [1, 31, 33, 63, 65])
    @pytest.mark.parametrize("argument", SIZE_ERRORS)
    def test_argument_of_a_wrong_size_is_refused(self, argument: str, size: int) -> None:
        with refused(SIZE_ERRORS[argument]):
            x3dh.respond(**{**RIGHT, argument: bytes(size)})

    @pytest.mark.parametrize("position", range(5))
    def test_first_of_several_wrong_sizes_is_named(self, position: int) -> None:
        names = list(SIZE_ERRORS)
        wrong = dict.fromkeys(names[position:], b"?")
        with refused(SIZE_ERRORS[names[position]]):
            x3dh.respond(**{**RIGHT, **wrong})

    def test_identity_that_is_no_point_is_refused(self) -> None:
        with refused("identity_pub_conversion_failed"):
            x3dh.respond(**{**RIGHT, "remote_identity": NO_POINT})

    def test_ephemeral_key_that_gives_zero_is_refused(self) -> None:
        with refused("dh2_calculation_failed"):
            x3dh.respond(**{**RIGHT, "remote_ephemeral": ZERO_POINT})
