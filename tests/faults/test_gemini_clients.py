"""Gemini clients on real sockets: they leave, they are told of cuts and of the drain's end."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from gateway.wire.sse import Splitter
from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import SSE, Chunk, Close, Head, Json, Script, Stall
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import TEXT, Dialect, delta, opening, stream, whole

UPSTREAMS: tuple[Dialect, ...] = ("chat", "messages", "responses", "gemini")
FORMS = {
    "whole": "generateContent",
    "events": "streamGenerateContent?alt=sse",
    "array": "streamGenerateContent",
}
BODY = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
LIMIT = 0.1  # seconds from the client's leaving to the end of the upstream's connection
KEY = "a-key-in-an-address-4711"
each_upstream = pytest.mark.parametrize("upstream", UPSTREAMS)
each_form = pytest.mark.parametrize("form", FORMS)
each_stream = pytest.mark.parametrize("form", ["events", "array"])
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    async with scene(tmp_path_factory.mktemp("gemini"), "[server]\nbody_limit = 100000\n") as made:
        yield made


def path(model: str, form: str) -> str:
    verb = FORMS[form]
    return f"/v1beta/models/{model}:{verb}{'&' if '?' in verb else '?'}key={KEY}"


async def ask(running: FaultGateway, upstream: Dialect, script: Script, form: str) -> Any:
    """The status, and every answer or piece of one."""
    model = f"{upstream}:{running.play(script)}"
    async with RawClient(running.gateway.port) as client:
        await client.post(path(model, form), BODY)
        status, headers = await client.read_head()
        return status, told(await client.read_body(headers), form)


def told(body: bytes, form: str) -> list[Any]:
    if form != "events" or body[:1] == b"{":
        found = msgspec.json.decode(body)
        return found if isinstance(found, list) else [found]
    splitter = Splitter()
    frames = [*splitter.feed(body), *splitter.finish()]
    return [msgspec.json.decode(frame.data) for frame in frames]


def said(answers: list[Any]) -> str:
    parts = [
        part
        for one in answers
        if "candidates" in one
        for part in one["candidates"][0]["content"]["parts"]
    ]
    return "".join(part["text"] for part in parts)


@each_upstream
@each_form
async def test_what_is_said_arrives(running: FaultGateway, upstream: Dialect, form: str) -> None:
    script = [Json(whole(upstream))] if form == "whole" else [SSE(stream(upstream))]
    status, answers = await ask(running, upstream, script, form)
    assert (status, said(answers)) == (200, TEXT)
    assert answers[-1]["candidates"][0]["finishReason"] == "STOP"


@each_upstream
@each_stream
async def test_a_cut_is_told(running: FaultGateway, upstream: Dialect, form: str) -> None:
    script = [HEAD, *map(Chunk, [*opening(upstream), delta(upstream, "one")]), Close()]
    status, answers = await ask(running, upstream, script, form)
    assert (status, said(answers)) == (200, "one")
    assert answers[-1]["error"]["status"] == "UNAVAILABLE"
    assert not any("finishReason" in str(one) for one in answers)


@each_upstream
@each_form
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_the_upstream_is_closed_when_the_client_leaves(
    running: FaultGateway, upstream: Dialect, form: str, reset: bool
) -> None:
    begun = [HEAD, *map(Chunk, [*opening(upstream), delta(upstream, "one")])]
    model = running.play(Stall() if form == "whole" else [*begun, Stall()])
    async with RawClient(running.gateway.port) as client:
        await client.post(path(f"{upstream}:{model}", form), BODY)
        if form == "whole":
            await wait_until(lambda: running.asked(model))
        else:
            await client.read_until(b'"one"')
        number = running.asked(model)[0].connection
        left = time.monotonic()
        client.hang_up(reset=reset)
    await wait_until(lambda: _end(running, number), seconds=5)
    assert _end(running, number) - left < LIMIT


def _end(running: FaultGateway, number: int) -> float:
    """When the peer of an upstream's connection left; 0 before that."""
    found = [end for end in running.upstream.closed_connections if end.connection == number]
    return (found[0].eof_at or found[0].closed_at) if found else 0.0


async def test_a_body_over_the_limit(running: FaultGateway) -> None:
    async with RawClient(running.gateway.port) as client:
        await client.post(path("chat:m", "whole"), BODY + b" " * 100_000)
        status, headers = await client.read_head()
        (answer,) = told(await client.read_body(headers), "whole")
    assert (status, answer["error"]["code"]) == (413, 413)


async def test_a_key_in_the_address_is_in_no_log_and_goes_to_no_upstream(
    running: FaultGateway,
) -> None:
    await ask(running, "chat", [Json(whole("chat"))], "whole")
    await ask(running, "chat", [Json({"error": {"message": "no"}}, 400)], "events")
    async with RawClient(running.gateway.port) as client:
        for odd in (f"/v1beta/nothing?key={KEY}", f"/v1beta/models/nobody:m?key={KEY}"):
            await client.post(odd, b"{")
            _, headers = await client.read_head()
            assert KEY.encode() not in await client.read_body(headers)
    sent = [value for request in running.upstream.requests for _, value in request.headers] + [
        request.path.encode() for request in running.upstream.requests
    ]
    assert KEY not in running.gateway.log
    assert KEY.encode() not in b"".join(sent)


@each_stream
async def test_a_stream_that_outlasts_the_drain_is_told(tmp_path: Path, form: str) -> None:
    async with scene(tmp_path, "[server]\ndrain = 0.3\n") as running:
        begun = [HEAD, *map(Chunk, [*opening("chat"), delta("chat", "one")]), Stall()]
        model = running.play(begun)
        async with RawClient(running.gateway.port) as client:
            await client.post(path(f"chat:{model}", form), BODY)
            status, headers = await client.read_head()
            await wait_until(lambda: running.asked(model))
            running.gateway.send_signal(signal.SIGTERM)
            answers = told(await client.read_body(headers), form)
        assert (status, said(answers)) == (200, "one")
        assert answers[-1]["error"]["code"] == 503
        async with asyncio.timeout(5):
            await running.gateway.process.wait()
