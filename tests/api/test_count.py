"""Counting through a built gateway."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic import Anthropic, BadRequestError
from blockbuster import blockbuster_ctx

from gateway.call import Headers
from gateway.counting import counter
from gateway.counting.estimate import estimate_tokens
from tests.admin.house import SHOWN, AdminGateway, before, house
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.running import run_gateway
from tests.fakes.upstream import Json, ReceivedRequest, Script, ScriptedUpstream, Stall

PATH = "/v1/messages/count_tokens"
CONFIG = """
[server]
discover = false
[auth]
keys = ["{key}"]
[catalogue]
folder = "{folder}"
timeout = {timeout}
{catalogue}
[aliases]
claude = ["anthropic:claude-opus-4-8", "openai:gpt-5"]
gpt = "openai:gpt-5"
own = "own:claude-opus-4-8"
echo = "echo:m"
[providers.anthropic]
api_key = "sk-upstream"
base_url = "{upstream}/anthropic/v1"
defaults = {{ temperature = 0.5, max_tokens = 9 }}
[providers.own]
use = "anthropic"
api_key = "!PASSTHRU"
base_url = "{upstream}/anthropic/v1"
[providers.openai]
api_key = "sk-upstream"
base_url = "{upstream}/openai/v1"
[providers.gemini]
api_key = "sk-upstream"
base_url = "{upstream}/gemini/v1beta"
[providers.echo]
{more}
"""
HELLO: dict[str, Any] = {
    "model": "claude",
    "system": "You are a scientist",
    "messages": [{"role": "user", "content": "Hello, Claude"}],
}
COUNT = {"input_tokens": 14, "extra": [1.0]}
CACHE = """
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
[[middleware]]
use = "fallback"
[[middleware]]
use = "convert"
"""
COMPLETION = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1, "total_tokens": 1001},
}  # fmt: skip


def counted(request: ReceivedRequest) -> Script:
    return [Json(COUNT, headers=[("request-id", "req_up"), ("set-cookie", "a=b")])]


async def asked(
    opened: AdminGateway, body: Any, path: str = PATH, headers: Headers | None = None
) -> AsgiTestRequest:
    return await opened.asking(path, method="POST", body=body, headers=headers).wait_done()


def estimated(answer: AsgiTestRequest) -> int:
    """The tokens of an answer that is an estimate of ours."""
    assert (answer.status, answer.headers["x-gateway-estimate"]) == (200, "1"), answer.body
    found = answer.json()
    assert list(found) == ["input_tokens", "output_tokens"]
    assert found["output_tokens"] == 0
    return int(found["input_tokens"])


# --- the upstream's own count ---------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, "/messages/count_tokens", PATH + "?beta=true&x=1"])
async def test_an_upstream_that_speaks_messages_counts_itself(tmp_path: Path, path: str) -> None:
    body = HELLO | {"max_tokens": 5, "stream": True, "temperature": 1, "tools": [], "new": {"a": 1}}
    shown: Headers = [
        *SHOWN,
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-beta", b"token-counting-2024-11-01,context-1m-2025-08-07"),
    ]
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        answer = await asked(opened, body, path, shown)
    assert (answer.status, answer.body) == (200, msgspec.json.encode(COUNT))
    assert "x-gateway-estimate" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-upstream-request-id"] == "req_up"
    assert answer.headers["x-gateway-provider"] == "anthropic"
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/anthropic/v1/messages/count_tokens")
    assert request.body == (
        b'{"model":"claude-opus-4-8","system":"You are a scientist",'
        b'"messages":[{"role":"user","content":"Hello, Claude"}],"tools":[],"new":{"a":1}}'
    )
    assert request.get_header(b"anthropic-version") == b"2026-10-21"
    assert (
        request.get_header(b"anthropic-beta") == b"token-counting-2024-11-01,context-1m-2025-08-07"
    )
    assert request.get_header(b"x-api-key") == b"sk-upstream"


async def test_the_upstream_gets_the_clients_own_bytes(tmp_path: Path) -> None:
    body = b'{"model":"claude","messages":[ {"role":"user","content":"\\u0048i", "n":1.0} ]}'
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        await asked(opened, body)
    assert upstream.requests[0].body == (
        b'{"model":"claude-opus-4-8","messages":[ {"role":"user","content":"\\u0048i", "n":1.0} ]}'
    )


async def test_gemini_counts_a_messages_request_in_its_own_words(tmp_path: Path) -> None:
    body = HELLO | {"model": "gemini:gemini-2.5-pro"}
    told = [Json({"totalTokens": 11, "promptTokensDetails": []})]
    async with before(tmp_path, lambda _: told, config=CONFIG) as (opened, upstream):
        answer = await asked(opened, body)
        error = {"error": {"code": 400, "message": "no, because", "status": "INVALID_ARGUMENT"}}
        told[:] = [Json(error, 400)]
        refused = await asked(opened, body)
        told[:] = [Json(error, 500)]
        estimated(await asked(opened, body))
    assert (answer.status, answer.json()) == (200, {"input_tokens": 11, "output_tokens": 0})
    assert "x-gateway-estimate" not in answer.headers
    request = upstream.requests[0]
    assert (request.method, request.path) == (
        "POST", "/gemini/v1beta/models/gemini-2.5-pro:countTokens",
    )  # fmt: skip
    assert msgspec.json.decode(request.body) == {"generateContentRequest": {
        "model": "models/gemini-2.5-pro",
        "systemInstruction": {"parts": [{"text": "You are a scientist"}]},
        "contents": [{"role": "user", "parts": [{"text": "Hello, Claude"}]}],
    }}  # fmt: skip
    assert refused.status == 400
    assert refused.json()["error"] == {"type": "invalid_request_error", "message": "no, because"}


REFUSED = {"type": "error", "error": {"type": "invalid_request_error", "message": "no, because"}}


async def test_what_the_upstream_says_of_the_request_reaches_the_client(tmp_path: Path) -> None:
    async with before(tmp_path, lambda _: [Json(REFUSED, 400)], config=CONFIG) as (opened, _):
        answer = await asked(opened, HELLO)
    assert (answer.status, answer.json()) == (400, REFUSED)


async def test_a_clients_own_refused_key_is_told(tmp_path: Path) -> None:
    shown: Headers = [(b"x-gateway-key", b"gw-key"), (b"x-api-key", b"sk-client")]
    body = HELLO | {"model": "own"}
    async with before(tmp_path, lambda _: [Json(REFUSED, 401)], config=CONFIG) as (opened, up):
        assert (await asked(opened, body, headers=shown)).status == 401
        assert up.requests[0].get_header(b"x-api-key") == b"sk-client"
        assert (await asked(opened, body)).status == 401  # none was shown
        assert len(up.requests) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 503, 529])
async def test_an_upstreams_failure_becomes_an_estimate(tmp_path: Path, status: int) -> None:
    async with before(tmp_path, lambda _: [Json(REFUSED, status)], config=CONFIG) as (opened, up):
        assert estimated(await asked(opened, HELLO)) == 17
        assert estimated(await asked(opened, HELLO)) == 17
        assert opened.app.state.runtime.providers["anthropic"].status().resting == []
    # who has no counting is not asked again; nobody is ever asked for a completion
    assert [request.path for request in up.requests] == ["/anthropic/v1/messages/count_tokens"] * (
        1 if status == 404 else 2
    )


async def test_an_upstream_that_is_not_there_becomes_an_estimate(tmp_path: Path) -> None:
    async with house(tmp_path, config=CONFIG) as opened:
        assert estimated(await asked(opened, HELLO)) == 17


async def test_a_slow_upstream_becomes_an_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "UPSTREAM_COUNT_TIMEOUT", 0.05)
    async with before(tmp_path, lambda _: [Stall()], config=CONFIG) as (opened, _):
        assert estimated(await asked(opened, HELLO)) == 17


@pytest.mark.parametrize("body", [{"tokens": 3}, {"input_tokens": None}, []])
async def test_an_answer_that_is_no_count_becomes_an_estimate(tmp_path: Path, body: Any) -> None:
    async with before(tmp_path, lambda _: [Json(body)], config=CONFIG) as (opened, _):
        assert estimated(await asked(opened, HELLO)) == 17


async def test_reasoning_of_another_upstream_is_not_shown_to_this_one(tmp_path: Path) -> None:
    sealed = {
        "type": "thinking",
        "thinking": "hm",
        "signature": "~gw01.abc",
    }
    messages = [
        *HELLO["messages"],
        {"role": "assistant", "content": [sealed, {"type": "text", "text": "Hi"}]},
        {"role": "user", "content": "Go on"},
    ]
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        assert estimated(await asked(opened, HELLO | {"messages": messages})) > 17
    assert upstream.requests == []


async def test_what_only_messages_can_say_is_estimated_too(tmp_path: Path) -> None:
    body = HELLO | {"mcp_servers": [{"type": "url", "url": "https://h", "name": "x"}]}
    async with before(tmp_path, lambda _: [Json({}, 500)], config=CONFIG) as (opened, _):
        assert estimated(await asked(opened, body)) > 40
        answer = await asked(opened, body | {"model": "gpt"})
    assert (answer.status, answer.json()["error"]["message"][:12]) == (400, "mcp_servers:")


# --- the estimate ---------------------------------------------------------------------------------


async def test_other_upstreams_are_not_asked(tmp_path: Path) -> None:
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        assert estimated(await asked(opened, HELLO | {"model": "gpt"})) == 3 + 4 + 4 + 4 + 3
        assert estimated(await asked(opened, HELLO | {"model": "echo"})) == 15
    assert upstream.requests == []


async def test_links_that_have_to_do_with_answers_are_passed_by(tmp_path: Path) -> None:
    async with before(tmp_path, counted, config=CONFIG, more=CACHE) as (opened, upstream):
        for _ in range(2):
            answer = await asked(opened, HELLO)
            assert answer.json() == COUNT
            assert "x-cache-status" not in answer.headers
    assert len(upstream.requests) == 2


async def test_a_count_is_logged_but_in_no_total(tmp_path: Path) -> None:
    async with before(tmp_path, counted, config=CONFIG) as (opened, _):
        await asked(opened, HELLO)
        assert opened.edge.totals.tallies == {}
        assert opened.edge.open == set()


async def test_what_an_upstream_used_is_learned(tmp_path: Path) -> None:
    words = [{"role": "user", "content": "some words to count, " * 100}]
    ask = {"model": "gpt", "messages": words}
    async with before(tmp_path, lambda _: [Json(COMPLETION)], config=CONFIG) as (opened, up):
        await opened.post(ask)  # nobody has asked for an estimate yet: nothing is learned
        first = estimated(await asked(opened, ask))
        assert first == estimated(await asked(opened, ask))
        await opened.post(ask)
        async with asyncio.timeout(5):
            # nothing tells when it is learned
            while estimated(await asked(opened, ask)) == first:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert estimated(await asked(opened, ask)) == pytest.approx(1000, abs=2)
    assert len(up.requests) == 2


async def test_a_large_body_is_estimated_off_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(*given: Any) -> int:
        threads.append(threading.current_thread())
        return estimate_tokens(*given)

    monkeypatch.setattr("gateway.counting.counter.estimate_tokens", watched)
    small = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}
    large = {"model": "gpt", "messages": [{"role": "user", "content": "some text " * 25_000}]}
    async with house(tmp_path, config=CONFIG) as opened:
        with blockbuster_ctx():
            estimated(await asked(opened, small))
            estimated(await asked(opened, small))
            assert estimated(await asked(opened, large)) == pytest.approx(50_011, rel=0.01)
    main = threading.main_thread()
    # the first one reads the vocabulary, which is on disk
    assert [thread is main for thread in threads] == [False, True, False]


# --- who asks, and what ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": HELLO["messages"]}, "model: Field required"),
        ({"model": "claude"}, "messages: Field required"),
        ({"model": "claude", "messages": []}, "messages: at least one message is required"),
        ({"model": "claude", "messages": "x"}, "messages: Expected `array`, got `str`"),
        ({"model": "", "messages": HELLO["messages"]},
         "model: String should have at least 1 character"),
        ({"model": "gpt", "messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"model": "gpt", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
         "messages.0.content.0.text: Field required"),
        (b"{", "the request body is not JSON"),
    ],
)  # fmt: skip
async def test_bad_input_is_told_with_its_path(tmp_path: Path, body: Any, message: str) -> None:
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        answer = await asked(opened, body)
    error = answer.json()["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(message)
    assert upstream.requests == []


async def test_a_key_and_a_known_model_are_asked_for(tmp_path: Path) -> None:
    async with before(tmp_path, counted, config=CONFIG) as (opened, upstream):
        refused = await asked(opened, HELLO, headers=[(b"x-api-key", b"wrong")])
        unknown = await asked(opened, HELLO | {"model": "nobody:m"})
        wrong = await opened.get(PATH)
    assert (refused.status, refused.json()["type"]) == (401, "error")
    assert (unknown.status, unknown.json()["error"]["type"]) == (404, "not_found_error")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert upstream.requests == []


def by_sdk(url: str) -> None:
    with Anthropic(base_url=url, api_key="gw-key", max_retries=0) as client:
        words: Any = HELLO["messages"]
        found = client.messages.count_tokens(model="claude", messages=words, system="Be")
        assert found.input_tokens == 14
        ours = client.messages.count_tokens(
            model="gpt", messages=words, tools=[{"name": "f", "input_schema": {"type": "object"}}]
        )
        assert 20 < ours.input_tokens < 50
        beta = client.beta.messages.count_tokens(
            model="claude", messages=words, betas=["token-counting-2024-11-01"]
        )
        assert beta.input_tokens == 14
        with pytest.raises(BadRequestError) as caught:
            client.messages.count_tokens(model="gpt", messages=[])
        assert "messages" in str(caught.value)


async def test_the_official_client_counts(tmp_path: Path) -> None:
    async with ScriptedUpstream(select=counted) as upstream:
        config = CONFIG.format(
            key="gw-key", folder=tmp_path / "state", upstream=upstream.url, more="", catalogue="",
            timeout=2.5,
        )  # fmt: skip
        async with run_gateway(tmp_path, config) as running:
            await asyncio.to_thread(by_sdk, running.url)
        paths = [request.path for request in upstream.requests]
        assert paths == ["/anthropic/v1/messages/count_tokens"] * 2
        betas = upstream.requests[1].get_header(b"anthropic-beta") or b""
        assert b"token-counting-2024-11-01" in betas
