"""The errors that end a call, or the start of a worker.

An old Python must be able to read this file: it has no annotations.
"""


class SignalError(Exception):
    """The contract's answer `{error, Atom}`.

    It holds only the atom's name, so it cannot print a key, a session or a plaintext.

    Attributes:
        atom: the name, for example `"bad_mac"`.
    """

    __module__ = "signal_port"  # where programs import it from, and what a traceback says

    def __init__(self, atom):
        # type: (str) -> None
        super().__init__(atom)
        self.atom = atom


class ProtocolError(Exception):
    """The requester sent data that is not of this protocol. The worker ends with this sentence."""


class UnfitError(Exception):
    """The worker cannot start as it was told to. It writes this sentence for the operator."""
