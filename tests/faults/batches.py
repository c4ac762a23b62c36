"""A gateway with the batch link before a scripted upstream, and what its clients send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.fakes.client import RawClient
from tests.fakes.running import run_gateway
from tests.fakes.steps import Json, ReceivedRequest, Script, ScriptExchange, StepFunction
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import PROVIDERS, FaultGateway, model_of
from tests.faults.wires import Answer, Dialect, encode, received, whole

PATH = "/v1/messages/batch"
EVENTS = ("accept", "text/event-stream")
CHAIN = """
[[middleware]]
use = "auth"
[[middleware]]
use = "batch"
{batch}
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""


@asynccontextmanager
async def batching(folder: Path, batch: str = "", options: str = "") -> AsyncIterator[FaultGateway]:
    """A scene whose chain has the batch link with those options."""
    scripts: dict[str, Script] = {}

    def select(request: ReceivedRequest) -> Script:
        return scripts.get(model_of(request), Json({"unscripted": True}, 500))

    folder.mkdir(parents=True, exist_ok=True)
    async with ScriptedUpstream(select=select, seconds=120) as upstream:
        config = options + CHAIN.replace("{batch}", batch) + PROVIDERS
        async with run_gateway(folder, config.replace("{url}", upstream.url)) as running:
            yield FaultGateway(running, upstream, scripts)


def echo(dialect: Dialect, seconds: float = 0.0) -> StepFunction:
    """Answers with the last words of the request, after a while."""

    async def answer(exchange: ScriptExchange) -> None:
        await asyncio.sleep(seconds)
        await Json(whole(dialect, said(exchange.request)))(exchange)

    return answer


def said(request: ReceivedRequest) -> str:
    """The last words of a request that reached the upstream."""
    content = msgspec.json.decode(request.body)["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def item(model: str, text: str = "hi", **more: object) -> dict[str, object]:
    """One request of a batch."""
    asked = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": 100, "messages": asked} | more


async def batch(
    port: int, items: object, *headers: tuple[str, str], seconds: float = 10.0, **more: object
) -> Answer:
    """A batch over a connection of its own."""
    async with RawClient(port) as client:
        await client.post(PATH, encode({"messages": items} | more), *headers)
        return await received(client, "messages", seconds)


async def fetched(port: int, path: str, *headers: tuple[str, str]) -> tuple[int, Any]:
    """Status and body of a GET."""
    async with RawClient(port) as client:
        await client.get(path, *headers)
        status, head = await client.read_head()
        return status, msgspec.json.decode(await client.read_body(head))


async def status_of(port: int, batch_id: str, *headers: tuple[str, str]) -> tuple[int, Any]:
    """How far a batch is."""
    return await fetched(port, f"{PATH}/{batch_id}/status", *headers)


async def status_once(port: int, batch_id: str, ready: Callable[[Any], bool]) -> Any:
    """How far a batch is, once that is as far as awaited."""
    for _ in range(200):
        _, told = await status_of(port, batch_id)
        if ready(told):
            return told
        await asyncio.sleep(0.01)
    raise AssertionError(told)


def responses(answer: Answer) -> list[str | None]:
    """What each item of an answered batch says; None for a failed one."""
    results = msgspec.json.decode(answer.body)["results"]
    return [each["converted_data"] and each["converted_data"]["response"] for each in results]


def events(answer: Answer) -> list[tuple[str, Any]]:
    """The names and bodies of an answer's events."""
    pairs = zip(answer.frames, answer.values, strict=True)
    return [(frame.event.decode(), value) for frame, value in pairs]
