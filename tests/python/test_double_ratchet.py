"""The ratchet between two parties, with messages that are lost, late, duplicated or forged."""

from collections.abc import Iterator

import blob
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from parties import Parties, begin
from refusal import refused

from signal_port import double_ratchet, messages, primitives, session
from signal_port.arguments import unchecked
from signal_port.errors import SignalError
from signal_port.messages import PreKeyInfo

START = begin()
MAX_SKIP = 32
NO_POINT = (2).to_bytes(32, "little")


def sent(state: bytes, count: int) -> tuple[list[bytes], bytes]:
    """Return that many messages, each with its position as plaintext, and the session after."""
    wires = []
    for index in range(count):
        wire, state = double_ratchet.encrypt(state, b"%d" % index)
        wires.append(wire)
    return wires, state


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def turns(alice: bytes, bob: bytes) -> Iterator[tuple[list[bytes], bytes]]:
    """Yield, for each chain of Alice's, 33 messages and Bob's session after the last one alone."""
    while True:
        wires, alice = sent(alice, MAX_SKIP + 1)
        _, bob = double_ratchet.decrypt(bob, wires[-1])
        yield wires, bob
        wire, bob = double_ratchet.encrypt(bob, b"")
        _, alice = double_ratchet.decrypt(alice, wire)


def test_roles_have_the_numbers_of_the_nif() -> None:
    assert [(role.name, role.value) for role in double_ratchet.Role] == [
        ("RESPONDER", 0),
        ("INITIATOR", 1),
    ]


