"""The fuzz target on bounded examples, and on every input that once failed."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from tests.fuzz.target import Target


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore:Pydantic serializer")  # of what a client sent and is told back
@settings(max_examples=400, deadline=None)
@given(data=st.binary(max_size=120))
def test_no_input_fails(target: Target, data: bytes) -> None:
    target(data)
