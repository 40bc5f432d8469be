"""Every binary that can be reached from objects, as the garbage collector sees it."""

import gc
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType

_NOT_ENTERED = (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    ModuleType,
    type,
)  # what is everybody's


def binaries(*roots: object) -> list[bytes]:
    """Return the binaries that the roots hold, and those behind their memoryviews."""
    found: list[bytes] = []
    waiting, seen = list(roots), set[int]()
    while waiting:
        held = waiting.pop()
        if id(held) in seen or isinstance(held, _NOT_ENTERED):
            continue
        seen.add(id(held))
        if isinstance(held, bytes | bytearray | memoryview):
            found.append(bytes(held))
        else:
            waiting += gc.get_referents(held)
    return found
