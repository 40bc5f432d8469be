"""A worker on a system that answers each attempt to load a filter with an error number, or with 0.

To be run with that number as its argument: 38 (ENOSYS) as an old kernel or an emulator, 0 as one
that only says yes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from signal_port import seccomp, worker_command

ALLOW, ERROR = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP = 22


def refuse_filters(number: int) -> None:
    """Load a filter that lets no other be loaded."""
    library = seccomp._library()
    context = library.seccomp_init(ALLOW)
    rules = ("seccomp", ()), ("prctl", (seccomp._is(0, PR_SET_SECCOMP),))
    for name, conditions in rules:
        seccomp._add(library, context, (ERROR | number, name, conditions))
    assert library.seccomp_load(context) == 0


if __name__ == "__main__":
    refuse_filters(int(sys.argv[1]))
    sys.exit(worker_command.run_worker())
