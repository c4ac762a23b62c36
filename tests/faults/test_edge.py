"""The running gateway at its edge: framing, limits, headers, and bodies no client should send."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.fakes.client import RawClient
from tests.fakes.steps import SSE, Head, Json, Pause, Send
from tests.faults.scene import PROVIDERS, FaultGateway, scene
from tests.faults.wires import (
    BOTH,
    PATHS,
    TEXT,
    Dialect,
    ask,
    received,
    request,
    stream,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADER_TIMEOUT, BODY_TIMEOUT, BODY_LIMIT = 0.6, 0.6, 65_536
OPTIONS = f"""
[server]
header_timeout = {HEADER_TIMEOUT}
body_timeout = {BODY_TIMEOUT}
body_limit = {BODY_LIMIT}
"""
CLAUDE = """
[providers.claude]
use = "anthropic"
base_url = "{url}/v1"
api_key = "sk-ant-ours-12345678"
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    folder = tmp_path_factory.mktemp("edge")
    async with scene(folder, OPTIONS, providers=PROVIDERS + CLAUDE) as made:
        yield made


async def raw(running: FaultGateway, data: bytes, seconds: float = 3.0) -> bytes:
    """All that comes back for some bytes until the gateway closes."""
    async with RawClient(running.gateway.port) as client:
        await client.send(data)
        return await client.read_rest(seconds)


SMUGGLED = b"GET /livez HTTP/1.1\r\nhost: g\r\n\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"
AMBIGUOUS = {
    "length and chunks": POST
    + b"host: g\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST
    + b"host: g\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"host: g\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n",
    "one length twice": POST + b"host: g\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n",
    "a list of lengths": POST + b"host: g\r\ncontent-length: 0, 0\r\n\r\n",
    "a signed length": POST + b"host: g\r\ncontent-length: +0\r\n\r\n",
    "a negative length": POST + b"host: g\r\ncontent-length: -1\r\n\r\n",
    "a length in hex": POST + b"host: g\r\ncontent-length: 0x0\r\n\r\n",
    "an empty length": POST + b"host: g\r\ncontent-length:\r\n\r\n",
    "a length over 64 bits": POST + b"host: g\r\ncontent-length: 18446744073709551616\r\n\r\n",
    "xchunked": POST + b"host: g\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a tab before chunked": POST + b"host: g\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"host: g\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST
    + b"host: g\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip and chunked": POST + b"host: g\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"host: g\r\ntransfer-encoding: identity\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /v1/messages HTTP/1.0\r\nhost: g\r\n"
    b"transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n0\r\n\r\n",
    "bare LF": b"POST /v1/messages HTTP/1.1\nhost: g\ncontent-length: 0\n\n",
    "bare LF after a header": POST + b"host: g\ncontent-length: 0\r\n\r\n",
    "a folded header": POST + b"host: g\r\nx-a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "a folded first header": POST + b" x-a: b\r\nhost: g\r\n\r\n",
    "a bare CR in a value": POST + b"host: g\r\nx-a: b\rcontent-length: 5\r\n\r\n",
    "a NUL in a value": POST + b"host: g\r\nx-a: b\x00c\r\n\r\n",
    "a NUL in a name": POST + b"host: g\r\nx\x00a: b\r\n\r\n",
    "a space in a name": POST + b"host: g\r\nx a: b\r\n\r\n",
    "no colon": POST + b"host: g\r\nnonsense\r\n\r\n",
    "no name": POST + b"host: g\r\n: nameless\r\n\r\n",
    "no host": POST + b"content-length: 0\r\n\r\n",
    "two hosts": POST + b"host: g\r\nhost: h\r\ncontent-length: 0\r\n\r\n",
    "one host twice": POST + b"host: g\r\nhost: g\r\ncontent-length: 0\r\n\r\n",
    "a host with a path": POST + b"host: g/#@h\r\ncontent-length: 0\r\n\r\n",
    "a host with a user": POST + b"host: a@g\r\ncontent-length: 0\r\n\r\n",
    "a host with a space": POST + b"host: a b\r\ncontent-length: 0\r\n\r\n",
    "a list of hosts": POST + b"host: g, h\r\ncontent-length: 0\r\n\r\n",
    "HTTP/2 on the wire": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"POST /v1/messages HTTP/1.9\r\nhost: g\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40 + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_ambiguous_framing_gives_one_400_and_a_closed_connection(
    running: FaultGateway, data: bytes
) -> None:
    answer = await raw(running, data + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcX\r\n0\r\n\r\n", b"-1\r\n", b" 3\r\nabc\r\n0\r\n\r\n",
        b"\r\n", b"fffffffffffffffff\r\nabc", b"3\nabc\n0\n\n",
    ],
)  # fmt: skip
async def test_a_chunk_that_is_none_ends_the_connection_without_a_second_answer(
    running: FaultGateway, chunks: bytes
) -> None:
    head = POST + b"host: g\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await raw(running, head + chunks + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nhost: g\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx-a: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx-a: " + b"a" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nhost: g\r\n" + b"x-a: b\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: g\r\n" + b"x: y\r\n" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx-" + b"a" * 3_000_000, 431),
    ],
    ids=["url", "header", "header without an end", "101 headers", "20000 headers", "3 MB"],
)  # fmt: skip
async def test_a_head_over_the_limits_is_refused_at_once(
    running: FaultGateway, data: bytes, status: int
) -> None:
    began = time.monotonic()
    async with RawClient(running.gateway.port) as client:
        try:
            await client.send(data)
            answer = await client.read_rest()
        except ConnectionError:  # it closed before all was sent: then the answer may be lost
            assert len(data) > 100_000
            return
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert time.monotonic() - began < HEADER_TIMEOUT


