"""The closed table of operations: what a request may name, what its arguments must be, what answers it.

An operation has one name here, in the Erlang door, in the recorded answers and in the benchmark. Arguments are checked
here again, for a caller who is not the door.
"""

from collections.abc import Callable
from typing import NamedTuple

from signal_port import double_ratchet, messages, primitives, static_session, x3dh
from signal_port.codec import BATCH, UNDEFINED, Term, atom
from signal_port.errors import SignalError
from signal_port.messages import PreKeyInfo
from signal_port.primitives import KEY_SIZE

_OK = atom("ok")
_ERROR = atom("error")
_BADARG = (_ERROR, atom("badarg"))
_UNKNOWN_OPERATION = (_ERROR, atom("unknown_operation"))
TOO_LARGE = (_ERROR, atom("too_large"))


class BadArgument(Exception):
    """An argument is not of its type."""


# --- Types: each takes a term of the wire and returns the argument ---


def _binary(term: Term) -> bytes:
    if type(term) is not bytes:
        raise BadArgument
    return term


def _integer(term: Term) -> int:
    if type(term) is not int:
        raise BadArgument
    return term


def _int32(term: Term) -> int:
    if type(term) is not int or not -(2**31) <= term < 2**31:
        raise BadArgument
    return term


def _uint32(term: Term) -> int:
    if type(term) is not int or not 0 <= term < 2**32:
        raise BadArgument
    return term


def _pre_key_info(term: Term) -> PreKeyInfo:
    if type(term) is not list or len(term) != 4:
        raise BadArgument
    registration_id, one_time_id, signed_id, base_key = term
    if len(_binary(base_key)) != KEY_SIZE:
        raise BadArgument
    return PreKeyInfo(
        registration_id=_uint32(registration_id),
        one_time_pre_key_id=None if one_time_id == UNDEFINED else _uint32(one_time_id),
        signed_pre_key_id=_uint32(signed_id),
        base_key=base_key,
    )


# --- Terms that are not {ok, Value} ---


def _init() -> Term:
    return _OK


def _verify_signature(public: bytes, message: bytes, signature: bytes) -> Term:
    return _OK if primitives.verify_signature(public, message, signature) else atom("invalid_signature")


def _aes_gcm_encrypt(key: bytes, iv: bytes, plaintext: bytes, aad: bytes, tag_size: int) -> Term:
    return (_OK, *primitives.aes_gcm_encrypt(key, iv, plaintext, aad, tag_size))


def _pksm_decode(wire: bytes) -> Term:
    fields = messages.decode_pre_key_message(wire)
    return _OK, tuple(UNDEFINED if field is None else field for field in fields)


def _ok(function: Callable[..., object]) -> Callable[..., Term]:
    return lambda *args: (_OK, function(*args))


# --- The table ---


class Operation(NamedTuple):
    """What answers a request, and the types of its arguments."""

    answer: Callable[..., Term]
    types: tuple[Callable[[Term], object], ...]


OPERATIONS = {
    # signal_nif
    "sha256": Operation(_ok(primitives.sha256), (_binary,)),
    "sha512": Operation(_ok(primitives.sha512), (_binary,)),
    "hmac_sha256": Operation(_ok(primitives.hmac_sha256), (_binary, _binary)),
    "generate_curve25519_keypair": Operation(_ok(primitives.generate_curve25519_keypair), ()),
    "generate_ed25519_keypair": Operation(_ok(primitives.generate_ed25519_keypair), ()),
    "sign_data": Operation(_ok(primitives.sign_data), (_binary, _binary)),
    "verify_signature": Operation(_verify_signature, (_binary, _binary, _binary)),
    "ed25519_sk_to_curve25519": Operation(_ok(primitives.ed25519_sk_to_curve25519), (_binary,)),
    "ed25519_pk_to_curve25519": Operation(_ok(primitives.ed25519_pk_to_curve25519), (_binary,)),
    "aes_gcm_encrypt": Operation(_aes_gcm_encrypt, (_binary, _binary, _binary, _binary, _int32)),
    "aes_gcm_decrypt": Operation(
        _ok(primitives.aes_gcm_decrypt), (_binary, _binary, _binary, _binary, _binary, _int32)
    ),
    # libsignal_protocol_nif
    "init": Operation(_init, ()),
    "generate_identity_key_pair": Operation(_ok(primitives.generate_ed25519_keypair), ()),
    "generate_pre_key": Operation(_ok(x3dh.generate_pre_key), (_int32,)),
    "generate_signed_pre_key": Operation(_ok(x3dh.generate_signed_pre_key), (_binary, _int32)),
    "process_pre_key_bundle": Operation(_ok(x3dh.initiate), (_binary, _binary)),
    "process_pre_key_bundle_bob": Operation(_ok(x3dh.respond), (_binary, _binary, _binary, _binary, _binary)),
    "dr_init": Operation(_ok(double_ratchet.init), (_binary, _binary, _binary, _binary, _int32)),
    "dr_encrypt": Operation(_ok(double_ratchet.encrypt), (_binary, _binary)),
    "dr_encrypt_prekey": Operation(_ok(double_ratchet.encrypt_pre_key), (_binary, _binary, _pre_key_info)),
    "dr_decrypt": Operation(_ok(double_ratchet.decrypt), (_binary, _binary)),
    "pksm_decode": Operation(_pksm_decode, (_binary,)),
    # its releases 0.1 and 0.2
    "create_session": Operation(_ok(static_session.create_session), (_binary, _binary)),
    "encrypt_message": Operation(_ok(static_session.encrypt_message), (_binary, _binary)),
    "decrypt_message": Operation(_ok(static_session.decrypt_message), (_binary, _binary)),
    # beside the NIF
    "x25519": Operation(_ok(primitives.x25519), (_binary, _binary)),
    "hkdf_sha256": Operation(_ok(primitives.hkdf_sha256), (_binary, _binary, _binary, _integer)),
}


def perform(name: Term, args: Term) -> Term:
    """Return the answer to a call, as a term of the wire: for `batch` the list of the answers to its calls.

    `{error, unknown_operation}` and `{error, badarg}` answer what the door never sends.
    """
    return _perform_batch(args) if name == BATCH else _perform(name, args)


def _perform_batch(calls: Term) -> Term:
    if not isinstance(calls, list) or not all(isinstance(call, list) and len(call) == 2 for call in calls):
        return _BADARG
    return [_perform(name, args) for name, args in calls]


def _perform(name: Term, args: Term) -> Term:
    operation = OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        return _UNKNOWN_OPERATION
    if not isinstance(args, list) or len(args) != len(operation.types):
        return _BADARG
    try:
        return operation.answer(*[take(term) for take, term in zip(operation.types, args)])
    except SignalError as error:
        return _ERROR, atom(error.atom)
    except BadArgument:
        return _BADARG
