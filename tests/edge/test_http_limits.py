"""The guard alone, on a transport that only writes down what happens to it."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.edge.http_limits import LimitedProtocol

Message = dict[str, Any]


class Transport(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Guarded:
    """A protocol, its transport, and the paths that reached the application."""

    def __init__(self, **limits: float) -> None:
        self.paths: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        config = uvicorn.Config(self._app, log_config=None, lifespan="off", interface="asgi3")
        config.load()
        kind = LimitedProtocol.limited(
            int(limits.get("headers", 100)), int(limits.get("size", 32_768)),
            limits.get("seconds", 10.0),
        )  # fmt: skip
        self.protocol = kind(
            config=config, server_state=ServerState(), app_state={},
            _loop=asyncio.get_running_loop(),
        )  # fmt: skip
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        await self.hold.wait()
        head = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"ok"})

    async def feed(self, *pieces: bytes) -> bytes:
        """What is written in answer to the pieces."""
        for piece in pieces:
            if not self.transport.closed:
                self.protocol.data_received(piece)
        for _ in range(5):
            await asyncio.sleep(0)
        return self.transport.written


@pytest.fixture
def closing() -> Iterator[list[Guarded]]:
    made: list[Guarded] = []
    yield made
    for each in made:
        each.protocol.connection_lost(None)


@pytest.fixture
def guarded(closing: list[Guarded]) -> Any:
    def make(**limits: float) -> Guarded:
        closing.append(Guarded(**limits))
        return closing[-1]

    return make


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def head(*lines: bytes, target: bytes = b"/x") -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"host: g", *lines, b"", b""])


async def test_a_sound_head_reaches_the_application(guarded: Any) -> None:
    one = guarded()
    assert status(await one.feed(head())) == 200
    assert one.paths == ["/x"]
    assert not one.transport.closed


@pytest.mark.parametrize("size", [1, 3, 17])
async def test_a_head_may_come_in_any_pieces(guarded: Any, size: int) -> None:
    one = guarded()
    data = head(b"x-a: b")
    await one.feed(*(data[at : at + size] for at in range(0, len(data), size)))
    assert one.paths == ["/x"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"x-a: b"] * 3, 200), ([b"x-a: b"] * 4, 431), ([b"x-a: " + b"b" * 180], 200),
        ([b"x-a: " + b"b" * 200], 431),
    ],
)  # fmt: skip
async def test_the_limits_are_the_configured_ones(
    guarded: Any, lines: list[bytes], expected: int
) -> None:
    one = guarded(headers=4, size=200)
    assert status(await one.feed(head(*lines))) == expected
    assert one.transport.closed == (expected != 200)
    assert bool(one.paths) == (expected == 200)


async def test_a_head_without_an_end_is_refused_at_the_limit(guarded: Any) -> None:
    one = guarded(size=200)
    answer = await one.feed(b"GET / HTTP/1.1\r\nx: ", *[b"a" * 50] * 10)
    assert (status(answer), one.transport.closed) == (431, True)


@pytest.mark.parametrize(
    ("data", "expected", "ident"),
    [
        (head(*[b"x-a: b"] * 9, b"x-request-id: mine-1"), 431, b"mine-1"),
        (head(*[b"x-a: b"] * 9, b"x-request-id: not sane"), 431, b"req_"),
        (b"GET / HTTP/1.1\r\nx-request-id: mine-1\r\n\r\n", 400, b"mine-1"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 999, 431, b"req_"),
        (b"no HTTP\r\n\r\n", 400, b"req_"),
    ],
)
async def test_a_refusal_has_the_headers_of_every_answer(
    guarded: Any, data: bytes, expected: int, ident: bytes
) -> None:
    answer = await guarded(headers=8, size=400).feed(data)
    assert status(answer) == expected
    lines, _, body = answer.partition(b"\r\n\r\n")
    found = dict(line.split(b": ", 1) for line in lines.split(b"\r\n")[1:])
    assert found[b"x-request-id"].startswith(ident)
    assert found[b"request-id"] == found[b"x-request-id"]
    assert found.keys() >= {b"x-processing-time", b"server-timing", b"x-api-compatibility"}
    assert found[b"connection"] == b"close"
    assert found[b"content-length"] == b"%d" % len(body)
    assert msgspec.json.decode(body)["error"]["code"] == expected


@pytest.mark.parametrize(("length", "expected"), [(8_191, 200), (8_192, 414)])
async def test_the_limit_of_a_url(guarded: Any, length: int, expected: int) -> None:
    one = guarded()
    assert status(await one.feed(head(target=b"/" + b"a" * length))) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"", 200), (b"g", 200), (b"G.Example:80", 200), (b"[::1]", 200), (b"[::1]:65535", 200),
        (b"a_b", 200), (b"a/b", 400), (b"a@b", 400), (b"a b", 400), (b"a,b", 400),
        (b"a:123456", 400), (b"a:b", 400), (b"[::1", 400), (b"\xc3\xa4", 400), (b"a?", 400),
    ],
)  # fmt: skip
async def test_a_host_is_a_name_or_an_address_and_a_port(
    guarded: Any, host: bytes, expected: int
) -> None:
    one = guarded()
    data = b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n"
    assert status(await one.feed(data)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\nhost: g\r\nhost: g\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: g\r\nhost: h\r\n\r\n", 400),
    ],
)
async def test_there_is_one_host_which_only_http_1_0_may_leave_out(
    guarded: Any, data: bytes, expected: int
) -> None:
    assert status(await guarded().feed(data)) == expected


async def test_what_follows_a_refused_head_is_never_served(guarded: Any) -> None:
    one = guarded()
    answer = await one.feed(b"GET / HTTP/1.1\r\n\r\n" + head() * 3)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert one.paths == []


async def test_a_bad_head_behind_a_call_in_flight_is_not_answered_into_it(guarded: Any) -> None:
    one = guarded()
    one.hold.clear()
    assert await one.feed(head(), b"GET /two HTTP/1.1\r\n\r\n") == b""
    assert one.transport.closed
    assert one.paths == ["/x"]


async def test_a_slow_head_is_408_and_silence_is_closed_without_a_word(guarded: Any) -> None:
    slow, silent, quick = guarded(seconds=0.03), guarded(seconds=0.03), guarded(seconds=0.03)
    await slow.feed(b"GET / HT")
    await quick.feed(head())
    await asyncio.sleep(0.06)
    assert status(slow.transport.written) == 408
    assert slow.transport.closed
    assert (silent.transport.written, silent.transport.closed) == (b"", True)
    assert not quick.transport.closed


async def test_the_second_head_on_a_connection_has_its_own_deadline(guarded: Any) -> None:
    one = guarded(seconds=0.03)
    await one.feed(head())
    await asyncio.sleep(0.06)
    assert not one.transport.closed
    await one.feed(b"GET /")
    await asyncio.sleep(0.06)
    assert one.transport.closed


async def test_who_watches_is_told_once_that_the_client_is_gone() -> None:
    one = Guarded()
    told: list[str] = []
    one.protocol.watch(lambda: told.append("gone"))
    one.protocol.connection_lost(None)
    assert told == ["gone"]


async def test_nobody_is_told_who_watches_no_more() -> None:
    one = Guarded()
    told: list[str] = []
    watcher = partial(told.append, "gone")
    one.protocol.watch(watcher)
    one.protocol.unwatch(watcher)
    one.protocol.connection_lost(None)
    assert told == []


async def test_abort_closes_the_socket(guarded: Any) -> None:
    one = guarded()
    one.protocol.abort()
    assert one.transport.closed


async def test_the_end_of_one_watch_leaves_the_next_ones() -> None:
    one = Guarded()
    told: list[str] = []
    first, second = partial(told.append, "first"), partial(told.append, "second")
    one.protocol.watch(first)
    one.protocol.watch(second)  # the next request's, before the first has quite ended
    one.protocol.unwatch(first)
    one.protocol.connection_lost(None)
    assert told == ["second"]
