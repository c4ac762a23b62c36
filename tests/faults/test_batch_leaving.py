"""Batches that do not come to their end: the client leaves, or the gateway stops."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import Chunk, Head, Json, Pause, ReceivedRequest, Stall
from tests.faults.batches import (
    EVENTS,
    PATH,
    batch,
    batching,
    echo,
    fetched,
    item,
    responses,
    status_once,
)
from tests.faults.scene import FaultGateway
from tests.faults.wires import BOTH, Dialect, encode, received, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 0.1
WITHIN_AN_ANSWER = [
    Head(200, [("content-type", "application/json"), ("content-length", "900")]),
    Chunk(b"{"),
    Stall(),
]
FORMS = {"whole": (20, ()), "in pieces": (40, ()), "events": (40, (EVENTS,))}
"""How many items, and the headers they are sent with."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    async with batching(tmp_path_factory.mktemp("batch-leaving")) as made:
        yield made


async def leave(running: FaultGateway, form: str, upstream: Dialect, *, reset: bool) -> list[float]:
    """Seconds from a client's leaving to the end of each connection of its batch."""
    count, headers = FORMS[form]
    quick = running.play(echo(upstream))
    silent, begun = running.play(Stall()), running.play(WITHIN_AN_ANSWER)
    models = [quick, *([silent, begun] * count)][:count]
    async with RawClient(running.gateway.port) as client:
        items = [item(f"{upstream}:{model}") for model in models]
        await client.post(PATH, encode({"messages": items}), *headers)
        in_flight = min(count - 1, 32)
        await wait_until(lambda: len(_asked(running, silent, begun)) == in_flight)
        await asyncio.sleep(0.02)
        numbers = {request.connection for request in _asked(running, silent, begun)}
        left = time.monotonic()
        client.hang_up(reset=reset)
    await wait_until(lambda: len(_ends(running, numbers)) == in_flight)
    await asyncio.sleep(0.05)
    assert len(_asked(running, silent, begun)) == in_flight  # nothing more was started
    return [end - left for end in _ends(running, numbers)]


def _asked(running: FaultGateway, *models: str) -> list[ReceivedRequest]:
    return [request for model in models for request in running.asked(model)]


def _ends(running: FaultGateway, numbers: set[int]) -> list[float]:
    return [
        end.eof_at or end.closed_at
        for end in running.upstream.closed_connections
        if end.connection in numbers
    ]


async def _sound(running: FaultGateway) -> None:
    """No call is in flight, and the next batch is answered."""
    port = running.gateway.port
    _, active = await fetched(port, "/metrics/active-requests")
    assert active["count"] == 0
    answer = await batch(port, [item(f"chat:{running.play(echo('chat'))}")] * 40)
    assert responses(answer) == ["hi"] * 40
    running.upstream.close_idle()
    await wait_until(lambda: running.upstream.open_connections == 0)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("upstream", BOTH)
@pytest.mark.parametrize("form", FORMS)
async def test_a_client_that_leaves_closes_every_upstream(
    running: FaultGateway, form: str, upstream: Dialect, reset: bool
) -> None:
    took = await leave(running, form, upstream, reset=reset)
    assert max(took) < LIMIT, sorted(took)
    await _sound(running)


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMS)
async def test_50_clients_that_leave_close_every_upstream(running: FaultGateway, form: str) -> None:
    took: list[float] = []
    for place in range(50):
        took += await leave(running, form, BOTH[place % 2], reset=place % 4 > 1)
    took.sort()
    middle = took[len(took) // 2]
    print(f"\n{len(took)} closed: median {middle * 1e3:.1f} ms, slowest {took[-1] * 1e3:.1f} ms")
    assert took[-1] < LIMIT
    await _sound(running)


@pytest.mark.parametrize("headers", [(), (EVENTS,)])
async def test_the_status_of_a_batch_whose_client_left_is_cancelled(
    running: FaultGateway, headers: tuple[tuple[str, str], ...]
) -> None:
    port = running.gateway.port
    quick, silent = running.play(echo("chat")), running.play(Stall())
    models = [quick, quick, *[silent] * 38]
    async with RawClient(port) as client:
        items = [item(f"chat:{model}") for model in models]
        await client.post(PATH, encode({"messages": items}), *headers)
        _, head = await client.read_head()
        batch_id = head[b"x-batch-id"].decode()
        await wait_until(lambda: len(running.asked(silent)) == 32)
    told = await status_once(port, batch_id, lambda told: told["status"] != "processing")
    assert told["status"] == "cancelled"
    assert (told["processed_messages"], told["successful_messages"]) == (2, 2)
    assert told["completion_time"] is not None
    await _sound(running)


async def test_items_that_a_leaving_client_cut_are_logged_so(running: FaultGateway) -> None:
    silent = running.play(Stall())
    async with RawClient(running.gateway.port) as client:
        body = encode({"messages": [item(f"chat:{silent}")] * 3})
        await client.post(PATH, body, ("x-request-id", "left-batch"))
        await wait_until(lambda: len(running.asked(silent)) == 3)
    await wait_until(lambda: running.gateway.log.count('"request_id":"left-batch') == 4)
    lines = [line for line in running.gateway.log.splitlines() if "left-batch" in line]
    assert all('"end":"client_gone"' in line for line in lines)


async def test_a_batch_within_the_drain_is_finished(tmp_path: Path) -> None:
    async with batching(tmp_path, "concurrency = 4", "[server]\ndrain = 5.0\n") as running:
        model = running.play([Pause(0.15), Json(whole("chat", "ok"))])
        async with RawClient(running.gateway.port) as client:
            await client.post(PATH, encode({"messages": [item(f"chat:{model}")] * 12}))
            await wait_until(lambda: running.asked(model))
            running.gateway.send_signal(signal.SIGTERM)
            assert responses(await received(client, "messages")) == ["ok"] * 12
        async with asyncio.timeout(3):
            await running.gateway.process.wait()
        assert running.gateway.process.returncode == 0


@pytest.mark.parametrize("form", FORMS)
async def test_a_batch_that_outlasts_the_drain_is_told_so(tmp_path: Path, form: str) -> None:
    count, headers = FORMS[form]
    async with batching(tmp_path, "", "[server]\ndrain = 0.4\n") as running:
        silent = running.play(Stall())
        async with RawClient(running.gateway.port) as client:
            body = encode({"messages": [item(f"chat:{silent}")] * count})
            await client.post(PATH, body, *headers)
            await wait_until(lambda: running.asked(silent))
            running.gateway.send_signal(signal.SIGTERM)
            answer = await received(client, "messages")
        if form == "whole":
            assert answer.told == (503, "api_error")
        elif form == "events":
            assert answer.errors[0]["message"].startswith("the gateway is shutting down")
            assert b"batch_completed" not in answer.body
        else:  # a document that was begun can only be cut, so that no parser takes it for whole
            assert answer.cut
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(answer.body)
        async with asyncio.timeout(3):
            await running.gateway.process.wait()
        assert running.gateway.process.returncode == 0
        assert "Traceback" not in running.gateway.log
        await wait_until(lambda: running.upstream.open_connections == 0)