class TestMessages:
    """Messages that arrive in order, once."""

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000, 100_000])
    def test_message_is_decrypted(self, parties: Parties, size: int) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"p" * size)
        plaintext, _ = double_ratchet.decrypt(parties.bob, wire)
        assert plaintext == b"p" * size

    def test_pre_key_message_holds_a_message(self, parties: Parties) -> None:
        info = PreKeyInfo(1, None, 3, b"e" * 32)
        wrapped, _ = double_ratchet.encrypt_pre_key(parties.alice, b"hello", info)
        unwrapped = messages.decode_pre_key_message(wrapped)
        assert unwrapped[:5] == (1, b"e" * 32, parties.alice_identity, None, 3)
        assert double_ratchet.decrypt(parties.bob, unwrapped.message)[0] == b"hello"

    def test_responder_that_received_nothing_cannot_send(self, parties: Parties) -> None:
        with refused("must_receive_first"):
            double_ratchet.encrypt(parties.bob, b"")
        with refused("must_receive_first"):
            double_ratchet.encrypt_pre_key(parties.bob, b"", PreKeyInfo(1, None, 3, bytes(32)))

    def test_responder_that_received_a_message_can_send(self, parties: Parties) -> None:
        wire, alice = double_ratchet.encrypt(parties.alice, b"")
        _, bob = double_ratchet.decrypt(parties.bob, wire)
        reply, _ = double_ratchet.encrypt(bob, b"reply")
        assert double_ratchet.decrypt(alice, reply)[0] == b"reply"

    def test_same_plaintext_gives_another_message(self, parties: Parties) -> None:
        assert (
            double_ratchet.encrypt(parties.alice, b"")[0]
            != double_ratchet.encrypt(parties.alice, b"")[0]
        )

    def test_own_message_is_refused(self, parties: Parties) -> None:
        wire, alice = double_ratchet.encrypt(parties.alice, b"")
        with refused("bad_mac"):
            double_ratchet.decrypt(alice, wire)

    def test_message_of_another_session_is_refused(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(begin().alice, b"")
        with refused("bad_mac"):
            double_ratchet.decrypt(parties.bob, wire)

    def test_turn_makes_a_new_ratchet_key(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"")
        _, bob = double_ratchet.decrypt(parties.bob, wire)
        assert blob.field(bob, "ratchet public key") != blob.field(
            parties.bob, "ratchet public key"
        )
        assert blob.field(bob, "remote ratchet key") == blob.field(
            parties.alice, "ratchet public key"
        )


class TestForgedMessages:
    """Messages that are forged, cut or duplicated."""

    def test_flipped_bit_is_refused_and_the_message_still_decrypted(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"plaintext")
        for place in range(len(wire)):
            with refused(
                "bad_mac", "malformed_message", "message_too_short", "unsupported_version"
            ):
                double_ratchet.decrypt(parties.bob, flipped(wire, place))
        assert double_ratchet.decrypt(parties.bob, wire)[0] == b"plaintext"

    def test_cut_message_is_refused(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"plaintext")
        for size in range(len(wire)):
            with refused("malformed_message" if size >= 9 else "message_too_short"):
                double_ratchet.decrypt(parties.bob, wire[:size])

    def test_duplicate_message_is_refused(self, parties: Parties) -> None:
        wire, _ = double_ratchet.encrypt(parties.alice, b"")
        _, bob = double_ratchet.decrypt(parties.bob, wire)
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, wire)

    def test_duplicate_late_message_is_refused(self, parties: Parties) -> None:
        (late, wire), _ = sent(parties.alice, 2)
        _, bob = double_ratchet.decrypt(parties.bob, wire)
        plaintext, bob = double_ratchet.decrypt(bob, late)
        assert plaintext == b"0"
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, late)

    def test_duplicate_of_an_old_chain_is_bad_mac_and_not_too_many(self, parties: Parties) -> None:
        wires, alice = sent(parties.alice, MAX_SKIP + 8)
        bob = parties.bob
        for wire in [*wires[:-3], wires[-1]]:  # two are missing: their header key stays
            _, bob = double_ratchet.decrypt(bob, wire)
        reply, bob = double_ratchet.encrypt(bob, b"")
        _, alice = double_ratchet.decrypt(alice, reply)
        _, bob = double_ratchet.decrypt(bob, double_ratchet.encrypt(alice, b"")[0])
        _, bob = double_ratchet.decrypt(bob, wires[-2])
        with refused("bad_mac"):
            double_ratchet.decrypt(bob, wires[-2])

    @pytest.mark.parametrize(
        ("wire", "atom"),
        [
            (b"", "message_too_short"),
            (b"\x32" * 8, "message_too_short"),
            (b"\x32" * 9, "unsupported_version"),
            (b"\x33" + bytes(8), "malformed_message"),
            (b"\x33" + messages.encode_envelope(bytes(80), b"") + bytes(8), "message_too_short"),
            (
                b"\x33" + messages.encode_envelope(bytes(79), bytes(15)) + bytes(8),
                "message_too_short",
            ),
            (
                b"\x33" + messages.encode_envelope(bytes(79), bytes(16)) + bytes(8),
                "malformed_message",
            ),
            (
                b"\x33" + messages.encode_envelope(bytes(96), bytes(16)) + bytes(8),
                "malformed_message",
            ),
            (b"\x33" + messages.encode_envelope(bytes(80), bytes(16)) + bytes(8), "bad_mac"),
        ],
    )
    def test_other_bytes_are_refused(self, parties: Parties, wire: bytes, atom: str) -> None:
        with refused(atom):
            double_ratchet.decrypt(parties.bob, wire)

    def test_wrong_session_is_refused_before_the_message(self) -> None:
        with refused("invalid_session_size"):
            double_ratchet.decrypt(b"", b"")