async def test_a_head_at_the_limits_is_served(running: FaultGateway) -> None:
    lines = b"".join(b"x-%d: %s\r\n" % (n, b"v" * 300) for n in range(98))
    data = b"GET /livez HTTP/1.1\r\nhost: g\r\n" + lines + b"connection: close\r\n\r\n"
    assert (await raw(running, data)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", [b"g", b"127.0.0.1:8082", b"[::1]:80", b"a.b-c.example", b""])
async def test_a_sound_host_is_served(running: FaultGateway, host: bytes) -> None:
    data = b"GET /livez HTTP/1.1\r\nhost: " + host + b"\r\nconnection: close\r\n\r\n"
    assert (await raw(running, data)).startswith(b"HTTP/1.1 200 ")


async def test_a_dripping_head_is_closed_at_its_deadline(running: FaultGateway) -> None:
    began = time.monotonic()
    async with RawClient(running.gateway.port) as client:
        await client.send(b"GET / HTTP/1.1\r\nx-")
        reading = asyncio.get_running_loop().create_task(client.read_rest())
        while not reading.done():
            try:
                await client.send(b"a")
            except ConnectionError:
                break
            await asyncio.sleep(0.05)
        answer = await reading
    assert HEADER_TIMEOUT * 0.9 < time.monotonic() - began < HEADER_TIMEOUT + 1
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed_at_the_deadline(
    running: FaultGateway,
) -> None:
    began = time.monotonic()
    assert await raw(running, b"") == b""
    assert HEADER_TIMEOUT * 0.9 < time.monotonic() - began < HEADER_TIMEOUT + 1


async def test_a_second_head_that_drips_is_closed_at_its_deadline(running: FaultGateway) -> None:
    async with RawClient(running.gateway.port) as client:
        await client.get("/livez")
        _, headers = await client.read_head()
        await client.read_body(headers)
        await asyncio.sleep(HEADER_TIMEOUT + 0.2)  # at rest, it may stay
        began = time.monotonic()
        await client.send(b"GET / HT")
        answer = await client.read_rest()
    assert HEADER_TIMEOUT * 0.9 < time.monotonic() - began < HEADER_TIMEOUT + 1
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_body_that_stops_is_408_in_the_clients_dialect_and_closed(
    running: FaultGateway, dialect: Dialect
) -> None:
    began = time.monotonic()
    async with RawClient(running.gateway.port) as client:
        head = f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: g\r\ncontent-length: 90\r\n\r\n"
        await client.send(head.encode())
        for _ in range(3):
            await client.send(b"{")
            await asyncio.sleep(BODY_TIMEOUT / 3)
        answer = await received(client, dialect)
        assert await client.read_rest() == b""
    assert 2 * BODY_TIMEOUT / 3 + BODY_TIMEOUT * 0.9 < time.monotonic() - began < 3.5
    assert answer.told == (408, {"chat": "timeout", "messages": "timeout_error"}[dialect])


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("framing", ["length", "chunks", "whole"])
async def test_a_body_over_the_limit_is_413_and_the_connection_closed(
    running: FaultGateway, dialect: Dialect, framing: str
) -> None:
    path = PATHS[dialect].encode()
    head = {
        "length": b"content-length: %d" % (BODY_LIMIT + 1),
        "chunks": b"transfer-encoding: chunked",
        "whole": b"content-length: %d" % (BODY_LIMIT + 1),
    }[framing]
    async with RawClient(running.gateway.port) as client:
        await client.send(b"POST %b HTTP/1.1\r\nhost: g\r\n%b\r\n\r\n" % (path, head))
        if framing == "chunks":
            for _ in range(5):
                await client.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        elif framing == "whole":
            await client.send(b" " * (BODY_LIMIT + 1))
        answer = await received(client, dialect)
        with suppress(ConnectionResetError):  # it never read the rest of what was sent
            assert await client.read_rest() == b""
    kind = {"chat": "invalid_request_error", "messages": "request_too_large"}[dialect]
    assert answer.told == (413, kind)
    assert answer.headers[b"connection"] == b"close"


async def test_a_body_at_the_limit_is_served(running: FaultGateway) -> None:
    model = running.play(Json(whole("chat")))
    body = request("chat", f"chat:{model}", stream=False)
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS["chat"], body + b" " * (BODY_LIMIT - len(body)))
        assert (await received(client, "chat")).text == TEXT


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"model": "m",', "line 1, column 15"),
        (b'{"model":\n "m" "messages"}', "line 2, column 6"),
        (b"", "line 1, column 1"),
        (b'{"model":"m","temperature":NaN,"messages":[]}', "line 1, column 28"),
        (b'{"model":"m","top_p":-Infinity,"messages":[]}', "line 1, column 22"),
        (b'{"model":"m"} x', "line 1, column 14"),
        (b'{"model":"\xff","max_tokens":1,"messages":[]}', "byte 10"),
    ],
)
@pytest.mark.parametrize("dialect", BOTH)
async def test_a_body_that_is_no_json_is_400_naming_the_place(
    running: FaultGateway, dialect: Dialect, body: bytes, place: str
) -> None:
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS[dialect], body)
        answer = await received(client, dialect)
    assert answer.told == (400, "invalid_request_error")
    assert place in answer.errors[0]["message"]


