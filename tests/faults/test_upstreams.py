"""Every way an upstream can fail, and what a client of Chat or Messages is told."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.running import free_port
from tests.fakes.steps import (
    SSE,
    Chunk,
    Close,
    Dribble,
    Head,
    Header,
    Json,
    Pause,
    Reset,
    Script,
    Send,
    Stall,
    Step,
)
from tests.faults.scene import PROVIDERS, FaultGateway, scene
from tests.faults.wires import (
    ALL,
    BOTH,
    TEXT,
    Answer,
    Dialect,
    ask,
    closing,
    delta,
    fault,
    fault_event,
    opening,
    stream,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

Outcome = tuple[object, ...]
Maker = Callable[[Dialect], Script]
PAIRS: list[tuple[Dialect, Dialect]] = [
    *((client, upstream) for client in ALL for upstream in ALL),
    *((client, "gemini") for client in BOTH),
]
FIRST_BYTE, IDLE = 1.0, 0.8
BAD: dict[str, Outcome] = {
    "chat": ("refused", 502, "server_error"), "messages": ("refused", 502, "api_error"),
    "responses": ("refused", 502, "server_error"),
}  # fmt: skip
LATE: Outcome = ("refused", 504, "upstream_timeout")
LIMITED: Outcome = ("refused", 429, "rate_limit_error")
SAID: Outcome = ("whole", TEXT)
BEGUN = "one "
BROKEN: dict[str, Outcome] = {
    "chat": ("told", BEGUN, "server_error"), "messages": ("told", BEGUN, "api_error"),
    "responses": ("told", BEGUN, "server_error"),
}  # fmt: skip
Expected = Outcome | dict[str, Outcome] | Callable[[Dialect, Dialect], Outcome]

JSON: Header = ("content-type", "application/json")
EVENTS: Header = ("content-type", "text/event-stream")
HTML: Header = ("content-type", "text/html")
CHUNKED: Header = ("transfer-encoding", "chunked")
PAGE = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
LONG = "x" * (2 * 1024 * 1024)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    options = f"[timeouts]\nfirst_byte = {FIRST_BYTE}\nidle = {IDLE}\n"
    closed = (
        f'\n[providers.{{0}}]\nuse = "compatible"\nbase_url = "http://127.0.0.1:{free_port()}"\n'
    )
    nobody = closed.format("nochat") + closed.format("nomessages") + 'speaks = ["messages"]\n'
    nobody += closed.format("noresponses") + 'speaks = ["responses"]\n'
    nobody += closed.format("nogemini").replace("compatible", "gemini")
    async with scene(
        tmp_path_factory.mktemp("upstreams"), options, providers=PROVIDERS + nobody
    ) as made:
        yield made


def outcome(answer: Answer) -> Outcome:
    """What a client makes of an answer."""
    if answer.cut:
        return "cut", answer.status, answer.body
    if answer.status != 200:
        return "refused", *answer.told
    errors = answer.errors if answer.streamed else []
    if errors:
        ended = ["ended"] if answer.ended else []
        return "told", answer.text, *(error["type"] for error in errors), *ended
    if answer.streamed and not answer.ended:
        return "unended", answer.text
    return "whole", answer.text


async def check(running: FaultGateway, make: Maker, expected: Expected, *, streamed: bool) -> None:
    """Asks in every pair of dialects at once and compares."""
    began = time.monotonic()
    answers = await asyncio.gather(*(
        running.ask(make(upstream), client, upstream, stream=streamed) for client, upstream in PAIRS
    ))  # fmt: skip
    took = time.monotonic() - began
    found = dict(zip(PAIRS, map(outcome, answers), strict=True))
    assert found == {pair: _expected(expected, *pair) for pair in PAIRS}
    assert took < 10 * FIRST_BYTE  # a hang would be longer; how fast it goes is not asked here


def _expected(expected: Expected, client: Dialect, upstream: Dialect) -> Outcome:
    if callable(expected):
        return expected(client, upstream)
    return expected[client] if isinstance(expected, dict) else expected


def sized(body: bytes, *headers: Header, length: int | None = None) -> list[Step]:
    """A body under a content-length, which may lie."""
    size = len(body) if length is None else length
    return [Head(200, [*headers, ("content-length", str(size))]), Send(body)]


def chunked(kind: Header, pieces: Sequence[bytes], *rest: Step) -> list[Step]:
    """Chunks after a head, and what else happens."""
    return [Head(200, [kind, CHUNKED]), *map(Chunk, pieces), *rest]


def begun(dialect: Dialect) -> list[bytes]:
    """The beginning of a stream."""
    return [*opening(dialect), delta(dialect, BEGUN)]


BEFORE: dict[str, tuple[Maker, Expected]] = {
    "a reset before the head": (lambda _: Reset(), BAD),
    "a reset within the head": (
        lambda _: [Send(b"HTTP/1.1 200 OK\r\ncontent-"), Pause(0.05), Reset()], BAD,
    ),
    "a close before the head": (lambda _: Close(), BAD),
    "a stall before the head": (lambda _: Stall(), LATE),
    "a stall within the head": (
        lambda _: [Send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), Stall()], LATE,
    ),
    "no HTTP at all": (lambda _: [Send(b"SSH-2.0-OpenSSH_9.2\r\n"), Stall()], BAD),
    "a page of HTML as 502": (
        lambda _: Json(PAGE, 502, [HTML]), BAD,
    ),
    "a page of HTML as 200": (lambda _: sized(PAGE, HTML), BAD),
    "an error in a 200": (lambda upstream: Json(fault(upstream)), LIMITED),
    "a rate limit": (lambda upstream: Json(fault(upstream), 429), LIMITED),
    "JSON that breaks off": (lambda upstream: Json(whole(upstream)[:-20]), BAD),
    "JSON that is no object": (lambda _: Json(b"[1, 2]"), BAD),
    "an empty body": (lambda _: sized(b"", JSON), BAD),
    "a 204": (lambda _: Head(204), BAD),
    "a redirect": (
        lambda _: Json(b"{}", 302, [("location", "http://127.0.0.1:9/elsewhere")]), BAD,
    ),
    "two content-lengths": (
        lambda _: sized(b"{}", JSON, ("content-length", "3")), BAD,
    ),
}  # fmt: skip
"""What makes no difference for whether a stream was asked for."""

WHOLE: dict[str, tuple[Maker, Expected]] = {
    "a reset within the body": (
        lambda upstream: [
            *sized(whole(upstream)[:40], JSON, length=900), Pause(0.05), Reset()], BAD,
    ),
    "a stall within the body": (
        lambda upstream: [*sized(whole(upstream)[:40], JSON, length=900), Stall()], LATE,
    ),
    "one byte at a time": (
        lambda upstream: [
            Head(200, [JSON, ("content-length", str(len(whole(upstream))))]),
            Dribble(whole(upstream)),
        ], SAID,
    ),
    "a content-length too long": (
        lambda upstream: [*sized(whole(upstream), JSON, length=900), Close()], BAD,
    ),
    "a content-length too short": (lambda upstream: sized(whole(upstream), JSON, length=99), BAD),
    "a chunk that breaks off": (
        lambda upstream: [*chunked(JSON, [whole(upstream)[:50]], Send(b"ff\r\nab")), Close()], BAD,
    ),
    "chunks without the last one": (
        lambda upstream: chunked(JSON, [whole(upstream)], Close()), BAD,
    ),
    "characters split over chunks": (
        lambda upstream: chunked(
            JSON, [whole(upstream)[at : at + 1] for at in range(len(whole(upstream)))], Chunk()
        ), SAID,
    ),
    "a byte-order mark": (lambda upstream: Json(b"\xef\xbb\xbf" + whole(upstream)), SAID),
    "blank lines that keep alive": (
        lambda upstream: chunked(JSON, [b"\n", b"   \n", whole(upstream)], Chunk()), SAID,
    ),
    "gzip": (
        lambda upstream: sized(
            gzip.compress(whole(upstream), mtime=0), JSON, ("content-encoding", "gzip")), SAID,
    ),
    "gzip that breaks off": (
        lambda upstream: sized(
            gzip.compress(whole(upstream), mtime=0)[:-12], JSON, ("content-encoding", "gzip")), BAD,
    ),
    "an encoding nobody asked for": (
        lambda upstream: sized(whole(upstream), JSON, ("content-encoding", "br")), BAD,
    ),
    "2 MB": (lambda upstream: Json(whole(upstream, LONG)), ("whole", LONG)),
    "a stream that nobody asked for": (lambda upstream: SSE(stream(upstream)), BAD),
    "a close that ends the body": (
        lambda upstream: [Head(200, [JSON], "1.0"), Send(whole(upstream)), Close()], SAID,
    ),
}  # fmt: skip


def _limited_after(client: Dialect, upstream: Dialect) -> Outcome:
    return "told", BEGUN, "rate_limit_exceeded" if client == "responses" else "rate_limit_error"


def _late_after(client: Dialect, upstream: Dialect) -> Outcome:
    # the codes of a failed response are few
    return "told", BEGUN, "server_error" if client == "responses" else "upstream_timeout"


def _relayed_or_broken(client: Dialect, upstream: Dialect) -> Outcome:
    """Same dialect: the upstream's own bytes, the broken event among them."""
    return ("whole", BEGUN + "two") if client == upstream else BROKEN[client]


