"""The table of operations: the recorded answers of the NIF, and the answers to invalid calls."""

import re
from pathlib import Path
from typing import Any

import msgpack
import pytest
import vectors
from child import PACKAGE, ROOT
from erlang import OtpErlangAtom
from etf_terms import encoded, to_etf
from hypothesis import given
from hypothesis import strategies as st
from source import Errors
from vectors import BADARG, Recorded

from signal_port import codec
from signal_port.codec import UNDEFINED, atom
from signal_port.operations import OPERATIONS, perform

OK = atom("ok")
ERROR = atom("error")
UNKNOWN = (atom("error"), atom("unknown_operation"))

CONTRACT: dict[str, dict[str, list[str]]] = vectors.known("operations.json")
TYPES = {name: row["arguments"] for name, row in CONTRACT.items()}  # of arguments
ERRORS = {name: set(row["errors"]) for name, row in CONTRACT.items()}

INFO: list[Any] = [0, UNDEFINED, 0, bytes(32)]
RIGHT: dict[str, Any] = {"binary": b"", "int32": 0, "integer": 0, "pre_key_info": INFO}
NO_INTEGERS: list[Any] = [b"1", "1", 1.0, True, None, [1], UNDEFINED]
NO_UINT32S: list[Any] = [-1, 2**32, 1.0, True, None, b"\x01"]
WRONG: dict[str, list[Any]] = {
    "binary": ["text", 1, 1.0, True, None, [], [1, 2], [b"a"], {}, UNDEFINED, atom("ok")],
    "integer": NO_INTEGERS,
    "int32": [*NO_INTEGERS, 2**31, -(2**31) - 1],
    "pre_key_info": [
        UNDEFINED,
        b"",
        [],
        INFO[:3],
        [*INFO, 0],
        *[[wrong, *INFO[1:]] for wrong in [*NO_UINT32S, UNDEFINED]],
        *[[0, wrong, *INFO[2:]] for wrong in [*NO_UINT32S, atom("none")]],
        *[[0, UNDEFINED, wrong, bytes(32)] for wrong in [*NO_UINT32S, UNDEFINED]],
        *[
            [0, UNDEFINED, 0, wrong]
            for wrong in [b"", bytes(31), bytes(33), "text", 0, UNDEFINED, None]
        ],
    ],
}
WRONG_CALLS = [
    pytest.param(name, position, wrong, id=f"{name}-{position}-{index}")
    for name, types in TYPES.items()
    for position, kind in enumerate(types)
    for index, wrong in enumerate(WRONG[kind])
]


def known_answers() -> list[Any]:
    """Known answers of the operations that the NIF does not have."""
    agreed = vectors.known("rfc7748.json")["cases"]
    derived = vectors.known("rfc5869.json")["cases"]
    return [
        *[("x25519", [case["private"], case["public"]], case["shared"]) for case in agreed],
        *[
            ("hkdf_sha256", [case["ikm"], case["salt"], case["info"], case["length"]], case["okm"])
            for case in derived
        ],
    ]


class TestAnswers:
    """The recorded answers of the NIF, and known answers."""

    @pytest.mark.parametrize("case", vectors.recorded(), ids=lambda case: case.name)
    def test_recorded_call_is_answered_as_by_the_nif(self, case: Recorded) -> None:
        answer = perform(case.operation, case.args)
        assert [len(data) for data in vectors.binaries(answer)] == [
            len(data) for data in vectors.binaries(case.answer)
        ]
        assert vectors.masked(answer, case.random) == vectors.masked(case.answer, case.random)

    @pytest.mark.parametrize(
        "case", [case for case in vectors.recorded() if case.follow], ids=lambda case: case.name
    )
    def test_message_of_a_recorded_session_is_decrypted_by_its_peer(self, case: Recorded) -> None:
        assert case.follow
        answer: Any = perform(case.operation, case.args)
        wire = answer[1][0]
        if case.follow["op"] == "dr_decrypt_prekey":
            unwrapped: Any = perform("pksm_decode", [wire])
            wire = unwrapped[1][-1]
        received: Any = perform("dr_decrypt", [vectors.argument(case.follow["session"]), wire])
        assert received[0] == OK
        assert received[1][0] == vectors.argument(case.follow["plaintext"])

    @pytest.mark.parametrize(("name", "args", "expected"), known_answers())
    def test_known_call_is_answered_as_in_its_specification(
        self, name: str, args: list[Any], expected: str
    ) -> None:
        taken = [bytes.fromhex(arg) if isinstance(arg, str) else arg for arg in args]
        assert perform(name, taken) == (OK, bytes.fromhex(expected))

    def test_operations_all_have_a_recorded_or_known_answer(self) -> None:
        answered = {case.operation for case in vectors.recorded()} | {
            name for name, _, _ in known_answers()
        }
        assert answered == set(OPERATIONS)


