"""Counting for Gemini clients."""

from pathlib import Path

import pytest

from tests.admin.gemini_house import HELLO, KEY, scene
from tests.fakes.upstream import Json
from tests.sdk.answers import (
    messages_error,
)


async def test_a_messages_upstream_counts(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([Json({"input_tokens": 42})])
        got = await on.ask("models/messages:m:countTokens")
        assert (got.status, got.json()) == (200, {"totalTokens": 42})
        assert on.upstream.requests[0].path == "/messages/v1/messages/count_tokens"
        assert on.body == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("wrapped", [False, True])
async def test_another_upstream_is_estimated(tmp_path: Path, wrapped: bool) -> None:
    body = HELLO | {"systemInstruction": {"parts": [{"text": "be brief " * 50}]}}
    async with scene(tmp_path) as on:
        given = {"generateContentRequest": {"model": "models/x"} | body} if wrapped else body
        got = await on.ask("models/chat:m:countTokens", given)
        assert got.status == 200
        assert got.json()["totalTokens"] > 100
        assert got.headers["x-gateway-estimate"] == "1"
        assert not on.upstream.requests


async def test_an_upstreams_refusal_to_count_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([Json(messages_error("too bad", "invalid_request_error"), 400)])
        got = await on.ask("models/messages:m:countTokens")
        assert (got.status, got.json()["error"]["message"]) == (400, "too bad")


async def test_an_upstream_that_cannot_count_is_estimated(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.play([Json({"nothing": 1}, 404)])
        got = await on.ask("models/messages:m:countTokens")
        assert got.json().keys() == {"totalTokens"}


async def test_counts_are_in_no_total(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await on.ask("models/chat:m:countTokens")
        totals = await on.house.get("/metrics/running-totals", KEY)
        assert totals.json()["providers"] == {}
        await on.ask("models/chat:m:generateContent")
        totals = await on.house.get("/metrics/running-totals", KEY)
        assert "chat" in totals.json()["providers"]