@pytest.mark.parametrize("lane", [("chat", "messages"), ("messages", "chat")])
async def test_a_member_that_is_no_utf_8_is_400_where_it_must_be_read(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client_dialect, upstream = lane
    body = b'{"model":"%b:m","max_tokens":1,"messages":[{"role":"user","content":"\xe9"}]}'
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS[client_dialect], body % upstream.encode())
        answer = await received(client, client_dialect)
    assert answer.told == (400, "invalid_request_error")


@pytest.mark.parametrize("lane", [("chat", "chat"), ("chat", "messages"), ("messages", "chat")])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 20_000,
        b'{"a":' * 10_000,
        b'{"model":"%b","max_tokens":9,"messages":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"model":"%b","max_tokens":9,"messages":[{"role":"user","content":'
        + b'{"a":' * 8_000 + b"1" + b"}" * 8_000 + b"}]}",
    ],
    ids=["list", "object", "messages", "content"],
)  # fmt: skip
async def test_nesting_without_end_is_400(
    running: FaultGateway, lane: tuple[Dialect, Dialect], body: bytes
) -> None:
    client_dialect, upstream = lane
    model = running.play(Json(whole(upstream)))
    async with RawClient(running.gateway.port) as client:
        await client.post(
            PATHS[client_dialect], body.replace(b"%b", f"{upstream}:{model}".encode())
        )
        answer = await received(client, client_dialect)
    if answer.status != 200:  # the same dialect may relay what it need not read
        assert answer.told == (400, "invalid_request_error")
    assert '"fault"' not in running.gateway.log


