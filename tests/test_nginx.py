"""The shipped nginx.conf, in front of a running gateway."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from httpx2 import AsyncClient, Response

from tests.fakes.running import NGINX, ROOT, free_port, run_gateway, run_nginx
from tests.fakes.upstream import SSE, Chunk, Json, Script, ScriptedUpstream, Stall, WaitFor
from tests.sdk.answers import (
    DONE,
    ROLE,
    START,
    block_start,
    chat,
    chat_stream,
    chunk,
    delta,
    ending,
    message,
    message_stream,
    text,
)

CONFIG = """
[server]
discover = false
ping = {ping}

[providers.chat]
use = "compatible"
base_url = "{upstream}/v1"

[providers.messages]
use = "compatible"
base_url = "{upstream}/v1"
speaks = ["messages"]
"""
ASK = [{"role": "user", "content": "hello"}]
CHAT: dict[str, object] = {"model": "chat:m", "messages": ASK}
MESSAGES: dict[str, object] = {"model": "messages:m", "max_tokens": 64, "messages": ASK}
BOTH = pytest.mark.parametrize("dialect", ["chat", "messages"])
PATH = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
BODY = {"chat": CHAT, "messages": MESSAGES}
WHOLE: dict[str, Script] = {
    "chat": Json(chat("Hello")),
    "messages": Json(message(text("Hello"))),
}


class NginxSite:
    """nginx, the gateway behind it, and the upstream behind that."""

    def __init__(self, client: AsyncClient, upstream: ScriptedUpstream) -> None:
        self.client = client
        self.upstream = upstream

    async def ask(self, dialect: str, **members: object) -> Response:
        """A whole answer."""
        return await self.client.post(PATH[dialect], json=BODY[dialect] | members)

    @asynccontextmanager
    async def stream(self, dialect: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a streamed answer, as they arrive."""
        body = BODY[dialect] | {"stream": True}
        if dialect == "chat":
            body["stream_options"] = {"include_usage": True}
        async with self.client.stream("POST", PATH[dialect], json=body) as response:
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            yield response.aiter_raw()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that nginx's workers can reach, whatever user they are."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def runtime(folder: Path, *scripts: Script, ping: float = 15) -> AsyncIterator[NginxSite]:
    """Everything running, the upstream with these scripts."""
    async with ScriptedUpstream(*scripts) as upstream:
        config = CONFIG.format(upstream=upstream.url, ping=ping)
        async with (
            run_gateway(folder, config) as running,
            run_nginx(folder, running.port) as url,
            AsyncClient(base_url=url, timeout=20) as client,
        ):
            yield NginxSite(client, upstream)


async def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never held")


async def test_the_shipped_file_is_valid(folder: Path) -> None:
    if not shutil.which(NGINX):
        pytest.skip("nginx is not installed")
    process = await asyncio.create_subprocess_exec(
        NGINX, "-t", "-c", str(ROOT / "deploy" / "nginx.conf"), "-p", str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    assert b"warn" not in said


@BOTH
async def test_both_apis_answer(folder: Path, dialect: str) -> None:
    async with runtime(folder, WHOLE[dialect]) as it:
        response = await it.ask(dialect)
        assert response.status_code == 200
        assert response.content == msgspec.json.encode(
            chat("Hello") if dialect == "chat" else message(text("Hello"))
        )
        assert it.upstream.requests[0].path == PATH[dialect]


FIRST = {"chat": ROLE, "messages": START + block_start(0, text(""))}
SECOND = {"chat": chunk({"content": "Hi"}), "messages": delta(0, "text_delta", text="Hi")}
REST = {"chat": [chunk({}, "stop"), DONE], "messages": ending()}


@BOTH
async def test_every_event_arrives_while_the_next_is_held_back(folder: Path, dialect: str) -> None:
    second, rest = asyncio.Event(), asyncio.Event()
    script: Script = [
        SSE([FIRST[dialect]], end=False),
        WaitFor(second),
        Chunk(SECOND[dialect]),
        WaitFor(rest),
        *(Chunk(frame) for frame in REST[dialect]),
        Chunk(),
    ]
    async with runtime(folder, script) as it, it.stream(dialect) as chunks:
        async with asyncio.timeout(5):
            assert await anext(chunks) == FIRST[dialect]
            second.set()
            assert await anext(chunks) == SECOND[dialect]
            rest.set()
            assert b"".join([one async for one in chunks]) == b"".join(REST[dialect])


async def test_nginx_holds_nothing_back_by_itself(folder: Path) -> None:
    held = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst")
        await held.wait()
        writer.write(b"later")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            run_nginx(folder, port) as url,
            AsyncClient(base_url=url) as client,
            client.stream("GET", "/") as response,
        ):
            chunks = response.aiter_raw()
            async with asyncio.timeout(5):
                assert await anext(chunks) == b"first"
                held.set()
                assert await anext(chunks) == b"later"


