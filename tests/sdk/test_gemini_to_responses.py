"""A Gemini client's calls and a Responses upstream."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from httpx2 import Client

from gateway.wire.sse import Splitter
from tests.fakes.responses import (
    make_function_call,
    make_message,
    make_reasoning,
    make_response,
    make_script,
)
from tests.fakes.upstream import SSE, Json
from tests.sdk.stage import SdkGateway

MODEL = "/v1beta/models/responses:gpt-5"
HELLO = {"role": "user", "parts": [{"text": "hello"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ITEMS = (
    make_reasoning("why", encrypted="gAAA"),
    make_message("Let me see."),
    make_function_call("c1", "f", '{"city":"Oslo"}'),
)


@pytest.fixture
def client(stage: SdkGateway) -> Iterator[Client]:
    """A client without opinions."""
    with Client(base_url=stage.url, headers={"x-goog-api-key": stage.key}, timeout=20) as opened:
        yield opened


def parts_of(value: Any) -> list[Any]:
    found: list[Any] = value["candidates"][0].get("content", {}).get("parts", [])
    return found


def test_a_whole_answer_and_the_turn_after_it(stage: SdkGateway, client: Client) -> None:
    stage.play(Json(make_response(*ITEMS)))
    tools = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}]
    asked = {"contents": [HELLO], "tools": tools, "systemInstruction": {"parts": [{"text": "S"}]}}
    answer = client.post(f"{MODEL}:generateContent", json=asked)
    assert answer.status_code == 200, answer.text
    parts = parts_of(answer.json())
    assert (
        "".join(part.get("text", "") for part in parts if not part.get("thought")) == "Let me see."
    )
    (called,) = [part["functionCall"] for part in parts if "functionCall" in part]
    assert (called["name"], called["args"]) == ("f", {"city": "Oslo"})
    assert stage.head()[:2] == ("POST", "/responses/v1/responses")
    body = stage.body()
    assert body["input"] == [
        {"type": "message", "role": "developer", "content": "S"},
        {"type": "message", "role": "user", "content": "hello"},
    ]
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
    ]
    result = {"functionResponse": {"name": "f", "response": {"output": "5"}}}
    history = [HELLO, {"role": "model", "parts": parts}, {"role": "user", "parts": [result]}]
    stage.play(Json(make_response(make_message("ok"))))
    client.post(f"{MODEL}:generateContent", json=asked | {"contents": history})
    kinds = [item["type"] for item in stage.body()["input"]]
    assert kinds == [
        "message", "message", "reasoning", "message", "function_call", "function_call_output",
    ]  # fmt: skip
    thought = stage.body()["input"][2]
    assert (thought["id"], thought["encrypted_content"]) == ("rs_1", "gAAA")
    called_back, told = stage.body()["input"][-2:]
    assert called_back["call_id"] == told["call_id"]


def test_a_stream(stage: SdkGateway, client: Client) -> None:
    stage.play(SSE(make_script(*ITEMS).frames))
    answer = client.post(f"{MODEL}:streamGenerateContent?alt=sse", json={"contents": [HELLO]})
    assert answer.status_code == 200, answer.text
    values = [msgspec.json.decode(frame.data) for frame in Splitter().feed(answer.content)]
    parts = [part for value in values for part in parts_of(value)]
    assert (
        "".join(part.get("text", "") for part in parts if not part.get("thought")) == "Let me see."
    )
    assert [part["functionCall"]["args"] for part in parts if "functionCall" in part] == [
        {"city": "Oslo"}
    ]
    assert values[-1]["candidates"][0]["finishReason"] == "STOP"
    assert stage.body()["stream"] is True
