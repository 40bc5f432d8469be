"""The session blob: every offset, the flags, the rules of the slots, bytes that stay unchanged."""

import blob
import pytest
from blob import Slot
from hypothesis import given
from hypothesis import strategies as st
from parties import Parties
from refusal import refused

from signal_port import double_ratchet, ed25519, primitives, session

KEY_A, KEY_B, MESSAGE_KEY = b"a" * 32, b"b" * 32, b"m" * 32
SLICES = {
    "root key": session.ROOT_KEY,
    "sending chain key": session.SENDING_CHAIN_KEY,
    "sending number": session.SENDING_NUMBER,
    "receiving chain key": session.RECEIVING_CHAIN_KEY,
    "receiving number": session.RECEIVING_NUMBER,
    "ratchet private key": session.RATCHET_PRIVATE_KEY,
    "ratchet public key": session.RATCHET_PUBLIC_KEY,
    "remote ratchet key": session.REMOTE_RATCHET_KEY,
    "local identity": session.LOCAL_IDENTITY,
    "remote identity": session.REMOTE_IDENTITY,
    "local signing identity": session.LOCAL_SIGNING_IDENTITY,
    "sending header key": session.SENDING_HEADER_KEY,
    "receiving header key": session.RECEIVING_HEADER_KEY,
    "next sending header key": session.NEXT_SENDING_HEADER_KEY,
    "next receiving header key": session.NEXT_RECEIVING_HEADER_KEY,
    "previous number": session.PREVIOUS_NUMBER,
}
NEW = bytes(session.new())


def opened(slots: list[Slot], clock: int = 0) -> bytearray:
    filled = blob.replaced(blob.with_slots(NEW, slots), "clock", clock.to_bytes(4, "little"))
    return session.open_session(filled)


def full(clocks: list[int]) -> list[Slot]:
    return [Slot(KEY_A, index, MESSAGE_KEY, clock, 1) for index, clock in enumerate(clocks)]


class TestLayout:
    """Every offset."""

    def test_fields_cover_every_byte_once(self) -> None:
        ends = [offset + size for offset, size in blob.FIELDS.values()]
        assert [offset for offset, _ in blob.FIELDS.values()] == [0, *ends[:-1]]
        assert ends[-1] == blob.SIZE == session.SIZE

    @pytest.mark.parametrize("name", SLICES)
    def test_field_has_the_offset_of_the_nif(self, name: str) -> None:
        offset, size = blob.FIELDS[name]
        assert SLICES[name] == slice(offset, offset + size)

    def test_new_session_is_zero_except_prefix_and_initialized_flag(self) -> None:
        expected = bytes.fromhex("31535244 0100 3c1e") + bytes(428) + b"\x01" + bytes(7740 - 437)
        assert expected == NEW

    def test_first_session_of_the_initiator_has_every_field(self, parties: Parties) -> None:
        alice = parties.alice
        private, public = (
            blob.field(alice, "ratchet private key"),
            blob.field(alice, "ratchet public key"),
        )
        local, remote = map(
            ed25519.ed25519_pk_to_curve25519, (parties.alice_identity, parties.bob_identity)
        )
        keys = primitives.hkdf_sha256(
            primitives.x25519(private, remote), parties.secret[:32], b"DR-RK", 96
        )
        assert primitives.x25519(private, b"\x09" + bytes(31)) == public
        expected = {
            "magic": b"1SRD",
            "version": b"\x01\x00",
            "size": b"\x3c\x1e",
            "root key": keys[:32],
            "sending chain key": keys[32:64],
            "ratchet private key": private,
            "ratchet public key": public,
            "remote ratchet key": remote,
            "local identity": local,
            "remote identity": remote,
            "local signing identity": parties.alice_identity,
            "sending header key": parties.secret[64:],
            "next sending header key": keys[64:],
            "next receiving header key": parties.secret[32:64],
            "initialized": b"\x01",
            "may send": b"\x01",
        }
        assert {name: blob.field(alice, name) for name in blob.FIELDS} == {
            name: expected.get(name, bytes(size)) for name, (_, size) in blob.FIELDS.items()
        }

    def test_first_session_of_the_responder_has_every_field(self, parties: Parties) -> None:
        local, remote = map(
            ed25519.ed25519_pk_to_curve25519, (parties.bob_identity, parties.alice_identity)
        )
        expected = {
            "magic": b"1SRD",
            "version": b"\x01\x00",
            "size": b"\x3c\x1e",
            "root key": parties.secret[:32],
            "ratchet private key": ed25519.ed25519_sk_to_curve25519(parties.bob_secret),
            "ratchet public key": local,
            "local identity": local,
            "remote identity": remote,
            "local signing identity": parties.bob_identity,
            "next sending header key": parties.secret[32:64],
            "next receiving header key": parties.secret[64:],
            "initialized": b"\x01",
        }
        assert {name: blob.field(parties.bob, name) for name in blob.FIELDS} == {
            name: expected.get(name, bytes(size)) for name, (_, size) in blob.FIELDS.items()
        }

    def test_sent_message_changes_chain_and_number_alone(self, parties: Parties) -> None:
        _, after = double_ratchet.encrypt(parties.alice, b"")
        changed = {
            name
            for name in blob.FIELDS
            if blob.field(after, name) != blob.field(parties.alice, name)
        }
        assert changed == {"sending chain key", "sending number"}
        assert blob.number(after, "sending number") == 1


