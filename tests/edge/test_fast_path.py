"""The short way and the long one: the same requests, the same answers.

A request whose body has no length and comes in two reads goes the long way, through uvicorn and
ASGI; one that comes whole goes the short one. What the client reads must not differ but in times,
ids and how it is framed.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import msgspec
import pytest
import uvicorn
from httptools import HttpResponseParser
from uvicorn.server import ServerState

from gateway.call import Call
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge, Endpoint, Limits
from gateway.edge.fast_path import FastPathProtocol, FrontClient
from gateway.errors import Cut, Unavailable
from gateway.reply import BytesSource, Reply, Stream
from tests.edge.test_http_limits import Transport

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
Answer = Callable[[Call], Awaitable[Reply]]


class FastPathTransport(Transport):
    """A transport that can be full."""

    def writelines(self, pieces: Any) -> None:
        self.written += b"".join(pieces)

    def get_write_buffer_size(self) -> int:
        return 0


class FastPathServer:
    """A protocol in front of two endpoints, and which way each call took."""

    def __init__(self, answer: Answer, limits: Limits | None = None) -> None:
        self.edge = Edge(self._chain, limits or Limits())
        self.calls: list[Call] = []
        self._answer = answer
        self._chat = Endpoint(self.edge, CHAT)
        paths = {"/v1/chat/completions": self._chat, "/v1/messages": Endpoint(self.edge, MESSAGES)}
        config = uvicorn.Config(self._app, log_config=None, lifespan="off", interface="asgi3")
        config.load()
        self.protocol = FastPathProtocol.before(paths).limited(100, 32_768, 10.0)(
            config=config, server_state=ServerState(), app_state={},
            _loop=asyncio.get_running_loop(),
        )  # fmt: skip
        self.transport = FastPathTransport()
        self.protocol.connection_made(self.transport)

    async def _chain(self, call: Call) -> Reply:
        self.calls.append(call)
        return await self._answer(call)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/v1/chat/completions"
        await self._chat(scope, receive, send)

    @property
    def short(self) -> bool:
        """Whether the last request went the short way."""
        return isinstance(self.protocol.cycle, FrontClient)

    async def feed(self, *pieces: bytes) -> bytes:
        """What is written in answer to the pieces."""
        for piece in pieces:
            if not self.transport.closed:
                self.protocol.data_received(piece)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.transport.written


@pytest.fixture
async def house() -> Any:
    made: list[FastPathServer] = []

    def make(answer: Answer = whole, limits: Limits | None = None) -> FastPathServer:
        made.append(FastPathServer(answer, limits))
        return made[-1]

    yield make
    for each in made:
        each.protocol.connection_lost(None)


async def whole(call: Call) -> Reply:
    """A whole answer."""
    return Reply(200, call.dialect, b'{"ok":true}', [(b"x-ratelimit-limit-requests", b"9")])


async def large(call: Call) -> Reply:
    """One larger than is copied."""
    return Reply(200, call.dialect, b'{"x":"' + b"y" * 100_000 + b'"}')


async def streamed(call: Call) -> Reply:
    """A stream of one chunk."""
    return Reply(200, call.dialect, Stream(BytesSource(b"data: 1\n\n")))


async def refused(call: Call) -> Reply:
    """An error before the first byte."""
    error = Unavailable("no")
    error.retry_after = 1.5
    raise error


async def evil(call: Call) -> Reply:
    """A header with an end of line in it."""
    return Reply(200, call.dialect, b"{}", [(b"x-ratelimit-a", b"1\r\nx-evil: 1")])


def request(
    body: object = BODY,
    *lines: bytes,
    target: bytes = b"/v1/chat/completions",
    method: bytes = b"POST",
) -> bytes:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    length = b"content-length: %d" % len(data)
    return b"\r\n".join(
        [method + b" " + target + b" HTTP/1.1", b"host: g", *lines, length, b"", data]
    )


def halves(data: bytes) -> tuple[bytes, bytes]:
    """The request in two reads, cut within its body, whose length it does not say."""
    head, _, body = data.partition(b"\r\n\r\n")
    head = re.sub(rb"content-length: \d+", b"transfer-encoding: chunked", head)
    first, last = body[:-3], body[-3:]
    began = b"%b\r\n\r\n%x\r\n%b\r\n" % (head, len(first), first)
    return began, b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last)


class Read:
    """One answer as a client's parser sees it."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        shown = re.sub(r"\d+\.\d+", "N", value.decode())
        self.headers.append((name.decode().lower(), re.sub("req_[0-9a-f]{24}", "ID", shown)))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def read(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes, bool]:
    """Status, headers, body, and whether it came to its end."""
    seen = Read()
    parser = HttpResponseParser(seen)
    parser.feed_data(answer)
    body = re.sub(rb"req_[0-9a-f]{24}", b"ID", seen.body)
    return parser.get_status_code(), sorted(seen.headers), body, seen.complete


