"""What is wrong with a NIF library, and what the VM does with it: facts in, findings out.

It reads no file and asks no machine. Each effect was seen in OTP 25, and stands in its `erl_nif.c`:
`erlang:load_nif/2` opens the library (`dlopen` with RTLD_NOW, so that a missing symbol is found
then), calls `nif_init`, compares versions, and takes the functions one by one. It measures every
name by `strlen`, also a NULL that its author meant as the end of the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from signal_port import nif_interface
from signal_port.beam_file import Module
from signal_port.elf_image import ELSEWHERE, Image
from signal_port.nif_library import VM_VARIANT, Entry, Function, HiddenEntry, Name, NoNif

# What happens when the VM loads the library: the VM dies; it dies later, when the function is
# called; `erlang:load_nif/2` returns an error; nothing.
CRASH, CRASH_AT_CALL, REFUSED, HARMLESS = "crash", "crash_at_call", "refused", "harmless"

FLAGS = {0: "", 1: "dirty_cpu", 2: "dirty_io"}  # of a function; the VM refuses others

_TAKE_OUT = "take it out: ERL_NIF_INIT counts entries by sizeof, so the table needs no end mark"
_TRY = "load it in a child VM to see what happens: 'make doctor', or 'erl -noshell' with load_nif"


class Finding(NamedTuple):
    """Something that is wrong: a code to compare, its effect, where it is seen, what to do."""

    code: str
    effect: str
    evidence: str
    advice: str


@dataclass(frozen=True)
class Target:
    """Where a library is to be loaded; None if that is not to be compared.

    Attributes:
        architecture: as `uname -m` has it, for example `x86_64` or `aarch64`.
        release: the OTP release.
        glibc: the version of the C library.
    """

    architecture: str | None
    release: int
    glibc: tuple[int, int] | None = None


def needed_glibc(image: Image) -> tuple[int, int] | None:
    """Return the lowest version of glibc that has all symbols a library needs, or None."""
    versions = [version for name in image.versions if (version := _glibc_version(name))]
    return max(versions, default=None)


def of_image(image: Image, target: Target, missing: list[str]) -> Iterator[Finding]:
    """Yield what keeps a library from being opened.

    Args:
        image: the library.
        target: where it is to be loaded.
        missing: the libraries that it needs and that are not there.
    """
    if target.architecture not in (None, image.architecture):
        yield Finding(
            "other_architecture",
            REFUSED,
            f"the ELF header, offset 0x12, names {image.architecture}; the target is"
            f" {target.architecture}",
            f"build it on or for {target.architecture}",
        )
    for name in missing:
        yield Finding(
            "missing_library",
            REFUSED,
            f"DT_NEEDED names {name}, which is in no folder that the linker looks in",
            f"install the package that has {name}, or build the library on this system",
        )
    needed = needed_glibc(image)
    if needed and target.glibc and needed > target.glibc:
        yield Finding(
            "newer_glibc",
            REFUSED,
            f"its symbols need GLIBC_{_dotted(needed)}; the target has glibc"
            f" {_dotted(target.glibc)}",
            "build it on a system as old as the target, or run it on a newer one",
        )
    offered = nif_interface.functions(target.release)
    for symbol in image.symbols:
        wanted = not symbol.is_defined and not symbol.is_weak and symbol.name.startswith("enif_")
        if wanted and symbol.name not in offered:
            yield Finding(
                "lazy_symbol_missing",
                REFUSED,
                f"it needs {symbol.name}, which OTP {target.release} does not have",
                "build it against the erl_nif.h of the OTP release that loads it",
            )


def of_no_entry(reason: NoNif | HiddenEntry, was_asked_for: bool) -> Finding:
    """Return the finding that a library has no entry that can be read.

    Args:
        reason: why there is none.
        was_asked_for: the library was named, and not only come across in a folder.
    """
    if isinstance(reason, HiddenEntry):
        return _hidden(str(reason))
    if not was_asked_for:
        advice = "nothing, unless a module loads it: erlang:load_nif/2 would refuse it"
        return Finding("no_entry", HARMLESS, str(reason), advice)
    advice = "name the library that erlang:load_nif/2 loads: it refuses this one"
    return Finding("no_entry", REFUSED, str(reason), advice)


def of_entry(image: Image, entry: Entry, target: Target) -> Iterator[Finding]:
    """Yield what is wrong with the entry of a library and with its table of functions."""
    yield from _of_version(entry, target)
    for field, name in (("module", entry.module), ("vm_variant", entry.variant)):
        yield from _of_name(image, entry.place, f"the entry's {field}", name)
    if entry.variant.text not in (None, VM_VARIANT):
        yield Finding(
            "illegal_entry",
            REFUSED,
            f"{_at(image, entry.place)}: the entry is for the VM variant {entry.variant.text}",
            f"build it for {VM_VARIANT}, which is the only one there is",
        )
    if entry.claimed > 0 and not entry.table:
        yield Finding(
            "null_entry",
            CRASH,
            f"{_at(image, entry.place)}: the entry claims {entry.claimed} functions, and its"
            " pointer to them is NULL",
            "give ERL_NIF_INIT an array of ErlNifFunc",
        )
    elif entry.is_filled_later:
        yield _hidden(
            f"{_at(image, entry.table)}: the file has no {entry.claimed} functions there, only"
            " room: the library fills them in when it is loaded, or they are all NULL"
        )
    elif entry.claimed > len(entry.functions):
        yield Finding(
            "no_entry",
            CRASH,
            f"{_at(image, entry.place)}: the entry claims {entry.claimed} functions, and the"
            f" library has room for {len(entry.functions)}",
            "build it again: the VM reads on behind the table",
        )
    yield from _of_functions(image, entry)


def of_module(entry: Entry, module: Module) -> Iterator[Finding]:
    """Yield where a library and its Erlang module do not fit: functions that the module lacks."""
    if entry.module.text is not None and entry.module.text != module.name:
        yield Finding(
            "illegal_entry",
            REFUSED,
            f"the library is for the module {entry.module.text}, and this one is {module.name}",
            "write the module's name in ERL_NIF_INIT",
        )
        return
    for function in entry.functions:
        called = function.name.text or "", function.arity
        if function.name.text is None or called in module.exported | (module.others or set()):
            continue
        name = f"{called[0]}/{called[1]}"
        is_stripped = module.others is None
        yield Finding(
            "not_exported",
            HARMLESS if is_stripped else REFUSED,
            f"the module {module.name} does not export {name}"
            + (", and being stripped it does not tell its other functions" if is_stripped else ""),
            f"add {name} to the module, or build both from the same sources",
        )


def _hidden(evidence: str) -> Finding:
    return Finding("no_entry", HARMLESS, evidence, f"nothing is known of its functions: {_TRY}")


def _of_version(entry: Entry, target: Target) -> Iterator[Finding]:
    offered = nif_interface.nif_version(target.release)
    evidence = (
        f"the entry was compiled for NIF interface {_dotted(entry.version)}; OTP {target.release}"
        f" has {_dotted(offered)}"
    )
    experimental = (nif_interface.MAJOR, nif_interface.EXPERIMENTAL_MINOR)
    if entry.version[0] != offered[0] or entry.version == experimental:
        advice = f"build it against the erl_nif.h of OTP {target.release}"
        yield Finding("other_nif_major", REFUSED, evidence, advice)
    elif entry.version > offered:
        first = nif_interface.first_release(entry.version)
        newer = f"OTP {first}" if first else "a newer OTP"
        advice = f"run it with {newer} or later, or build it against OTP {target.release}"
        yield Finding("newer_nif_interface", REFUSED, evidence, advice)


def _of_functions(image: Image, entry: Entry) -> Iterator[Finding]:
    seen = set()
    for number, function in enumerate(entry.functions, 1):
        where = f"function {number} of {entry.claimed}"
        if function.name.address == 0:
            yield _null_name(image, function, where)
            return  # the VM does not come any further
        yield from _of_name(image, function.place, where, function.name)
        called = f"{function.name.text}/{function.arity}"
        if function.code == 0:
            yield Finding(
                "null_entry",
                CRASH_AT_CALL,
                f"{_at(image, function.place)}: {where}, {called}, has a pointer to its code that"
                " is NULL",
                f"write the C function for {called}, or take the entry out",
            )
        if function.flags not in FLAGS:
            yield Finding(
                "illegal_entry",
                REFUSED,
                f"{_at(image, function.place)}: {where}, {called}, has the flags"
                f" {function.flags:#x}",
                "write 0, ERL_NIF_DIRTY_JOB_CPU_BOUND or ERL_NIF_DIRTY_JOB_IO_BOUND",
            )
        if called in seen and function.name.text is not None:
            yield Finding(
                "illegal_entry",
                REFUSED,
                f"{_at(image, function.place)}: {where}, {called}, was there before",
                "take one of the two entries out",
            )
        seen.add(called)


def _null_name(image: Image, function: Function, where: str) -> Finding:
    code = "NULL too" if function.code == 0 else "not NULL"
    return Finding(
        "null_entry",
        CRASH,
        f"{_at(image, function.place)}: {where} has a name that is NULL; its code is {code}",
        _TAKE_OUT,
    )


def _of_name(image: Image, place: int, what: str, name: Name) -> Iterator[Finding]:
    if name.address == 0:
        advice = "give it its string: ERL_NIF_INIT does"
        yield Finding("null_entry", CRASH, f"{_at(image, place)}: {what} is NULL", advice)
    elif name.text is None and name.address != ELSEWHERE:
        yield Finding(
            "no_entry",
            CRASH,
            f"{_at(image, place)}: {what} has a name at {name.address:#x}, outside of the library",
            "build it again: the file is damaged",
        )


def _at(image: Image, address: int) -> str:
    offset = image.memory.offset(address)
    return f"address {address:#x}" + ("" if offset is None else f", offset {offset:#x} of the file")


def _glibc_version(name: str) -> tuple[int, int] | None:
    if name == "GLIBC_ABI_DT_RELR":  # packed relocations; the linker reads them since then
        return 2, 36
    kind, _, version = name.partition("_")
    numbers = version.split(".")
    if kind != "GLIBC" or len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0][:9]), int(numbers[1][:9])


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
