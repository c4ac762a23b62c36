"""Answers to Gemini clients from Chat and Messages upstreams."""

from pathlib import Path

import pytest

from tests.admin.gemini_house import HELLO, answer, both, scene, stream, text_of
from tests.dialects.gemini.sent import answers_of, said
from tests.fakes.upstream import SSE, Head, Json, Script, Stall
from tests.sdk.answers import (
    PNG,
    ROLE,
    argued,
    begun,
    call,
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


@both
async def test_a_whole_answer(tmp_path: Path, provider: str) -> None:
    async with scene(tmp_path) as on:
        on.play(answer(provider))
        got = await on.ask(f"models/{provider}:m:generateContent")
        assert got.status == 200
        assert got.headers["content-type"] == "application/json"
        assert got.headers["x-gateway-provider"] == provider
        assert text_of([got.json()]) == "Hello"
        assert got.json()["usageMetadata"]["totalTokenCount"] == 1030
        assert got.json()["modelVersion"] == f"{provider}:m"
        assert on.body["model"] == "m"
        assert on.body.get("stream", False) is False


@both
async def test_a_stream_of_events(tmp_path: Path, provider: str) -> None:
    async with scene(tmp_path) as on:
        on.play(stream(provider))
        got = await on.ask(f"models/{provider}:m:streamGenerateContent?alt=sse")
        assert (got.status, got.is_complete) == (200, True)
        assert got.headers["content-type"].startswith("text/event-stream")
        answers = answers_of(got.body)
        assert text_of(answers) == "Hello"
        assert [one["candidates"][0].get("finishReason") for one in answers][-1] == "STOP"
        assert sum("usageMetadata" in one for one in answers) == 1
        assert on.body["stream"] is True


@both
async def test_a_stream_without_alt_is_an_array(tmp_path: Path, provider: str) -> None:
    async with scene(tmp_path) as on:
        on.play(stream(provider))
        got = await on.ask(f"models/{provider}:m:streamGenerateContent")
        assert (got.status, got.is_complete) == (200, True)
        assert got.headers["content-type"] == "application/json; charset=UTF-8"
        assert text_of(got.json()) == "Hello"
        assert len(got.sent) > 3  # it comes in pieces


async def test_tools_there_and_back(tmp_path: Path) -> None:
    tools = [
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]},
        {"functionDeclarations": [{"name": "g"}]},
    ]
    async with scene(tmp_path) as on:
        calls = [call("c1", "f", '{"x":1.0}'), call("c2", "g", "")]
        on.play([Json(chat(None, finish="tool_calls", tool_calls=calls))])
        first = await on.ask("models/chat:m:generateContent", HELLO | {"tools": tools})
        turn = first.json()["candidates"][0]["content"]
        assert turn["parts"] == [
            {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1.0}}},
            {"functionCall": {"id": "c2", "name": "g", "args": {}}},
        ]
        responses = [
            {"functionResponse": {"name": "g", "response": {"output": "two"}}},
            {"functionResponse": {"name": "f", "response": {"error": "one"}}},
        ]
        contents = [said("hello"), turn, said(*responses)]
        on.play(answer("chat"))
        await on.ask("models/chat:m:generateContent", {"contents": contents, "tools": tools})
        asked = on.body["messages"]
        assert [one["tool_call_id"] for one in asked if one["role"] == "tool"] == ["c1", "c2"]
        assert [one["content"] for one in asked if one["role"] == "tool"] == ["Error: one", "two"]
        assert [tool["function"]["name"] for tool in on.body["tools"]] == ["f", "g"]


async def test_parallel_tools_in_a_stream(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        deltas = [begun(0, "c1", "f", '{"x"'), argued(0, ":1}"), begun(1, "c2", "g", "{}")]
        on.play([SSE(chat_stream(*deltas, finish="tool_calls"))])
        got = await on.ask("models/chat:m:streamGenerateContent?alt=sse")
        parts = [one["candidates"][0]["content"]["parts"][0] for one in answers_of(got.body)]
        assert [part["functionCall"]["id"] for part in parts[:-1]] == ["c1", "c2"]
        assert answers_of(got.body)[-1]["candidates"][0]["finishReason"] == "STOP"


THINKS = {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}}}


@pytest.mark.parametrize("keeps_thoughts", [True, False])
@pytest.mark.parametrize("streamed", [True, False])
async def test_thinking_comes_back_to_who_thought_it(
    tmp_path: Path, streamed: bool, keeps_thoughts: bool
) -> None:
    """Clients that drop the thoughts they show keep what a call carries."""
    blocks = [thought("why", "sig"), use("toolu_1", "f", {}), use("toolu_2", "g", {})]
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    body = HELLO | {"tools": tools} | THINKS
    verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    async with scene(tmp_path) as on:
        told: Script = (
            [SSE(message_stream(*blocks, stop="tool_use"))]
            if streamed
            else [Json(message(*blocks, stop="tool_use"))]
        )
        on.play(told)
        got = await on.ask(f"models/messages:m:{verb}", body)
        assert on.body["thinking"] == {
            "type": "enabled",
            "budget_tokens": 2048,
            "display": "summarized",
        }
        answers = answers_of(got.body) if streamed else [got.json()]
        turns = [one["candidates"][0]["content"] for one in answers]
        shown = [part for turn in turns for part in turn["parts"] if part.get("thought")]
        assert "".join(part["text"] for part in shown) == "why"
        if not keeps_thoughts:
            turns = [
                turn | {"parts": [part for part in turn["parts"] if not part.get("thought")]}
                for turn in turns
            ]
        results = [
            {"functionResponse": {"name": name, "response": {"output": "1"}}} for name in "fg"
        ]
        contents = [said("hello"), *turns, said(*results)]
        await on.ask(f"models/messages:m:{verb}", body | {"contents": contents})
        (turn,) = (one for one in on.body["messages"] if one["role"] == "assistant")
        assert turn["content"] == blocks


