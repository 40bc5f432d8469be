"""The arguments of `signal-port autopsy`, and what libraries are compared with by default."""

import os
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import NamedTuple

from signal_port import nif_host, nif_interface
from signal_port.beam_file import Module
from signal_port.elf_memory import Unreadable
from signal_port.finding import Target
from signal_port.nif_files import read_module_file
from signal_port.nif_report import printable

_DESCRIPTION = """\
Find out why a NIF library kills the Erlang VM, or is refused by it. The library is read as a file:
nothing of it is loaded or run. So it may be sick, hostile, or built for another machine. What is
read are 64-bit little-endian ELF libraries for x86-64 and aarch64; in a folder, all *.so and
*.dylib."""

_EPILOG = """\
effects of a finding:
  crash          the VM dies when it loads the library
  crash_at_call  the VM dies when the function is called
  refused        erlang:load_nif/2 returns an error
  harmless       nothing happens, or nothing is known

exit status:
  0   nothing found that crashes or is refused
  1   something found that crashes or is refused
  2   a file cannot be read, or the arguments are wrong
  78  pyelftools is not installed: pip install 'signal-port[autopsy]'"""


class Options(NamedTuple):
    """What is to be examined, and what it is compared with.

    Attributes:
        paths: libraries, and folders of libraries.
        form: what is printed: `table`, `json` or `brief`.
        target: where they are to be loaded.
        is_here: that is this machine, so its libraries count.
        module: the module of all of them and its file, if one was named.
        folder: where compiled modules are looked for first.
    """

    paths: list[str]
    form: str
    target: Target
    is_here: bool
    module: tuple[str, Module] | None
    folder: str | None


def parse(arguments: list[str]) -> Options:
    """Return the options; print help or what is wrong and exit, as argparse does."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    here = nif_host.architecture()
    wanted = nif_host.architecture(parsed.target) if parsed.target else here
    target = Target(
        None if wanted == "any" else wanted,
        parsed.otp or _release_here(),
        parsed.glibc or (nif_host.glibc() if wanted == here else None),
    )
    form = "json" if parsed.json else "brief" if parsed.brief else "table"
    options = Options(parsed.paths, form, target, wanted == here, None, parsed.beam)
    if parsed.beam is None or os.path.isdir(parsed.beam):
        return options
    try:
        return options._replace(module=(parsed.beam, read_module_file(parsed.beam)), folder=None)
    except Unreadable as error:
        parser.error(printable(f"argument --beam: {parsed.beam} {error}"))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "signal-port autopsy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="FILE|DIR", nargs="+", help="a NIF library, or a folder")
    parser.add_argument(
        "--json", action="store_true", help="print a list of objects, one a library"
    )
    parser.add_argument(
        "--brief", action="store_true", help="print a line for each finding that is not harmless"
    )
    parser.add_argument(
        "--otp",
        metavar="RELEASE",
        type=_release,
        help="the OTP release that loads it, for example 27; default: that of the erl on the path,"
        f" else {nif_interface.NEWEST_RELEASE}",
    )
    parser.add_argument(
        "--target",
        metavar="ARCH",
        help="the architecture that it is loaded on, as uname -m has it, or 'any'; default: this"
        " machine's",
    )
    parser.add_argument(
        "--glibc",
        metavar="VERSION",
        type=_version,
        help="the glibc that it is loaded with, for example 2.36; default: this machine's, if the"
        " target is this machine",
    )
    parser.add_argument(
        "--beam",
        metavar="FILE|DIR",
        help="the compiled module of the libraries, or a folder of modules; default: MODULE.beam"
        " beside the library, or in the ebin beside its priv",
    )
    return parser


def _release_here() -> int:
    found = nif_host.otp_release() or nif_interface.NEWEST_RELEASE
    return max(found, nif_interface.OLDEST_RELEASE)


def _release(text: str) -> int:
    release = int(text) if text.isdecimal() and len(text) < 4 else 0
    if release < nif_interface.OLDEST_RELEASE:
        raise ArgumentTypeError(f"it is a number, {nif_interface.OLDEST_RELEASE} or later")
    return release


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(text) < 10):
        raise ArgumentTypeError("a version is two numbers, such as 2.36")
    return int(major), int(minor)
