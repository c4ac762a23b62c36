"""Connections to the upstream are kept from call to call, in both lanes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.steps import SSE, Json
from tests.faults.scene import Scene, scene
from tests.faults.wires import BOTH, TEXT, Dialect, stream, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANES = [(client, upstream) for client in BOTH for upstream in BOTH]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("reuse")) as made:
        yield made


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_ten_calls_one_after_another_take_one_connection(
    running: Scene, lane: tuple[Dialect, Dialect], streamed: bool
) -> None:
    client, upstream = lane
    before = running.upstream.accepted
    for _ in range(10):
        script = SSE(stream(upstream)) if streamed else Json(whole(upstream))
        answer = await running.ask(script, client, upstream, stream=streamed)
        assert answer.text == TEXT
    assert running.upstream.accepted - before <= 1
