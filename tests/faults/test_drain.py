"""The end of a gateway: what runs may finish, what outlasts the drain is told so."""

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import SSE, Chunk, Head, Json, Pause, Stall
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import (
    BOTH,
    PATHS,
    TEXT,
    Answer,
    Dialect,
    delta,
    opening,
    received,
    request,
    stream,
    whole,
)

HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
LANES = [(client, upstream) for client in BOTH for upstream in BOTH]


async def stopped(running: FaultGateway, seconds: float) -> float:
    """Waits for the process to end; the seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        await running.gateway.process.wait()
    return time.monotonic() - began


async def opened(running: FaultGateway, client: RawClient, dialect: Dialect, model: str) -> None:
    """Sends a call for a stream and waits until the upstream has it."""
    name = model.partition(":")[2]
    await client.post(PATHS[dialect], request(dialect, model, stream=True))
    await wait_until(lambda: running.asked(name))


async def test_running_streams_finish_and_then_the_process_ends(tmp_path: Path) -> None:
    async with scene(tmp_path, "[server]\ndrain = 5.0\n") as running:
        clients = [RawClient(running.gateway.port) for _ in range(20)]
        for place, client in enumerate(clients):
            ours, theirs = LANES[place % 4]
            model = running.play(SSE(stream(theirs, *"abcdef"), seconds=0.08))
            await client.__aenter__()
            await opened(running, client, ours, f"{theirs}:{model}")
        running.gateway.send_signal(signal.SIGTERM)
        answers: list[Answer] = await asyncio.gather(
            *(received(client, LANES[place % 4][0]) for place, client in enumerate(clients))
        )
        for client in clients:
            client.hang_up()
        assert [(a.text, a.ended, a.cut) for a in answers] == [("abcdef", True, False)] * 20
        assert await stopped(running, 2) < 1.5
        assert running.gateway.process.returncode == 0
        assert running.gateway.log.count('"event":"call"') == 20
        assert running.gateway.log.count('"event":"stopped"') == 1


async def test_streams_that_outlast_the_drain_are_told_and_the_process_ends(tmp_path: Path) -> None:
    drain = 0.5
    async with scene(tmp_path, f"[server]\ndrain = {drain}\n") as running:
        clients = [RawClient(running.gateway.port) for _ in LANES]
        for client, (ours, theirs) in zip(clients, LANES, strict=True):
            script = [HEAD, *map(Chunk, [*opening(theirs), delta(theirs, "a")]), Stall()]
            await client.__aenter__()
            await opened(running, client, ours, f"{theirs}:{running.play(script)}")
            await client.read_until(b'"a"')
        silent = RawClient(running.gateway.port)
        await silent.__aenter__()
        model = running.play(Stall())
        await silent.post(PATHS["chat"], request("chat", f"chat:{model}", stream=False))
        await wait_until(lambda: running.asked(model))
        running.gateway.send_signal(signal.SIGTERM)
        began = time.monotonic()
        ends = await asyncio.gather(*(client.read_rest() for client in clients))
        refused = await received(silent, "chat")
        assert drain * 0.9 < time.monotonic() - began < drain + 1
        for end in ends:
            assert b"the gateway is shutting down and could not finish this answer" in end
            assert b"[DONE]" not in end
            assert b"message_stop" not in end
            assert end.endswith(b"0\r\n\r\n")
        assert refused.told == (503, "server_error")
        await stopped(running, 2)
        assert time.monotonic() - began < drain + 2
        await wait_until(lambda: running.upstream.open_connections == 0)
        for client in (*clients, silent):
            client.hang_up()


async def test_a_draining_gateway_takes_no_new_calls(tmp_path: Path) -> None:
    async with scene(tmp_path, "[server]\ndrain = 3.0\n") as running:
        port = running.gateway.port
        async with RawClient(port) as busy, RawClient(port) as idle, RawClient(port) as fresh:
            model = running.play([Pause(0.6), Json(whole("chat"))])
            await busy.post(PATHS["chat"], request("chat", f"chat:{model}", stream=False))
            await wait_until(lambda: running.asked(model))
            await idle.get("/readyz")
            _, headers = await idle.read_head()
            await idle.read_body(headers)
            running.gateway.send_signal(signal.SIGTERM)
            await wait_until(lambda: '"draining"' in running.gateway.log)
            for client in (idle, fresh):
                with suppress(ConnectionError, EOFError):
                    await client.get("/readyz")
                    assert (await client.read_head())[0] == 503
            with pytest.raises(ConnectionRefusedError):
                async with RawClient(port):
                    pass
            assert (await received(busy, "chat")).text == TEXT
            assert busy.sock.fileno() >= 0
        assert await stopped(running, 2) < 1.5


async def test_an_idle_gateway_ends_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path, "[server]\ndrain = 30.0\n") as running:
        assert (await running.ask(Json(whole("chat")), "chat", "chat")).text == TEXT
        async with RawClient(running.gateway.port):
            running.gateway.send_signal(signal.SIGTERM)
            assert await stopped(running, 3) < 2
        assert running.gateway.process.returncode == 0
        assert "Traceback" not in running.gateway.log


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with scene(tmp_path, "[server]\ndrain = 0.5\n") as running:
        flood = SSE([*opening("chat"), *[delta("chat", "x" * 60_000)] * 1000])
        async with RawClient(running.gateway.port, receive_buffer=4096) as client:
            await opened(running, client, "chat", f"chat:{running.play(flood)}")
            await asyncio.sleep(0.3)
            running.gateway.send_signal(signal.SIGTERM)
            assert await stopped(running, 5) < 0.5 + 3
