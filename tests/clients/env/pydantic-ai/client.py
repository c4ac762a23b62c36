"""Pydantic AI: a tool loop or a structured answer, whole or streamed."""

import asyncio
import json
import sys
from collections.abc import AsyncIterable
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

TASK = json.loads(sys.argv[1])


class Place(BaseModel):
    """A city and its temperature."""

    city: str
    degrees: int


def model() -> Any:
    """The model of the dialect that was asked for."""
    if TASK["speaks"] == "messages":
        provider = AnthropicProvider(base_url=TASK["url"], api_key=TASK["key"])
        return AnthropicModel(TASK["model"], provider=provider)
    made = OpenAIResponsesModel if TASK["speaks"] == "responses" else OpenAIChatModel
    provider = OpenAIProvider(base_url=TASK["url"] + "/v1", api_key=TASK["key"])
    return made(TASK["model"], provider=provider)


async def seen(_: object, events: AsyncIterable[object]) -> None:
    """Reads a turn's events; that there is a reader makes the turn a stream."""
    async for _ in events:
        pass


async def main() -> dict[str, Any]:
    """What the agent made of the task."""
    ran: list[dict[str, str]] = []
    kinds = {"tools": str, "structured": Place, "native": NativeOutput(Place)}
    agent = Agent(model(), output_type=kinds[TASK["task"]])
    if TASK["task"] == "tools":

        @agent.tool_plain
        def lookup(city: str) -> str:
            """Tells the weather of a city."""
            ran.append({"city": city})
            return f"{city} is sunny"

    handler = seen if TASK["stream"] else None
    output = (await agent.run("How is Oslo?", event_stream_handler=handler)).output
    return {"text": output, "ran": ran} if isinstance(output, str) else {"object": dict(output)}


print(json.dumps(asyncio.run(main())))
