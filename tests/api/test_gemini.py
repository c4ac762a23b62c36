"""Gemini's client endpoints: what an address asks for, errors, and leaving."""

from pathlib import Path
from typing import Any

import pytest

from gateway.api.gemini import GeminiAddress
from tests.admin.gemini_house import HELLO, scene
from tests.fakes.client import wait_until
from tests.fakes.upstream import Stall

PATHS = [
    ("/v1beta/models/chat:m:generateContent", "m"),
    ("/v1/models/chat:m:generateContent", "m"),
    ("/models/chat:m:generateContent", "m"),
    ("/v1beta/models/models/chat:m:generateContent", "m"),
    ("/v1beta/models/chat:openrouter/foo:free:generateContent", "openrouter/foo:free"),
    ("/v1beta/models/nickname:generateContent", "the/real:name"),
    ("/v1beta/models/m:generateContent", "m"),
    ("/v1beta/models/chat:publishers/x/models/y:generateContent", "publishers/x/models/y"),
    ("/v1beta1/publishers/google/models/chat:m:generateContent", "m"),
    ("/v1beta1/projects/p/locations/l/publishers/google/models/chat:m:generateContent", "m"),
    ("/v1beta1/publishers/acme/models/m:generateContent", "acme/m"),
    ("/v1beta/tunedModels/t:generateContent", "tunedModels/t"),
]


@pytest.mark.parametrize(("path", "model"), PATHS)
async def test_the_model_stands_in_the_path(tmp_path: Path, path: str, model: str) -> None:
    async with scene(tmp_path, more="[routing]\ndefault_provider = 'chat'") as on:
        got = await on.ask(path)
        assert got.status == 200, got.body
        assert on.body["model"] == model


@pytest.mark.parametrize(
    ("path", "query", "asked"),
    [
        ("/v1beta/models/m:generateContent", b"", GeminiAddress("m", "generateContent")),
        (
            "/v1beta/models/m:streamGenerateContent",
            b"alt=sse",
            GeminiAddress("m", "streamGenerateContent"),
        ),
        (
            "/v1beta/models/m:streamGenerateContent",
            b"x=1",
            GeminiAddress("m", "streamGenerateContent", array=True),
        ),
        ("/models/:generateContent", b"", GeminiAddress("", "generateContent")),
        ("/v1beta/models/a:b", b"", GeminiAddress("a", "b")),
        (
            "/v1/projects/p/locations/l/x/1:predict",
            b"",
            GeminiAddress("projects/p/locations/l/x/1", "predict"),
        ),
        ("/v1beta/models/a\nb:countTokens", b"", GeminiAddress("a\nb", "countTokens")),
    ],
)
def test_what_an_address_asks_for(path: str, query: bytes, asked: GeminiAddress) -> None:
    assert GeminiAddress.from_url(path, query) == asked


@pytest.mark.parametrize(
    ("path", "at_once"),
    [
        ("/v1beta/models/chat:m:generateContent", True),
        ("/v1/models/chat:m:streamGenerateContent", True),
        ("/v1beta1/publishers/google/models/chat:m:generateContent", False),
    ],
)
async def test_most_calls_pass_the_routing_by(tmp_path: Path, path: str, at_once: bool) -> None:
    async with scene(tmp_path) as on:
        driven = await on.ask(path)
        assert driven.status == 200
        assert ("app" not in driven.scope) is at_once  # Starlette puts itself there


async def test_a_body_cannot_name_another_model_or_form(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        body = HELLO | {"model": "messages:other", "stream": True}
        got = await on.ask("models/chat:m:generateContent", body)
        assert got.headers["content-type"] == "application/json"
        assert (on.body["model"], on.body.get("stream", False)) == ("m", False)


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens"])
async def test_a_client_that_leaves_takes_the_upstream_with_it(tmp_path: Path, verb: str) -> None:
    async with scene(tmp_path) as on:
        on.play([Stall()])
        driven = on.asking(f"models/messages:m:{verb}")
        await wait_until(lambda: on.upstream.requests)
        driven.hang_up()
        await driven.wait_done()
        await wait_until(lambda: not on.upstream.open_connections)
        assert not driven.has_started
        assert not on.house.edge.open


async def test_a_draining_gateway_takes_no_calls(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.house.edge.draining = True
        got = await on.ask("models/chat:m:generateContent")
        assert got.status == 503
        assert got.json()["error"]["status"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("models/chat:m:embedContent", HELLO, 404, ":generateContent"),
        ("models/chat:m", HELLO, 404, "known"),
        ("models/:generateContent", HELLO, 400, "model"),
        ("models/nope:m:generateContent", HELLO, 404, "nope"),
        ("models/chat:m:generateContent", b"{", 400, "JSON"),
        ("models/chat:m:generateContent", {}, 400, "contents"),
        ("models/chat:m:generateContent", {"contents": [{"role": "x"}]}, 400, "role"),
        ("models/chat:m:countTokens", {}, 400, "contents"),
    ],
)
async def test_what_is_wrong_is_told_in_geminis_words(
    tmp_path: Path, path: str, body: Any, status: int, said: str
) -> None:
    async with scene(tmp_path) as on:
        got = await on.ask(path, body)
        error = got.json()["error"]
        assert (got.status, error["code"]) == (status, status)
        assert said in error["message"]
        assert error["details"][-1]["requestId"] == got.headers["x-request-id"]
        assert not on.upstream.requests


async def test_only_posts_are_calls(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        got = await on.ask("models/chat:m:generateContent", b"", method="PUT")
        assert got.status == 405
        assert got.json()["error"]["code"] == 405
