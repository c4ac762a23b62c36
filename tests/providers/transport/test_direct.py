"""The engine of the hot path."""

import asyncio
import os
import socket
from typing import ClassVar

import pytest

from gateway.errors import Cut, InvalidRequest, Unavailable, UpstreamTimeout
from providers.transport import direct
from providers.transport.choose import Kind
from providers.transport.engine import Request, Timeouts
from tests.fakes.client import until
from tests.fakes.upstream import Close, Json, Pause, ScriptedUpstream, Stall, WaitFor
from tests.providers.transport.conformance import Answers, ask
from tests.providers.transport.conftest import Make
from tests.providers.transport.faults import Faults, Storm


class TestAnswers(Answers):
    """Bodies and heads of every shape."""

    kind: ClassVar[Kind] = "direct"


class TestFaults(Faults):
    """Timeouts, leaving, and the pool."""

    kind: ClassVar[Kind] = "direct"


class TestStorm(Storm):
    """Calls that end in every way at once."""

    kind: ClassVar[Kind] = "direct"
    calls = 2000


class TestPool:
    """What only this pool promises."""

    kind: ClassVar[Kind] = "direct"

    async def test_freshest_first_and_the_oldest_expire(self, make: Make) -> None:
        async with ScriptedUpstream([Pause(0.02), Json()]) as up:
            engine = make(up.url, keepalive=0.3)
            await asyncio.gather(ask(engine), ask(engine), ask(engine))
            assert engine.stats().idle == 3
            last = up.requests[-1].connection
            for _ in range(20):
                await ask(engine)
            assert up.accepted == 3
            assert len({request.connection for request in up.requests[3:]}) == 1
            assert up.requests[-1].connection == last
            assert engine.stats().idle == 1

    async def test_stale_connection_is_left_to_the_caller(self, make: Make) -> None:
        async with ScriptedUpstream(Json(), Close(), Json()) as up:
            engine = make(up.url)
            await ask(engine)
            with pytest.raises(Cut) as raised:
                await ask(engine)
            assert raised.value.code == "stale"
            assert len(up.requests) == 2, "nothing is sent twice"
            assert await ask(engine) == b"{}"

    @pytest.mark.parametrize("last", [b"", b"!"])
    async def test_rested_connection_is_looked_at(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, last: bytes
    ) -> None:
        """An end that the loop has not seen yet."""
        monkeypatch.setattr(direct, "_PEEK_AFTER", 0.0)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            engine = make(f"http://127.0.0.1:{server.getsockname()[1]}")
            loop = asyncio.get_running_loop()
            for _ in range(3):
                task = loop.create_task(ask(engine))
                peer, _ = await loop.sock_accept(server)
                await loop.sock_recv(peer, 1000)
                await loop.sock_sendall(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                assert await task == b"{}"
                if last:
                    peer.send(last)
                peer.close()

    async def test_address_is_sent_at_once(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            await ask(engine)
            assert isinstance(engine, direct.Direct)
            (connection,) = engine._members
            sock = socket.socket(fileno=os.dup(connection.socket_fd()))
            with sock:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    async def test_place_given_to_a_leaver_goes_on(self, make: Make) -> None:
        hold = asyncio.Event()
        async with ScriptedUpstream([WaitFor(hold), Json()], Json()) as up:
            engine = make(up.url, max_connections=1)
            assert isinstance(engine, direct.Direct)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(ask(engine)) for _ in range(3)]
            await until(lambda: len(engine._waiters) == 2 and up.requests)
            (connection,) = engine._members
            engine._hand(connection)  # the moment in which it is released
            tasks[1].cancel()
            connection.abort()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(ends[1], asyncio.CancelledError)
            assert ends[2] == b"{}"

    async def test_closing_tells_those_who_wait(self, make: Make) -> None:
        async with ScriptedUpstream(Stall()) as up:
            engine = make(up.url, max_connections=1)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(ask(engine)) for _ in range(3)]
            await until(lambda: up.requests)
            await engine.aclose()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(end) for end in ends] == [Unavailable] * 3

    async def test_total_covers_the_waiting(self, make: Make) -> None:
        async with ScriptedUpstream(Stall()) as up:
            engine = make(up.url, max_connections=1)
            task = asyncio.get_running_loop().create_task(ask(engine))
            await until(lambda: up.requests)
            with pytest.raises(UpstreamTimeout, match="total"):
                await ask(engine, timeouts=Timeouts(total=0.05))
            task.cancel()
            await asyncio.wait([task])
            tls = make(up.url.replace("http:", "https:"))
            with pytest.raises(UpstreamTimeout, match="total"):
                await ask(tls, timeouts=Timeouts(total=0.05))

    async def test_method(self, make: Make) -> None:
        engine = make("http://127.0.0.1:1")
        with pytest.raises(InvalidRequest):
            await engine.send(Request(b"/", method=b"GET / HTTP/1.1\r\n"), Timeouts())
