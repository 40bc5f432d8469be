"""Arguments of a wrong type: every public function refuses them by name, a worker pays for none."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from parties import Parties

from signal_port import (
    arguments,
    double_ratchet,
    ed25519,
    messages,
    operations,
    primitives,
    static_session,
    x3dh,
)
from signal_port.double_ratchet import PreKeyInfo, Role

INFO = PreKeyInfo(1, None, 2, bytes(32))
# By annotation: an argument that is accepted, and some that are not.
RIGHT: dict[Any, Any] = {
    bytes: b"",
    bytes | None: b"",
    int: 0,
    Role: Role.INITIATOR,
    PreKeyInfo: INFO,
}
WRONG: dict[Any, list[Any]] = {
    bytes: ["text", bytearray(), memoryview(b""), None, 0, [], [1]],
    bytes | None: ["text", bytearray(), memoryview(b""), 0, False, []],
    int: ["1", b"1", 1.0, None, True],
    Role: ["responder", "INITIATOR", 2, -1, 1.0, True, None, b"\1", primitives],
    PreKeyInfo: [None, (1, None, 2, bytes(32)), {}, "info"],
}
FUNCTIONS = [
    function
    for module in (x3dh, double_ratchet, ed25519, messages, primitives, static_session)
    for name, function in vars(module).items()
    if hasattr(function, "__wrapped__") and function.__module__ == module.__name__
    if not name.startswith("_")
]
WRONG_CALLS = [
    pytest.param(function, name, wrong, id=f"{function.__name__}-{name}-{index}")
    for function in FUNCTIONS
    for name, parameter in inspect.signature(function).parameters.items()
    for index, wrong in enumerate(WRONG[parameter.annotation])
]


def right_arguments(function: Callable[..., object]) -> dict[str, Any]:
    """Return arguments of the right types, whatever their sizes."""
    parameters = inspect.signature(function).parameters.items()
    return {name: RIGHT[parameter.annotation] for name, parameter in parameters}


def refusal(function: Callable[..., object], *args: object, **kwargs: object) -> str:
    """Return the text of the TypeError for a call."""
    with pytest.raises(TypeError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


class TestPublicFunctions:
    """A wrong type is named by the function that got it."""

    @pytest.mark.parametrize(("function", "name", "wrong"), WRONG_CALLS)
    def test_argument_of_a_wrong_type_is_named(
        self, function: Callable[..., object], name: str, wrong: Any
    ) -> None:
        given = right_arguments(function) | {name: wrong}
        begin = f"{function.__name__}() argument '{name}' must be "
        for text in (refusal(function, *given.values()), refusal(function, **given)):
            assert text.startswith(begin)
            assert text.endswith(f", not {type(wrong).__name__}")

    def test_function_of_every_operation_is_checked(self) -> None:
        wrapped = {function.__wrapped__ for function in FUNCTIONS}
        without_arguments = {"init", "generate_curve25519_keypair", "generate_ed25519_keypair"}
        assert {
            name
            for name, row in operations.OPERATIONS.items()
            if row.types and row.function not in wrapped
        } == set()
        assert without_arguments <= {
            name for name, row in operations.OPERATIONS.items() if not row.types
        }

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (
                lambda: primitives.sha256("attack at dawn"),  # type: ignore[arg-type]
                "sha256() argument 'data' must be bytes, not str",
            ),
            (
                lambda: x3dh.respond(b"", b"", 0, b"", b""),  # type: ignore[arg-type]
                "respond() argument 'one_time_pre_key' must be bytes | None, not int",
            ),
            (
                lambda: double_ratchet.init(b"", b"", b"", b"", "responder"),  # type: ignore[arg-type]
                "init() argument 'role' must be Role.RESPONDER or Role.INITIATOR, not str",
            ),
        ],
    )
    def test_sentence_has_both_types_and_no_value(
        self, call: Callable[[], object], text: str
    ) -> None:
        assert refusal(call) == text

    def test_too_many_or_unknown_arguments_are_refused_as_by_python(self) -> None:
        assert "2 were given" in refusal(primitives.sha256, b"", b"")
        assert "'salt'" in refusal(primitives.sha256, b"", salt=b"")
        assert "missing" in refusal(primitives.sha256)

    def test_function_keeps_its_name_documentation_and_signature(self) -> None:
        assert primitives.sha256.__name__ == "sha256"
        assert "SHA-256" in (primitives.sha256.__doc__ or "")
        assert str(inspect.signature(primitives.sha256)) == "(data: bytes) -> bytes"


class TestPreKeyInfo:
    """The fields of the argument `info` are arguments, too."""

    @pytest.mark.parametrize("wrong", ["1", None, b"1", True])
    @pytest.mark.parametrize("field", ["registration_id", "signed_pre_key_id"])
    def test_number_of_a_wrong_type_is_named(self, field: str, wrong: Any) -> None:
        info = INFO._replace(**{field: wrong})
        text = refusal(double_ratchet.encrypt_pre_key, b"", b"", info)
        assert f"'info.{field}' must be int" in text

    def test_base_key_of_a_wrong_type_is_named(self) -> None:
        info = INFO._replace(base_key="key")  # type: ignore[arg-type]
        text = refusal(double_ratchet.encrypt_pre_key, b"", b"", info)
        assert "'info.base_key' must be bytes" in text

    def test_one_time_pre_key_id_of_a_wrong_type_is_named(self) -> None:
        info = INFO._replace(one_time_pre_key_id="1")  # type: ignore[arg-type]
        text = refusal(double_ratchet.encrypt_pre_key, b"", b"", info)
        assert "'info.one_time_pre_key_id' must be int | None" in text


class TestRole:
    """A role, or its number."""

    def test_number_of_the_responder_makes_the_same_session(self, parties: Parties) -> None:
        keys = parties.secret, parties.bob_identity, parties.alice_identity, parties.bob_secret
        by_number = double_ratchet.init(*keys, 0)  # type: ignore[arg-type]
        assert double_ratchet.init(*keys, Role.RESPONDER) == by_number

    def test_number_of_the_initiator_makes_a_session_that_can_send(self, parties: Parties) -> None:
        keys = parties.secret, parties.alice_identity, parties.bob_identity, b""
        for role in (1, Role.INITIATOR):
            double_ratchet.encrypt(double_ratchet.init(*keys, role), b"")  # type: ignore[arg-type]


class TestWorker:
    """A worker calls the functions themselves."""

    def test_operations_run_without_a_check(self) -> None:
        functions = [row.function for row in operations.OPERATIONS.values()]
        assert [name for name in functions if hasattr(name, "__wrapped__")] == []

    def test_function_that_has_no_check_is_itself_without_one(self) -> None:
        assert arguments.unchecked(len) is len
