"""The entry of a NIF library: what its `nif_init` returns to the VM, read from the file.

It follows `ErlNifEntry` and `ErlNifFunc` of `erl_nif.h` on 64-bit systems, and judges nothing. The
entry is found twice over: `nif_init` names its address, and one of its fields points to the string
`beam.vanilla`. So it is found however a compiler arranges it, unless the library makes its entry
when it is loaded, as rustler does. Then the file has none.
"""

import struct
from typing import NamedTuple

from signal_port.elf_image import ELSEWHERE, Image
from signal_port.elf_memory import Unreadable
from signal_port.nif_code import CODE_SIZE, referred_addresses

VM_VARIANT = "beam.vanilla"  # of every VM there has been since 2010
MAX_FUNCTIONS = 10_000

# ErlNifEntry: where its fields are. The VM reads no more of an entry than its version has.
_NAME, _COUNT, _FUNCTIONS, _VARIANT, _SIZE = 8, 16, 24, 64, 72

# ErlNifFunc: the same; the flags are there since version 2.7.
_ARITY, _CODE, _FLAGS, _FUNCTION_SIZE = 8, 16, 24, 32
_OLD_FUNCTION_SIZE, _WITH_FLAGS = 24, (2, 7)

_INIT_FUNCTIONS = "nif_init", "_nif_init"  # the VM tries both


class NoNif(Exception):
    """The library is not made for `erlang:load_nif/2`; the text says why."""


class HiddenEntry(Exception):
    """The library has a `nif_init`, but its entry is not in the file; the text says why."""


class Name(NamedTuple):
    """A C string of an entry: its address, 0 if it is NULL, and its text; None if it is lost."""

    address: int
    text: str | None


class Function(NamedTuple):
    """A row of the table of functions: where it is, and its fields."""

    place: int
    name: Name
    arity: int
    code: int
    flags: int


class Entry(NamedTuple):
    """What `nif_init` returns: where it is, and its fields.

    `claimed` is the number of functions that it says it has, and `table` where these are: 0 if it
    is NULL. `functions` are those that there is room for. If `is_filled_later` the file has nothing
    but zeros in their place.
    """

    place: int
    version: tuple[int, int]
    module: Name
    variant: Name
    claimed: int
    table: int
    functions: list[Function]
    is_filled_later: bool


def read_entry(image: Image) -> Entry:
    """Return the entry of a library.

    Raises:
        NoNif: it has none.
        HiddenEntry: it has one, and the file does not tell.
        Unreadable: the file is damaged.
    """
    place = _find_entry(image)
    major, minor = struct.unpack("<ii", image.memory.read(place, 8))
    (claimed,) = struct.unpack("<i", image.memory.read(place + _COUNT, 4))
    table = image.pointer(place + _FUNCTIONS)
    is_filled_later = table == ELSEWHERE or (
        image.memory.room(table) > 0 and image.memory.offset(table) is None
    )
    has_flags = (major, minor) >= _WITH_FLAGS
    is_in_file = table and not is_filled_later
    functions = _read_functions(image, table, claimed, has_flags) if is_in_file else []
    return Entry(
        place,
        (major, minor),
        _name(image, place + _NAME),
        _name(image, place + _VARIANT),
        claimed,
        table,
        functions,
        claimed > 0 and is_filled_later,
    )


def _find_entry(image: Image) -> int:
    start = next(filter(None, map(image.exported, _INIT_FUNCTIONS)), None)
    if start is None:
        raise NoNif(_why_no_nif(image))
    if not image.memory.room(start):
        raise Unreadable(f"is damaged: its nif_init is at address {start:#x}, outside of it")
    code = image.memory.read(start, min(image.memory.room(start), CODE_SIZE))
    referred = referred_addresses(code, start, image.architecture)
    pointed = [image.pointer(one) for one in referred if image.memory.room(one) >= 8]
    strings = set(image.memory.find(VM_VARIANT.encode() + b"\0"))
    marked = [place - _VARIANT for place in image.pointers_to(strings)]
    named = [place for place in (*referred, *pointed) if place in marked]
    named += [place for place in (*referred, *pointed) if _is_like_an_entry(image, place)]
    if named:
        return named[0]
    if len(marked) == 1:
        return marked[0]
    raise HiddenEntry(_why_hidden(image, len(marked)))


def _is_like_an_entry(image: Image, place: int) -> bool:
    # For one that is not marked: its variant is another, or NULL.
    if image.memory.room(place) < _SIZE:
        return False
    major, minor = struct.unpack("<ii", image.memory.read(place, 8))
    module, variant = _name(image, place + _NAME), _name(image, place + _VARIANT)
    return (
        0 < major < 100
        and 0 <= minor < 100
        and bool(module.text and module.text.isprintable())
        and (variant.address == 0 or (variant.text or "").startswith("beam."))
        and image.memory.room(image.pointer(place + _FUNCTIONS)) > 0
    )


def _read_functions(image: Image, table: int, claimed: int, has_flags: bool) -> list[Function]:
    size = _FUNCTION_SIZE if has_flags else _OLD_FUNCTION_SIZE
    fitting = min(claimed, image.memory.room(table) // size)
    if fitting > MAX_FUNCTIONS:
        raise Unreadable(f"is damaged: it claims {claimed} functions")
    return [_read_function(image, table + size * row, has_flags) for row in range(fitting)]


def _read_function(image: Image, place: int, has_flags: bool) -> Function:
    (arity,) = struct.unpack("<I", image.memory.read(place + _ARITY, 4))
    flags = struct.unpack("<I", image.memory.read(place + _FLAGS, 4))[0] if has_flags else 0
    return Function(place, _name(image, place), arity, image.pointer(place + _CODE), flags)


def _name(image: Image, place: int) -> Name:
    address = image.pointer(place)
    return Name(address, image.memory.text(address) if address else None)


def _why_no_nif(image: Image) -> str:
    names = [symbol.name for symbol in image.symbols if symbol.is_defined]
    static = next((name for name in names if name.endswith("_nif_init")), None)
    if static:
        return f"it offers {static} and no nif_init: it was compiled with STATIC_ERLANG_NIF"
    if any(name.startswith("_Z8nif_init") for name in names):
        return 'its nif_init is a C++ function, which was not declared extern "C"'
    if "driver_init" in names:
        return "it offers driver_init and no nif_init: it is a driver for erl_ddll"
    return "it offers no function nif_init"


def _why_hidden(image: Image, marked: int) -> str:
    if image.architecture not in ("x86_64", "aarch64"):
        return f"its relocations are those of {image.architecture}, which are not known here"
    if image.is_packed_for_android:
        return "its relocations are packed as for Android, which is not read here"
    if marked:
        return f"it has {marked} entries, and nif_init does not tell which of them it returns"
    return "nif_init makes it when the library is loaded, as rustler does"
