"""The engines' tests run on both loops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from providers.transport.engine import Engine, EngineOptions
from providers.transport.engine_choice import make_engine
from tests.fakes.certificate import Certificate, make_certificate

_ENGINES = ("test_direct.py", "test_httpx_engine.py")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asyncio's loop, and uvloop where the loop matters."""
    if item.path.name in _ENGINES:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


Make = Callable[..., Engine]


@pytest.fixture
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes engines of the class's kind; afterwards none of them has a busy connection."""
    made: list[Engine] = []

    def one(url: str, **options: object) -> Engine:
        made.append(make_engine(url, EngineOptions(kind=request.cls.kind, **options)))  # type: ignore[arg-type]
        return made[-1]

    yield one
    busy = [each.stats().busy for each in made]
    for each in made:
        await each.aclose()
    assert not any(busy)
    assert not any(each.stats().open for each in made)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1."""
    made: Path = tmp_path_factory.mktemp("certificate")
    return make_certificate(made)