NO_NAMES = [
    "",
    "SHA256",
    "sha256 ",
    "__class__",
    "perform",
    None,
    1,
    b"sha256",
    ["sha256"],
    {},
    atom("sha256"),
]


class TestArguments:
    """Wrong names, numbers and types of arguments."""

    @pytest.mark.parametrize(("name", "position", "wrong"), WRONG_CALLS)
    def test_argument_of_a_wrong_type_is_badarg(self, name: str, position: int, wrong: Any) -> None:
        args = [RIGHT[kind] for kind in TYPES[name]]
        args[position] = wrong
        assert perform(name, args) == BADARG

    @pytest.mark.parametrize("name", TYPES)
    def test_argument_too_many_is_badarg(self, name: str) -> None:
        assert perform(name, [*(RIGHT[kind] for kind in TYPES[name]), b""]) == BADARG

    @pytest.mark.parametrize("name", [name for name, types in TYPES.items() if types])
    def test_argument_too_few_is_badarg(self, name: str) -> None:
        assert perform(name, [RIGHT[kind] for kind in TYPES[name][:-1]]) == BADARG

    @pytest.mark.parametrize("args", [None, 1, b"", "", (), {}, UNDEFINED])
    @pytest.mark.parametrize("name", ["init", "sha256"])
    def test_arguments_that_are_no_list_are_badarg(self, name: str, args: Any) -> None:
        assert perform(name, args) == BADARG

    @pytest.mark.parametrize("name", NO_NAMES)
    def test_name_outside_the_table_is_an_unknown_operation(self, name: Any) -> None:
        assert perform(name, [b""]) == UNKNOWN

    def test_unknown_operation_with_any_arguments_is_unknown(self) -> None:
        assert perform("no_such_operation", None) == UNKNOWN

    @pytest.mark.parametrize("key_id", [-(2**31), -1, 0, 2**31 - 1])
    def test_key_id_of_32_bits_comes_back(self, key_id: int) -> None:
        answer: Any = perform("generate_pre_key", [key_id])
        assert answer[0] == OK
        assert answer[1][0] == key_id

    @pytest.mark.parametrize("length", [-(2**64), -1, 8161, 2**31, 2**63])
    def test_hkdf_length_out_of_range_is_refused(self, length: int) -> None:
        assert perform("hkdf_sha256", [b"", b"", b"", length]) == (
            atom("error"),
            atom("invalid_length"),
        )

    def test_wrong_type_is_found_before_a_wrong_size(self) -> None:
        assert perform("sign_data", [b"no key", UNDEFINED]) == BADARG

    def test_wrong_pre_key_info_is_found_before_a_wrong_session(self) -> None:
        assert (
            perform("dr_encrypt_prekey", [b"no session", b"", [0, UNDEFINED, 0, b"short"]])
            == BADARG
        )

    def test_given_arguments_are_unchanged(self) -> None:
        args: list[Any] = [b"no session", b"", [0, UNDEFINED, 0, bytes(32)]]
        perform("dr_encrypt_prekey", args)
        assert args == [b"no session", b"", [0, UNDEFINED, 0, bytes(32)]]


NO_CALLS: list[Any] = [
    None,
    0,
    1,
    b"",
    b"ab",
    "",
    "ab",
    {},
    {"init": 1, "x": 2},
    UNDEFINED,
    [],
    ["init"],
]


