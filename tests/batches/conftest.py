"""One gateway for all tests of this folder that need none of their own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.batches.house import BatchGateway, house

OPTIONS = "concurrency = 4\nchunk = 5\nmax_items = 20\nmax_file = 3000000\n"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def _home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BatchGateway]:
    """The gateway and its upstream; each test takes a tenant of its own."""
    async with house(tmp_path_factory.mktemp("batches"), OPTIONS) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="package")
async def home(_home: BatchGateway) -> AsyncIterator[BatchGateway]:
    """That gateway; the test's clients are closed after it."""
    yield _home
    await _home.close()
    _home.gate.clear()
