"""The closed table of operations: their names, the types of their arguments, what answers them.

An operation has the same name here, in the Erlang application, in the recorded answers and in the
benchmark. The application checks arguments too, but it is not the only requester.
"""

from collections.abc import Callable
from typing import NamedTuple

from signal_port import double_ratchet, ed25519, messages, primitives, static_session, x3dh
from signal_port.arguments import unchecked
from signal_port.codec import BATCH, UNDEFINED, Term, atom
from signal_port.errors import SignalError
from signal_port.limits import MAX_BATCH
from signal_port.messages import PreKeyInfo, PreKeyMessage
from signal_port.primitives import KEY_SIZE
from signal_port.results import Sealed

_OK = atom("ok")
_ERROR = atom("error")
BADARG = (_ERROR, atom("badarg"))
_UNKNOWN_OPERATION = (_ERROR, atom("unknown_operation"))
TOO_LARGE = (_ERROR, atom("too_large"))


class BadArgument(Exception):
    """An argument is not of its type."""


# --- The last argument, if its decoded type is not enough ---


def _int32(term: int) -> int:
    if not -(2**31) <= term < 2**31:
        raise BadArgument
    return term


def _uint32(term: Term) -> int:
    if type(term) is not int or not 0 <= term < 2**32:
        raise BadArgument
    return term


def _pre_key_info(term: list[Term]) -> PreKeyInfo:
    if len(term) != 4:
        raise BadArgument
    registration_id, one_time_id, signed_id, base_key = term
    if type(base_key) is not bytes or len(base_key) != KEY_SIZE:
        raise BadArgument
    return PreKeyInfo(
        registration_id=_uint32(registration_id),
        one_time_pre_key_id=None if one_time_id == UNDEFINED else _uint32(one_time_id),
        signed_pre_key_id=_uint32(signed_id),
        base_key=base_key,
    )


# --- Answers that are not {ok, Result} ---


def _init() -> None: ...


def _ok(_: None) -> Term:
    return _OK


def _verdict(is_valid: bool) -> Term:
    return _OK if is_valid else atom("invalid_signature")


def _sealed(sealed: Sealed) -> Term:
    return (_OK, *sealed)


def _pre_key_message(message: PreKeyMessage) -> Term:
    return _OK, tuple(UNDEFINED if field is None else field for field in message)


# --- The table ---


class Operation(NamedTuple):
    """A function, and what makes an answer of its result, if that is not `{ok, Result}`."""

    function: Callable[..., Term]
    types: list[type]  # of the arguments, as they are decoded
    last: Callable[[Term], object] | None = None  # checks and converts the last argument
    answer: Callable[..., Term] | None = None


def _unchecked(rows: dict[str, Operation]) -> dict[str, Operation]:
    # `_perform` has checked the types when it calls a function.
    return {name: row._replace(function=unchecked(row.function)) for name, row in rows.items()}


OPERATIONS = _unchecked(
    {
        # signal_nif
        "sha256": Operation(primitives.sha256, [bytes]),
        "sha512": Operation(primitives.sha512, [bytes]),
        "hmac_sha256": Operation(primitives.hmac_sha256, [bytes, bytes]),
        "generate_curve25519_keypair": Operation(primitives.generate_curve25519_keypair, []),
        "generate_ed25519_keypair": Operation(primitives.generate_ed25519_keypair, []),
        "sign_data": Operation(ed25519.sign_data, [bytes, bytes]),
        "verify_signature": Operation(
            ed25519.verify_signature, [bytes, bytes, bytes], answer=_verdict
        ),
        "ed25519_sk_to_curve25519": Operation(ed25519.ed25519_sk_to_curve25519, [bytes]),
        "ed25519_pk_to_curve25519": Operation(ed25519.ed25519_pk_to_curve25519, [bytes]),
        "aes_gcm_encrypt": Operation(
            primitives.aes_gcm_encrypt, [bytes, bytes, bytes, bytes, int], _int32, _sealed
        ),
        "aes_gcm_decrypt": Operation(
            primitives.aes_gcm_decrypt, [bytes, bytes, bytes, bytes, bytes, int], _int32
        ),
        # libsignal_protocol_nif
        "init": Operation(_init, [], answer=_ok),
        "generate_identity_key_pair": Operation(primitives.generate_ed25519_keypair, []),
        "generate_pre_key": Operation(x3dh.generate_pre_key, [int], _int32),
        "generate_signed_pre_key": Operation(x3dh.generate_signed_pre_key, [bytes, int], _int32),
        "process_pre_key_bundle": Operation(x3dh.initiate, [bytes, bytes]),
        "process_pre_key_bundle_bob": Operation(x3dh.respond, [bytes, bytes, bytes, bytes, bytes]),
        "dr_init": Operation(double_ratchet.init, [bytes, bytes, bytes, bytes, int], _int32),
        "dr_encrypt": Operation(double_ratchet.encrypt, [bytes, bytes]),
        "dr_encrypt_prekey": Operation(
            double_ratchet.encrypt_pre_key, [bytes, bytes, list], _pre_key_info
        ),
        "dr_decrypt": Operation(double_ratchet.decrypt, [bytes, bytes]),
        "pksm_decode": Operation(messages.decode_pre_key_message, [bytes], answer=_pre_key_message),
        # libsignal_protocol_nif of the releases 0.1 and 0.2
        "create_session": Operation(static_session.create_session, [bytes, bytes]),
        "encrypt_message": Operation(static_session.encrypt_message, [bytes, bytes]),
        "decrypt_message": Operation(static_session.decrypt_message, [bytes, bytes]),
        # not in the NIF
        "x25519": Operation(primitives.x25519, [bytes, bytes]),
        "hkdf_sha256": Operation(primitives.hkdf_sha256, [bytes, bytes, bytes, int]),
    }
)


def perform(name: Term, args: Term) -> Term:
    """Return the answer to a call; for `batch`, the list of the answers to its calls.

    `{error, unknown_operation}` and `{error, badarg}` answer what the application never sends.
    """
    return _perform_batch(args) if name == BATCH else _perform(name, args)


def _perform_batch(calls: Term) -> Term:
    if type(calls) is not list or len(calls) > MAX_BATCH:
        return BADARG
    if not all(type(call) is list and len(call) == 2 for call in calls):
        return BADARG
    return [_perform(name, args) for name, args in calls]


def _perform(name: Term, args: Term) -> Term:
    operation = OPERATIONS.get(name) if type(name) is str else None
    if operation is None:
        return _UNKNOWN_OPERATION
    function, types, last, answer = operation
    if type(args) is not list or [*map(type, args)] != types:
        return BADARG
    try:
        if last:
            args = [*args[:-1], last(args[-1])]
        result = function(*args)
    except SignalError as error:
        return _ERROR, atom(error.atom)
    except BadArgument:
        return BADARG
    return answer(result) if answer else (_OK, result)
