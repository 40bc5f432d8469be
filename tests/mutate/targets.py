"""The pure modules, and for each the tests that concern it."""

from typing import NamedTuple


class Target(NamedTuple):
    """A module: the path of its source, and its test files, or its suites or their groups."""

    path: str
    tests: tuple[str, ...]


def _python(module: str, *tests: str) -> Target:
    names = tests or (module,)
    return Target(
        f"signal_port/{module}.py", tuple(f"tests/python/test_{name}.py" for name in names)
    )


def _erlang(module: str, *suites: str) -> Target:
    return Target(f"erlang/src/signal_port_{module}.erl", suites or (module,))


TARGETS = [
    _python("codec", "codec", "secrets"),
    _python("double_ratchet", "double_ratchet", "ratchet_keys", "randomness", "operations"),
    _python("ed25519", "ed25519", "limits", "operations"),
    _python("edwards25519", "ed25519", "operations"),
    _python("etf", "etf", "limits"),
    _python("frame"),
    _python("limits"),
    _python("messages", "messages", "operations"),
    _python("operations", "operations", "limits"),
    _python("primitives", "primitives", "randomness", "operations"),
    _python("ratchet_keys", "ratchet_keys", "double_ratchet", "randomness", "operations"),
    _python("session", "session", "inspect_session", "double_ratchet", "operations"),
    _python("static_session", "static_session", "randomness", "operations"),
    _python("x3dh", "x3dh", "randomness", "operations"),
    _erlang("calls"),
    _erlang("codec"),
    _erlang("config"),
    _erlang("counters", "calls"),
    _erlang("deadline", "calls"),
    _erlang("frame", "frame:pack", "frame:feed", "frame:limit"),
    _erlang("queue"),
    _erlang("reason"),
    _erlang("secret", "secrets:processes"),
]
