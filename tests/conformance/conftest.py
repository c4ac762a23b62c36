"""One run of the matrix for all tests of this folder."""

import asyncio

import pytest

from tests.conformance.run import Matrix, matrix


@pytest.fixture(scope="session")
def run() -> Matrix:
    """What every item showed, in this very run of the tests."""
    return asyncio.run(matrix())