def protocol_errors() -> dict[str, set[str]]:
    """Return the errors of each operation in PROTOCOL.md's table."""
    errors: dict[str, set[str]] = {}
    table = (ROOT / "PROTOCOL.md").read_text().partition("## Operations")[2]
    for line in table.splitlines():
        if line.startswith("| `"):
            _, names, _, _, column, _ = line.split("|")
            atoms = set(re.findall(r"`(\w+)`", column))
            if "`dh1_calculation_failed` .. `dh4_calculation_failed`" in column:
                atoms |= {"dh2_calculation_failed", "dh3_calculation_failed"}
            if column.strip() == "as `dr_encrypt`":
                atoms = errors["dr_encrypt"]
            errors |= dict.fromkeys(re.findall(r"`(\w+)`", names), atoms)
    return errors


class TestTable:
    """The table is the contract's."""

    def test_operations_are_those_of_the_contract(self) -> None:
        assert set(OPERATIONS) == set(TYPES)

    def test_argument_types_are_those_of_the_contract(self) -> None:
        wire = {"binary": bytes, "int32": int, "integer": int, "pre_key_info": list}
        assert {name: row.types for name, row in OPERATIONS.items()} == {
            name: [wire[kind] for kind in types] for name, types in TYPES.items()
        }

    def test_protocol_has_the_operations_and_errors_of_the_contract(self) -> None:
        assert protocol_errors() == ERRORS

    def test_batch_is_not_in_the_table(self) -> None:
        assert codec.BATCH not in OPERATIONS


SOURCE = Errors(PACKAGE)


class TestErrors:
    """The contract, the code and the recorded answers name the same errors."""

    def test_atoms_of_the_code_are_those_of_the_contract(self) -> None:
        assert SOURCE.atoms() == set().union(*ERRORS.values())

    @pytest.mark.parametrize("name", TYPES)
    def test_listed_errors_can_be_raised_by_the_operation(self, name: str) -> None:
        assert ERRORS[name] <= SOURCE.reached_from(OPERATIONS[name].function)

    def test_atom_of_a_function_that_another_refers_to_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "one.py").write_text(
            "from signal_port import two\n"
            "from signal_port.two import refuse\n"
            "def function():\n    refuse('first')\n    return map(two.later, [])\n"
            "def other():\n    raise SignalError('third')\n"
        )
        (tmp_path / "two.py").write_text(
            "def refuse(error):\n    raise SignalError(error)\n"
            "def later():\n    raise SignalError('second')\n"
        )

        def function() -> None: ...

        function.__module__ = "signal_port.one"
        errors = Errors(tmp_path)
        assert errors.atoms() == {"first", "second", "third"}
        assert errors.reached_from(function) == {"first", "second"}

    def test_recorded_errors_are_listed(self) -> None:
        recorded = {
            (case.operation, case.answer[1].data.decode())
            for case in vectors.recorded()
            if type(case.answer) is tuple and case.answer[0] == ERROR and case.answer != BADARG
        }
        assert len(recorded) > 30
        assert recorded <= {(name, atom) for name, atoms in ERRORS.items() for atom in atoms}


# Operations whose answer depends on their arguments alone.
STEADY = [
    name
    for name in TYPES
    if not name.startswith(("generate", "dr_", "process", "create", "encrypt"))
    or name == "dr_decrypt"
]
ARGUMENTS = st.one_of(
    st.binary(max_size=70),
    st.sampled_from([bytes(32), bytes(64), bytes(range(32)), b"\x09" + bytes(31), bytes(7740)]),
    st.integers(-(2**31), 2**32),
    st.just(UNDEFINED),
)
RIGHT_ARGUMENTS = {
    "binary": st.binary(max_size=70) | st.sampled_from([bytes(32), bytes(64), bytes(range(32))]),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "integer": st.integers(-10, 200),
}
CALLS = st.one_of(
    st.sampled_from(STEADY).flatmap(
        lambda name: st.tuples(
            st.just(name), st.tuples(*(RIGHT_ARGUMENTS[kind] for kind in TYPES[name])).map(list)
        )
    ),
    st.tuples(st.sampled_from([*STEADY, "batch", "no_such"]), st.lists(ARGUMENTS, max_size=6)),
).map(list)