class TestSkippedMessages:
    """Messages that are late or lost."""

    def test_32_missing_messages_are_decrypted_later(self, parties: Parties) -> None:
        wires, _ = sent(parties.alice, MAX_SKIP + 1)
        plaintext, bob = double_ratchet.decrypt(parties.bob, wires[-1])
        assert plaintext == b"32"
        for index in reversed(range(MAX_SKIP)):
            plaintext, bob = double_ratchet.decrypt(bob, wires[index])
            assert plaintext == b"%d" % index

    def test_33_missing_messages_are_too_many(self, parties: Parties) -> None:
        wires, _ = sent(parties.alice, MAX_SKIP + 2)
        with refused("too_many_skipped"):
            double_ratchet.decrypt(parties.bob, wires[-1])
        assert double_ratchet.decrypt(parties.bob, wires[-2])[0] == b"32"

    def test_33_missing_messages_in_a_running_chain_are_too_many(self, parties: Parties) -> None:
        wires, _ = sent(parties.alice, MAX_SKIP + 3)
        _, bob = double_ratchet.decrypt(parties.bob, wires[0])
        with refused("too_many_skipped"):
            double_ratchet.decrypt(bob, wires[-1])
        assert double_ratchet.decrypt(bob, wires[-2])[0] == b"33"

    @pytest.mark.parametrize("missing", [MAX_SKIP, MAX_SKIP + 1])
    def test_missing_end_of_the_previous_chain_counts(self, parties: Parties, missing: int) -> None:
        (first, *rest), alice = sent(parties.alice, 1 + missing)
        _, bob = double_ratchet.decrypt(parties.bob, first)
        reply, bob = double_ratchet.encrypt(bob, b"")
        _, alice = double_ratchet.decrypt(alice, reply)
        wire, _ = double_ratchet.encrypt(alice, b"next chain")
        if missing > MAX_SKIP:
            with refused("too_many_skipped"):
                double_ratchet.decrypt(bob, wire)
        else:
            plaintext, bob = double_ratchet.decrypt(bob, wire)
            assert plaintext == b"next chain"
            assert double_ratchet.decrypt(bob, rest[-1])[0] == b"%d" % missing

    def test_97th_skipped_key_replaces_the_oldest(self, parties: Parties) -> None:
        chains = turns(parties.alice, parties.bob)
        wires = [next(chains) for _ in range(3)]
        first, bob = wires[0][0], wires[-1][1]
        assert sum(slot.occupied for slot in blob.slots(bob)) == 96
        for index in range(MAX_SKIP):
            assert double_ratchet.decrypt(bob, first[index])[0] == b"%d" % index
        fourth, bob = next(chains)
        assert sum(slot.occupied for slot in blob.slots(bob)) == 96
        for index in range(MAX_SKIP):
            with refused("bad_mac"):
                double_ratchet.decrypt(bob, first[index])
            assert double_ratchet.decrypt(bob, wires[1][0][index])[0] == b"%d" % index
            assert double_ratchet.decrypt(bob, fourth[index])[0] == b"%d" % index

    def test_one_key_over_96_overwrites_the_oldest_alone(self, parties: Parties) -> None:
        wires, _ = sent(parties.alice, 3)
        kept = [blob.Slot(b"k" * 32, index, b"m" * 32, 1000 - index, 1) for index in range(96)]
        _, bob = double_ratchet.decrypt(blob.with_slots(parties.bob, kept), wires[1])
        after = blob.slots(bob)
        assert after[:95] == kept[:95]
        assert (after[95].number, after[95].clock) == (0, 1)
        assert double_ratchet.decrypt(bob, wires[0])[0] == b"0"


def message_with_header(session_bytes: bytes, padded_header: bytes) -> bytes:
    """Return a message whose header has these blocks, encrypted under the right key."""
    keys = primitives.hkdf_sha256(
        blob.field(session_bytes, "next receiving header key"), b"", b"WhisperHeader", 64
    )
    iv = bytes(16)
    # Without the cipher's own block of padding: the given header has its padding.
    sealed = iv + primitives.aes_cbc_encrypt(keys[:32], iv, padded_header)[:-16]
    mac = primitives.hmac_sha256(keys[32:], sealed)[:16]
    return b"\x33" + messages.encode_envelope(sealed + mac, bytes(16)) + bytes(8)


class TestHeaders:
    """Encrypted headers."""

    @pytest.mark.parametrize(
        "last", [b"\x00", b"\x11", b"\xff", b"\x01\x02"], ids=["zero", "17", "255", "unlike"]
    )
    def test_header_with_wrong_padding_is_bad_mac(self, last: bytes, parties: Parties) -> None:
        header = messages.encode_header(messages.Header(bytes(32), 0, 0))
        with refused("bad_mac"):
            double_ratchet.decrypt(
                parties.bob,
                message_with_header(parties.bob, header.ljust(48 - len(last), b"\x03") + last),
            )

    def test_header_with_right_padding_is_decoded(self, parties: Parties) -> None:
        header = messages.encode_header(messages.Header(bytes(32), 0, 0))
        with refused("dh_ratchet_failed"):  # its ratchet key is all zero
            double_ratchet.decrypt(
                parties.bob, message_with_header(parties.bob, header + b"\x0a" * 10)
            )


