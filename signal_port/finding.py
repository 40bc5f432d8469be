"""What a finding of the autopsy is, and what libraries are compared with."""

from dataclasses import dataclass
from typing import NamedTuple

# What happens when the VM loads the library: the VM dies; it dies later, when the function is
# called; `erlang:load_nif/2` returns an error; nothing.
CRASH, CRASH_AT_CALL, REFUSED, HARMLESS = "crash", "crash_at_call", "refused", "harmless"


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


def dotted(version: tuple[int, int]) -> str:
    """Return a version as it is written."""
    return f"{version[0]}.{version[1]}"
