"""What keeps a library from being opened, for the VM as for any program: facts in, findings out.

The VM opens a NIF library by `dlopen` with RTLD_NOW: a symbol that is missing is found then, also
one that is bound lazily, and `erlang:load_nif/2` returns the linker's sentence.
"""

from collections.abc import Iterator

from signal_port import nif_interface
from signal_port.elf_image import Image
from signal_port.finding import REFUSED, Finding, Target, dotted


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
            f"its symbols need GLIBC_{dotted(needed)}; the target has glibc {dotted(target.glibc)}",
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


def _glibc_version(name: str) -> tuple[int, int] | None:
    if name == "GLIBC_ABI_DT_RELR":  # packed relocations; the linker reads them since then
        return 2, 36
    kind, _, version = name.partition("_")
    numbers = version.split(".")
    if kind != "GLIBC" or len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0][:9]), int(numbers[1][:9])
