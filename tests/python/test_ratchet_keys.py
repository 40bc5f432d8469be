"""Headers: which are accepted under which key. The other functions have known answers elsewhere."""

import pytest
from blob import Slot, field, replaced, with_slots
from parties import Parties
from refusal import refused

from signal_port import double_ratchet, messages, primitives, ratchet_keys
from signal_port.messages import Header
from signal_port.ratchet_keys import ENCRYPTED_HEADER_SIZE

KEY, OTHER_KEY, NO_KEY = bytes([1]) * 32, bytes([2]) * 32, bytes(32)
HEADER = Header(ratchet_key=bytes([3]) * 32, number=4, previous_number=5)
ENCRYPTED = ratchet_keys.encrypt_header(KEY, HEADER)


class TestHeader:
    """A header is decrypted if all of its bytes and its key are right."""

    def test_header_is_decrypted_with_its_key(self) -> None:
        assert len(ENCRYPTED) == ENCRYPTED_HEADER_SIZE
        assert ratchet_keys.decrypt_header(KEY, ENCRYPTED) == HEADER

    def test_header_of_another_key_is_none(self) -> None:
        assert ratchet_keys.decrypt_header(OTHER_KEY, ENCRYPTED) is None

    @pytest.mark.parametrize("place", range(ENCRYPTED_HEADER_SIZE))
    def test_header_with_a_changed_byte_is_none(self, place: int) -> None:
        forged = bytearray(ENCRYPTED)
        forged[place] ^= 0x80
        assert ratchet_keys.decrypt_header(KEY, bytes(forged)) is None


def forged(bob: bytes, header: Header, message_key: bytes) -> bytes:
    """Return a message to Bob by somebody who takes zeros for the header key."""
    cipher_key, mac_key, iv = ratchet_keys.message_keys(message_key)
    encrypted_header = ratchet_keys.encrypt_header(NO_KEY, header)
    body = primitives.aes_cbc_encrypt(cipher_key, iv, b"forged")
    message = bytes([messages.VERSION]) + messages.encode_envelope(encrypted_header, body)
    sender, receiver = (bytearray(field(bob, f"{side} identity")) for side in ("remote", "local"))
    return message + ratchet_keys.message_mac(mac_key, sender, receiver, message)


class TestNoHeaderKey:
    """A header key that is all zero stands for none: it decrypts nothing."""

    def test_missing_key_of_the_current_chain_is_not_used(self, parties: Parties) -> None:
        bob = parties.bob
        assert field(bob, "receiving header key") == field(bob, "receiving chain key") == NO_KEY
        message_key, _ = ratchet_keys.chain_step(NO_KEY)
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, forged(bob, HEADER._replace(number=0), message_key))

    def test_missing_key_of_the_next_chain_is_not_used(self, parties: Parties) -> None:
        bob = replaced(parties.bob, "next receiving header key", NO_KEY)
        header = Header(ratchet_key=bytes(32), number=0, previous_number=0)  # would be refused
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, forged(bob, header, KEY))

    def test_missing_key_of_a_skipped_message_is_not_used(self, parties: Parties) -> None:
        bob = with_slots(parties.bob, [Slot(NO_KEY, 0, OTHER_KEY, 1, 1)])
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, forged(bob, HEADER._replace(number=0), OTHER_KEY))