class TestNumbers:
    """Message numbers at their limits."""

    def test_greatest_message_number_is_followed_by_zero(self, parties: Parties) -> None:
        last = (2**32 - 1).to_bytes(4, "little")
        alice = blob.replaced(parties.alice, "sending number", last)
        _, bob = double_ratchet.decrypt(parties.bob, double_ratchet.encrypt(parties.alice, b"")[0])
        wire, after = double_ratchet.encrypt(
            blob.replaced(alice, "sending chain key", bytes(32)), b"last"
        )
        bob = blob.replaced(
            blob.replaced(bob, "receiving number", last), "receiving chain key", bytes(32)
        )
        plaintext, bob = double_ratchet.decrypt(bob, wire)
        assert plaintext == b"last"
        assert blob.number(after, "sending number") == 0
        assert blob.number(bob, "receiving number") == 0

    @pytest.mark.parametrize(
        ("may_send", "header_key"), [(0, b"h" * 32), (1, bytes(32)), (0, bytes(32))]
    )
    def test_skip_without_a_receiving_chain_moves_the_counter_alone(
        self, may_send: int, header_key: bytes
    ) -> None:
        given = blob.replaced(
            blob.replaced(START.bob, "may send", bytes([may_send])),
            "receiving header key",
            header_key,
        )
        state = session.open_session(given)
        double_ratchet._skip_to(state, 5)
        assert session.seal(state) == blob.replaced(given, "receiving number", b"\x05\0\0\0")


def first_session(**changed: object) -> bytes:
    arguments = {
        "shared_secret": START.secret,
        "local_identity": START.bob_identity,
        "remote_identity": START.alice_identity,
        "secret": START.bob_secret,
        "role": 0,
        **changed,
    }
    return unchecked(double_ratchet.init)(**arguments)  # type: ignore[arg-type]


class TestInit:
    """The first session, as a worker makes it: any number but 0 is the initiator's role."""

    @pytest.mark.parametrize("role", [-(2**31), -1, 2, 2**31 - 1])
    def test_role_other_than_zero_is_the_initiator(self, role: int) -> None:
        assert blob.field(first_session(role=role), "may send") == b"\x01"

    def test_secret_of_the_initiator_is_ignored(self) -> None:
        assert len(first_session(role=1, secret=b"anything")) == blob.SIZE

    def test_ratchet_key_of_the_responder_depends_on_its_seed_alone(self) -> None:
        other = primitives.generate_ed25519_keypair()[0]
        changed = first_session(secret=START.bob_secret[:32] + other)
        assert changed == first_session()

    @pytest.mark.parametrize("size", [0, 95, 97])
    def test_shared_secret_of_another_size_is_refused(self, size: int) -> None:
        with refused("invalid_shared_secret_size"):
            first_session(shared_secret=bytes(size), local_identity=b"")

    @pytest.mark.parametrize("name", ["local_identity", "remote_identity"])
    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_identity_of_another_size_is_refused(self, name: str, size: int) -> None:
        with refused("invalid_identity_pub_size"):
            first_session(**{name: bytes(size)}, secret=b"")

    @pytest.mark.parametrize("name", ["local_identity", "remote_identity"])
    @pytest.mark.parametrize("role", [0, 1])
    def test_identity_that_is_no_point_is_refused(self, name: str, role: int) -> None:
        with refused("identity_pub_conversion_failed"):
            first_session(**{name: NO_POINT}, role=role, secret=b"")

    @pytest.mark.parametrize("size", [0, 32, 63, 65])
    def test_secret_of_another_size_is_refused_for_the_responder(self, size: int) -> None:
        with refused("invalid_self_priv_size"):
            first_session(secret=bytes(size))


BATCHES = st.lists(st.binary(max_size=40), min_size=1, max_size=9)


class Sent(tuple[int, int, int, bytes, bytes]):
    """A message in flight: sender, chain, number in the chain, plaintext, wire."""


