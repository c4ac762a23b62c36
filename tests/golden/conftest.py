"""The stage of the client tests, for bytes; the shop of all kinds of upstream, for cases."""

import pytest

from tests.golden.shop import Shop
from tests.sdk.conftest import _stage as _stage, stage as stage


@pytest.fixture(scope="session")
def shop() -> Shop:
    """A gateway with a provider of every kind."""
    return Shop()