async def test_thoughts_are_hidden_from_who_did_not_ask(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([Json(message(thought("why", "sig"), text("so")))])
        got = await on.ask("models/messages:m:generateContent")
        assert got.json()["candidates"][0]["content"]["parts"] == [{"text": "so"}]


@both
async def test_an_image(tmp_path: Path, provider: str) -> None:
    body = {"contents": [said({"inline_data": {"mime_type": "image/png", "data": PNG}}, "what?")]}
    async with scene(tmp_path) as on:
        on.play(answer(provider))
        assert (await on.ask(f"models/{provider}:m:generateContent", body)).status == 200
        picture, _ = on.body["messages"][0]["content"]
        if provider == "chat":
            assert picture["image_url"]["url"] == f"data:image/png;base64,{PNG}"
        else:
            assert picture["source"]["data"] == PNG


@both
async def test_a_refusal(tmp_path: Path, provider: str) -> None:
    async with scene(tmp_path) as on:
        details = {"type": "refusal", "category": None, "explanation": "bio"}
        refused = (
            chat(None, refusal="bio")
            if provider == "chat"
            else message(stop="refusal", stop_details=details)
        )
        on.play([Json(refused)])
        (candidate,) = (await on.ask(f"models/{provider}:m:generateContent")).json()["candidates"]
        assert candidate["finishReason"] == "SAFETY"
        told = [part["text"] for part in candidate["content"].get("parts", [])]
        assert "bio" in [*told, candidate["finishMessage"]]


@both
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_an_error_before_the_answer(tmp_path: Path, provider: str, verb: str) -> None:
    async with scene(tmp_path) as on:
        told = (
            chat_error("slow down", "rate_limit_error", "rate_limit_exceeded")
            if provider == "chat"
            else messages_error("slow down", "rate_limit_error")
        )
        on.play([Json(told, 429, headers=[("retry-after", "7")])])
        got = await on.ask(f"models/{provider}:m:{verb}")
        error = got.json()["error"]
        assert (got.status, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
        assert error["message"] == "slow down"
        assert got.headers["retry-after"] == "7"
        assert {"retryDelay": "7s"}.items() <= error["details"][-2].items()


BOOM = b'data: {"error":{"message":"boom","type":"server_error","code":503}}\n\n'


@pytest.mark.parametrize("query", ["?alt=sse", ""])
async def test_an_error_inside_a_stream(tmp_path: Path, query: str) -> None:
    async with scene(tmp_path) as on:
        on.play([SSE([ROLE, chunk({"content": "one"}), BOOM])])
        got = await on.ask(f"models/chat:m:streamGenerateContent{query}")
        answers = answers_of(got.body) if query else got.json()
        assert got.status == 200
        assert text_of(answers[:-1]) == "one"
        assert answers[-1]["error"]["code"] == 503
        assert answers[-1]["error"]["message"] == "boom"
        assert b"finishReason" not in got.body
        assert "usageMetadata" not in got.body.decode()


@both
@pytest.mark.parametrize("query", ["?alt=sse", ""])
async def test_a_stream_that_is_cut_is_an_error(tmp_path: Path, provider: str, query: str) -> None:
    async with scene(tmp_path) as on:
        whole = (
            chat_stream({"content": "one"}) if provider == "chat" else message_stream(text("one"))
        )
        on.play([SSE(whole[:-3])])
        got = await on.ask(f"models/{provider}:m:streamGenerateContent{query}")
        answers = answers_of(got.body) if query else got.json()
        assert answers[-1]["error"]["status"] == "UNAVAILABLE"
        assert b"finishReason" not in got.body


@pytest.mark.parametrize(("query", "ping"), [("?alt=sse", b"\n\n"), ("", b"\n")])
async def test_silence_is_filled_with_blank_lines(tmp_path: Path, query: str, ping: bytes) -> None:
    head = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    async with scene(tmp_path, ping=0.05) as on:
        on.play([head, Stall()])
        driven = on.asking(f"models/chat:m:streamGenerateContent{query}")
        await driven.wait_until_sent(ping)
        kind = driven.headers["content-type"]
        assert kind.startswith("text/event-stream" if query else "application/json")
        on.house.edge.cut()
        await driven.wait_done()
        told = answers_of(driven.body) if query else driven.json()
        assert told[0]["error"]["status"] == "UNAVAILABLE"
