"""The two errors that end a call without a value."""


class SignalError(Exception):
    """The contract's answer `{error, Atom}`.

    It holds only the atom's name, so it cannot print a key, a session or a plaintext.

    Attributes:
        atom: the name, for example `"bad_mac"`.
    """

    def __init__(self, atom: str) -> None:
        super().__init__(atom)
        self.atom = atom


class ProtocolError(Exception):
    """The requester sent data that is not of this protocol. The worker ends with this sentence."""
