"""The official google-genai client before Chat and Messages upstreams.

It has an environment of its own, `.clients/google-genai`, unless `INTERLINGUA_GOOGLE_GENAI` names
another Python that has it.
"""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.fakes.running import run_gateway
from tests.fakes.upstream import SSE, Chunk, Head, Json, Pause, ScriptedUpstream
from tests.sdk.answers import (
    PNG,
    ROLE,
    argued,
    begun,
    chat,
    chat_error,
    chat_stream,
    chunk,
    message,
    message_stream,
    messages_error,
    text,
    thought,
    use,
)
from tests.sdk.stage import SdkGateway

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("google_genai.py")
both = pytest.mark.parametrize("provider", ["chat", "messages"])
each_version = pytest.mark.parametrize("version", ["v1", "v1beta"])


@pytest.fixture(scope="session")
def python() -> str:
    """The Python that has the client."""
    named = os.environ.get("INTERLINGUA_GOOGLE_GENAI")
    found = Path(named) if named else ROOT / ".clients" / "google-genai" / "bin" / "python"
    if not found.exists():
        if os.environ.get("INTERLINGUA_REQUIRE_CLIENTS"):
            pytest.fail("google-genai is not installed")
        pytest.skip("google-genai is not installed: make clients")
    return str(found)


class Client:
    """The client, asked one thing at a time."""

    def __init__(self, python: str, stage: SdkGateway) -> None:
        self._python = python
        self._stage = stage

    def __call__(self, task: str, model: str, **more: Any) -> Any:
        given = {"url": self._stage.url, "key": self._stage.key, "task": task, "model": model}
        line = msgspec.json.encode(given | more).decode()
        run = subprocess.run(
            [self._python, str(SCRIPT), line], capture_output=True, text=True, timeout=25
        )
        assert run.returncode == 0, run.stderr[-3000:]
        return msgspec.json.decode(run.stdout)


@pytest.fixture
def client(python: str, stage: SdkGateway) -> Client:
    return Client(python, stage)


def said(pieces: list[Any]) -> str:
    return "".join(piece["text"] or "" for piece in pieces)


@both
@each_version
def test_a_whole_answer(client: Client, stage: SdkGateway, provider: str, version: str) -> None:
    stage.play(Json(chat("Hello") if provider == "chat" else message(text("Hello"))))
    told = client("generate", f"{provider}:m", version=version)
    assert (told["text"], told["finish"], told["total"]) == ("Hello", "STOP", 1030)
    assert told["model"] == f"{provider}:m"


@both
@pytest.mark.parametrize("task", ["stream", "astream"])
def test_a_stream(client: Client, stage: SdkGateway, provider: str, task: str) -> None:
    told = chat_stream({"content": "Hel"}, {"content": "lo"})
    stage.play(SSE(told if provider == "chat" else message_stream(text("Hello"))))
    pieces = client(task, f"{provider}:m")["pieces"]
    assert said(pieces) == "Hello"
    assert [piece["finish"] for piece in pieces] == [None, None, "STOP"]
    assert pieces[-1]["total"] == 1030


TOOLS = [
    {"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]},
    {"function_declarations": [{"name": "g", "parameters_json_schema": {"type": "object"}}]},
]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_session_with_parallel_calls(client: Client, stage: SdkGateway, streamed: bool) -> None:
    deltas = [begun(0, "c1", "f", '{"x"'), argued(0, ":1}"), begun(1, "c2", "g", "{}")]
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    if streamed:
        stage.play(
            SSE(chat_stream(*deltas, finish="tool_calls")), SSE(chat_stream({"content": "done"}))
        )
    else:
        stage.play(Json(chat(None, finish="tool_calls", tool_calls=calls)), Json(chat("done")))
    told = client("chat", "chat:m", config={"tools": TOOLS}, answered=["g", "f"], streamed=streamed)
    called = [
        part["function_call"]
        for piece in told["first"]
        for part in piece["parts"]
        if "function_call" in part
    ]
    assert [(one["id"], one["name"], one["args"]) for one in called] == [
        ("c1", "f", {"x": 1}), ("c2", "g", {}),
    ]  # fmt: skip
    assert said(told["second"]) == "done"
    asked = msgspec.json.decode(stage.requests[-1].body)["messages"]
    assert [one["role"] for one in asked] == ["user", "assistant", "tool", "tool"]
    assert [(one["tool_call_id"], one["content"]) for one in asked[2:]] == [
        ("c1", "f"), ("c2", "g"),
    ]  # fmt: skip


@pytest.mark.parametrize("drop", [False, True], ids=["keeps its thoughts", "drops them"])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_goes_back_to_who_thought_it(
    client: Client, stage: SdkGateway, streamed: bool, drop: bool
) -> None:
    blocks = [thought("why", "sig"), text("ok"), use("toolu_1", "f", {"x": 1})]
    if streamed:
        stage.play(SSE(message_stream(*blocks, stop="tool_use")), SSE(message_stream(text("done"))))
    else:
        stage.play(Json(message(*blocks, stop="tool_use")), Json(message(text("done"))))
    config = {"tools": TOOLS, "thinking_config": {"include_thoughts": True}}
    told = client("chat", "messages:m", config=config, answered=["f"], streamed=streamed, drop=drop)
    thoughts = [p["text"] for piece in told["first"] for p in piece["parts"] if p.get("thought")]
    assert "".join(thoughts) == "why"
    assert said(told["second"]) == "done"
    asked = msgspec.json.decode(stage.requests[-1].body)["messages"]
    assert asked[1]["content"] == blocks
    assert asked[2]["content"][0]["tool_use_id"] == "toolu_1"


@both
def test_an_image(client: Client, stage: SdkGateway, provider: str) -> None:
    stage.play(Json(chat("A dot") if provider == "chat" else message(text("A dot"))))
    contents = [
        {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}]}
    ]
    assert client("generate", f"{provider}:m", contents=contents)["text"] == "A dot"
    assert PNG.rstrip("=").encode() in stage.received().body


