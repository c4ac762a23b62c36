"""One house for all tests of this folder."""

import pytest

from tests.pairs.house import PairGateway, house as opened


@pytest.fixture(scope="session")
def house() -> PairGateway:
    """A gateway with a provider of each dialect."""
    return opened()
