"""LangChain: a tool loop or a structured answer. Reads its task from argv, prints what came."""

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

TASK = json.loads(sys.argv[1])


class Place(BaseModel):
    """A city and its temperature."""

    city: str
    degrees: int


@tool
def lookup(city: str) -> str:
    """Tells the weather of a city."""
    return f"{city} is sunny"


def model() -> Any:
    """The chat model of the dialect that was asked for."""
    if TASK["speaks"] == "messages":
        return ChatAnthropic(
            model=TASK["model"], base_url=TASK["url"], api_key=TASK["key"], max_retries=0,
            max_tokens=2000, timeout=20,
        )  # fmt: skip
    return ChatOpenAI(
        model=TASK["model"], base_url=TASK["url"] + "/v1", api_key=TASK["key"], max_retries=0,
        use_responses_api=TASK["speaks"] == "responses", stream_usage=True, timeout=20,
    )  # fmt: skip


def answer(bound: Any, talk: list[BaseMessage]) -> AIMessage:
    """The model's next turn."""
    if not TASK["stream"]:
        return bound.invoke(talk)
    chunks = list(bound.stream(talk))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def tools() -> dict[str, Any]:
    """The loop of an agent."""
    bound, talk, ran = model().bind_tools([lookup]), [HumanMessage("How is Oslo?")], []
    for _ in range(4):
        said = answer(bound, talk)
        talk.append(said)
        if not said.tool_calls:
            return {"text": said.text, "ran": ran, "usage": dict(said.usage_metadata or {})}
        for call in said.tool_calls:
            ran.append(call["args"])
            talk.append(ToolMessage(lookup.invoke(call["args"]), tool_call_id=call["id"]))
    raise SystemExit("the model does not stop")


def structured() -> dict[str, Any]:
    """An answer that fits a schema."""
    return {"object": model().with_structured_output(Place).invoke("Oslo?").model_dump()}


print(json.dumps(tools() if TASK["task"] == "tools" else structured()))
