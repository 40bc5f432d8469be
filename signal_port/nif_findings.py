"""What is wrong with the entry of a NIF library, and what the VM does with it.

Facts in, findings out: it reads no file and asks no machine. Each effect was seen in OTP 25, 27 and
29. `erl_nif.c` has the order: the VM calls `nif_init`, compares versions, takes the functions one
by one, and measures every name by `strlen`, also a NULL that its author meant as an end mark.
"""

from collections.abc import Iterator
from itertools import takewhile

from signal_port import nif_interface
from signal_port.beam_file import Module
from signal_port.elf_image import ELSEWHERE, Image
from signal_port.finding import CRASH, CRASH_AT_CALL, HARMLESS, REFUSED, Finding, Target, dotted
from signal_port.nif_library import VM_VARIANT, Entry, Function, HiddenEntry, Name, NoNif

FLAGS = {0: "", 1: "dirty_cpu", 2: "dirty_io"}  # of a function; the VM refuses others

_TAKE_OUT = "take it out: ERL_NIF_INIT counts entries by sizeof, so the table needs no end mark"
_TRY = "load it in a child VM to see what happens: 'make doctor', or 'erl -noshell' with load_nif"


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


def of_entry(
    image: Image, entry: Entry, target: Target, module: Module | None
) -> Iterator[Finding]:
    """Yield what is wrong with the entry of a library and with its table of functions.

    Args:
        image: the library.
        entry: its entry.
        target: where it is to be loaded.
        module: its Erlang module, if the compiled file was found.
    """
    yield from _of_version(entry, target)
    if not _is_known(entry.version):  # the VM stops here, and the fields may be others
        return
    for field, name in (("module", entry.module), ("vm_variant", entry.variant)):
        yield from _of_name(image, entry.place, f"the entry's {field}", name)
    if entry.variant.text not in (None, VM_VARIANT):
        yield Finding(
            "illegal_entry",
            REFUSED,
            f"{_at(image, entry.place)}: the entry is for the VM variant {entry.variant.text}",
            f"build it for {VM_VARIANT}, which is the only one there is",
        )
    yield from _of_table(image, entry)
    yield from _of_functions(image, entry)
    if module:
        yield from _of_module(entry, module)


def _hidden(evidence: str) -> Finding:
    return Finding("no_entry", HARMLESS, evidence, f"nothing is known of its functions: {_TRY}")


def _of_version(entry: Entry, target: Target) -> Iterator[Finding]:
    offered = nif_interface.nif_version(target.release)
    evidence = (
        f"the entry was compiled for NIF interface {dotted(entry.version)}; OTP {target.release}"
        f" has {dotted(offered)}"
    )
    if not _is_known(entry.version):
        advice = f"build it against the erl_nif.h of OTP {target.release}"
        yield Finding("other_nif_major", REFUSED, evidence, advice)
    elif entry.version > offered:
        first = nif_interface.first_release(entry.version)
        newer = f"OTP {first}" if first else "a newer OTP"
        advice = f"run it with {newer} or later, or build it against OTP {target.release}"
        yield Finding("newer_nif_interface", REFUSED, evidence, advice)


def _is_known(version: tuple[int, int]) -> bool:
    major, minor = version
    return major == nif_interface.MAJOR and minor != nif_interface.EXPERIMENTAL_MINOR


def _of_table(image: Image, entry: Entry) -> Iterator[Finding]:
    claim = f"{_at(image, entry.place)}: the entry claims {entry.claimed} functions"
    if entry.claimed > 0 and not entry.table:
        evidence = f"{claim}, and its pointer to them is NULL"
        yield Finding("null_entry", CRASH, evidence, "give ERL_NIF_INIT an array of ErlNifFunc")
    elif entry.is_filled_later:
        yield _hidden(
            f"{claim}, and the file has only room for them: the library fills them in when it is"
            " loaded, or they are all NULL"
        )
    elif entry.claimed > len(entry.functions):
        evidence = f"{claim}, and the library has room for {len(entry.functions)}"
        yield Finding("no_entry", CRASH, evidence, "build it again: the VM reads on behind them")


def _of_functions(image: Image, entry: Entry) -> Iterator[Finding]:
    seen = set()
    for number, function in enumerate(entry.functions, 1):
        where = f"function {number} of {entry.claimed}"
        if function.name.address == 0:
            yield _null_name(image, function, where)
            return  # as the VM ends here
        if lost := list(_of_name(image, function.place, where, function.name)):
            yield from lost
            return
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


def _of_module(entry: Entry, module: Module) -> Iterator[Finding]:
    if entry.module.text is not None and entry.module.text != module.name:
        yield Finding(
            "illegal_entry",
            REFUSED,
            f"the library is for the module {entry.module.text}, and this one is {module.name}",
            "write the module's name in ERL_NIF_INIT",
        )
        return
    for function in takewhile(lambda one: one.name.text is not None, entry.functions):
        called = function.name.text or "", function.arity
        if called in module.exported | (module.others or set()):
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


def _at(image: Image, address: int) -> str:
    offset = image.memory.offset(address)
    return f"address {address:#x}" + ("" if offset is None else f", offset {offset:#x} of the file")
