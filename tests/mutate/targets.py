"""The pure modules, and for each the tests that concern it."""

from typing import NamedTuple


class Target(NamedTuple):
    """A module: the path of its source, and its test files, or its suites with a group or none."""

    path: str
    tests: list[str]


def _python(module: str, *others: str) -> Target:
    names = [module, *others]
    return Target(f"signal_port/{module}.py", [f"tests/python/test_{name}.py" for name in names])


def _erlang(module: str, *suites: str) -> Target:
    return Target(f"erlang/src/signal_port_{module}.erl", list(suites) or [module])


TARGETS = [
    _python("codec", "secrets"),
    _python("double_ratchet", "ratchet_keys", "attack", "randomness"),
    _python("ed25519", "limits"),
    _python("edwards25519", "ed25519"),
    _python("etf", "limits"),
    _python("frame"),
    _python("limits"),
    _python("messages"),
    _python("operations", "limits"),
    _python("primitives", "randomness"),
    _python("ratchet_keys", "double_ratchet", "randomness"),
    _python("session", "double_ratchet"),
    _python("static_session", "randomness"),
    _python("x3dh", "randomness"),
    _erlang("calls"),
    _erlang("codec"),
    _erlang("config"),
    _erlang("counters", "calls"),
    _erlang("deadline", "calls"),
    _erlang("dispatch"),
    _erlang("frame"),
    _erlang("queue", "calls"),
    _erlang("reason"),
    _erlang("secret", "calls"),
    _erlang("slot"),
]