@pytest.mark.parametrize("upstream", BOTH)
async def test_of_two_models_the_upstream_gets_the_one_that_was_routed(
    running: FaultGateway, upstream: Dialect
) -> None:
    cheap, dear = running.play(Json(whole(upstream))), running.play(Json(whole(upstream)))
    body = (
        f'{{"model":"{upstream}:{cheap}","max_tokens":5,"max_tokens":6,'
        f'"messages":[{{"role":"user","content":"hi"}}],"model":"{upstream}:{dear}"}}'
    )
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS["messages"], body.encode())
        answer = await received(client, "messages")
    assert answer.headers[b"x-gateway-model"] == dear.encode()
    assert running.asked(cheap) == []
    (got,) = running.asked(dear)
    assert got.body.count(b'"model"') == 1
    assert msgspec.json.decode(got.body)["model"] == dear
    assert b"5" not in got.body.replace(dear.encode(), b"")


@pytest.mark.parametrize("lane", [("chat", "chat"), ("messages", "chat"), ("chat", "messages")])
async def test_a_lone_surrogate_becomes_a_character_that_the_upstream_can_read(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client_dialect, upstream = lane
    model = running.play(Json(whole(upstream)))
    body = (
        b'{"model":"%b:%b","max_tokens":9,"messages":[{"role":"user","content":"a\\ud83d b"}]}'
        % (upstream.encode(), model.encode())
    )
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS[client_dialect], body)
        assert (await received(client, client_dialect)).text == TEXT
    (got,) = running.asked(model)
    if client_dialect == upstream:  # the client's own bytes
        assert b'"a\\ud83d b"' in got.body
    else:
        assert "a\ufffd b" in got.body.decode()


async def test_huge_numbers_pass_as_they_are(running: FaultGateway) -> None:
    model = running.play(Json(whole("chat")))
    digits = b"1" * 5_000
    body = b'{"model":"chat:%b","seed":%b,"messages":[]}' % (model.encode(), digits)
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS["chat"], body)
        answer = await received(client, "chat")
    assert answer.status in (200, 400)
    for got in running.asked(model):
        assert digits in got.body
    assert '"fault"' not in running.gateway.log


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/messages", 405), ("DELETE", "/chat/completions", 405), ("PUT", "/", 405),
        ("GET", "/v1/nothing", 404), ("POST", "/v1/messages/", 404), ("POST", "//v1/messages", 404),
        ("POST", "/v1/../v1/messages", 404), ("POST", "/V1/messages", 404), ("TRACE", "/v1/x", 404),
        ("GET", "/" + "a" * 4000, 404), ("GET", "/<script>", 404),
    ],
)  # fmt: skip
async def test_an_unknown_route_or_method_is_told_as_json(
    running: FaultGateway, method: str, path: str, status: int
) -> None:
    async with RawClient(running.gateway.port) as client:
        await client.send(f"{method} {path} HTTP/1.1\r\nhost: g\r\n\r\n".encode())
        found, headers = await client.read_head()
        body = await client.read_body(headers)
    assert (found, headers[b"content-type"]) == (status, b"application/json")
    assert "error" in msgspec.json.decode(body)
    assert (b"allow" in headers) == (status == 405)


@pytest.mark.parametrize("path", ["/", "/api/hello", "/livez", "/readyz", "/?x=1"])
async def test_head_of_a_probe_is_200_without_a_body(running: FaultGateway, path: str) -> None:
    async with RawClient(running.gateway.port) as client:
        await client.send(f"HEAD {path} HTTP/1.1\r\nhost: g\r\n\r\n".encode())
        assert (await client.read_head())[0] == 200
        await client.get("/livez")
        assert (await client.read_head())[0] == 200


@pytest.mark.parametrize("query", ["", "?beta=true", "?unknown=1&x=%00"])
@pytest.mark.parametrize("prefix", ["/v1", ""])
@pytest.mark.parametrize("dialect", BOTH)
async def test_a_path_is_served_with_and_without_v1_and_with_any_query(
    running: FaultGateway, dialect: Dialect, prefix: str, query: str
) -> None:
    model = running.play(Json(whole(dialect)))
    async with RawClient(running.gateway.port) as client:
        body = request(dialect, f"{dialect}:{model}", stream=False)
        await client.post(prefix + PATHS[dialect].removeprefix("/v1") + query, body)
        assert (await received(client, dialect)).text == TEXT
    (got,) = running.asked(model)
    assert got.path == PATHS[dialect]