class TestOpening:
    """What is a session and what is not."""

    @pytest.mark.parametrize("size", [0, 1, 7739, 7741])
    def test_blob_of_another_size_is_refused(self, size: int) -> None:
        with refused("invalid_session_size"):
            session.open_session(NEW[:size].ljust(size, b"\0"))

    @pytest.mark.parametrize("place", range(8))
    def test_blob_with_another_prefix_is_refused(self, place: int) -> None:
        wrong = bytearray(NEW)
        wrong[place] ^= 1
        with refused("invalid_session"):
            session.open_session(bytes(wrong))

    def test_session_not_initialized_is_refused(self) -> None:
        with refused("session_not_initialized"):
            session.open_session(blob.replaced(NEW, "initialized", b"\0"))

    def test_opened_session_is_a_copy(self) -> None:
        first = session.open_session(NEW)
        first[session.ROOT_KEY] = KEY_A
        assert blob.field(session.open_session(NEW), "root key") == bytes(32)


class TestSealing:
    """Flags are normalized, other bytes are carried through."""

    @pytest.mark.parametrize(("given", "written"), [(0, 0), (1, 1), (2, 1), (128, 1), (255, 1)])
    def test_may_send_flag_is_written_as_0_or_1(self, given: int, written: int) -> None:
        sealed = session.seal(session.open_session(blob.replaced(NEW, "may send", bytes([given]))))
        assert blob.field(sealed, "may send") == bytes([written])

    @pytest.mark.parametrize("given", [1, 2, 255])
    def test_initialized_flag_is_written_as_1(self, given: int) -> None:
        sealed = session.seal(
            session.open_session(blob.replaced(NEW, "initialized", bytes([given])))
        )
        assert blob.field(sealed, "initialized") == b"\x01"

    def test_occupied_flags_are_written_as_0_or_1(self) -> None:
        flags = [index % 5 * 60 for index in range(96)]
        sealed = session.seal(opened([Slot(KEY_A, 0, MESSAGE_KEY, 0, flag) for flag in flags]))
        assert [slot.occupied for slot in blob.slots(sealed)] == [int(flag > 0) for flag in flags]

    @given(noise=st.binary(min_size=64, max_size=64))
    def test_other_bytes_are_carried_through(self, noise: bytes) -> None:
        given = NEW[:8] + (noise * 121)[: blob.SIZE - 8]
        given = blob.replaced(blob.replaced(given, "initialized", b"\x01"), "may send", b"\x01")
        given = blob.replaced(
            given,
            "slots",
            b"".join(
                slot._replace(occupied=slot.occupied & 1).pack() for slot in blob.slots(given)
            ),
        )
        assert session.seal(session.open_session(given)) == given

    def test_bytes_of_no_field_are_carried_through_a_call(self, parties: Parties) -> None:
        given = blob.with_slots(
            blob.replaced(parties.alice, "zero", b"\x12\x34"), [Slot(KEY_A, 1, KEY_B, 5, 0, b"pad")]
        )
        _, after = double_ratchet.encrypt(given, b"")
        assert blob.field(after, "zero") == b"\x12\x34"
        assert blob.slots(after) == blob.slots(given)

    def test_number_over_32_bits_wraps(self) -> None:
        state = session.new()
        session.set_number(state, session.SENDING_NUMBER, 2**32 + 5)
        assert session.number(state, session.SENDING_NUMBER) == 5
        assert blob.number(bytes(state), "receiving chain key") == 0