@BOTH
async def test_pings_pass_while_the_upstream_is_silent(folder: Path, dialect: str) -> None:
    ping = {"chat": b": keep-alive\n\n", "messages": b'event: ping\ndata: {"type":"ping"}\n\n'}
    script: Script = [SSE([FIRST[dialect]], end=False), Stall()]
    async with runtime(folder, script, ping=0.1) as it, it.stream(dialect) as chunks:
        async with asyncio.timeout(5):
            assert await anext(chunks) == FIRST[dialect]
            assert await anext(chunks) == ping[dialect]
            assert await anext(chunks) == ping[dialect]


@BOTH
async def test_a_client_that_hangs_up_frees_the_upstream(folder: Path, dialect: str) -> None:
    script: Script = [SSE([FIRST[dialect]], end=False), Stall()]
    async with runtime(folder, script) as it:
        async with it.stream(dialect) as chunks:
            assert await anext(chunks) == FIRST[dialect]
            assert it.upstream.open_connections == 1
            left = time.monotonic()
        await until(lambda: not it.upstream.open_connections)
        assert time.monotonic() - left < 0.2


async def test_a_client_that_hangs_up_before_the_answer_frees_the_upstream(folder: Path) -> None:
    async with runtime(folder, Stall()) as it:
        asking = asyncio.ensure_future(it.ask("chat"))
        await until(lambda: bool(it.upstream.requests))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        left = time.monotonic()
        await until(lambda: not it.upstream.open_connections)
        assert time.monotonic() - left < 0.2


@BOTH
async def test_a_body_of_20_megabytes_passes(folder: Path, dialect: str) -> None:
    words = "x" * 20_000_000
    async with runtime(folder, WHOLE[dialect]) as it:
        response = await it.ask(dialect, messages=[{"role": "user", "content": words}])
        assert response.status_code == 200
        sent = msgspec.json.decode(it.upstream.requests[0].body)
        assert sent["messages"] == [{"role": "user", "content": words}]


async def test_an_answer_of_20_megabytes_passes(folder: Path) -> None:
    words = "x" * 20_000_000
    async with runtime(folder, Json(chat(words))) as it:
        assert (await it.ask("chat")).json()["choices"][0]["message"]["content"] == words


async def test_another_host_gets_no_answer(folder: Path) -> None:
    async with runtime(folder, WHOLE["chat"]) as it:
        port = it.client.base_url.port
        assert port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert (await it.client.get("/livez")).status_code == 200


async def test_a_long_list_of_warnings_passes(folder: Path) -> None:
    unknown = {f"unknown_member_{number}_{'x' * 80}": 1 for number in range(60)}
    async with runtime(folder, WHOLE["chat"]) as it:
        body = MESSAGES | {"model": "chat:m"} | unknown
        response = await it.client.post("/v1/messages", json=body)
        assert response.status_code == 200
        assert len(response.headers["x-gateway-warnings"]) == 2000


async def test_many_headers_of_an_upstream_pass(folder: Path) -> None:
    many = [(f"x-ratelimit-member-{number}", "y" * 200) for number in range(40)]
    async with runtime(folder, Json(chat("Hello"), headers=many)) as it:
        response = await it.ask("chat")
        assert response.status_code == 200
        assert response.headers["x-ratelimit-member-39"] == "y" * 200


async def test_without_a_gateway_the_answer_is_502(folder: Path) -> None:
    async with run_nginx(folder, free_port()) as url, AsyncClient(base_url=url) as client:
        assert (await client.post("/v1/messages", json=MESSAGES)).status_code == 502


async def test_a_gateway_that_comes_back_is_found_again(folder: Path) -> None:
    port = free_port()
    async with run_nginx(folder, port) as url, AsyncClient(base_url=url) as client:
        assert (await client.get("/livez")).status_code == 502
        server = await asyncio.start_server(_pong, "127.0.0.1", port)
        async with server:
            assert (await client.get("/livez")).status_code == 200


async def _pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@BOTH
async def test_many_calls_share_few_connections(folder: Path, dialect: str) -> None:
    stream = chat_stream({"content": "Hi"}) if dialect == "chat" else message_stream(text("Hi"))
    async with runtime(folder, SSE(stream)) as it:
        for _ in range(20):
            async with it.stream(dialect) as chunks:
                assert b"".join([one async for one in chunks]) == b"".join(stream)
        assert len(it.upstream.requests) == 20
        assert it.upstream.accepted_count == 1