def _without_done(client: Dialect, upstream: Dialect) -> Outcome:
    if upstream == "chat":  # it named a finish reason, which is an ending: none is made up for it
        return ("unended" if client == "chat" else "whole"), BEGUN
    if upstream in ("responses", "gemini"):  # how it went stands in their last event
        return BROKEN[client]
    return BROKEN["messages"] if client == "messages" else ("whole", BEGUN)


STREAMS: dict[str, tuple[Maker, Expected]] = {
    "a reset after an event": (
        lambda upstream: chunked(EVENTS, begun(upstream), Pause(0.1), Reset()), BROKEN,
    ),
    "a close after an event": (
        lambda upstream: chunked(EVENTS, begun(upstream), Close()), BROKEN,
    ),
    "an end without an ending": (lambda upstream: SSE(begun(upstream)), BROKEN),
    "an end before the terminator": (
        lambda upstream: SSE([*begun(upstream), *closing(upstream)[:-1]]), _without_done,
    ),
    "a stall before the first event": (
        lambda _: [Head(200, [EVENTS, CHUNKED]), Stall()], LATE,
    ),
    "a comment and a stall": (
        lambda _: chunked(EVENTS, [b": hello\n\n"], Stall()), LATE,
    ),
    "a stall after an event": (
        lambda upstream: chunked(EVENTS, begun(upstream), Stall()),
        _late_after,
    ),
    "a stall within an event": (
        lambda upstream: chunked(EVENTS, [*begun(upstream), delta(upstream, "two")[:30]], Stall()),
        _late_after,
    ),
    "one byte at a time": (
        lambda upstream: [
            Head(200, [EVENTS], "1.0"), Dribble(b"".join(stream(upstream))), Close(),
        ], SAID,
    ),
    "a content-length too long": (
        lambda upstream: [
            *sized(b"".join(stream(upstream)), EVENTS, length=90_000), Close()], SAID,
    ),
    "a content-length too short": (
        lambda upstream: sized(
            b"".join([*begun(upstream), delta(upstream, "two")]), EVENTS,
            length=len(b"".join(begun(upstream))) + 20,
        ), BROKEN,
    ),
    "a chunk that breaks off": (
        lambda upstream: chunked(EVENTS, begun(upstream), Send(b"ff\r\ndata: {"), Close()), BROKEN,
    ),
    "an event that is no JSON": (
        lambda upstream: SSE([
            *begun(upstream), b"event: content_block_delta\ndata: {broken\n\n",
            delta(upstream, "two"), *closing(upstream),
        ]), _relayed_or_broken,
    ),
    "a first event that is no JSON": (
        lambda upstream: SSE([b"event: message_start\ndata: {broken\n\n", *stream(upstream)]),
        lambda client, upstream: SAID if client == upstream else BAD[client],
    ),
    "no event at all": (lambda _: SSE([]), BAD),
    "no body at all": (lambda _: sized(b"", EVENTS), BAD),
    "characters split over chunks": (
        lambda upstream: SSE([
            bytes([byte]) for byte in b"".join(stream(upstream))
        ]), SAID,
    ),
    "a byte-order mark": (
        lambda upstream: SSE([b"\xef\xbb\xbf" + b"".join(stream(upstream))]), SAID,
    ),
    "a byte-order mark in two pieces": (
        lambda upstream: SSE([b"\xef\xbb", b"\xbf" + b"".join(stream(upstream))]), SAID,
    ),
    "lines that end in CR": (
        lambda upstream: SSE([
            event.replace(b"\n", b"\r") for event in stream(upstream)
        ]), SAID,
    ),
    "lines that end in CR LF": (
        lambda upstream: SSE([
            event.replace(b"\n", b"\r\n") for event in stream(upstream)
        ]), SAID,
    ),
    "an event of 2 MB": (lambda upstream: SSE(stream(upstream, LONG)), ("whole", LONG)),
    "an error as the first event": (lambda upstream: SSE([fault_event(upstream)]), LIMITED),
    "an error after an event": (
        lambda upstream: SSE([*begun(upstream), fault_event(upstream)]), _limited_after,
    ),
    "an error after an event, and no end": (
        lambda upstream: chunked(EVENTS, [*begun(upstream), fault_event(upstream)], Close()),
        _limited_after,
    ),
    "a whole answer": (lambda upstream: Json(whole(upstream)), SAID),
    "gzip": (
        lambda upstream: sized(
            gzip.compress(b"".join(stream(upstream)), mtime=0), EVENTS, ("content-encoding", "gzip")
        ), SAID,
    ),
    "a hang-up after the ending": (
        lambda upstream: chunked(EVENTS, stream(upstream), Close()), SAID,
    ),
    "silence after the ending": (
        lambda upstream: chunked(EVENTS, stream(upstream), Stall()), SAID,
    ),
}  # fmt: skip


