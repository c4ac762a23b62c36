"""What every engine makes of answers, whatever it is made of."""

import asyncio
import gzip
import zlib
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.config.schema import Timeouts
from gateway.errors import BadAnswer, Cut
from providers.transport.engine import Engine, EngineKind, Request, Response, make_header_block
from tests.fakes.client import wait_until
from tests.fakes.upstream import (
    SSE,
    Chunk,
    Close,
    Dribble,
    HalfClose,
    Head,
    Json,
    Pause,
    Reset,
    Script,
    ScriptedUpstream,
    Send,
    Stall,
    Step,
)
from tests.providers.transport.conftest import Make

POST = Request(b"/v1/x", b'{"a":1}')
CHUNKED = ("transfer-encoding", "chunked")
LONG = Timeouts()


async def take(response: Response) -> bytes:
    """The whole body."""
    found = b""
    while chunk := await response.body.read():
        found += chunk
    await response.body.aclose()
    return found


async def ask(engine: Engine, request: Request = POST, timeouts: Timeouts = LONG) -> bytes:
    """The body of one answer."""
    return await take(await engine.send(request, timeouts))


def rss() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@cache
def bomb(megabytes: int) -> bytes:
    """A small gzip file of many zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


class Answers:
    """Bodies and heads of every shape."""

    kind: ClassVar[EngineKind]

    async def test_request_arrives_as_given(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url + "/base/")
            head = make_header_block(
                [(b"authorization", b"Bearer k"), (b"content-type", b"application/json")]
            )
            body = b"x" * 3_000_000
            await ask(engine, Request(b"/v1/x?y=1", body, head, [(b"x-extra", b"\xe9 1")]))
            got = up.requests[0]
            assert (got.method, got.path, got.body) == ("POST", "/base/v1/x?y=1", body)
            want = {
                b"host": f"127.0.0.1:{up.port}".encode(),
                b"accept-encoding": b"identity",
                b"authorization": b"Bearer k",
                b"content-type": b"application/json",
                b"x-extra": b"\xe9 1",
                b"content-length": b"3000000",
            }
            assert len(got.headers) == len(want)
            assert dict(got.headers) == want

    async def test_connection_is_used_again(self, make: Make) -> None:
        async with ScriptedUpstream() as up:
            engine = make(up.url)
            first = await engine.send(POST, LONG)
            await take(first)
            second = await engine.send(POST, LONG)
            await take(second)
            assert first.connect > 0
            assert second.connect == 0
            assert up.accepted_count == 1
            assert (engine.stats().open, engine.stats().idle) == (1, 1)

    async def test_many_at_once(self, make: Make) -> None:
        async with ScriptedUpstream([Pause(0.01), SSE([b"data: 1\n\n"] * 5)]) as up:
            engine = make(up.url)
            found = await asyncio.gather(*(ask(engine) for _ in range(40)))
            assert set(found) == {b"data: 1\n\n" * 5}
            assert up.accepted_count == 40

    @pytest.mark.parametrize(
        ("script", "body"),
        [
            ([Head(200, [CHUNKED]), Chunk(b"ab"), Pause(0.01), Chunk(b"c"), Chunk()], b"abc"),
            (
                [Head(200, [("content-length", "4")]), Send(b"ab"), Pause(0.01), Send(b"cd")],
                b"abcd",
            ),
            ([Head(200), Send(b"ab"), Pause(0.01), Send(b"cd"), Close()], b"abcd"),
            ([Head(200), HalfClose()], b""),
            ([Head(200, version="1.0"), Send(b"old"), Close()], b"old"),
            ([Head(200, [("content-length", "0")])], b""),
            ([Head(204)], b""),
            ([Head(304, [("content-length", "9")])], b""),
            ([Dribble(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")], b"abc"),
            (
                [Head(200, [CHUNKED]), Dribble(b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n")],
                b"abcd",
            ),
            ([Head(100), Head(103, [("link", "x")]), Json(b"{}")], b"{}"),
        ],
    )
    async def test_body(self, make: Make, script: Script, body: bytes) -> None:
        async with ScriptedUpstream(script) as up:
            engine = make(up.url)
            assert await ask(engine) == body
            assert await ask(engine) == body
            assert engine.stats().busy == 0

    async def test_error_pages_are_answers(self, make: Make) -> None:
        async with ScriptedUpstream(Json(b"<html>", 502, [("Content-Type", "text/html")])) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            assert response.status == 502
            assert (b"content-type", b"text/html") in response.headers
            assert await take(response) == b"<html>"

    async def test_head_request_has_no_body(self, make: Make) -> None:
        async with ScriptedUpstream([Head(200, [("content-length", "9")])]) as up:
            engine = make(up.url)
            assert await ask(engine, Request(b"/", method=b"HEAD")) == b""
            assert await ask(engine, Request(b"/", method=b"HEAD")) == b""
            assert up.requests[1].get_header(b"content-length") is None

    @pytest.mark.parametrize(
        ("begin", "end"),
        [
            ([Head(200, [CHUNKED]), Chunk(b"ab")], [Close()]),
            ([Head(200, [CHUNKED]), Chunk(b"ab")], [Reset()]),
            ([Head(200, [("content-length", "9")]), Send(b"ab")], [Close()]),
            ([Head(200, [("content-length", "9")]), Send(b"ab")], [HalfClose(), Stall()]),
        ],
    )
    async def test_cut_body(self, make: Make, begin: list[Step], end: list[Step]) -> None:
        async with ScriptedUpstream([*begin, Pause(0.02), *end]) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            assert await response.body.read() == b"ab"
            for _ in range(2):
                with pytest.raises(Cut):
                    await response.body.read()
            await response.body.aclose()
            assert engine.stats().open == 0

    @pytest.mark.parametrize("script", [[Reset()], [Close()], [Send(b"HTTP/1.1 2"), Reset()]])
    async def test_cut_before_the_head(self, make: Make, script: Script) -> None:
        async with ScriptedUpstream(script) as up:
            engine = make(up.url)
            with pytest.raises(Cut) as raised:
                await engine.send(POST, LONG)
            assert raised.value.code == "bad_gateway"
            assert len(up.requests) == 1

    @pytest.mark.parametrize(
        "script",
        [
            [Send(b"SSH-2.0-x\r\n\r\n"), Close()],
            [Head(101, [("upgrade", "x"), ("connection", "upgrade")]), Close()],
            [Head(200, [(f"x-{n}", "1") for n in range(101)]), Close()],
            [Head(200, [("x", "y" * 70_000)]), Close()],
            [Head(200, [("x", "y" * 300_000)]), Close()],
            [Head(200, [("content-length", "x")]), Close()],
            [Head(200, [CHUNKED, ("content-encoding", "br")]), Stall()],
        ],
    )
    async def test_bad_answer(self, make: Make, script: Script) -> None:
        async with ScriptedUpstream(script) as up:
            engine = make(up.url)
            with pytest.raises(BadAnswer) as raised:
                await engine.send(POST, LONG)
            assert f"127.0.0.1:{up.port}" in raised.value.message
            await wait_until(lambda: up.open_connections == 0)

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", gzip.compress(b"plain" * 1000, mtime=0)),
            (
                "x-gzip",
                gzip.compress(b"plain" * 600, mtime=0) + gzip.compress(b"plain" * 400, mtime=0),
            ),
            ("deflate", zlib.compress(b"plain" * 1000)),
            ("deflate", zlib.compress(b"plain" * 1000, wbits=-15)),
            ("Identity", b"plain" * 1000),
        ],
    )
    async def test_decodes(self, make: Make, encoding: str, body: bytes) -> None:
        head = Head(200, [CHUNKED, ("content-encoding", encoding)])
        script: list[Step] = [head, Chunk(body[:9]), Pause(0.01), Chunk(body[9:]), Chunk()]
        async with ScriptedUpstream(script) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            kept = dict(response.headers).get(b"content-encoding", b"Identity")
            assert kept == b"Identity"
            assert await take(response) == b"plain" * 1000

    async def test_broken_encodings(self, make: Make) -> None:
        whole = gzip.compress(b"plain" * 1000, mtime=0)
        headers = [("content-encoding", "gzip")]
        cut, wrong = Json(whole[:-12], 200, headers), Json(b"\x1f\x8bnot", 200, headers)
        async with ScriptedUpstream(cut, wrong) as up:
            engine = make(up.url)
            with pytest.raises(Cut):
                await ask(engine)
            response = await engine.send(POST, LONG)
            with pytest.raises(BadAnswer):
                await take(response)
            await response.body.aclose()

    async def test_bomb(self, make: Make) -> None:
        async with ScriptedUpstream(Json(bomb(100), 200, [("content-encoding", "gzip")])) as up:
            engine = make(up.url)
            response = await engine.send(POST, LONG)
            before, size, most = rss(), 0, 0
            while chunk := await response.body.read():
                size += len(chunk)
                most = max(most, len(chunk))
            assert size == 100 << 20
            assert most <= 1 << 20
            assert rss() - before < 20 << 20