class Conversation(RuleBasedStateMachine):
    """Two parties, a network that loses, duplicates, delays and forges, and a model that counts."""

    in_flight = Bundle("in_flight")
    arrived = Bundle("arrived")

    def __init__(self) -> None:
        super().__init__()
        self.sessions = [START.alice, START.bob]
        self.chain = [0, -1]  # which chain each party sends in; -1: it cannot send yet
        self.number = [0, 0]
        self.lengths: list[dict[int, int]] = [
            {},
            {},
        ]  # how many messages each party sent in each chain before
        self.reading = [-1, -1]  # which chain of the other's each reads
        self.expected = [0, 0]  # the number it reads next
        self.kept: list[set[tuple[int, int]]] = [
            set(),
            set(),
        ]  # skipped messages by chain and number

    @rule(target=in_flight, sender=st.integers(0, 1), plaintexts=BATCHES)
    def send(self, sender: int, plaintexts: list[bytes]) -> object:
        if self.chain[sender] < 0:
            with refused("must_receive_first"):
                double_ratchet.encrypt(self.sessions[sender], plaintexts[0])
            return multiple()
        batch = []
        for plaintext in plaintexts:
            wire, self.sessions[sender] = double_ratchet.encrypt(self.sessions[sender], plaintext)
            batch.append(Sent((sender, self.chain[sender], self.number[sender], plaintext, wire)))
            self.number[sender] += 1
        return multiple(*batch)

    @rule(target=arrived, message=consumes(in_flight))
    def deliver(self, message: Sent) -> object:
        sender, chain, number, plaintext, wire = message
        receiver = 1 - sender
        skipped = self.skipped_by(receiver, chain, number)
        if any(len(part) > MAX_SKIP for part in skipped):
            with refused("too_many_skipped"):
                double_ratchet.decrypt(self.sessions[receiver], wire)
            return multiple()
        if len(self.kept[receiver]) + sum(map(len, skipped)) > 96:
            return multiple()  # overwritten keys have tests of their own
        received, self.sessions[receiver] = double_ratchet.decrypt(self.sessions[receiver], wire)
        assert received == plaintext
        self.count_in(receiver, chain, number, skipped)
        return message

    def skipped_by(self, receiver: int, chain: int, number: int) -> list[set[tuple[int, int]]]:
        """Return what a message makes its receiver skip, in up to two chains."""
        reading, expected = self.reading[receiver], self.expected[receiver]
        if chain < reading or (chain == reading and number < expected):
            return []
        if chain == reading:
            return [{(chain, index) for index in range(expected, number)}]
        length = self.lengths[1 - receiver].get(reading, 0)
        return [
            {(reading, index) for index in range(expected, length)},
            {(chain, index) for index in range(number)},
        ]

    def count_in(
        self, receiver: int, chain: int, number: int, skipped: list[set[tuple[int, int]]]
    ) -> None:
        self.kept[receiver].update(*skipped)
        if not skipped:
            self.kept[receiver].remove((chain, number))
            return
        if chain > self.reading[receiver]:
            self.lengths[receiver][self.chain[receiver]] = self.number[receiver]
            self.chain[receiver] += 1
            self.number[receiver] = 0
        self.reading[receiver], self.expected[receiver] = chain, number + 1

    @rule(message=arrived)
    def deliver_again(self, message: Sent) -> None:
        sender, _, _, _, wire = message
        with refused("bad_mac"):
            double_ratchet.decrypt(self.sessions[1 - sender], wire)

    @rule(message=in_flight, place=st.integers(0, 10_000), bit=st.integers(0, 7))
    def deliver_forged(self, message: Sent, place: int, bit: int) -> None:
        sender, _, _, _, wire = message
        forged = bytearray(wire)
        forged[place % len(wire)] ^= 1 << bit
        with pytest.raises(SignalError):
            double_ratchet.decrypt(self.sessions[1 - sender], bytes(forged))

    @rule(message=consumes(in_flight))
    def lose(self, message: Sent) -> None:
        pass

    @precondition(lambda self: self.chain[1] >= 0)
    @rule(party=st.integers(0, 1))
    def store_and_load(self, party: int) -> None:
        state = self.sessions[party]
        assert session.seal(session.open_session(state)) == state

    @invariant()
    def the_slots_hold_what_was_skipped(self) -> None:
        for state, kept in zip(self.sessions, self.kept):
            occupied = [slot.number for slot in blob.slots(state) if slot.occupied]
            assert sorted(occupied) == sorted(number for _, number in kept)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