def _cases(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(*row, id=name) for name, row in table.items()]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("make", "expected"), _cases(BEFORE))
async def test_a_fault_before_the_first_byte_is_a_status(
    running: FaultGateway, make: Maker, expected: Expected, streamed: bool
) -> None:
    await check(running, make, expected, streamed=streamed)


@pytest.mark.parametrize(("make", "expected"), _cases(WHOLE))
async def test_a_whole_answer_comes_whole_or_is_a_fault(
    running: FaultGateway, make: Maker, expected: Expected
) -> None:
    await check(running, make, expected, streamed=False)


@pytest.mark.parametrize(("make", "expected"), _cases(STREAMS))
async def test_a_stream_comes_whole_or_tells_its_fault_without_an_ending(
    running: FaultGateway, make: Maker, expected: Expected
) -> None:
    await check(running, make, expected, streamed=True)


@pytest.mark.parametrize(("client", "upstream"), [pair for pair in PAIRS if pair[0] != pair[1]])
async def test_json_that_is_no_answer_is_502(
    running: FaultGateway, client: Dialect, upstream: Dialect
) -> None:
    for streamed in (False, True):
        answer = await running.ask(Json({"hello": 1}), client, upstream, stream=streamed)
        assert outcome(answer) == BAD[client]


@pytest.mark.parametrize("dialect", ALL)
async def test_json_that_is_no_answer_of_the_same_dialect_is_502(
    running: FaultGateway, dialect: Dialect
) -> None:
    answer = await running.ask(Json({"hello": 1}), dialect, dialect)
    assert answer.status == 502


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_an_upstream_that_cannot_be_reached_is_502(
    running: FaultGateway, streamed: bool
) -> None:
    found = {
        (client, upstream): outcome(
            await ask(running.gateway.port, client, f"no{upstream}:m", stream=streamed)
        )
        for client, upstream in PAIRS
    }
    assert found == {(client, upstream): BAD[client] for client, upstream in PAIRS}