@both
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal(client: Client, stage: SdkGateway, provider: str, streamed: bool) -> None:
    details = {"type": "refusal", "category": None, "explanation": "bio"}
    if provider == "messages":
        told = message_stream(stop="refusal", stop_details=details)
        whole = message(stop="refusal", stop_details=details)
    else:
        told = chat_stream({"refusal": "bio"})
        whole = chat(None, refusal="bio")
    stage.play(SSE(told) if streamed else Json(whole))
    if streamed:
        answer = client("stream", f"{provider}:m")["pieces"][-1]
    else:
        answer = client("generate", f"{provider}:m")
    assert answer["finish"] == "SAFETY"


@both
@pytest.mark.parametrize("task", ["generate", "stream"])
def test_an_error_before_the_answer(
    client: Client, stage: SdkGateway, provider: str, task: str
) -> None:
    told = (
        chat_error("slow down", "rate_limit_error", "rate_limit_exceeded")
        if provider == "chat"
        else messages_error("slow down", "rate_limit_error")
    )
    stage.play(Json(told, 429))
    assert client(task, f"{provider}:m")["error"] == {
        "class": "ClientError",
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "slow down",
    }


def test_an_error_inside_a_stream(client: Client, stage: SdkGateway) -> None:
    boom = b'data: {"error":{"message":"boom","type":"server_error","code":503}}\n\n'
    stage.play(SSE([ROLE, chunk({"content": "one"}), boom]))
    told = client("stream", "chat:m")
    assert said(told["pieces"]) == "one"
    assert (told["error"]["class"], told["error"]["code"]) == ("ServerError", 503)
    assert told["error"]["message"] == "boom"


@both
def test_a_stream_that_is_cut(client: Client, stage: SdkGateway, provider: str) -> None:
    whole = chat_stream({"content": "one"}) if provider == "chat" else message_stream(text("one"))
    stage.play(SSE(whole[:-3]))
    told = client("stream", f"{provider}:m")
    assert said(told["pieces"]) == "one"
    assert told["error"]["code"] == 502


PINGED = """
[server]
ping = 0.1
discover = false
[providers.up]
use = "compatible"
base_url = "{url}/v1"
"""


@pytest.mark.parametrize("task", ["stream", "astream"])
async def test_signs_of_life_are_not_seen(python: str, tmp_path: Path, task: str) -> None:
    head = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    first, *late = chat_stream({"content": "late"})
    script = [head, Pause(0.5), Chunk(first), Pause(0.5), *map(Chunk, late), Chunk(b"")]
    async with (
        ScriptedUpstream(script) as upstream,
        run_gateway(tmp_path, PINGED.format(url=upstream.url)) as running,
    ):
        given = {"url": running.url, "key": "any", "task": task, "model": "up:m"}
        run = await asyncio.create_subprocess_exec(
            python, str(SCRIPT), msgspec.json.encode(given).decode(),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await run.communicate()
    assert said(msgspec.json.decode(out)["pieces"]) == "late"


def test_an_unknown_key(client: Client) -> None:
    told = client("generate", "chat:m", key="wrong")
    assert (told["error"]["code"], told["error"]["status"]) == (401, "UNAUTHENTICATED")


@both
def test_a_count(client: Client, stage: SdkGateway, provider: str) -> None:
    stage.play(Json({"input_tokens": 42}))
    told = client("count", f"{provider}:m", contents="hello")
    assert told == 42 if provider == "messages" else told > 0


@each_version
def test_the_models(client: Client, stage: SdkGateway, version: str) -> None:
    stage.play(Json({"object": "list", "data": [{"id": "x"}, {"id": "y"}, {"id": "z"}]}))
    told = client("models", "chat:y", version=version)
    assert {"models/chat:x", "models/chat:y", "models/nickname"} <= set(told["names"])
    assert told["one"] == "models/chat:y"


def test_the_paths_of_the_enterprise_api(client: Client, stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    assert client("generate", "chat:m", vertexai=True)["text"] == "Hello"
