"""Connections to the upstream are kept from call to call, in both lanes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.steps import SSE, Chunk, Head, Json, Pause, Script, Send
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import BOTH, TEXT, Dialect, stream, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANES = [(client, upstream) for client in BOTH for upstream in BOTH]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    async with scene(tmp_path_factory.mktemp("reuse")) as made:
        yield made


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_ten_calls_one_after_another_take_one_connection(
    running: FaultGateway, lane: tuple[Dialect, Dialect], streamed: bool
) -> None:
    client, upstream = lane
    before = running.upstream.accepted_count
    for _ in range(10):
        # The last chunk comes with the last event, in one piece.
        data = b"".join(stream(upstream))
        head = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        at_once = [head, Send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))]
        script: Script = at_once if streamed else Json(whole(upstream))
        answer = await running.ask(script, client, upstream, stream=streamed)
        assert answer.text == TEXT
    assert running.upstream.accepted_count - before <= 1


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_a_last_chunk_that_comes_a_little_later_does_not_cost_the_connection(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    before = running.upstream.accepted_count
    for _ in range(5):
        late = [SSE(stream(upstream), end=False), Pause(0.02), Chunk()]
        answer = await running.ask(late, client, upstream, stream=True)
        assert (answer.text, answer.ended) == (TEXT, True)
        await asyncio.sleep(0.1)  # the client had its end before the last chunk came
    assert running.upstream.accepted_count - before <= 1
