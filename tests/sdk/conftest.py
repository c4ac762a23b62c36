"""One stage for all tests of this folder, and the official clients before it."""

from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.sdk.clients import anthropic_client, openai_client
from tests.sdk.stage import SdkGateway


@pytest.fixture(scope="session")
def _stage() -> Iterator[SdkGateway]:
    with SdkGateway().open() as stage:
        yield stage


@pytest.fixture
def stage(_stage: SdkGateway) -> SdkGateway:
    """The stage, with nothing to play."""
    _stage.play()
    return _stage


@pytest.fixture
def openai(stage: SdkGateway) -> Iterator[OpenAI]:
    """The OpenAI client; it does not retry."""
    with openai_client(stage.url) as client:
        yield client


@pytest.fixture
def anthropic(stage: SdkGateway) -> Iterator[Anthropic]:
    """The Anthropic client; it does not retry."""
    with anthropic_client(stage.url) as client:
        yield client
