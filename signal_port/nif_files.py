"""The files of an autopsy: libraries, folders of them, and the compiled modules beside them.

It opens regular files alone, and of these only what is short enough, whatever lies there.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from signal_port.beam_file import MAX_SIZE, Module, NoBeam, read_module
from signal_port.elf_memory import Unreadable

MAX_LIBRARY = 256 * 1024 * 1024  # bytes; a library is read whole

_SUFFIXES = (".so", ".dylib")
_FOLDERS_ABOVE = 4  # an application's ebin is beside its priv, which has the library somewhere


def libraries(paths: list[str], problems: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield the files to examine, and for each whether it was named, or was found in a folder.

    Args:
        paths: files, and folders to look through; links to folders are not followed in there.
        problems: a sentence is added for each folder that cannot be read.
    """
    for path in paths:
        if not os.path.isdir(path):
            yield path, True
            continue
        errors: list[OSError] = []
        walk = os.walk(path, onerror=errors.append)
        files = [os.path.join(folder, name) for folder, _, names in walk for name in names]
        yield from ((file, False) for file in sorted(files) if file.endswith(_SUFFIXES))
        problems += [f"{error.filename} cannot be read: {error.strerror}" for error in errors]


def find_module(name: str, library: str, folder: str | None) -> tuple[str, Module] | None:
    """Return the compiled module of a library and its file, or None.

    Args:
        name: of the module, as the library has it.
        library: its file. The module is looked for beside it, and in each `ebin` above it.
        folder: where it is looked for first.
    """
    if not name or name != os.path.basename(name):  # the library must not say where to look
        return None
    own = Path(library).absolute().parent
    above = [one / "ebin" for one in (own, *own.parents)[:_FOLDERS_ABOVE]]
    for place in ([folder] if folder else []) + [own, *above]:
        file = os.path.join(place, name + ".beam")
        try:
            return file, read_module_file(file)
        except Unreadable:
            continue
    return None


def read_module_file(file: str) -> Module:
    """Return what a compiled module says of its functions.

    Raises:
        Unreadable: it cannot be read, or is none.
    """
    try:
        return read_module(read_file(file, MAX_SIZE))
    except NoBeam as error:
        raise Unreadable(str(error)) from None


def read_file(file: str, limit: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        Unreadable: it is none, has more bytes than the limit, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # to open a device may do something
            raise Unreadable("is no regular file")
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            size = os.fstat(descriptor).st_size
            if size > limit:
                raise Unreadable(f"is longer than {limit >> 20} MiB")
            return stream.read(size)
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
