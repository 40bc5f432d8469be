"""The two ways in which a call ends without a value."""


class SignalError(Exception):
    """The contract's answer `{error, Atom}`.

    It carries nothing but the atom's name: no key, no session and no plaintext can be printed with it.

    Attributes:
        atom: the name, for example `"bad_mac"`.
    """

    def __init__(self, atom: str) -> None:
        super().__init__(atom)
        self.atom = atom


class ProtocolError(Exception):
    """What came through the pipe is not of this protocol. No answer is possible; the worker ends with this sentence."""
