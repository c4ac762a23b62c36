"""Answers to Gemini clients from the cache."""

from pathlib import Path
from typing import Any

import pytest

from tests.admin import gemini_house
from tests.admin.gemini_house import HELLO, scene
from tests.dialects.gemini.sent import answers_of, said
from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import message, message_stream, text, thought, use
from tests.sdk.gemini import answer as googles

TOOLS = {"tools": [{"functionDeclarations": [{"name": "f"}]}]}
THINKS = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
BLOCKS = [thought("why", "sig"), text("ok"), use("toolu_1", "f", {"x": 1})]


@pytest.fixture(autouse=True)
def _with_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    link = '[[middleware]]\nuse = "cache"\ntools = true\n[[middleware]]\nuse = "fallback"'
    config = gemini_house.CONFIG.replace('[[middleware]]\nuse = "fallback"', link)
    monkeypatch.setattr(gemini_house, "CONFIG", config)


def parts_of(answers: list[Any]) -> list[Any]:
    parts = [part for one in answers for part in one["candidates"][0]["content"]["parts"]]
    whole: list[Any] = []
    for part in parts:
        last = whole[-1] if whole else {}
        joinable = part.keys() in ({"text"}, {"text", "thought"})
        if joinable and part.keys() == last.keys():
            last["text"] += part["text"]
        elif part != {"text": ""}:
            whole.append(dict(part))
    return whole


@pytest.mark.parametrize("first", ["generateContent", "streamGenerateContent"])
@pytest.mark.parametrize("then", ["generateContent", "streamGenerateContent"])
async def test_an_answer_is_given_again_in_any_form(tmp_path: Path, first: str, then: str) -> None:
    body = HELLO | TOOLS | THINKS
    async with scene(tmp_path) as on:
        streamed = first.startswith("stream")
        on.play(
            [SSE(message_stream(*BLOCKS, stop="tool_use"))]
            if streamed
            else [Json(message(*BLOCKS, stop="tool_use"))]
        )
        told = []
        for verb, status in ((first, "miss"), (then, "hit")):
            got = await on.ask(f"models/messages:m:{verb}?alt=sse", body)
            assert (got.status, got.headers["x-cache-status"]) == (200, status)
            told.append(answers_of(got.body) if verb.startswith("stream") else [got.json()])
        assert len(on.upstream.requests) == 1
    assert parts_of(told[0]) == parts_of(told[1])
    for name in ("usageMetadata", "responseId"):
        assert told[0][-1][name] == told[1][-1][name]


async def test_an_array_is_given_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([SSE(message_stream(text("Hello")))])
        first = await on.ask("models/messages:m:streamGenerateContent")
        again = await on.ask("models/messages:m:streamGenerateContent")
        assert again.headers["x-cache-status"] == "hit"
        assert parts_of(first.json()) == parts_of(again.json()) == [{"text": "Hello"}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (TOOLS, "miss"),
        ({"tools": [{"googleSearch": {}}]}, "bypass"),
        ({"tools": [{"functionDeclarations": [], "google_search": {}}]}, "bypass"),
        ({"tools": [{"codeExecution": {}}]}, "bypass"),
        ({"cachedContent": "cachedContents/1"}, "bypass"),
        ({"generationConfig": {"candidateCount": 2}}, "bypass"),
        ({"contents": [said({"fileData": {"fileUri": "gs://b/a.png"}})]}, "miss"),
    ],
)
async def test_what_google_runs_is_not_kept(tmp_path: Path, body: Any, status: str) -> None:
    async with scene(tmp_path) as on:
        on.play([Json(googles({"text": "x"}))])
        got = await on.ask("models/google:m:generateContent", HELLO | body)
        assert (got.status, got.headers["x-cache-status"]) == (200, status)


@pytest.mark.parametrize(
    "told",
    [
        googles({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
        googles({"text": "x"}) | {"candidates": [
            {"content": {"parts": [{"text": at}]}, "index": at == "b", "finishReason": "STOP"}
            for at in "ab"
        ]},
    ],
)  # fmt: skip
async def test_what_the_neutral_form_cannot_say_is_not_kept(tmp_path: Path, told: Any) -> None:
    async with scene(tmp_path) as on:
        on.play([Json(told)])
        for _ in range(2):
            got = await on.ask("models/google:m:generateContent")
            assert (got.headers["x-cache-status"], got.json()) == ("miss", told)