async def test_messages_stream_streams_without_being_asked_to(running: FaultGateway) -> None:
    model = running.play(SSE(stream("messages")))
    async with RawClient(running.gateway.port) as client:
        body = request("messages", f"messages:{model}", stream=False)
        await client.post("/v1/messages/stream", body)
        answer = await received(client, "messages")
    assert (answer.streamed, answer.text, answer.ended) == (True, TEXT, True)


async def test_pipelined_requests_are_answered_in_order(running: FaultGateway) -> None:
    texts = [f"answer {n}" for n in range(4)]
    models = [
        running.play([Pause(0.2 / (n + 1)), Json(whole("chat", text))])
        for n, text in enumerate(texts)
    ]
    sent = b""
    for model in models:
        body = request("chat", f"chat:{model}", stream=False)
        sent += b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body), body,
        )  # fmt: skip
    async with RawClient(running.gateway.port) as client:
        await client.send(sent)
        answers = [await received(client, "chat") for _ in models]
    assert [answer.text for answer in answers] == texts


async def test_a_stream_in_a_pipeline_comes_whole_before_the_next_answer(
    running: FaultGateway,
) -> None:
    first = running.play(SSE(stream("chat", "a", "b"), seconds=0.03))
    second = running.play(Json(whole("messages")))
    bodies = [
        ("chat", request("chat", f"chat:{first}", stream=True)),
        ("messages", request("messages", f"messages:{second}", stream=False)),
    ]
    async with RawClient(running.gateway.port) as client:
        for dialect, body in bodies:
            await client.post(PATHS[dialect], body)
        assert (await received(client, "chat")).text == "ab"
        assert (await received(client, "messages")).text == TEXT


