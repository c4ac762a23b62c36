"""A gateway that takes batches before a scripted upstream of both dialects, and what it is asked.

The model's name says what the upstream does: "chat:good", "messages:slow" and so on.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import openai
from anthropic import AsyncAnthropic
from anthropic.types.messages import MessageBatch
from anthropic.types.messages.batch_create_params import Request
from openai import AsyncOpenAI
from openai.types import Batch

from tests.fakes.running import GatewayProcess, run_gateway
from tests.fakes.steps import Json, ReceivedRequest, Script, ScriptExchange, StepFunction
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import model_of
from tests.faults.wires import encode, whole

KEYS = [f"gw-key-{place}" for place in range(30)]
CONFIG = """
[server]
discover = false
[auth]
keys = [{keys}]
[log]
format = "json"
[batch]
engine = "{engine}"
folder = "{folder}"
poll = 0.1
{batch}
[[middleware]]
use = "auth"
[[middleware]]
use = "batch"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
[aliases]
nickname = "chat:good"
[providers.chat]
use = "compatible"
base_url = "{url}/v1"
api_key = "sk-upstream-of-chat-1234"
[providers.messages]
use = "anthropic"
base_url = "{url}/v1"
api_key = "sk-upstream-of-messages-1234"
[providers.own]
use = "compatible"
base_url = "{url}/v1"
api_key = "!PASSTHRU"
"""
_TEXT = re.compile(rb'"text":"([^"]*)"|"content":"([^"]*)"')


class BatchGateway:
    """The gateway, its upstream, and clients of either API, each test's with a key of its own."""

    def __init__(
        self, running: GatewayProcess, upstream: ScriptedUpstream, gate: asyncio.Event
    ) -> None:
        self.gateway = running
        self.upstream = upstream
        self.gate = gate
        """Set: what waits at the upstream is answered."""
        self._keys = iter(KEYS)
        self._clients: list[AsyncAnthropic | AsyncOpenAI] = []

    def key(self) -> str:
        """A key that nobody else has."""
        return next(self._keys)

    def anthropic(self, key: str = "", **options: Any) -> AsyncAnthropic:
        """The Anthropic client of a tenant."""
        http = anthropic.DefaultAsyncHttpxClient(trust_env=False)
        client = AsyncAnthropic(
            base_url=self.gateway.url, api_key=key or self.key(), max_retries=0, http_client=http,
            **options,
        )  # fmt: skip
        self._clients.append(client)
        return client

    def openai(self, key: str = "") -> AsyncOpenAI:
        """The OpenAI client of a tenant."""
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        client = AsyncOpenAI(
            base_url=f"{self.gateway.url}/v1", api_key=key or self.key(), max_retries=0,
            http_client=http,
        )  # fmt: skip
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Closes the clients that were made so far."""
        while self._clients:
            await self._clients.pop().close()

    async def arrived(self, said: str, most: int) -> None:
        """Returns when that many requests with that word in them have reached the upstream."""
        async with asyncio.timeout(15):
            while self.asked(said) < most:  # noqa: ASYNC110  # what is waited for is a socket's
                await asyncio.sleep(0.02)

    def asked(self, said: str) -> int:
        """How many requests with that word in them reached the upstream."""
        return sum(said in text for text in self.said())

    def said(self) -> list[str]:
        """The user's words of each request that reached the upstream."""
        return [words(request) for request in self.upstream.requests]


def words(request: ReceivedRequest) -> str:
    """What the user said in a request that reached the upstream."""
    found = _TEXT.search(request.body)
    return (found[1] or found[2]).decode() if found else ""


@asynccontextmanager
async def house(folder: Path, batch: str, engine: str = "embedded") -> AsyncIterator[BatchGateway]:
    """A running gateway with those options of [batch]."""
    gate = asyncio.Event()

    def select(request: ReceivedRequest) -> Script:
        return script(request, gate)

    async with (
        ScriptedUpstream(select=select, seconds=300) as upstream,
        opened(folder, upstream, batch, engine) as made,
    ):
        made.gate = gate
        try:
            yield made
        finally:
            gate.set()


@asynccontextmanager
async def opened(
    folder: Path, upstream: ScriptedUpstream, batch: str, engine: str = "embedded"
) -> AsyncIterator[BatchGateway]:
    """A gateway before an upstream that may outlive it."""
    async with run_gateway(folder, config(folder, upstream.url, batch, engine)) as running:
        made = BatchGateway(running, upstream, asyncio.Event())
        try:
            yield made
        finally:
            await made.close()


def config(folder: Path, url: str, batch: str, engine: str) -> str:
    """The configuration of a gateway before that upstream."""
    keys = ", ".join(f'{{ name = "{key}-name", key = "{key}" }}' for key in KEYS)
    return CONFIG.format(keys=keys, folder=folder / "state", url=url, batch=batch, engine=engine)


def script(request: ReceivedRequest, gate: asyncio.Event) -> Script:
    """What the upstream does with a request: as the model is called."""
    model = model_of(request)
    dialect = "messages" if request.path.endswith("/messages") else "chat"
    if model == "refused":
        return Json({"error": {"type": "invalid_request_error", "message": "Not that."}}, 400)
    if model == "nonsense":
        return Json(b"<html>")
    answer = Json(whole("messages" if dialect == "messages" else "chat", words(request)))
    return [_waiting(gate), answer] if model == "slow" else answer


def _waiting(gate: asyncio.Event) -> StepFunction:
    async def wait(exchange: ScriptExchange) -> None:
        await gate.wait()

    return wait


def request(custom_id: str, model: str = "chat:good", text: str = "hi", **more: Any) -> Request:
    """One request of a Message Batch."""
    params = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": params | more}  # type: ignore[typeddict-item]


def line(custom_id: str, model: str = "chat:good", text: str = "hi", **more: object) -> bytes:
    """One line of an input file."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    url = "/v1/chat/completions"
    each = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    return encode(each | more) + b"\n"


async def ended(client: AsyncAnthropic, batch_id: str, seconds: float = 20) -> MessageBatch:
    """The batch once it has ended."""
    async with asyncio.timeout(seconds):
        while True:
            batch = await client.messages.batches.retrieve(batch_id)
            if batch.processing_status == "ended":
                return batch
            await asyncio.sleep(0.05)


async def over(client: AsyncOpenAI, batch_id: str, seconds: float = 20) -> Batch:
    """The batch once nothing more happens to it."""
    async with asyncio.timeout(seconds):
        while True:
            batch = await client.batches.retrieve(batch_id)
            if batch.status in ("completed", "failed", "expired", "cancelled"):
                return batch
            await asyncio.sleep(0.05)


async def results(client: AsyncAnthropic, batch_id: str) -> dict[str, Any]:
    """The results by custom_id; none of them is there twice."""
    found = {}
    async for each in await client.messages.batches.results(batch_id):
        assert each.custom_id not in found
        found[each.custom_id] = each.result
    return found


async def file_lines(client: AsyncOpenAI, file_id: str | None) -> dict[str, Any]:
    """The lines of a file of results by custom_id; none of them is there twice."""
    if file_id is None:
        return {}
    content = await client.files.content(file_id)
    lines = [msgspec.json.decode(each) for each in content.content.splitlines()]
    ids = Counter(each["custom_id"] for each in lines)
    assert set(ids.values()) <= {1}
    return {each["custom_id"]: each for each in lines}
