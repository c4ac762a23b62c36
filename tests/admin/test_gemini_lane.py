"""Where a Gemini client's upstream speaks Gemini too, bytes pass: all of them."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from tests.admin.gemini_house import HELLO, KEY, scene
from tests.dialects.gemini.sent import said
from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import message, thought, use

ASKED = (
    b'{"contents":[{"role":"user","parts":[{"text":"h\\u00e9","brandNew":{"x":1.0}}]}],'
    b'"generation_config":{"topK":1e1},"cachedContent":"cachedContents/1",'
    b'"tools":[{"codeExecution":{}}],"brandNewer":[1.50],"safetySettings":[]}'
)
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}


def told(*parts: Any, **more: Any) -> bytes:
    """One event of Google's."""
    content = {"parts": list(parts), "role": "model", "brandNew": 1}
    candidate = {"content": content, "index": 0} | more
    return msgspec.json.encode({"candidates": [candidate], "usageMetadata": USAGE, "odd": [1.5]})


STREAM = b"".join(
    b"data: " + data + b"\r\n\r\n"
    for data in (
        told({"text": "Hel", "thoughtSignature": "AbC="}),
        told({"functionCall": {"name": "f", "args": {"a": 1}}}),
        told({"text": ""}, finishReason="STOP"),
    )
)


async def test_a_request_passes_but_for_its_address(tmp_path: Path) -> None:
    whole = told({"text": "x"}, finishReason="STOP")
    async with scene(tmp_path) as on:
        on.play([Json(whole)])
        got = await on.ask("models/google:tuned/a b:generateContent?key=gw-key&alt=json", ASKED)
        (request,) = on.upstream.requests
        assert request.body == ASKED
        assert request.path == "/google/v1beta/models/tuned%2Fa%20b:generateContent"
        assert request.get_header(b"x-goog-api-key") == b"sk-upstream-google"
        assert got.body == whole
        assert got.headers["x-gateway-provider"] == "google"
        assert "x-gateway-warnings" not in got.headers


@pytest.mark.parametrize("seed", range(3))
async def test_a_stream_passes_however_it_is_cut(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    places = sorted(dice.sample(range(1, len(STREAM)), 40))
    ends = zip([0, *places], [*places, len(STREAM)], strict=True)
    async with scene(tmp_path) as on:
        on.play([SSE([STREAM[a:b] for a, b in ends])])
        got = await on.ask("models/google:m:streamGenerateContent?alt=sse")
        assert got.body == STREAM
        (request,) = on.upstream.requests
        assert request.path == "/google/v1beta/models/m:streamGenerateContent?alt=sse"
        totals = await on.house.get("/metrics/running-totals?provider=google", KEY)
        assert b'"input_tokens":7,' in totals.body


async def test_a_stream_becomes_an_array(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([SSE([STREAM])])
        got = await on.ask("models/google:m:streamGenerateContent")
        assert [one["odd"] for one in got.json()] == [[1.5]] * 3


async def test_a_stream_that_is_cut_is_an_error(tmp_path: Path) -> None:
    cut = STREAM.rpartition(b"data: ")[0]
    async with scene(tmp_path) as on:
        on.play([SSE([cut])])
        got = await on.ask("models/google:m:streamGenerateContent?alt=sse")
        assert got.body.startswith(cut)
        assert b'data: {"error":{"code":502' in got.body


async def test_googles_errors_pass(tmp_path: Path) -> None:
    error = (
        b'{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{"x":1.0}]}}'
    )
    async with scene(tmp_path) as on:
        on.play([Json(error, 400)])
        got = await on.ask("models/google:m:generateContent")
        assert (got.status, got.body) == (400, error)


async def test_googles_own_count(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([Json(b'{"totalTokens": 31, "promptTokensDetails": []}')])
        got = await on.ask("models/google:m:countTokens")
        assert got.json()["totalTokens"] == 31
        (request,) = on.upstream.requests
        assert request.path == "/google/v1beta/models/m:countTokens"
        assert b'"model":"google' not in request.body


@pytest.mark.parametrize("model", ["gemini-3-pro", "gemini-2.5-pro"])
async def test_a_turn_of_another_upstreams_is_mended(tmp_path: Path, model: str) -> None:
    """A session that Claude began goes on at Gemini, which takes no foreign signature."""
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    async with scene(tmp_path) as on:
        on.play([Json(message(thought("why", "sig"), use("toolu_1", "f", {}), stop="tool_use"))])
        first = await on.ask("models/messages:m:generateContent", HELLO | {"tools": tools})
        turn = first.json()["candidates"][0]["content"]
        assert "thoughtSignature" in turn["parts"][0]
        result = {"functionResponse": {"id": "toolu_1", "name": "f", "response": {"output": "1"}}}
        contents = [said("hello"), turn, said(result)]
        on.play([Json(told({"text": "x"}, finishReason="STOP"))])
        path = f"models/google:{model}:generateContent"
        got = await on.ask(path, {"contents": contents, "tools": tools})
        call = turn["parts"][0]
        del call["thoughtSignature"]
        if model == "gemini-3-pro":
            call["thoughtSignature"] = SKIP_SIGNATURE
        assert on.body == {"contents": [said("hello"), turn, said(result)], "tools": tools}
        assert got.headers["x-gateway-warnings"] == "contents:foreign_reasoning_dropped"
