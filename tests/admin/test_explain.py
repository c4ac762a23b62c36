"""What a call would become, told without asking anybody."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.call import Headers
from tests.admin.house import KEY, SHOWN, AdminGateway, before
from tests.fakes.upstream import ScriptedUpstream

CONFIG = """
[server]
discover = false
{catalogue}
[auth]
keys = ["{key}"]
[catalogue]
folder = "{folder}"
timeout = {timeout}
[aliases]
fast = ["openai:gpt-4o-mini", "anthropic:claude-opus-4-8"]
own = "passing:m"
[profiles.slow]
timeout = 7
[providers.openai]
api_key = "sk-upstream"
base_url = "{upstream}/openai/v1"
organization = "org-secretive"
defaults = {{ seed = 7 }}
headers = {{ X-Team = "red" }}
[providers.anthropic]
api_key = "sk-upstream"
base_url = "{upstream}/anthropic/v1"
[providers.passing]
use = "compatible"
api_key = "!PASSTHRU"
base_url = "{upstream}/passing/v1"
[providers.echo]
{more}
"""
ASKED = [{"role": "user", "content": "Hello!"}]
Opened = tuple[AdminGateway, ScriptedUpstream]


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with before(tmp_path, config=CONFIG) as found:
        yield found
        assert found[1].requests == [], "somebody was asked"


async def explained(
    opened: Opened, path: str, body: Any, headers: Headers | None = None, status: int = 200
) -> Any:
    driven = opened[0].asking(f"/explain{path}", method="POST", body=body, headers=headers)
    answer = await driven.wait_done()
    assert answer.status == status, answer.body
    assert b"sk-upstream" not in answer.body
    assert b"org-secretive" not in answer.body
    assert "x-gateway-warnings" not in answer.headers
    return answer.json()


async def test_a_model_alone(opened: Opened) -> None:
    found = await explained(opened, "", {"model": "fast"})
    assert found["object"] == "explanation"
    assert found["steps"][0] == (
        '"fast" is alias "fast" for openai:gpt-4o-mini, anthropic:claude-opus-4-8'
    )
    assert [each["target"] for each in found["targets"]] == [
        "openai:gpt-4o-mini", "anthropic:claude-opus-4-8",
    ]  # fmt: skip
    speaks = [each["speaks"] for each in found["targets"]]
    assert speaks == [["chat", "responses"], ["messages"]]
    assert found["targets"][0]["capability"]["token_param"] == "max_completion_tokens"
    assert "request" not in found["targets"][0]
    assert found["links_not_asked"] == ["batch", "fallback"]


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_each_target_with_its_lane_and_its_request(opened: Opened, prefix: str) -> None:
    body = {"model": "fast", "messages": ASKED, "max_tokens": 9, "top_k": 4, "metadata": {}}
    found = await explained(opened, f"{prefix}/messages", body)
    assert found["dialect"] == "messages"
    crossed, same = found["targets"]
    assert (crossed["lane"], crossed["warnings"]) == ("converted", ["top_k:unsupported_by_target"])
    url = opened[1].url
    assert crossed["request"] == {
        "dialect": "chat", "method": "POST", "url": f"{url}/openai/v1/chat/completions",
        "headers": ["content-type", "x-team", "authorization", "openai-organization"],
        "key": "gateway",
        "body": {
            "model": "gpt-4o-mini", "messages": ASKED, "max_completion_tokens": 9, "seed": 7,
        },
    }  # fmt: skip
    assert (same["lane"], same["warnings"]) == ("bytes", [])
    assert same["request"] == {
        "dialect": "messages", "method": "POST", "url": f"{url}/anthropic/v1/messages",
        "headers": ["content-type", "x-api-key", "anthropic-version"], "key": "gateway",
        "body": body | {"model": "claude-opus-4-8"},
    }  # fmt: skip


async def test_a_chat_body(opened: Opened) -> None:
    body = {"model": "fast", "messages": ASKED, "stream": True}
    found = await explained(opened, "/v1/chat/completions", body)
    same, crossed = found["targets"]
    assert (same["lane"], crossed["lane"]) == ("bytes", "converted")
    assert same["request"]["body"]["stream_options"] == {"include_usage": True}
    assert crossed["request"]["body"]["max_tokens"] == 32000


async def test_embeddings_go_as_they_are_where_there_are_any(opened: Opened) -> None:
    found = await explained(opened, "/v1/embeddings", {"model": "fast", "input": ["x"]})
    has, none = found["targets"]
    assert (has["lane"], has["request"]["body"]["input"]) == ("bytes", ["x"])
    assert has["request"]["url"].endswith("/openai/v1/embeddings")
    assert none["error"]["status"] == 404


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent"])
async def test_a_gemini_call(opened: Opened, verb: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello!"}]}]}
    found = await explained(opened, f"/v1beta/models/fast:{verb}", body)
    assert (found["dialect"], found["model"]) == ("gemini", "fast")
    chat, messages = (each["request"]["body"] for each in found["targets"])
    assert chat["messages"] == ASKED
    assert chat.get("stream", False) is (verb == "streamGenerateContent")
    assert messages["model"] == "claude-opus-4-8"


async def test_a_gemini_verb_that_nobody_knows(opened: Opened) -> None:
    found = await explained(opened, "/v1beta/models/fast:dance", {"contents": []}, None, 404)
    assert found["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("shown", "key", "names"),
    [
        ([(b"x-gateway-key", KEY.encode())], "missing", ["content-type"]),
        (
            [(b"x-gateway-key", KEY.encode()), (b"authorization", b"Bearer sk-mine")],
            "client",
            ["content-type", "authorization"],
        ),
    ],
)
async def test_a_provider_that_takes_the_clients_key(
    opened: Opened, shown: Headers, key: str, names: list[str]
) -> None:
    body = {"model": "own", "messages": ASKED}
    found = await explained(opened, "/v1/chat/completions", body, shown)
    request = found["targets"][0]["request"]
    assert (request["key"], request["headers"]) == (key, names)


async def test_a_provider_that_sends_nothing(opened: Opened) -> None:
    found = await explained(opened, "/v1/messages", {"model": "echo:m", "messages": ASKED} | MORE)
    assert found["targets"][0]["request"] is None


MORE = {"max_tokens": 9}


async def test_a_profile_has_its_own_time(opened: Opened) -> None:
    found = await explained(opened, "", {"model": "slow:fast"})
    assert found["targets"][0]["timeout"] == 7


async def test_what_would_be_refused_is_told_for_that_target(tmp_path: Path) -> None:
    strict = "strict = true"
    async with before(tmp_path, config=CONFIG, catalogue=strict) as opened:
        body = {"model": "fast", "messages": ASKED, "max_tokens": 9, "top_k": 4}
        crossed, same = (await explained(opened, "/v1/messages", body))["targets"]
    assert crossed["request"] is None
    assert crossed["error"]["type"] == "invalid_request_error"
    assert "top_k" in crossed["error"]["message"]
    assert "error" not in same


async def test_what_a_provider_itself_would_refuse_is_told_for_that_target(tmp_path: Path) -> None:
    more = '[providers.bedrock]\nregion = "eu-west-1"\napi_key = "ABSK-key"\n'
    shown: Headers = [*SHOWN, (b"anthropic-beta", b"no-such-2020-01-01")]
    body = {"model": "bedrock:anthropic.claude-sonnet-4-5", "messages": ASKED, "max_tokens": 9}
    for strict in ("", "strict = true"):
        async with before(tmp_path, config=CONFIG, catalogue=strict, more=more) as opened:
            (found,) = (await explained(opened, "/v1/messages", body, shown))["targets"]
        if strict:
            assert "no-such-2020-01-01" in found["error"]["message"]
        else:
            assert found["warnings"] == ["anthropic-beta:no-such-2020-01-01_unknown_to_host"]
            assert found["request"]["url"].endswith("/invoke")
            assert "authorization" in found["request"]["headers"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("", {"model": "fast"}, [], 401),
        ("/v1/messages", {"model": "fast", "messages": ASKED, "max_tokens": 9}, [], 401),
        ("", {"model": "nobody:x"}, SHOWN, 404),
        ("", {}, SHOWN, 400),
        ("", {"model": 7}, SHOWN, 400),
        ("", b"no", SHOWN, 400),
        ("/v1/messages", {"model": "fast"}, SHOWN, 400),
    ],
)
async def test_refusals(
    opened: Opened, path: str, body: Any, headers: Headers, status: int
) -> None:
    found = await explained(opened, path, body, headers, status)
    assert found["type"] == "error"


async def test_only_post(opened: Opened) -> None:
    answer = await opened[0].get("/explain")
    assert answer.status == 405


async def test_no_total_counts_it(opened: Opened) -> None:
    await explained(opened, "", {"model": "fast"})
    await explained(opened, "/v1/chat/completions", {"model": "fast", "messages": ASKED})
    assert opened[0].edge.totals.tallies == {}
    assert opened[0].edge.open == set()


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1", ""])
async def test_a_call_whose_model_stands_in_its_address(opened: Opened, prefix: str) -> None:
    path = f"{prefix}/models/fast:generateContent?key={KEY}"
    body = {"contents": [{"parts": [{"text": "Hello!"}]}], "safetySettings": [{"x": 1}]}
    found = await explained(opened, path, body, headers=[])
    chat, claude = found["targets"]
    assert chat["request"]["body"]["model"] == "gpt-4o-mini"
    assert claude["request"]["body"]["model"] == "claude-opus-4-8"
    assert chat["request"]["body"]["messages"] == ASKED
    assert chat["warnings"] == ["safetySettings:unsupported_by_target"]


async def test_an_address_that_asks_for_nothing_known(opened: Opened) -> None:
    found = await explained(opened, "/v1beta/models/fast:predict", {"contents": []}, status=404)
    assert found["error"]["status"] == "NOT_FOUND"
