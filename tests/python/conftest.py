"""Settings of the whole suite: how hypothesis searches, and two parties with a conversation before them."""

import pytest
from hypothesis import settings
from parties import Parties, begin

settings.register_profile("suite", max_examples=100, deadline=None, database=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def parties() -> Parties:
    """Return an initiator and a responder who have agreed on a secret and have sent nothing yet."""
    return begin()
