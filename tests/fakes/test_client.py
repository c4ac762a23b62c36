"""The two fakes against each other."""

import asyncio

import pytest

from tests.fakes.client import RawClient, wait_until
from tests.fakes.upstream import (
    SSE,
    HalfClose,
    Head,
    Json,
    ScriptedUpstream,
    ScriptExchange,
    Send,
    Stall,
)


async def test_whole_answers_one_after_another() -> None:
    stream = SSE([b"data: 1\n\n", b"data: 2\n\n"])
    async with ScriptedUpstream(Json({"a": 1}), stream) as up, RawClient(up.port) as client:
        await client.post("/x", b"body", ("x-a", "1"))
        status, headers = await client.read_head()
        assert (status, await client.read_body(headers)) == (200, b'{"a":1}')
        await client.get("/y")
        _, headers = await client.read_head()
        assert await client.read_chunk() == b"data: 1\n\n"
        assert await client.read_body(headers) == b"data: 2\n\n"
        assert [(r.method, r.path, r.body) for r in up.requests] == [
            ("POST", "/x", b"body"),
            ("GET", "/y", b""),
        ]
        assert up.requests[0].get_header(b"x-a") == b"1"


@pytest.mark.parametrize("reset", [False, True])
async def test_leaving_is_seen_at_once(reset: bool) -> None:
    async with ScriptedUpstream(Stall()) as up, RawClient(up.port) as client:
        await client.get("/")
        await wait_until(lambda: up.requests)
        assert up.open_connections == 1
        client.hang_up(reset=reset)
        assert await wait_until(lambda: up.closed_connections) < 0.1
        assert (up.closed_connections[0].eof_at is None) == reset


async def test_half_closed_ends() -> None:
    ending = [Head(200), Send(b"ab"), HalfClose(), Stall()]
    async with ScriptedUpstream(ending) as up, RawClient(up.port) as client:
        await client.get("/")
        _, headers = await client.read_head()
        assert await client.read_body(headers) == b"ab"
        client.half_close()
        await wait_until(lambda: up.closed_connections)


async def test_sipping_holds_the_sender_back() -> None:
    up = ScriptedUpstream(flood, send_buffer=4096)
    async with up, RawClient(up.port, receive_buffer=4096) as client:
        await client.get("/")
        assert 0 < await client.read_slowly(50_000, 0.2) < 100_000
        assert up.written_bytes < 10_000_000


async def flood(exchange: ScriptExchange) -> None:
    """26 MB to the connection's end."""
    await exchange.run_script(Head(200))
    for _ in range(400):
        await exchange.send(b"x" * 65_536)


async def wrong(_: ScriptExchange) -> None:
    """A script with a fault."""
    raise AssertionError("no")


async def one_call(up: ScriptedUpstream) -> None:
    """A request, and a moment for its script."""
    async with up, RawClient(up.port) as client:
        await client.get("/")
        await wait_until(lambda: up.requests)
        await asyncio.sleep(0.01)


async def test_faults_of_a_script_are_raised() -> None:
    with pytest.raises(AssertionError, match="no"):
        await one_call(ScriptedUpstream(wrong))
