"""One connection, fed by hand: every answer whole, in two pieces, and byte by byte."""

import asyncio
from typing import cast

import pytest

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import BadAnswer, Cut, GatewayError
from providers.transport.connection import Connection
from providers.transport.response_body import ResponseBody


class FakePool:
    """Counts what it is told."""

    origin = "example:1"

    def __init__(self) -> None:
        self.told: list[str] = []

    def release_connection(self, connection: Connection) -> None:
        """It is free."""
        self.told.append("release")

    def discard_connection(self, connection: Connection) -> None:
        """It is of no more use."""
        self.told.append("lost")

    def on_socket_closed(self, connection: Connection) -> None:
        """Its socket is closed."""
        self.told.append("gone")


class FakeTransport:
    """A transport that writes nowhere."""

    def __init__(self) -> None:
        self.written = b""
        self.unsent = 0
        self.reading = True
        self.aborted = False

    def write(self, data: bytes) -> None:
        """Takes bytes."""
        self.written += data

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        """Takes bytes."""
        self.written += b"".join(parts)

    def abort(self) -> None:
        """Closes."""
        self.aborted = True

    def is_closing(self) -> bool:
        """Whether it closes."""
        return self.aborted

    def get_write_buffer_size(self) -> int:
        """What waits."""
        return self.unsent

    def pause_reading(self) -> None:
        """Stops reading."""
        self.reading = False

    def resume_reading(self) -> None:
        """Reads again."""
        self.reading = True


Bench = tuple[Connection, FakePool, FakeTransport, ResponseBody]


def bench(method: bytes = b"POST", timeouts: Timeouts | None = None) -> Bench:
    """A connection with a request on its way."""
    owner, wire = FakePool(), FakeTransport()
    connection = Connection(owner, asyncio.get_running_loop())
    connection.connection_made(cast(asyncio.Transport, wire))
    request = (method + b" / HTTP/1.1\r\n\r\n", b"")
    exchange = connection.send_request(
        request, timeouts or Timeouts(connect=0, pool=0, first_byte=0, idle=0), float("inf")
    )
    return connection, owner, wire, exchange


Outcome = tuple[int, Headers, bytes, str, list[str]]


async def outcome(pieces: list[bytes], method: bytes = b"POST") -> Outcome:
    """What becomes of an answer that arrives in these pieces and then ends."""
    connection, owner, _, exchange = bench(method)
    for piece in pieces:
        if not connection.closed:
            connection.data_received(piece)
    told = list(owner.told)
    connection.eof_received()
    found, error = b"", ""
    try:
        await exchange.wait_for_head()
        while chunk := await exchange.read():
            found += chunk
    except GatewayError as exc:
        error = type(exc).__name__
    return exchange.status, exchange.headers, found, error, told


KEPT, DROPPED, OPEN = ["release"], ["lost"], list[str]()
ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n\r\nhello", b"hello", "", KEPT),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", "", KEPT),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"hel", "Cut", OPEN),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", "", DROPPED),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", "", DROPPED),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", b"hi", "", KEPT),
    (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", "", OPEN),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"abc",
        "",
        KEPT,
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        b"abc",
        "Cut",
        OPEN,
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", b"ab", "Cut", OPEN),
    (b"HTTP/1.1 204 No\r\n\r\n", b"", "", KEPT),
    (
        b"HTTP/1.1 100 Go\r\nX: 1\r\n\r\nHTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\na",
        b"a",
        "",
        KEPT,
    ),
    (b"HTTP/1.1 100 Go\r\n\r\n", b"", "Cut", OPEN),
    (b"HTTP/1.1 200 O", b"", "Cut", OPEN),
]


@pytest.mark.parametrize(("answer", "body", "error", "told"), ANSWERS)
async def test_pieces_do_not_matter(
    answer: bytes, body: bytes, error: str, told: list[str]
) -> None:
    whole = await outcome([answer])
    assert whole[2:] == (body, error, told)
    for cut in range(1, len(answer)):
        assert await outcome([answer[:cut], answer[cut:]]) == whole, cut
    assert await outcome([answer[n : n + 1] for n in range(len(answer))]) == whole


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"X : 1\r\n\r\n",
        HEAD + b"X: \0\r\n\r\n",
        HEAD + b"X: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"\x16\x03\x01\x02",
    ],
)
async def test_bad_heads(answer: bytes) -> None:
    status, _, found, error, told = await outcome([answer])
    assert (status, found, error, told) == (0, b"", "BadAnswer", DROPPED)


CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize("tail", [b"zz\r\n", b"0x3\r\nabc\r\n", b"3\r\nabcd\r\n", b"-1\r\n"])
async def test_bad_chunks_come_after_the_good_ones(tail: bytes) -> None:
    _, _, found, error, told = await outcome([CHUNKS + tail])
    assert found.startswith(b"abc")
    assert (error, told) == ("BadAnswer", DROPPED)


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 2", HEAD + b"X: ", CHUNKS + b"0\r\nX: ", CHUNKS + b"3;x="]
)
async def test_endless_lines_are_cut_off(begin: bytes) -> None:
    pieces = [begin, *[b"5" * 9000] * 8]
    assert (await outcome(pieces))[3:] == ("BadAnswer", DROPPED)


async def test_endless_interim_answers_are_cut_off() -> None:
    interim = b"HTTP/1.1 102 Wait\r\nX: " + b"y" * 1000 + b"\r\n\r\n"
    assert (await outcome([interim] * 70))[3:] == ("BadAnswer", DROPPED)
    assert (await outcome([interim * 70]))[3:] == ("BadAnswer", DROPPED)


ONE = HEAD + b"Content-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize(
    ("pieces", "method"),
    [
        ([ONE + b"x"], b"POST"),
        ([ONE + ONE], b"POST"),
        ([ONE[:-1], b"cx"], b"POST"),
        ([ONE], b"HEAD"),
        ([ONE, b"x"], b"HEAD"),
        ([b"HTTP/1.1 304 Same\r\nContent-Length: 3\r\n\r\nabc"], b"POST"),
        ([CHUNKS + b"0\r\n\r\n!"], b"POST"),
    ],
)
async def test_bytes_after_an_answer_cost_the_connection(
    pieces: list[bytes], method: bytes
) -> None:
    status, _, found, error, told = await outcome(pieces, method)
    assert status in (200, 304)
    assert found == (b"" if method == b"HEAD" or status == 304 else b"abc")
    assert error == ""
    assert told == DROPPED


async def test_bytes_to_an_idle_connection_cost_it() -> None:
    connection, owner, wire, _ = bench()
    connection.data_received(ONE)
    connection.data_received(b"x")
    assert owner.told == ["release", "lost"]
    assert wire.aborted


async def test_answer_before_the_request_was_written_costs_the_connection() -> None:
    connection, owner, wire, exchange = bench()
    wire.unsent = 1
    connection.data_received(ONE)
    assert owner.told == ["lost"]
    assert await exchange.read() == b"abc"


async def test_what_was_read_is_what_is_handed_over() -> None:
    connection, _, _, exchange = bench()
    connection.data_received(HEAD + b"Content-Length: 9000\r\n\r\n")
    for data in (b"x" * 4000, b"y" * 4000, b"z" * 1000):
        connection.data_received(data)
        assert await exchange.read() is data
    connection, _, _, exchange = bench()
    connection.data_received(HEAD + b"\r\n")
    connection.data_received(data)
    assert await exchange.read() is data
    connection, _, _, exchange = bench()
    connection.data_received(CHUNKS)
    connection.data_received(b"2\r\nde\r\n1\r\nf\r\n")
    await exchange.read()
    connection.data_received(b"2\r\nde\r\n1\r\nf\r\n")
    assert await exchange.read() == b"def"


async def test_reading_rests_while_nobody_takes() -> None:
    connection, _, wire, exchange = bench()
    connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        connection.data_received(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert not wire.reading
    assert len(await exchange.read()) == 20 * 4096
    assert wire.reading
    for _ in range(2000):
        connection.data_received(b"1\r\nx\r\n")
    assert not wire.reading, "small chunks weigh more than their bytes"
    connection.data_received(b"0\r\n\r\n")
    assert wire.reading, "an idle connection reads"


async def test_reused_connection_that_closes_without_a_byte_is_stale() -> None:
    connection, _, _, exchange = bench()
    connection.data_received(ONE)
    again = connection.send_request(
        (b"POST / HTTP/1.1\r\n\r\n", b"x" * 20_000), Timeouts(), float("inf")
    )
    connection.connection_lost(ConnectionResetError())
    with pytest.raises(Cut) as raised:
        await again.wait_for_head()
    assert raised.value.code == "stale"
    assert await exchange.read() == b"abc"
    assert not connection.is_usable()
    connection.abort()


async def test_connection_made_after_it_was_given_up_is_closed() -> None:
    owner, wire = FakePool(), FakeTransport()
    connection = Connection(owner, asyncio.get_running_loop())
    connection.abort()
    connection.connection_made(cast(asyncio.Transport, wire))
    assert wire.aborted


async def test_fault_of_a_body_comes_after_its_bytes() -> None:
    connection, _, _, exchange = bench()
    connection.data_received(HEAD + b"Content-Length: 5\r\n\r\nhel")
    connection.fail_request(BadAnswer("later"))
    assert await exchange.read() == b"hel"
    with pytest.raises(BadAnswer):
        await exchange.read()
