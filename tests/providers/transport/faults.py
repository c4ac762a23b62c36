"""What every engine does about faults, leaving and full pools, whatever it is made of."""

import asyncio
import random
import re
from typing import ClassVar

import pytest

from gateway.config.schema import Timeouts
from gateway.errors import Cut, InvalidRequest, Unavailable, Unreachable, UpstreamTimeout
from providers.transport.engine import EngineKind, Request, make_header_block
from tests.fakes.certificate import Certificate
from tests.fakes.client import wait_until
from tests.fakes.upstream import (
    SSE,
    Chunk,
    Dribble,
    Head,
    Json,
    Pause,
    ReceivedRequest,
    Reset,
    Script,
    ScriptedUpstream,
    Send,
    Stall,
    Step,
)
from tests.providers.transport.conformance import CHUNKED, LONG, POST, ask, rss, take
from tests.providers.transport.conftest import Make


class Faults:
    """Timeouts, leaving, and the pool."""

    kind: ClassVar[EngineKind]

    @pytest.mark.parametrize(
        ("script", "timeouts", "which"),
        [
            ([Stall()], Timeouts(first_byte=0.1), "first_byte"),
            ([Dribble(b"HTTP/1.1 200 OK\r\n" * 40, 0.01)], Timeouts(first_byte=0.1), "first_byte"),
            ([Stall()], Timeouts(total=0.1), "total"),
            ([Head(200, [CHUNKED]), Chunk(b"a"), Stall()], Timeouts(idle=0.1), "idle"),
            ([SSE([b"a"] * 100, 0.01)], Timeouts(idle=0.15, total=0.2), "total"),
            ([SSE([b"a"] * 30, 0.01)], Timeouts(idle=0.2, first_byte=0.2), ""),
        ],
    )
    async def test_timeout(
        self, make: Make, script: Script, timeouts: Timeouts, which: str
    ) -> None:
        async with ScriptedUpstream(script) as up:
            engine = make(up.url)
            if not which:
                await ask(engine, timeouts=timeouts)
                return
            began = asyncio.get_running_loop().time()
            with pytest.raises(UpstreamTimeout) as raised:
                await ask(engine, timeouts=timeouts)
            seconds = getattr(timeouts, which)
            assert raised.value.which == which
            assert seconds - 0.01 <= asyncio.get_running_loop().time() - began <= seconds + 0.4
            await wait_until(lambda: up.open_connections == 0)
            assert engine.stats().open == 0

    async def test_silence_of_a_handshake_is_a_connect_timeout(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url.replace("http:", "https:"))
            with pytest.raises(UpstreamTimeout) as raised:
                await engine.send(POST, Timeouts(connect=0.1))
            assert raised.value.which == "connect"
            assert up.accepted_count == 1
            await wait_until(lambda: up.open_connections == 0)

    async def test_refused(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            pass
        engine = make(up.url + "/secret-path")
        with pytest.raises(Unreachable) as raised:
            await engine.send(Request(b"/?key=secret"), LONG)
        assert f"127.0.0.1:{up.port}" in raised.value.message
        assert "secret" not in raised.value.message

    async def test_name_that_does_not_exist(self, make: Make) -> None:
        engine = make("http://no-such-host.invalid")
        with pytest.raises(Unreachable, match=r"no-such-host\.invalid:80"):
            await engine.send(POST, LONG)

    @pytest.mark.parametrize("phase", ["connect", "head", "body"])
    async def test_cancel(self, make: Make, phase: str) -> None:
        script: Script = Stall() if phase == "head" else SSE([b"a"] * 3000, 0.01)
        async with ScriptedUpstream(script) as up:
            url = up.url.replace("http:", "https:") if phase == "connect" else up.url
            engine = make(url)
            task = asyncio.get_running_loop().create_task(ask(engine))
            await wait_until(
                lambda: up.accepted_count if phase == "connect" else up.written_bytes or up.requests
            )
            await asyncio.sleep(0.03)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engine.stats().busy == 0
            assert await wait_until(lambda: up.open_connections == 0) < 0.1

    async def test_close_before_the_end(self, make: Make) -> None:
        async with ScriptedUpstream(SSE([b"a"] * 3000, 0.01)) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            assert await response.body.read() == b"a"
            for _ in range(3):
                await response.body.aclose()
            assert engine.stats().open == 0
            assert await wait_until(lambda: up.open_connections == 0) < 0.1
            with pytest.raises(Cut):
                await response.body.read()

    async def test_close_after_the_end_keeps_the_connection(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            first = await engine.send(POST, LONG)
            assert await first.body.read() == b"{}"
            assert await first.body.read() == b""
            second = await engine.send(POST, LONG)
            await first.body.aclose()
            assert await take(second) == b"{}"
            assert up.accepted_count == 1

    async def test_full_pool_waits_then_says_so(self, make: Make) -> None:
        async with ScriptedUpstream([Pause(0.1), Json()]) as up:
            engine = make(up.url, max_connections=2)
            loop = asyncio.get_running_loop()
            waits = [loop.create_task(ask(engine)) for _ in range(6)]
            await wait_until(lambda: len(up.requests) == 2)
            with pytest.raises(Unavailable) as raised:
                await engine.send(POST, Timeouts(pool=0.03))
            assert (raised.value.status, raised.value.should_retry) == (503, True)
            waits[3].cancel()
            await asyncio.wait(waits)
            assert [task.cancelled() for task in waits] == [n == 3 for n in range(6)]
            assert up.accepted_count == 2
            assert len(up.requests) == 5

    async def test_waiters_get_the_places_of_the_fallen(self, make: Make) -> None:
        async with ScriptedUpstream(Stall(), Stall(), [Pause(0.01), Reset()], Json()) as up:
            engine = make(up.url, max_connections=1)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(ask(engine)) for _ in range(5)]
            await wait_until(lambda: len(up.requests) == 1)
            tasks[0].cancel()
            await wait_until(lambda: len(up.requests) == 2)
            tasks[1].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            kinds = [type(one) for one in done]
            assert kinds == [asyncio.CancelledError, asyncio.CancelledError, Cut, bytes, bytes]

    async def test_idle_connection_that_was_closed_is_replaced(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            for _ in range(5):
                assert await ask(engine) == b"{}"
                up.close_idle()
                await wait_until(lambda: not up.open_connections)
                await asyncio.sleep(0.01)
            assert up.accepted_count == 5

    async def test_idle_connection_expires(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url, keepalive=0.05)
            await ask(engine)
            await asyncio.sleep(0.1)
            await ask(engine)
            assert up.accepted_count == 2

    async def test_close_under_way(self, make: Make) -> None:
        async with ScriptedUpstream(SSE([b"a"], end=False), Stall()) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            assert await response.body.read() == b"a"
            await engine.aclose()
            with pytest.raises((Cut, Unavailable)):
                await response.body.read()
            with pytest.raises(Unavailable):
                await engine.send(POST, LONG)
            await wait_until(lambda: up.open_connections == 0)

    @pytest.mark.parametrize(
        "header",
        [
            (b"a b", b"1"),
            (b"", b"1"),
            (b"a:", b"1"),
            (b"x", b"1\r\ny: 2"),
            (b"x", b"1\n"),
            (b"x", b"\0"),
            (b"x", b"\x7f"),
            (b"Host", b"elsewhere"),
            (b"Content-Length", b"0"),
            (b"transfer-encoding", b"chunked"),
            (b"Connection", b"authorization"),
            (b"accept-encoding", b"gzip"),
        ],
    )
    async def test_header_that_cannot_be_sent(
        self, make: Make, header: tuple[bytes, bytes]
    ) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            with pytest.raises(InvalidRequest):
                await engine.send(Request(b"/", headers=[header]), LONG)
            with pytest.raises(InvalidRequest):
                make_header_block([header])
            assert up.accepted_count == 0

    @pytest.mark.parametrize(
        "target", [b"", b"x", b"/ HTTP/1.1\r\nx: y", b"/\n", b"/\xff", b"/a b"]
    )
    async def test_target_that_cannot_be_sent(self, make: Make, target: bytes) -> None:
        engine = make("http://127.0.0.1:1")
        with pytest.raises(InvalidRequest):
            await engine.send(Request(target), LONG)

    async def test_back_pressure(self, make: Make) -> None:
        total = 50 << 20
        script: list[Step] = [Head(200, [("content-length", str(total))])]
        script += [Send(b"x" * 65_536)] * (total // 65_536)
        async with ScriptedUpstream(script, send_buffer=65_536) as up:
            engine = make(up.url)
            before = rss()
            timeouts = Timeouts(idle=0.15)
            response = await engine.send(POST, timeouts)
            size = len(await response.body.read())
            await asyncio.sleep(0.3)  # longer than the idle timeout, which must not run now
            stopped = up.written_bytes
            assert stopped < 16 << 20
            assert rss() - before < 16 << 20
            while chunk := await response.body.read():
                size += len(chunk)
            assert size == total
            assert rss() - before < 24 << 20

    async def test_tls(self, make: Make, certificate: Certificate) -> None:
        async with ScriptedUpstream(SSE([b"a" * 100_000] * 20), tls=certificate) as up:
            engine = make(up.url, ca_file=str(certificate.cert))
            for _ in range(2):
                assert len(await ask(engine)) == 2_000_000
            assert up.accepted_count == 1
            stranger = make(up.url)
            with pytest.raises(Unreachable) as raised:
                await stranger.send(POST, LONG)
            assert re.search(r"127\.0\.0\.1:\d+", raised.value.message)

    async def test_tls_cancel(self, make: Make, certificate: Certificate) -> None:
        async with ScriptedUpstream(SSE([b"a"] * 3000, 0.01), tls=certificate) as up:
            engine = make(up.url, ca_file=str(certificate.cert))
            response = await engine.send(POST, LONG)
            assert await response.body.read()
            await response.body.aclose()
            assert await wait_until(lambda: up.open_connections == 0) < 0.1


class Storm:
    """Calls that end in every way at once, and the calm after."""

    kind: ClassVar[EngineKind]
    calls: ClassVar[int]

    async def test_storm_leaves_nothing_behind(self, make: Make) -> None:
        dice = random.Random(7)
        async with ScriptedUpstream(select=storm_script) as up:
            engine = make(up.url, max_connections=50)
            loop = asyncio.get_running_loop()
            tasks = set()
            for _ in range(self.calls):
                path = dice.choice([b"/ok", b"/stall", b"/slow", b"/sse", b"/reset"])
                short = dice.choice([0.01, 0.03, 30.0])
                timeouts = Timeouts(first_byte=0.03, idle=0.02, total=short, pool=0.02)
                task = loop.create_task(ask(engine, Request(path), timeouts))
                tasks.add(task)
                if dice.random() < 0.4:
                    loop.call_later(dice.uniform(0, 0.05), task.cancel)
                if dice.random() < 0.2:
                    await asyncio.sleep(0.002)
            done = await asyncio.gather(*tasks, return_exceptions=True)
            ends = {type(one) for one in done}
            fine = {bytes, asyncio.CancelledError, UpstreamTimeout, Unavailable, Cut}
            assert ends <= fine, [one for one in done if type(one) not in fine]
            assert len(ends) > 1
            assert engine.stats().busy == 0
            await wait_until(lambda: up.open_connections <= engine.stats().idle)
            calm = await asyncio.gather(*(ask(engine, Request(b"/ok")) for _ in range(100)))
            assert calm == [b"{}"] * 100


def storm_script(request: ReceivedRequest) -> Script:
    """What the path asks for."""
    scripts: dict[str, Script] = {
        "/ok": Json(),
        "/stall": Stall(),
        "/slow": [Pause(0.02), Json()],
        "/sse": SSE([b"a"] * 50, 0.005),
        "/reset": [Head(200, [CHUNKED]), Chunk(b"a"), Reset()],
    }
    return scripts[request.path]
