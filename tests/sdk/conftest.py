"""One stage for all tests of this folder, and the official clients before it."""

from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.sdk.stage import GATEWAY_KEY, Stage


@pytest.fixture(scope="session")
def _stage() -> Iterator[Stage]:
    with Stage().open() as stage:
        yield stage


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    """The stage, with nothing to play."""
    _stage.play()
    return _stage


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    """The OpenAI client; it does not retry."""
    with OpenAI(base_url=f"{stage.url}/v1", api_key=GATEWAY_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic(stage: Stage) -> Iterator[Anthropic]:
    """The Anthropic client; it does not retry."""
    with Anthropic(base_url=stage.url, api_key=GATEWAY_KEY, max_retries=0) as client:
        yield client
