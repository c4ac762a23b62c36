"""What only a Responses client meets: Codex, its WebSocket, a failure within a stream."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.dialects.responses.wires import frames_of
from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import SSE, Chunk, Close, Head, Json, Script, Stall
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import Dialect, delta, opening, received
from tests.sdk.answers import argued, begun, chat_stream, message_stream, text, thought, use

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODEX = Path(__file__).parent.parent / "golden" / "codex"
HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
CONVERTED: list[Dialect] = ["chat", "messages"]
UPGRADE = (
    b"GET %b HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    async with scene(tmp_path_factory.mktemp("responses")) as made:
        yield made


async def stream(running: FaultGateway, model: str, **more: Any) -> Any:
    """The whole answer to a streaming client."""
    body = msgspec.json.encode({"model": model, "input": "hi", "stream": True} | more)
    async with RawClient(running.gateway.port) as client:
        await client.post("/v1/responses", body)
        return await received(client, "responses")


@pytest.mark.parametrize(
    "path", [b"/v1/responses", b"/responses", b"/v1/chat/completions", b"/v1/realtime"]
)
async def test_a_websocket_is_refused_at_once(running: FaultGateway, path: bytes) -> None:
    """Codex falls back to POST on 426 alone; any other status costs it seconds."""
    async with RawClient(running.gateway.port) as client:
        await client.send(UPGRADE % path)
        status, headers = await client.read_head(2.0)
        body = msgspec.json.decode(await client.read_body(headers))
    assert (status, headers[b"content-type"]) == (426, b"application/json")
    assert "WebSocket" in body["error"]["message"]
    assert "uvicorn" not in running.gateway.log  # which would warn of each of them


class Agent:
    """One round of Codex: what it asked, what came back, and what it then sends."""

    def __init__(self, name: str, model: str) -> None:
        self.body: dict[str, Any] = msgspec.json.decode((CODEX / f"{name}.json").read_bytes())
        self.body["model"] = model

    async def ask(self, running: FaultGateway) -> list[dict[str, Any]]:
        """The items of the answer, as the events that end them tell them."""
        async with RawClient(running.gateway.port) as client:
            await client.post("/v1/responses", msgspec.json.encode(self.body))
            answer = await received(client, "responses")
        frames = frames_of(answer.body)
        assert frames[-1]["type"] == "response.completed"
        assert frames[-1]["response"]["id"] == frames[0]["response"]["id"]
        done = [frame["item"] for frame in frames if frame["type"].endswith("item.done")]
        assert done == frames[-1]["response"]["output"]
        return done


async def test_codex_before_a_chat_upstream(running: FaultGateway) -> None:
    patch = "*** Begin Patch\n*** End Patch\n"
    wrapped = msgspec.json.encode({"input": patch}).decode()
    script: Script = [SSE(chat_stream(
        {"reasoning_content": "hm"}, {"content": "I patch."},
        begun(0, "c1", "apply_patch", wrapped), begun(1, "c2", "exec_command"),
        argued(1, '{"cmd":"ls"}'), finish="tool_calls",
    ))]  # fmt: skip
    model = running.play(script)
    agent = Agent("function_tools", f"chat:{model}")
    items = await agent.ask(running)
    assert [item["type"] for item in items] == [
        "reasoning", "message", "custom_tool_call", "function_call",
    ]  # fmt: skip
    assert (items[2]["name"], items[2]["input"]) == ("apply_patch", patch)
    sent = msgspec.json.decode(running.asked(model)[0].body)
    assert "tool_search" in [tool["function"]["name"] for tool in sent["tools"]]
    assert sent["messages"][0]["role"] == "system"

    agent.body["input"] += [
        *items,
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "patched"},
        {"type": "function_call_output", "call_id": "c2", "output": "a.txt"},
    ]
    await agent.ask(running)
    turns = msgspec.json.decode(running.asked(model)[1].body)["messages"]
    assert [turn["role"] for turn in turns[-3:]] == ["assistant", "tool", "tool"]
    assert [call["id"] for call in turns[-3]["tool_calls"]] == ["c1", "c2"]
    assert msgspec.json.decode(turns[-3]["tool_calls"][0]["function"]["arguments"]) == {
        "input": patch
    }


async def test_codex_with_namespaces_before_a_messages_upstream(running: FaultGateway) -> None:
    said = [
        thought("hm", "signed"), text("I run."), use("c1", "functions__exec", {"input": "ls()"}),
        use("c2", "clock__sleep", {"duration_ms": 1}),
    ]  # fmt: skip
    model = running.play([SSE(message_stream(*said, stop="tool_use"))])
    agent = Agent("additional_tools", f"messages:{model}")
    items = await agent.ask(running)
    assert [(item["type"], item.get("namespace"), item.get("name")) for item in items[2:]] == [
        ("custom_tool_call", "functions", "exec"), ("function_call", "clock", "sleep"),
    ]  # fmt: skip
    agent.body["input"] += [
        *items,
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "a.txt"},
        {"type": "function_call_output", "call_id": "c2", "output": "slept"},
    ]
    await agent.ask(running)
    first, second = (msgspec.json.decode(each.body) for each in running.asked(model))
    assert first["tools"] == second["tools"]  # or the prompt cache is lost at each step
    turn = second["messages"][-2]["content"]
    assert turn[0] == {"type": "thinking", "thinking": "hm", "signature": "signed"}
    assert [block["name"] for block in turn[2:]] == ["functions__exec", "clock__sleep"]


@pytest.mark.parametrize("upstream", CONVERTED)
async def test_a_cut_stream_ends_in_a_failed_response(
    running: FaultGateway, upstream: Dialect
) -> None:
    said = [*opening(upstream), delta(upstream, "one "), delta(upstream, "two")]
    model = running.play([HEAD, *map(Chunk, said), Close()])
    answer = await stream(running, f"{upstream}:{model}", metadata={"a": "b"})
    frames = frames_of(answer.body)
    assert [frame["type"] for frame in frames][-1] == "response.failed"
    response = frames[-1]["response"]
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    assert response["id"] == frames[0]["response"]["id"]
    assert response["metadata"] == {"a": "b"}


async def test_a_cut_stream_of_its_own_dialect_ends_likewise(running: FaultGateway) -> None:
    said = [*opening("responses"), delta("responses", "one ")]
    model = running.play([HEAD, *map(Chunk, said), Close()])
    answer = await stream(running, f"responses:{model}")
    assert answer.body.startswith(b"".join(said))
    last = answer.values[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["id"] == answer.values[0]["response"]["id"]
    assert last["sequence_number"] == answer.values[-2]["sequence_number"] + 1


@pytest.mark.parametrize("upstream", ["chat", "messages", "responses"])
async def test_a_client_that_leaves_ends_the_upstreams_work(
    running: FaultGateway, upstream: Dialect
) -> None:
    model = running.play([HEAD, *map(Chunk, [*opening(upstream), delta(upstream, "one")]), Stall()])
    body = msgspec.json.encode({"model": f"{upstream}:{model}", "input": "hi", "stream": True})
    before = len(running.upstream.closed_connections)
    async with RawClient(running.gateway.port) as client:
        await client.post("/v1/responses", body)
        await client.read_until(b"output_text.delta")
    await wait_until(lambda: len(running.upstream.closed_connections) > before)
    await asyncio.sleep(0)


@pytest.mark.parametrize("upstream", CONVERTED)
async def test_a_prompt_that_is_too_long_is_told_as_codex_hears_it(
    running: FaultGateway, upstream: Dialect
) -> None:
    words = "prompt is too long: 210000 tokens > 200000 maximum"
    error = {"type": "invalid_request_error", "message": words}
    model = running.play(Json({"type": "error", "error": error}, 400))
    answer = await stream(running, f"{upstream}:{model}")
    assert answer.status == 200
    last = frames_of(answer.body)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "context_length_exceeded", "message": words}

    whole = await running.ask(Json({"type": "error", "error": error}, 400), "responses", upstream)
    assert whole.status == 400
    (told,) = whole.errors
    assert (told["code"], told["param"]) == ("context_length_exceeded", "input")
    mark = f'"model":"{model}","status":200,"end":"upstream_error"'
    await wait_until(lambda: mark in running.gateway.log)
