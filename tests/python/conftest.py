"""Settings of the whole suite: how hypothesis searches; and two parties for all tests."""

import pytest
from hypothesis import settings
from parties import Parties, begin

settings.register_profile("suite", max_examples=100, deadline=None, database=None)
settings.load_profile("suite")


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code in a worker do what the sandbox forbids."""
    monkeypatch.setenv("SIGNAL_PORT_SANDBOX", "off")


@pytest.fixture(scope="session")
def parties() -> Parties:
    """Return an initiator and a responder that agreed on a secret and sent nothing yet."""
    return begin()
