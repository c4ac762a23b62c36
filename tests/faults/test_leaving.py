"""Clients that leave: the upstream's connection is closed at once, whatever was going on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import Chunk, Head, Json, Script, Stall
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import BOTH, PATHS, TEXT, Dialect, ask, delta, opening, request, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 0.1  # seconds from the client's leaving to the end of the upstream's connection
HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    patient = "attempts = 4\nwait = 0.01\nlongest_wait = 60.0"
    async with scene(tmp_path_factory.mktemp("leaving"), fallback=patient) as made:
        yield made


@dataclass
class Phase:
    """How far the upstream gets, and what a client sees before it leaves."""

    script: Callable[[Dialect], Script]
    streamed: bool
    seen: Callable[[Dialect], bytes]


def _first(dialect: Dialect) -> Script:
    return [HEAD, *map(Chunk, [*opening(dialect), delta(dialect, "one")]), Stall()]


PHASES = {
    "before the head, no stream": Phase(lambda _: Stall(), False, lambda _: b""),
    "before the head": Phase(lambda _: Stall(), True, lambda _: b""),
    "before the first event": Phase(lambda _: [HEAD, Stall()], True, lambda _: b""),
    "within the first event": Phase(
        lambda upstream: [HEAD, Chunk(delta(upstream, "one")[:20]), Stall()], True, lambda _: b""
    ),
    "in the middle of a stream": Phase(_first, True, lambda _: b'"one"'),
    "within a whole answer": Phase(
        lambda upstream: [
            Head(200, [("content-type", "application/json"), ("content-length", "900")]),
            Chunk(whole(upstream)[:30]), Stall(),
        ], False, lambda _: b"",
    ),
}  # fmt: skip
LANES = [(client, upstream) for client in BOTH for upstream in BOTH]


async def leave(
    running: FaultGateway, phase: Phase, client: Dialect, upstream: Dialect, *, reset: bool
) -> float:
    """Seconds from one client's leaving to the end of the upstream's connection."""
    model = running.play(phase.script(upstream))
    there = RawClient(running.gateway.port)
    async with there:
        body = request(client, f"{upstream}:{model}", stream=phase.streamed)
        await there.post(PATHS[client], body)
        await wait_until(lambda: running.asked(model))
        if seen := phase.seen(client):
            await there.read_until(seen)
        else:
            await asyncio.sleep(0.02)  # what the upstream sent has reached the gateway
        number = running.asked(model)[0].connection
        left = time.monotonic()
        there.hang_up(reset=reset)
    await wait_until(lambda: _end(running, number), seconds=5)
    assert len(running.asked(model)) == 1
    return _end(running, number) - left


def _end(running: FaultGateway, number: int) -> float:
    """When the peer of an upstream's connection left; 0 before that."""
    found = [end for end in running.upstream.closed_connections if end.connection == number]
    return (found[0].eof_at or found[0].closed_at) if found else 0.0


def _gone(running: FaultGateway, mark: str) -> int:
    """Calls that the gateway logged, with that mark in their line, as left by their client."""
    lines = running.gateway.log.splitlines()
    return sum('"end":"client_gone"' in line and mark in line for line in lines)


async def leave_all(
    running: FaultGateway, phase: Phase, lane: tuple[Any, Any], count: int
) -> list[float]:
    """The seconds of so many clients, half of them with FIN and half with RST, ten at a time."""
    took: list[float] = []
    for at in range(0, count, 10):
        clients = (
            leave(running, phase, *lane, reset=bool(place % 2))
            for place in range(at, min(at + 10, count))
        )
        took += await asyncio.gather(*clients)
    return took


async def sound(running: FaultGateway) -> None:
    """No connection to the upstream is busy, and calls succeed."""
    running.upstream.close_idle()
    await wait_until(lambda: running.upstream.open_connections == 0)
    for dialect in BOTH:
        answer = await running.ask(Json(whole(dialect)), dialect, dialect)
        assert answer.text == TEXT
    running.upstream.close_idle()
    await wait_until(lambda: running.upstream.open_connections == 0)


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES)
async def test_the_upstream_is_closed_within_100_ms_of_the_clients_leaving(
    running: FaultGateway, phase: Phase, lane: tuple[Dialect, Dialect]
) -> None:
    took = await leave_all(running, phase, lane, 10)
    assert max(took) < LIMIT, sorted(took)
    await sound(running)


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES)
async def test_100_clients_that_leave_close_100_upstreams(
    running: FaultGateway, phase: Phase, lane: tuple[Dialect, Dialect]
) -> None:
    took = sorted(await leave_all(running, phase, lane, 100))
    print(f"\nclosed after: median {took[50] * 1e3:.1f} ms, slowest {took[-1] * 1e3:.1f} ms")
    assert took[-1] < LIMIT
    await sound(running)


async def _waiting(running: FaultGateway, client: Dialect, upstream: Dialect, count: int) -> None:
    """Clients that leave while the gateway waits to try again: it never does."""
    busy = Json({"error": {"message": "busy"}}, 500, [("retry-after", "0.4")])
    model = running.play(busy)
    there = [RawClient(running.gateway.port) for _ in range(count)]
    try:
        for each in there:
            await each.__aenter__()
            await each.post(PATHS[client], request(client, f"{upstream}:{model}", stream=True))
        await wait_until(lambda: len(running.asked(model)) >= count)
        await asyncio.sleep(0.05)
    finally:
        for place, each in enumerate(there):
            each.hang_up(reset=bool(place % 2))
    await asyncio.sleep(0.6)
    assert len(running.asked(model)) == count
    await wait_until(lambda: _gone(running, f'"model":"{model}"') == count)


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_a_client_that_leaves_before_a_retry_is_not_retried_for(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    await _waiting(running, *lane, 10)
    running.upstream.close_idle()
    await sound(running)


@pytest.mark.torture
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_100_clients_that_leave_before_a_retry_are_not_retried_for(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    for _ in range(10):
        await _waiting(running, *lane, 10)
    running.upstream.close_idle()
    await sound(running)


async def test_a_client_that_leaves_within_its_body_ends_its_call(running: FaultGateway) -> None:
    before = len(running.upstream.requests)
    async with RawClient(running.gateway.port) as there:
        await there.send(
            b"POST /v1/messages HTTP/1.1\r\nhost: g\r\n"
            b"x-request-id: left-in-body\r\ncontent-length: 100\r\n\r\n{"
        )
        await asyncio.sleep(0.05)
    await wait_until(lambda: _gone(running, '"request_id":"left-in-body"') == 1)
    answer = await ask(running.gateway.port, "chat", f"chat:{running.play(Json(whole('chat')))}")
    assert answer.text == TEXT
    assert len(running.upstream.requests) == before + 1


async def test_a_client_that_finishes_its_side_only_still_counts_as_gone(
    running: FaultGateway,
) -> None:
    model = running.play(Stall())
    async with RawClient(running.gateway.port) as there:
        await there.post(PATHS["chat"], request("chat", f"chat:{model}", stream=True))
        await wait_until(lambda: running.asked(model))
        number = running.asked(model)[0].connection
        left = time.monotonic()
        there.half_close()
        await wait_until(lambda: _end(running, number))
        assert _end(running, number) - left < LIMIT
        assert await there.read_rest() == b""
