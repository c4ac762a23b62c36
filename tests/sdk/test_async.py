"""The clients' asynchronous halves, many calls at a time."""

import asyncio
import time

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.fakes.upstream import SSE, Stall
from tests.sdk.answers import chat_stream, message_stream, text
from tests.sdk.stage import SdkGateway

CALLS = 20


async def test_twenty_streams_of_the_openai_client_at_once(stage: SdkGateway) -> None:
    stage.play(SSE(message_stream(text("Hello")), seconds=0.01))
    async with AsyncOpenAI(base_url=f"{stage.url}/v1", api_key=stage.key, max_retries=0) as client:

        async def ask(number: int) -> str | None:
            async with client.chat.completions.stream(
                model="messages:m", messages=[{"role": "user", "content": f"call {number}"}]
            ) as stream:
                return (await stream.get_final_completion()).choices[0].message.content

        assert await asyncio.gather(*map(ask, range(CALLS))) == ["Hello"] * CALLS
    assert len({request.body for request in stage.requests}) == CALLS


async def test_twenty_streams_of_the_anthropic_client_at_once(stage: SdkGateway) -> None:
    stage.play(SSE(chat_stream({"content": "Hel"}, {"content": "lo"}), seconds=0.01))
    async with AsyncAnthropic(base_url=stage.url, api_key=stage.key, max_retries=0) as client:

        async def ask(number: int) -> str:
            async with client.messages.stream(
                model="chat:m",
                max_tokens=64,
                messages=[{"role": "user", "content": f"call {number}"}],
            ) as stream:
                return await stream.get_final_text()

        assert await asyncio.gather(*map(ask, range(CALLS))) == ["Hello"] * CALLS
    assert len({request.body for request in stage.requests}) == CALLS


async def test_a_cancelled_call_frees_its_upstream(stage: SdkGateway) -> None:
    stage.play(Stall())
    async with AsyncOpenAI(base_url=f"{stage.url}/v1", api_key=stage.key, max_retries=0) as client:
        asking = asyncio.ensure_future(
            client.chat.completions.create(
                model="chat:m", messages=[{"role": "user", "content": "hello"}]
            )
        )
        await asyncio.to_thread(stage.arrived)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        left = time.monotonic()
        closed = await asyncio.to_thread(stage.closed)
    assert closed.closed_at - left < 0.1