async def test_no_call_waits_past_its_timeout(running: FaultGateway) -> None:
    began = time.monotonic()
    answer = await running.ask(Stall(), "chat", "chat")
    assert FIRST_BYTE * 0.95 < time.monotonic() - began < FIRST_BYTE + 0.5
    (error,) = answer.errors
    assert error["code"] == "first_byte_timeout"
    began = time.monotonic()
    stalled = [*sized(b"{", JSON, length=9), Stall()]
    answer = await running.ask(stalled, "messages", "messages")
    assert IDLE * 0.95 < time.monotonic() - began < IDLE + 0.5
    (error,) = answer.errors
    assert error["details"] == {"timeout": "idle", "seconds": IDLE}


async def test_the_same_dialect_is_relayed_byte_for_byte(running: FaultGateway) -> None:
    for dialect in ALL:
        frames = stream(dialect, "a", "b" * 5000, "\u2028\x85")
        answer = await running.ask(SSE(frames), dialect, dialect, stream=True)
        assert answer.body == b"".join(frames)
        answer = await running.ask(Json(whole(dialect)), dialect, dialect)
        assert answer.body == whole(dialect)


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_a_byte_order_mark_before_a_stream_stays_behind(
    running: FaultGateway, pieces: int
) -> None:
    mark, frames = b"\xef\xbb\xbf", stream("messages")
    parts = {1: [mark + frames[0]], 2: [mark[:1], mark[1:] + frames[0]], 3: [mark, frames[0]]}
    answer = await running.ask(
        SSE([*parts[pieces], *frames[1:]], seconds=0.01), "messages", "messages", stream=True
    )
    assert answer.body == b"".join(frames)


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("status", [502, 503, 429])
async def test_a_page_of_html_is_said_again_in_the_clients_dialect(
    running: FaultGateway, dialect: Dialect, status: int
) -> None:
    answer = await running.ask(Json(PAGE, status, [HTML]), dialect, dialect)
    (error,) = answer.errors
    assert (answer.status, error["message"]) == (status, f"upstream returned {status}")
    assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("dialect", ALL)
async def test_an_error_in_json_is_relayed_byte_for_byte(
    running: FaultGateway, dialect: Dialect
) -> None:
    body = fault(dialect).replace(b":", b" : ")
    answer = await running.ask(Json(body, 429, [("retry-after-ms", "5")]), dialect, dialect)
    assert (answer.status, answer.body) == (429, body)
    assert answer.headers[b"retry-after-ms"] == b"5"
    await asyncio.sleep(0.02)  # the key has rested: the next test's call goes upstream again


async def test_a_fault_leaves_the_gateway_sound(running: FaultGateway) -> None:
    await running.ask([*sized(b"{", JSON, length=9), Reset()], "chat", "messages")
    answer = await running.ask(Json(whole("chat")), "chat", "chat")
    assert outcome(answer) == SAID
    assert "Traceback" not in running.gateway.log
    assert '"fault"' not in running.gateway.log
