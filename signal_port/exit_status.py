"""Exit statuses of all commands, as in sysexits.h, and the one line that explains a failure.

An old Python must be able to read this file: it has no annotations.
"""

import sys

OK = 0
USAGE = 2
DATA = 65
NO_INPUT = 66
CRASHED = 70
MEMORY = 71
PROTOCOL = 76
UNFIT = 78


def fail(reason, status):
    # type: (str, int) -> int
    """Write the reason to standard error, one line; return the exit status."""
    sys.stderr.write("signal-port: %s\n" % reason)
    return status