NOISE = [
    ("connection", "keep-alive, anthropic-beta, x-api-key, content-type, content-length"),
    ("anthropic-beta", "nominated-away"),
    ("anthropic-dangerous", "kept"),
    ("keep-alive", "timeout=5"), ("te", "trailers"), ("trailer", "x-a"), ("upgrade", "h2c"),
    ("proxy-authorization", "Basic abc"), ("proxy-connection", "keep-alive"),
    ("cookie", "a=b"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-host", "evil"),
    ("forwarded", "for=1.2.3.4"), ("x-stainless-lang", "python"), ("x-base-url", "http://evil"),
    ("x-upstream-host", "evil"), ("accept-encoding", "br"), ("expect", "nothing"),
    ("authorization", "Bearer sk-client-12345678"), ("x_api_key", "twin"),
]  # fmt: skip


async def test_only_what_the_upstream_understands_goes_on(running: FaultGateway) -> None:
    model = running.play(Json(whole("messages")))
    await ask(running.gateway.port, "messages", f"claude:{model}", *NOISE)
    (got,) = running.asked(model)
    assert sorted(name.decode() for name, _ in got.headers) == [
        "accept-encoding", "anthropic-dangerous", "anthropic-version", "content-length",
        "content-type", "host", "x-api-key",
    ]  # fmt: skip
    assert got.get_header(b"x-api-key") == b"sk-ant-ours-12345678"
    assert got.get_header(b"accept-encoding") == b"identity"
    assert got.get_header(b"content-type") == b"application/json"
    assert got.get_header(b"host") == running.upstream.url.removeprefix("http://").encode()


@pytest.mark.parametrize("field", [
    "api_base", "base_url", "user_config", "extra_body", "callback_url", "metadata", "host",
])  # fmt: skip
async def test_no_member_of_a_body_moves_the_call_elsewhere(
    running: FaultGateway, field: str
) -> None:
    model = running.play(Json(whole("chat")))
    evil: Any = {"api_base": "http://127.0.0.1:9", "base_url": "http://127.0.0.1:9"}
    answer = await ask(running.gateway.port, "chat", f"chat:{model}", **{field: evil})
    assert (answer.status, len(running.asked(model))) == (200, 1)


PASSED = {
    "retry-after": "3", "retry-after-ms": "2500", "x-should-retry": "false",
    "x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9",
    "x-ratelimit-reset-requests": "6m0s", "x-ratelimit-limit-tokens": "100",
    "x-ratelimit-remaining-tokens": "99", "x-ratelimit-reset-tokens": "12ms",
}  # fmt: skip
OWN = {
    "date", "x-request-id", "request-id", "x-processing-time", "server-timing", "content-type",
    "x-gateway-provider", "x-gateway-model", "x-upstream-request-id", "x-api-compatibility",
}  # fmt: skip
DROPPED = [
    *((name, "x") for name in (
        "set-cookie", "server", "via", "alt-svc", "link", "location", "openai-organization",
        "openai-project", "openai-processing-ms", "openai-version", "anthropic-organization-id",
        "x-account-id", "cf-ray", "cf-cache-status", "strict-transport-security", "age", "etag",
        "access-control-allow-origin", "access-control-expose-headers", "x-served-by", "nel",
        "report-to", "x-envoy-upstream-service-time", "x-powered-by", "p3p", "refresh",
        "content-security-policy", "x-cache", "keep-alive", "proxy-authenticate", "trailer",
        "www-authenticate", "x-deployment", "x-internal-url", "x-gateway-injected", "vary",
    )),
    *((f"x-other-{n}", "x") for n in range(14)),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_of_60_upstream_headers_only_the_listed_return(
    running: FaultGateway, streamed: bool
) -> None:
    headers = [*DROPPED, *PASSED.items(), ("x-request-id", "up-1")]
    assert len(headers) >= 60
    script = SSE(stream("chat"), headers=headers) if streamed else Json(
        whole("chat"), headers=headers
    )  # fmt: skip
    answer = await running.ask(script, "chat", "chat", stream=streamed)
    assert answer.text == TEXT
    framing = {"transfer-encoding", "cache-control", "x-accel-buffering"} if streamed else {
        "content-length"
    }  # fmt: skip
    assert {name.decode() for name in answer.headers} == {*OWN, *PASSED, *framing}
    assert {name: answer.headers[name.encode()].decode() for name in PASSED} == PASSED
    assert answer.headers[b"x-upstream-request-id"] == b"up-1"


async def test_a_header_that_the_upstream_nominates_ends_at_the_gateway(
    running: FaultGateway,
) -> None:
    answer = await running.ask(
        Json(whole("chat"), headers=[
            ("connection", "keep-alive, X-Ratelimit-Limit-Tokens"),
            ("x-ratelimit-limit-tokens", "1"), ("x-ratelimit-limit-requests", "2"),
        ]), "chat", "chat",
    )  # fmt: skip
    assert b"x-ratelimit-limit-tokens" not in answer.headers
    assert answer.headers[b"x-ratelimit-limit-requests"] == b"2"


@pytest.mark.parametrize(
    "value",
    [
        b"1\rset-cookie: a=b",
        b"1\nset-cookie: a=b",
        b"1\x00",
        b"1\r\n folded: a",
        b"1\x0b2",
        b"\xff",
    ],
)
async def test_no_byte_of_an_upstream_header_adds_a_header(
    running: FaultGateway, value: bytes
) -> None:
    body = whole("chat")
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"x-request-id: %b\r\nx-ratelimit-limit-tokens: %b\r\n\r\n" % (len(body), value, value)
    )
    answer = await running.ask([Send(head + body)], "chat", "chat")
    assert answer.status in (200, 502)
    assert not answer.cut
    assert b"set-cookie" not in answer.headers
    assert b"folded" not in answer.headers


async def test_a_status_line_of_another_kind_is_502(running: FaultGateway) -> None:
    answer = await running.ask(Head(999, [("content-length", "0")]), "chat", "chat")
    assert answer.told == (502, "server_error")


async def test_the_gateway_lives_after_all_of_this(running: FaultGateway) -> None:
    for dialect in BOTH:
        assert (await running.ask(Json(whole(dialect)), dialect, dialect)).text == TEXT
    assert "Traceback" not in running.gateway.log