@pytest.mark.parametrize("answer", [whole, large, streamed, refused, evil])
@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (BODY, ()), (BODY | {"stream": True}, ()), (BODY, (b"connection: close",)),
        (BODY | {"stream": True}, (b"connection: close",)), (b"{ nonsense", ()), ({"model": 1}, ()),
        (BODY, (b"x-request-id: mine",)),
    ],
)  # fmt: skip
async def test_both_ways_give_the_same(
    house: Any, answer: Answer, body: object, lines: tuple[bytes, ...]
) -> None:
    short, long = house(answer), house(answer)
    given = await short.feed(request(body, *lines))
    expected = await long.feed(*halves(request(body, *lines)))
    assert (short.short, long.short) == (True, False)
    assert read(given) == read(expected)
    assert read(given)[3]
    assert short.transport.closed == long.transport.closed == bool(b"connection: close" in lines)
    assert b"x-evil" not in given


@pytest.mark.parametrize(
    "data",
    [
        request(method=b"GET", body=b""), request(BODY, b"expect: 100-continue"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)  # fmt: skip
async def test_what_needs_more_than_an_answer_goes_the_long_way(house: Any, data: bytes) -> None:
    one = house()
    assert (await one.feed(data)).startswith(b"HTTP/1.1 ")
    assert not one.short


async def test_a_query_belongs_to_no_path(house: Any) -> None:
    one = house()
    body = BODY | {"max_tokens": 5}
    answer = await one.feed(request(body, target=b"/v1/messages?beta=true"))
    assert (read(answer)[0], one.short) == (200, True)


async def test_a_body_over_the_limit_is_refused(house: Any) -> None:
    one = house(whole, Limits(body=10))
    assert read(await one.feed(request()))[0] == 413
    assert one.calls == []


async def test_one_connection_serves_many_both_ways(house: Any) -> None:
    one = house()
    for place in range(6):
        data = request()
        await one.feed(*(halves(data) if place % 2 else (data,)))
        assert one.short == (place % 2 == 0)
    assert one.transport.written.count(b"HTTP/1.1 200 OK") == 6
    assert len(one.calls) == 6
    assert not one.transport.closed


async def test_pipelined_requests_are_answered_in_turn(house: Any) -> None:
    gate = asyncio.Event()

    async def named(call: Call) -> Reply:
        await gate.wait()
        return Reply(200, call.dialect, msgspec.json.encode(call.model))

    one = house(named)
    await one.feed(b"".join(request(BODY | {"model": name}) for name in "abc"))
    assert one.transport.written == b""
    gate.set()
    written = await one.feed()
    assert re.findall(rb'"([abc])"', written) == [b"a", b"b", b"c"]


async def test_a_client_that_leaves_ends_its_call() -> None:
    ended = asyncio.Event()

    async def slow(call: Call) -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    one = FastPathServer(slow)
    await one.feed(request())
    assert len(one.edge.open) == 1
    one.protocol.connection_lost(None)
    await asyncio.wait_for(ended.wait(), 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not one.edge.open


async def test_a_chunk_waits_while_the_client_does_not_read(house: Any) -> None:
    class Two:
        def __init__(self) -> None:
            self.left = [b"data: 1\n\n", b"data: 2\n\n", b""]

        async def read(self) -> bytes:
            return self.left.pop(0)

        async def aclose(self) -> None:
            self.left.clear()

    async def answer(call: Call) -> Reply:
        return Reply(200, call.dialect, Stream(Two()))

    one = house(answer)
    one.protocol.pause_writing()
    assert b"data: 2" not in await one.feed(request(BODY | {"stream": True}))
    one.protocol.resume_writing()
    assert b"data: 2" in await one.feed()


async def test_a_connection_that_rests_is_closed_in_its_time() -> None:
    one = FastPathServer(whole)
    one.protocol.timeout_keep_alive = 0.03  # type: ignore[assignment]  # seconds all the same
    await one.feed(request())
    await asyncio.sleep(0.02)
    await one.feed(request())  # the timer of the first request stands: it is set on, not reset
    await asyncio.sleep(0.02)
    assert not one.transport.closed
    await asyncio.sleep(0.05)
    assert one.transport.closed
    one.protocol.connection_lost(None)


@pytest.mark.parametrize("at", [20, -5])
async def test_a_request_that_is_arriving_is_no_rest(house: Any, at: int) -> None:
    one = house(whole)
    one.protocol.timeout_keep_alive = 0.02
    data = request()
    await one.feed(data, data[:at])
    await asyncio.sleep(0.03)
    assert not one.transport.closed
    assert (await one.feed(data[at:])).count(b"HTTP/1.1 200 OK") == 2


async def test_the_drain_lets_the_answer_under_way_end(house: Any) -> None:
    gate = asyncio.Event()

    async def held(call: Call) -> Reply:
        await gate.wait()
        return await whole(call)

    one = house(held)
    await one.feed(request())
    one.protocol.shutdown()
    assert not one.transport.closed
    gate.set()
    answer = await one.feed()
    assert ("connection", "close") in read(answer)[1]
    assert one.transport.closed


# --- bodies in several reads ----------------------------------------------------------------------


async def test_a_body_of_known_length_may_come_in_any_reads(house: Any) -> None:
    one, data = house(), request()
    for size in (1, 7, 100):
        await one.feed(*(data[at : at + size] for at in range(0, len(data), size)))
        assert one.short
    assert one.transport.written.count(b"HTTP/1.1 200 OK") == 3
    assert one.protocol._waiting is None


async def test_a_body_that_does_not_come_soon_is_waited_for_the_long_way(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.edge.fast_path.PATIENCE", 0.01)
    one, data = house(), request()
    assert await one.feed(data[:-9], data[-9:-5]) == b""
    await asyncio.sleep(0.03)
    assert not one.short
    assert (await one.feed(data[-5:])).startswith(b"HTTP/1.1 200 OK")
    assert one.calls[0].model == "m"


async def test_a_large_body_goes_the_long_way_at_once(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.edge.fast_path.LARGEST", 10)
    one, data = house(), request()
    assert (await one.feed(data[:-5], data[-5:])).startswith(b"HTTP/1.1 200 OK")
    assert not one.short


async def test_a_client_that_leaves_within_its_body_ends_its_call() -> None:
    one = FastPathServer(whole)
    await one.feed(request()[:-5])
    one.transport.close()
    one.protocol.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert one.protocol._waiting is None
    assert not one.edge.open
    assert one.edge.totals.tallies["", ""].aborted == 1


async def test_the_drain_waits_for_a_body_under_way(house: Any) -> None:
    one, data = house(), request()
    await one.feed(data[:-5])
    one.protocol.shutdown()
    assert not one.transport.closed
    assert (await one.feed(data[-5:])).startswith(b"HTTP/1.1 200 OK")
    assert one.transport.closed


async def test_a_ping_that_is_due_as_the_answer_ends_does_not_follow_it(house: Any) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def answer(call: Call) -> Reply:
        await gate
        return await streamed(call)

    one = house(answer)
    await one.feed(request(BODY | {"stream": True}))
    (exchange,) = one.edge.open
    gate.set_result(None)
    exchange.beat(monotonic() + 60)  # in the same turn of the loop
    assert (await one.feed()).endswith(b"\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n")


async def test_what_broke_where_nothing_can_be_told_is_hung_up_on(house: Any) -> None:
    class Broken(BytesSource):
        async def read(self) -> bytes:
            if chunk := await super().read():
                return chunk
            raise Cut("no more")

    async def answer(call: Call) -> Reply:
        return Reply(200, call.dialect, Stream(Broken(b"first")))

    one = house(answer)
    told = await one.feed(request())  # a client that asked for no stream
    assert told.endswith(b"\r\n\r\n5\r\nfirst\r\n")
    assert one.transport.closed