class TestBatches:
    """Many calls at once."""

    def test_batch_is_answered_by_its_answers_in_order(self) -> None:
        calls: list[Any] = [["sha256", [b"%d" % number]] for number in range(1000)]
        assert perform("batch", calls) == [
            perform("sha256", [b"%d" % number]) for number in range(1000)
        ]

    def test_empty_batch_is_answered_by_an_empty_list(self) -> None:
        assert perform("batch", []) == []

    def test_refused_call_leaves_the_others_alone(self) -> None:
        calls = [
            ["init", []],
            ["sign_data", [b"", b""]],
            ["no_such", []],
            ["sha256", []],
            ["sha256", ["text"]],
            ["generate_pre_key", [2**31]],
            ["init", []],
        ]
        invalid = (atom("error"), atom("invalid_private_key"))
        assert perform("batch", calls) == [OK, invalid, UNKNOWN, BADARG, BADARG, BADARG, OK]

    def test_batch_in_a_batch_is_an_unknown_operation(self) -> None:
        assert perform("batch", [["batch", [["init", []]]], ["batch", []], ["init", []]]) == [
            UNKNOWN,
            UNKNOWN,
            OK,
        ]

    @pytest.mark.parametrize("name", NO_NAMES)
    def test_call_outside_the_table_is_an_unknown_operation(self, name: Any) -> None:
        assert perform("batch", [[name, [b""]], ["init", []]]) == [UNKNOWN, OK]

    @pytest.mark.parametrize("call", [*NO_CALLS, ["init", [], []]], ids=repr)
    def test_malformed_call_makes_the_whole_batch_badarg(self, call: Any) -> None:
        assert perform("batch", [["init", []], call]) == BADARG

    def test_malformed_batch_performs_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        performed: list[bytes] = []
        monkeypatch.setitem(
            OPERATIONS, "sha256", OPERATIONS["sha256"]._replace(function=performed.append)
        )
        assert perform("batch", [["sha256", [b"first"]], ["sha256"]]) == BADARG
        assert performed == []

    @pytest.mark.parametrize(
        "calls", [None, 1, b"", "", "ab", (), {}, {"init": []}, UNDEFINED], ids=repr
    )
    def test_batch_that_is_no_list_is_badarg(self, calls: Any) -> None:
        assert perform("batch", calls) == BADARG

    @pytest.mark.parametrize("args", [None, 1, b"", "", (), {}, UNDEFINED], ids=repr)
    def test_call_whose_arguments_are_no_list_is_badarg(self, args: Any) -> None:
        assert perform("batch", [["init", args], ["init", []]]) == [BADARG, OK]

    @given(calls=st.lists(CALLS, max_size=8))
    def test_call_in_a_batch_is_answered_as_alone(self, calls: list[Any]) -> None:
        alone = [perform(name, args) if name != "batch" else UNKNOWN for name, args in calls]
        assert perform("batch", calls) == alone

    @given(calls=st.lists(CALLS, max_size=8))
    def test_batch_in_either_codec_is_answered_alike(self, calls: list[Any]) -> None:
        in_msgpack = msgpack.packb([0, "batch", calls])
        in_etf = encoded(
            (
                0,
                OtpErlangAtom("batch"),
                [(OtpErlangAtom(name), [*map(to_etf, args)]) for name, args in calls],
            )
        )
        answers = [perform(name, args) if name != "batch" else UNKNOWN for name, args in calls]
        assert reply(in_msgpack) == msgpack.packb([0, answers])
        assert reply(in_etf) == encoded((0, [*map(to_etf, answers)]))


def reply(payload: bytes) -> bytes:
    """Return the payload that answers a payload."""
    encode, tag, operation, args = codec.decode(payload)
    return encode(tag, perform(operation, args))
