"""The edge, driven by hand: no server and no network, but every way a client can behave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.call import Call
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge, Endpoint, Limits
from gateway.errors import Cut, InvalidRequest, Refused
from gateway.reply import Reply, Stream
from tests.fakes.asgi import AsgiTestRequest

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
STREAM = BODY | {"stream": True}


class StepSource:
    """A source of chunks, events to wait for, and errors."""

    def __init__(self, *steps: bytes | asyncio.Event | Exception) -> None:
        self._steps = list(steps)
        self.closed = 0

    async def read(self) -> bytes:
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Exception):
                raise step
            else:
                return step
        return b""

    async def aclose(self) -> None:
        self.closed += 1


def edge(answer: Callable[[Call], Awaitable[Reply]], limits: Limits = Limits()) -> Edge:
    return Edge(answer, limits)


def streaming(source: StepSource) -> Callable[[Call], Awaitable[Reply]]:
    async def answer(call: Call) -> Reply:
        return Reply(200, call.dialect, Stream(source))

    return answer


async def whole(call: Call) -> Reply:
    return Reply(200, call.dialect, b'{"ok":1}')


@asynccontextmanager
async def pulsing(shared: Edge, interval: float = 0.01) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(shared.pulse(interval))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(answer: Any, body: Any, **more: Any) -> AsgiTestRequest:
    return await AsgiTestRequest(Endpoint(edge(answer), CHAT), body, **more).start().wait_done()


async def test_a_whole_answer_has_its_length_and_the_gateways_headers() -> None:
    sent = await ask(whole, BODY, headers=[(b"x-request-id", b"mine-1")])
    assert (sent.status, sent.body, sent.is_complete) == (200, b'{"ok":1}', True)
    assert sent.headers["content-length"] == "8"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-request-id"] == sent.headers["request-id"] == "mine-1"
    assert float(sent.headers["x-processing-time"]) < 5
    assert [part.split(";")[0] for part in sent.headers["server-timing"].split(", ")] == [
        "auth", "queue", "connect", "first_byte", "convert", "total",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"a\xffb"])
async def test_an_insane_request_id_is_replaced(given: bytes) -> None:
    sent = await ask(whole, BODY, headers=[(b"x-request-id", given)])
    assert sent.headers["x-request-id"].startswith("req_")
    assert len(sent.headers["x-request-id"]) == 28


async def test_a_stream_is_sent_as_it_comes_and_closed() -> None:
    gate = asyncio.Event()
    source = StepSource(b"data: 1\n\n", gate, b"data: 2\n\n")
    sent = AsgiTestRequest(Endpoint(edge(streaming(source)), CHAT), STREAM).start()
    await sent.wait_until_sent(b"data: 1\n\n")
    assert not sent.is_complete
    gate.set()
    await sent.wait_done()
    assert sent.body == b"data: 1\n\ndata: 2\n\n"
    assert sent.is_complete
    assert source.closed == 1
    assert sent.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert sent.headers["x-accel-buffering"] == "no"
    assert sent.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b"", None, "the request body is not JSON: Expecting value at line 1, column 1"),
        (b"[]", None, "the request body must be a JSON object"),
        (b'{"model":', None, "the request body is not JSON: Expecting value at line 1, column 10"),
        ({"messages": []}, "model", None),
        ({"model": "m"}, "messages", None),
        ({"model": 1, "messages": []}, "model", None),
        (BODY | {"stream": "yes"}, "stream", None),
        (b"[" * 100_000, None, None),
        (b'{"model":' + b"[" * 100_000, None, "the request body is nested too deeply"),
        (b"\xff\xfe", None, None),
    ],
)
async def test_a_body_that_is_no_request_is_refused_naming_the_place(
    body: Any, param: str | None, message: str | None
) -> None:
    sent = await ask(whole, body)
    error = sent.json()["error"]
    assert (sent.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    if message is not None:
        assert error["message"] == message


async def test_the_error_is_in_the_callers_dialect() -> None:
    sent = (
        await AsgiTestRequest(Endpoint(edge(whole), MESSAGES), {"model": "m"}).start().wait_done()
    )
    assert sent.json()["type"] == "error"
    assert sent.json()["error"]["type"] == "invalid_request_error"
    assert sent.json()["request_id"] == sent.headers["request-id"]


async def test_another_method_is_405_with_allow() -> None:
    sent = await ask(whole, b"", method="GET")
    assert (sent.status, sent.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_413_and_the_connection_closed(declared: bool) -> None:
    shared = edge(whole, Limits(body=10))
    headers = [(b"content-length", b"11")] if declared else []
    sent = AsgiTestRequest(Endpoint(shared, CHAT), b"12345678", headers=headers, more=True).start()
    sent.feed(b"901", more=True)
    await sent.wait_done()
    assert sent.status == 413
    assert sent.json()["error"]["code"] == "request_too_large"
    assert sent.headers["connection"] == "close"


async def test_a_body_in_pieces_is_one_body() -> None:
    sent = AsgiTestRequest(Endpoint(edge(whole), CHAT), b'{"model":"m",', more=True).start()
    sent.feed(b'"messages":[', more=True)
    sent.feed(b"1]}")
    assert (await sent.wait_done()).status == 200


async def test_a_body_that_stops_arriving_is_408() -> None:
    shared = edge(whole, Limits(body_idle=0.05))
    sent = AsgiTestRequest(Endpoint(shared, CHAT), b'{"model"', more=True).start()
    async with pulsing(shared):
        await sent.wait_done()
    assert sent.status == 408
    assert not shared.open


@pytest.mark.parametrize("phase", ["body", "chain", "first", "middle"])
async def test_a_client_that_leaves_ends_the_call_in_every_phase(phase: str) -> None:
    ended: list[str] = []
    never = asyncio.Event()

    async def answer(call: Call) -> Reply:
        if phase == "chain":
            try:
                await never.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
        return Reply(200, call.dialect, Stream(source))

    source = StepSource(*([b"data: 1\n\n"] if phase == "middle" else []), never)
    shared = edge(answer)
    sent = AsgiTestRequest(
        Endpoint(shared, CHAT), STREAM if phase != "body" else b"{", more=phase == "body"
    )
    sent.start()
    await asyncio.sleep(0.01)
    sent.hang_up()
    await sent.wait_done(1)
    assert not sent.is_complete
    assert not shared.open
    assert source.closed == (1 if phase in ("first", "middle") else 0)
    assert ended == (["cancelled"] if phase == "chain" else [])


async def test_a_fault_before_the_first_byte_is_a_status() -> None:
    async def answer(call: Call) -> Reply:
        raise Refused("slow down", status=429, kind="rate_limit_error")

    sent = await ask(answer, STREAM)
    assert (sent.status, sent.json()["error"]["message"]) == (429, "slow down")


async def test_a_fault_after_the_first_byte_is_told_in_band_and_never_ended_as_if_whole() -> None:
    source = StepSource(b"data: 1\n\n", Cut("gone"))
    sent = await ask(streaming(source), STREAM)
    assert sent.status == 200
    assert sent.body.startswith(b'data: 1\n\ndata: {"error":{')
    assert b"[DONE]" not in sent.body
    assert sent.is_complete
    assert source.closed == 1


async def test_an_unexpected_fault_is_a_500_without_its_words() -> None:
    async def answer(call: Call) -> Reply:
        raise RuntimeError("secret sk-12345678901234567890")

    sent = await ask(answer, BODY)
    assert sent.status == 500
    assert b"sk-" not in sent.body
    assert sent.json()["error"]["message"] == "the gateway failed; its log has the details"


async def test_retry_headers_of_an_error() -> None:
    async def answer(call: Call) -> Reply:
        error = Refused("slow", status=429, kind="rate_limit_error")
        error.retry_after, error.should_retry = 1.25, False
        raise error

    sent = await ask(answer, BODY)
    assert sent.headers["retry-after"] == "2"
    assert sent.headers["retry-after-ms"] == "1250"
    assert sent.headers["x-should-retry"] == "false"


async def test_silence_of_a_stream_is_filled_with_pings() -> None:
    gate = asyncio.Event()
    source = StepSource(b"event: a\ndata: 1\n\n", gate, b"event: b\ndata: 2\n\n")
    shared = edge(streaming(source), Limits(ping=0.04))
    sent = AsgiTestRequest(Endpoint(shared, MESSAGES), STREAM | {"max_tokens": 1}).start()
    async with pulsing(shared):
        await sent.wait_until_sent(MESSAGES.ping)
        gate.set()
        await sent.wait_done()
    assert sent.body.replace(MESSAGES.ping, b"") == b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n"


async def test_silence_before_any_answer_opens_the_stream_and_later_faults_are_in_band() -> None:
    gate = asyncio.Event()

    async def answer(call: Call) -> Reply:
        await gate.wait()
        raise Refused("late", status=429, kind="rate_limit_error")

    shared = edge(answer, Limits(ping=0.04))
    sent = AsgiTestRequest(Endpoint(shared, MESSAGES), STREAM | {"max_tokens": 1}).start()
    async with pulsing(shared):
        await sent.wait_until_sent(MESSAGES.ping)
        gate.set()
        await sent.wait_done()
    assert sent.status == 200
    assert b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error"' in sent.body
    assert sent.is_complete


async def test_a_whole_answer_is_never_pinged() -> None:
    gate = asyncio.Event()

    async def answer(call: Call) -> Reply:
        await gate.wait()
        return await whole(call)

    shared = edge(answer, Limits(ping=0.02))
    sent = AsgiTestRequest(Endpoint(shared, CHAT), BODY).start()
    async with pulsing(shared):
        await asyncio.sleep(0.1)
        assert not sent.has_started
        gate.set()
        await sent.wait_done()
    assert sent.body == b'{"ok":1}'


async def test_a_client_that_stops_reading_is_cut_and_holds_up_nobody() -> None:
    source, other = StepSource(b"data: 1\n\n", b"data: 2\n\n"), StepSource(asyncio.Event())
    sources = [source, other]

    async def answer(call: Call) -> Reply:
        return Reply(200, call.dialect, Stream(sources.pop(0)))

    shared = edge(answer, Limits(write_idle=0.1, ping=0.04))
    stuck = AsgiTestRequest(Endpoint(shared, CHAT), STREAM)
    stuck.readable.clear()
    stuck.start()
    await asyncio.sleep(0)
    second = AsgiTestRequest(Endpoint(shared, CHAT), STREAM).start()
    async with pulsing(shared):
        await stuck.wait_done(2)
        await second.wait_until_sent(CHAT.ping)
        second.hang_up()
        await second.wait_done()
    assert source.closed == other.closed == 1


async def test_a_client_that_stops_reading_before_the_last_words_is_cut_too() -> None:
    gate = asyncio.Event()
    shared = edge(streaming(StepSource(b"data: 1\n\n", gate, Cut("gone"))), Limits(write_idle=0.1))
    stuck = AsgiTestRequest(Endpoint(shared, CHAT), STREAM).start()
    await stuck.wait_until_sent(b"data: 1")
    stuck.readable.clear()
    gate.set()
    async with pulsing(shared):
        await stuck.wait_done(2)
    assert not shared.open


async def test_the_drain_refuses_new_calls_and_cuts_old_ones_with_an_error_they_can_read() -> None:
    source = StepSource(b"data: 1\n\n", asyncio.Event())
    shared = edge(streaming(source))
    sent = AsgiTestRequest(Endpoint(shared, CHAT), STREAM).start()
    await sent.wait_until_sent(b"data: 1")
    shared.draining = True
    refused = await AsgiTestRequest(Endpoint(shared, CHAT), BODY).start().wait_done()
    assert refused.status == 503
    shared.cut()
    await sent.wait_done(1)
    assert b'"message":"the gateway is shutting down' in sent.body
    assert b"[DONE]" not in sent.body
    assert sent.is_complete
    assert source.closed == 1


async def test_messages_stream_always_streams() -> None:
    seen: list[Call] = []

    async def answer(call: Call) -> Reply:
        seen.append(call)
        raise InvalidRequest("enough")

    endpoint = Endpoint(edge(answer), MESSAGES, always_stream=True)
    await AsgiTestRequest(endpoint, BODY | {"max_tokens": 1}).start().wait_done()
    assert seen[0].stream
    assert bytes(seen[0].fields["stream"]) == b"true"
