"""The expectation that a call is refused with an atom."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from signal_port.errors import SignalError


@contextmanager
def refused(*atoms: str) -> Iterator[None]:
    """Pass if the block is refused with one of the atoms."""
    with pytest.raises(SignalError) as caught:
        yield
    assert caught.value.atom in atoms
