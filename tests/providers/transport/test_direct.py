"""The engine of the hot path."""

import asyncio
import os
import socket
import struct
from typing import ClassVar

import pytest

from gateway.config.schema import Timeouts
from gateway.errors import Cut, InvalidRequest, Unavailable, Unreachable, UpstreamTimeout
from providers.transport import direct
from providers.transport.connection import Connection
from providers.transport.dial import open_connection
from providers.transport.engine import EngineKind, Request
from tests.fakes.certificate import Certificate
from tests.fakes.client import wait_until
from tests.fakes.upstream import Close, Json, Pause, ScriptedUpstream, Stall, WaitFor
from tests.providers.transport.conformance import Answers, ask
from tests.providers.transport.conftest import Make
from tests.providers.transport.faults import Faults, Storm


class TestAnswers(Answers):
    """Bodies and heads of every shape."""

    kind: ClassVar[EngineKind] = "direct"


class TestFaults(Faults):
    """Timeouts, leaving, and the pool."""

    kind: ClassVar[EngineKind] = "direct"


class TestStorm(Storm):
    """Calls that end in every way at once."""

    kind: ClassVar[EngineKind] = "direct"
    calls = 2000


class TestPool:
    """What only this pool promises."""

    kind: ClassVar[EngineKind] = "direct"

    async def test_freshest_first_and_the_oldest_expire(self, make: Make) -> None:
        async with ScriptedUpstream([Pause(0.02), Json()]) as up:
            engine = make(up.url, keepalive=0.3)
            await asyncio.gather(ask(engine), ask(engine), ask(engine))
            assert engine.stats().idle == 3
            last = up.requests[-1].connection
            for _ in range(20):
                await ask(engine)
            assert up.accepted_count == 3
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

    @pytest.mark.parametrize("last", [b"", b"!", b"RST"])
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
                if last == b"RST":
                    linger = struct.pack("ii", 1, 0)
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                elif last:
                    peer.send(last)
                peer.close()

    async def test_address_is_sent_at_once(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            await ask(engine)
            assert isinstance(engine, direct.PooledEngine)
            (connection,) = engine._connections
            sock = socket.socket(fileno=os.dup(connection.get_socket_fd()))
            with sock:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    async def test_place_given_to_a_leaver_goes_on(self, make: Make) -> None:
        hold = asyncio.Event()
        async with ScriptedUpstream([WaitFor(hold), Json()], Json()) as up:
            engine = make(up.url, max_connections=1)
            assert isinstance(engine, direct.PooledEngine)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(ask(engine)) for _ in range(3)]
            await wait_until(lambda: len(engine._waiters) == 2 and up.requests)
            (connection,) = engine._connections
            engine._hand_over(connection)  # the moment in which it is released
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
            await wait_until(lambda: up.requests)
            await engine.aclose()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(end) for end in ends] == [Unavailable] * 3

    async def test_total_covers_the_waiting(self, make: Make) -> None:
        async with ScriptedUpstream(Stall()) as up:
            engine = make(up.url, max_connections=1)
            task = asyncio.get_running_loop().create_task(ask(engine))
            await wait_until(lambda: up.requests)
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

    async def test_engine_closed_while_connecting(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go = asyncio.Event()

        async def later(*args: object) -> object:
            await go.wait()
            return await open_connection(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(direct, "open_connection", later)
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            task = asyncio.get_running_loop().create_task(ask(engine))
            await wait_until(lambda: engine.stats().busy)
            await engine.aclose()
            go.set()
            with pytest.raises(Unavailable):
                await task
            await wait_until(lambda: up.accepted_count and not up.open_connections)

    async def test_connection_closed_as_it_was_made(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:

        async def shut(*args: object) -> object:
            connection = await open_connection(*args)  # type: ignore[arg-type]
            connection.abort()
            return connection

        monkeypatch.setattr(direct, "open_connection", shut)
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            with pytest.raises(Unreachable):
                await ask(engine)
            await wait_until(lambda: up.accepted_count and not up.open_connections)

    async def test_connection_that_closes_on_its_way_to_a_waiter(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with ScriptedUpstream([Pause(0.02), Json()], Json()) as up:
            engine = make(up.url, max_connections=1)
            assert isinstance(engine, direct.PooledEngine)
            loop = asyncio.get_running_loop()
            first, second = (loop.create_task(ask(engine)) for _ in range(2))
            await wait_until(lambda: up.requests)
            release = engine.release_connection

            def release_and_lose(lost: Connection) -> None:
                release(lost)
                lost.abort()

            monkeypatch.setattr(engine, "release_connection", release_and_lose)
            assert await first == b"{}"
            monkeypatch.undo()
            assert await second == b"{}"
            assert up.accepted_count == 2

    async def test_rested_connection_that_is_well_is_used(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, certificate: Certificate
    ) -> None:
        monkeypatch.setattr(direct, "_PEEK_AFTER", 0.0)
        for tls in (None, certificate):
            async with ScriptedUpstream(tls=tls) as up:
                engine = make(up.url, ca_file=str(certificate.cert))
                for _ in range(3):
                    await ask(engine)
                assert up.accepted_count == 1

    async def test_leaver_and_closing_at_once(self, make: Make) -> None:
        async with ScriptedUpstream(Stall()) as up:
            engine = make(up.url, max_connections=1)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(ask(engine)) for _ in range(2)]
            await wait_until(lambda: up.requests)
            tasks[1].cancel()
            await engine.aclose()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(end) for end in ends] == [Unavailable, asyncio.CancelledError]
