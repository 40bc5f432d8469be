"""`signal-port version`: the versions of the package and of what it runs on."""

import sys

from signal_port import __version__, primitives
from signal_port.exit_status import OK


def main(arguments: list[str]) -> int:
    """Print the versions on one line; return the exit status."""
    from argparse import ArgumentParser  # not at the head: a worker imports this module

    description = "Print the versions of signal_port, Python, cryptography and OpenSSL."
    ArgumentParser("signal-port version", description=description).parse_args(arguments)
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    return OK


def versions() -> dict[str, str]:
    """Return versions by name, as the ready notice gives them."""
    return {
        "signal_port": __version__,
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        **primitives.versions(),
    }
