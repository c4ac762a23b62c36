"""The gateway's own retries and fallbacks, as the clients see them."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.fakes.running import run_gateway
from tests.fakes.upstream import SSE, Chunk, Json, ReceivedRequest, Reset, Script, ScriptedUpstream
from tests.sdk.answers import (
    ROLE,
    chat,
    chat_error,
    chat_stream,
    chunk,
    message,
    messages_error,
    text,
)

CONFIG = """
[server]
discover = false

[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
wait = 0.01
[[middleware]]
use = "convert"

[aliases]
either = ["first:a", "second:b"]

[providers.first]
use = "compatible"
api_key = ["key-1", "key-2"]
base_url = "{upstream}/first"
speaks = ["messages"]

[providers.second]
use = "compatible"
api_key = "key-3"
base_url = "{upstream}/second"
"""
BUSY = Json(messages_error("Busy.", "overloaded_error"), status=529)
BROKEN = Json(chat_error("Oops.", "server_error"), status=500)


class RetryGateway:
    """A gateway with two providers, and both clients, which retry twice."""

    def __init__(self, url: str, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.openai = AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=2)
        self.anthropic = AsyncAnthropic(base_url=url, api_key="any", max_retries=2)

    async def ask(self, model: str) -> str | None:
        """The answer to an OpenAI client."""
        answer = await self.openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hello"}]
        )
        return answer.choices[0].message.content

    @property
    def paths(self) -> list[str]:
        """The first part of the path of every request that reached the upstream."""
        return [request.path.split("/")[1] for request in self.upstream.requests]


@asynccontextmanager
async def runtime(scripts: dict[str, list[Script]]) -> AsyncIterator[RetryGateway]:
    """The gateway, its providers with these scripts; the last of them repeats."""

    def select(request: ReceivedRequest) -> Script:
        own = scripts[request.path.split("/")[1]]
        return own.pop(0) if len(own) > 1 else own[0]

    with tempfile.TemporaryDirectory() as folder:
        async with (
            ScriptedUpstream(select=select) as upstream,
            run_gateway(Path(folder), CONFIG.format(upstream=upstream.url)) as running,
        ):
            it = RetryGateway(running.url, upstream)
            async with it.openai, it.anthropic:
                yield it


async def test_three_tries_of_the_gateway_are_not_tripled_by_the_client() -> None:
    async with runtime({"second": [BROKEN]}) as it:
        with pytest.raises(openai.InternalServerError) as caught:
            await it.ask("second:m")
        assert it.paths == ["second"] * 3
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert "Oops." in caught.value.message


async def test_a_fault_that_passes_is_not_seen_by_the_client() -> None:
    async with runtime({"second": [BROKEN, [Reset()], Json(chat("Hello"))]}) as it:
        assert await it.ask("second:m") == "Hello"
        assert it.paths == ["second"] * 3


async def test_another_dialects_provider_takes_over() -> None:
    async with runtime({"first": [BUSY], "second": [Json(chat("Hello"))]}) as it:
        assert await it.ask("either") == "Hello"
        answer = await it.anthropic.messages.create(
            model="either", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
        )
        assert answer.to_dict()["content"] == [text("Hello")]
        assert answer.model == "either"
        assert it.paths == ["first", "second"] * 2


async def test_another_dialects_provider_takes_over_a_stream() -> None:
    stream = SSE(chat_stream({"content": "Hello"}))
    async with runtime({"first": [BUSY], "second": [stream]}) as it:
        async with it.anthropic.messages.stream(
            model="either", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
        ) as told:
            assert await told.get_final_text() == "Hello"
        assert it.paths == ["first", "second"]


async def test_a_limited_key_gives_way_to_the_next() -> None:
    limited = Json(
        messages_error("Slow down.", "rate_limit_error"),
        status=429,
        headers=[("retry-after", "30")],
    )
    async with runtime({"first": [limited, Json(message(text("Hello")))]}) as it:
        assert await it.ask("first:m") == "Hello"
        keys = [request.get_header(b"authorization") for request in it.upstream.requests]
        assert keys == [b"Bearer key-1", b"Bearer key-2"]


async def test_nothing_is_tried_again_once_the_client_has_bytes() -> None:
    cut: Script = [SSE([ROLE, chunk({"content": "Hel"})], seconds=0.02, end=False), Chunk()]
    async with runtime({"second": [cut]}) as it:
        with pytest.raises(openai.APIError):
            async with it.openai.chat.completions.stream(
                model="second:m", messages=[{"role": "user", "content": "hello"}]
            ) as told:
                await told.until_done()
        assert it.paths == ["second"]