class TestSlotsStoring:
    """Which slot a skipped message key goes to."""

    def test_key_goes_into_the_first_free_slot(self) -> None:
        state = opened(
            [Slot(KEY_A, 0, KEY_A, 1, 1), Slot(KEY_A, 1, KEY_A, 2, 0), Slot(KEY_A, 2, KEY_A, 3, 1)],
            clock=3,
        )
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert blob.slots(bytes(state))[1] == Slot(KEY_B, 9, MESSAGE_KEY, 4, 1)
        assert blob.number(bytes(state), "clock") == 4

    def test_key_without_a_free_slot_overwrites_the_oldest(self) -> None:
        clocks = list(range(1000, 1096))
        clocks[70] = 7
        state = opened(full(clocks), clock=2000)
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        kept = full(clocks)
        kept[70] = Slot(KEY_B, 9, MESSAGE_KEY, 2001, 1)
        assert blob.slots(bytes(state)) == kept

    def test_first_of_several_oldest_is_overwritten(self) -> None:
        state = opened(full([5] * 30 + [4] * 66))
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert [
            index for index, slot in enumerate(blob.slots(bytes(state))) if slot.header_key == KEY_B
        ] == [30]

    def test_clocks_compare_unsigned_by_all_their_bytes(self) -> None:
        clocks = [2**31 + 1, 0x00000100, 0x00FF0000, 2**32 - 1] * 24
        clocks[50] = 0xFF
        state = opened(full(clocks))
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert blob.slots(bytes(state))[50].header_key == KEY_B

    def test_clock_over_32_bits_wraps(self) -> None:
        state = opened([], clock=2**32 - 1)
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert blob.slots(bytes(state))[0].clock == 0
        assert blob.number(bytes(state), "clock") == 0

    def test_slot_with_any_flag_but_zero_is_occupied(self) -> None:
        state = opened([Slot(KEY_A, 0, KEY_A, 1, 200)])
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert [slot.header_key for slot in blob.slots(bytes(state))[:2]] == [KEY_A, KEY_B]

    def test_padding_is_unchanged(self) -> None:
        state = opened([Slot(KEY_A, 0, KEY_A, 1, 0, b"pad")])
        session.store_skipped_key(state, KEY_B, 9, MESSAGE_KEY)
        assert blob.slots(bytes(state))[0].padding == b"pad"


class TestSlotsTaking:
    """Which slot a skipped message key is taken from."""

    def test_taken_key_is_erased_but_not_clock_and_padding(self) -> None:
        state = opened([Slot(KEY_A, 3, MESSAGE_KEY, 77, 1, b"pad")])
        assert session.take_skipped_key(state, KEY_A, 3) == MESSAGE_KEY
        assert blob.slots(bytes(state))[0] == Slot(bytes(32), 0, bytes(32), 77, 0, b"pad")
        assert session.take_skipped_key(state, KEY_A, 3) is None

    def test_key_is_taken_by_header_key_and_number(self) -> None:
        state = opened(
            [
                Slot(KEY_A, 3, b"1" * 32, 1, 1),
                Slot(KEY_B, 4, b"2" * 32, 2, 1),
                Slot(KEY_A, 4, b"3" * 32, 3, 1),
            ]
        )
        assert session.take_skipped_key(state, KEY_A, 4) == b"3" * 32
        assert session.take_skipped_key(state, KEY_B, 3) is None

    def test_key_in_a_free_slot_is_not_taken(self) -> None:
        state = opened([Slot(KEY_A, 3, b"1" * 32, 1, 0), Slot(KEY_A, 3, b"2" * 32, 2, 1)])
        assert session.take_skipped_key(state, KEY_A, 3) == b"2" * 32

    def test_first_of_two_equal_slots_is_taken(self) -> None:
        state = opened([Slot(KEY_A, 3, b"1" * 32, 9, 1), Slot(KEY_A, 3, b"2" * 32, 1, 1)])
        assert session.take_skipped_key(state, KEY_A, 3) == b"1" * 32

    def test_key_across_two_slots_is_not_taken(self) -> None:
        wanted = KEY_A + (3).to_bytes(4, "little")
        decoy = Slot(
            bytes(20) + wanted[:12],
            int.from_bytes(wanted[12:16], "little"),
            wanted[16:] + bytes(12),
            1,
            1,
        )
        state = opened([decoy, decoy, Slot(KEY_A, 3, MESSAGE_KEY, 2, 1)])
        assert session.take_skipped_key(state, KEY_A, 3) == MESSAGE_KEY

    def test_key_in_the_last_slot_is_taken(self) -> None:
        state = opened(full([*range(95), 500]))
        assert session.take_skipped_key(state, KEY_A, 95) == MESSAGE_KEY

    def test_header_keys_are_in_slot_order_each_once_without_zeros(self) -> None:
        kept = [(bytes(32), 1), (KEY_B, 1), (KEY_A, 0), (KEY_A, 9), (KEY_B, 1), (b"c" * 32, 1)]
        state = opened([Slot(key, 0, MESSAGE_KEY, 0, occupied) for key, occupied in kept])
        assert session.skipped_header_keys(state) == [KEY_B, KEY_A, b"c" * 32]
