"""Every request of the two API references, sent as written to running gateways."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from gateway.config.load import read_config, with_positions
from tests.seeds import faults, openrouter, vandamme
from tests.seeds.examples import SHOWN, Example, gaps, others
from tests.seeds.house import EXTENSIONS, KEY, PAGE, Houses, System, houses

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROWS = [*openrouter.ROWS, *vandamme.ROWS, *faults.ROWS]
ALWAYS = {"x-request-id", "x-processing-time", "x-api-compatibility"}
CACHEABLE = ("/v1/messages", "/v1/chat/completions", "/v1/messages/stream")
KEPT = {"hit", "miss", "bypass", "coalesced"}
PAST_THE_CACHE = {"x-gateway-cache": "bypass"}
EXPOSED = ALWAYS | {"x-cache-status", "x-batch-id"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Houses]:
    async with houses(tmp_path_factory.mktemp("seeds")) as made:
        yield made


async def sent(running: Houses, row: Example, **more: str) -> httpx2.Response:
    path = row.path
    if row.after is not None:
        path = path.format(**(await sent(running, row.after)).json())
    return await running.send(row.system, row.method, path, row.body, {**row.headers, **more})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.system}: {row.name}")
async def test_the_answer_has_what_the_reference_shows(running: Houses, row: Example) -> None:
    cacheable = row.path in CACHEABLE and row.status == 200
    answer = check(row, await sent(running, row))
    if cacheable:
        assert answer.headers["x-cache-status"] in KEPT
        # Another row may have left its answer in the cache: once more, from the upstream.
        answer = check(row, await sent(running, row, **PAST_THE_CACHE))
        assert answer.headers["x-cache-status"] == "bypass"


def check(row: Example, answer: httpx2.Response) -> httpx2.Response:
    """The answer, which has the status, the members, the values and the headers of the row."""
    assert answer.status_code == row.status, answer.text
    found: Any = answer.json()
    assert set(gaps(row.shows, found)) <= row.lacks, found
    assert others(row.fixed, found) == {}
    assert answer.headers.keys() >= ALWAYS
    assert float(answer.headers["x-processing-time"]) >= 0
    if "batch_id" in row.shows:
        assert answer.headers["x-batch-id"] == found["batch_id"]
    return answer


class TestHeaders:
    async def test_a_request_id_of_the_client_is_kept(self, running: Houses) -> None:
        mine = {"x-request-id": "mine-1"}
        answer = await running.send("openrouter", "GET", "/health", None, mine)
        assert answer.headers["x-request-id"] == "mine-1"

    @pytest.mark.parametrize("path", CACHEABLE)
    async def test_the_second_of_two_equal_calls_is_a_hit(self, running: Houses, path: str) -> None:
        body = openrouter.looking(f"Describe this image for {path}:")
        found = [
            (await running.send("openrouter", "POST", path, body, {})).headers["x-cache-status"]
            for _ in range(2)
        ]
        assert found == ["miss", "hit"]

    @pytest.mark.parametrize(("system", "origin"), [("openrouter", PAGE), ("passthru", "*")])
    async def test_a_page_of_a_configured_origin_may_read_them(
        self, running: Houses, system: System, origin: str
    ) -> None:
        answer = await running.send(system, "GET", "/health", None, {"origin": PAGE})
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert set(exposed) >= EXPOSED
        assert answer.headers["access-control-allow-origin"] == origin

    @pytest.mark.parametrize(("origin", "status"), [(PAGE, 200), ("https://evil.example", 400)])
    async def test_a_preflight_has_them_too(
        self, running: Houses, origin: str, status: int
    ) -> None:
        asks = {"origin": origin, "access-control-request-method": "POST", "x-request-id": "mine-1"}
        answer = await running.send("openrouter", "OPTIONS", "/v1/messages", None, asks)
        assert answer.status_code == status
        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.headers.keys() >= ALWAYS

    async def test_no_page_may_where_none_is_configured(self, running: Houses) -> None:
        answer = await running.send("vandamme", "GET", "/health", None, {"origin": PAGE})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def events(answer: httpx2.Response) -> list[Any]:
    """What the `data:` lines of a stream hold."""
    datas = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [None if data == "[DONE]" else httpx2.Response(200, text=data).json() for data in datas]


STREAMED: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": openrouter.MESSAGE | {"content": [], "stop_reason": None},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "I can see"},
    },
    {"type": "content_block_stop", "index": 0},
    # The reference has `usage` in `delta`; the API, and so this gateway, has it beside.
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]


class TestStreams:
    @pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4", "claude:claude-sonnet-4"])
    async def test_a_streaming_message(self, running: Houses, model: str) -> None:
        body = openrouter.CREATE | {"model": model}
        answer = await running.send("openrouter", "POST", "/v1/messages/stream", body, {})
        told = {
            each["type"]: each
            for each in reversed(events(answer))
            if each["type"] != "ping"  # a sign of life, which the reference does not show
        }
        assert [shown["type"] for shown in STREAMED] == list(reversed(told))
        native = {".message.usage.cache_creation_input_tokens"}
        native |= {".message.usage.cache_read_input_tokens"}  # as its upstream sends them
        for shown in STREAMED:
            lacking = set(gaps(shown, told[shown["type"]]))
            assert lacking <= (native if model.startswith("claude:") else set())
        assert told["content_block_delta"]["delta"]["text"] == "I can see"
        assert "[DONE]" not in answer.text
        assert answer.headers.keys() >= ALWAYS | {"x-cache-status"}

    @pytest.mark.parametrize("system", ["vandamme", "passthru"])
    async def test_the_headers_of_a_stream(self, running: Houses, system: System) -> None:
        body, headers = vandamme.CHAT | {"stream": True}, SHOWN | {"origin": PAGE}
        answer = await running.send(system, "POST", "/v1/chat/completions", body, headers)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"].startswith("text/event-stream")
        # `*` only where the operator says so; `keep-alive` is what HTTP/1.1 does without a word.
        any_page = "*" if system == "passthru" else None
        assert answer.headers.get("access-control-allow-origin") == any_page
        assert answer.headers.get("connection", "keep-alive") == "keep-alive"
        *chunks, last = events(answer)
        assert last is None
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        assert answer.text.endswith("data: [DONE]\n\n")

    async def test_any_header_may_be_sent_from_any_page(self, running: Houses) -> None:
        asked = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key, x-anything",
        }
        answer = await running.send("passthru", "OPTIONS", "/v1/messages", None, asked)
        assert answer.status_code == 200
        assert "x-anything" in answer.headers["access-control-allow-headers"]

    async def test_an_error_ends_a_chat_stream_without_done(self, running: Houses) -> None:
        body = vandamme.CHAT | {"model": "slow:m", "stream": True}
        answer = await running.send("vandamme", "POST", "/v1/chat/completions", body, SHOWN)
        error = events(answer)[-1]
        shown = {"error": {"message": "", "type": "", "code": "read_timeout", "suggestion": ""}}
        assert gaps(shown, error) == []
        assert error["error"]["code"] == "read_timeout"
        assert error["error"]["type"] == "upstream_timeout"
        assert faults.TIMEOUT.match(error["error"]["message"])
        assert "[DONE]" not in answer.text

    async def test_an_error_of_a_messages_stream_is_an_event(self, running: Houses) -> None:
        body = vandamme.MESSAGES | {"model": "slow:m", "stream": True}
        answer = await running.send("vandamme", "POST", "/v1/messages", body, SHOWN)
        error = events(answer)[-1]
        assert gaps(faults.ERROR, error) == []
        assert error["error"]["type"] == "upstream_timeout"
        assert "event: error\n" in answer.text
        assert "[DONE]" not in answer.text


class TestUpstream:
    async def test_variables_are_parameters_of_every_request(self, running: Houses) -> None:
        chat = vandamme.CHAT_CURL | {"model": "big"}
        for model, expected in (
            (
                "big",
                {
                    "model": "anthropic/claude-sonnet-4",
                    "min_p": 0.01,
                    "top_a": 0.1,
                    "repetition_penalty": 1.1,
                    "provider": {"order": ["anthropic"]},
                },
            ),
            (
                "openai:gpt-4o-mini",
                {
                    "model": "gpt-4o-mini",
                    "frequency_penalty": 0.1,
                    "presence_penalty": 0.1,
                    "seed": 12345,
                    "user": "user_123",
                },
            ),
        ):
            place = "openai" if model.startswith("openai:") else "openrouter"
            for path in ("/v1/chat/completions", "/v1/messages"):
                body = chat | {"model": model, "temperature": 0.25}
                answer = await running.send("openrouter", "POST", path, body, PAST_THE_CACHE)
                assert answer.is_success
                reached = running.last(place)
                assert {name: reached.get(name) for name in expected} == expected

    async def test_a_client_s_own_value_wins(self, running: Houses) -> None:
        body = vandamme.CHAT_CURL | {"model": "big", "min_p": 0.5}
        await running.send("openrouter", "POST", "/v1/chat/completions", body, {})
        assert running.last("openrouter")["min_p"] == 0.5

    @pytest.mark.parametrize("headers", [SHOWN, vandamme.BEARER])
    async def test_a_passthrough_sends_the_client_s_own_key(
        self, running: Houses, headers: dict[str, str]
    ) -> None:
        body = vandamme.CHAT_CURL | {"temperature": 0.75}
        answer = await running.send("passthru", "POST", "/v1/chat/completions", body, headers)
        assert answer.is_success
        assert (
            running.upstream.requests[-1].get_header(b"authorization") == b"Bearer " + KEY.encode()
        )


async def test_a_log_holds_no_key(running: Houses) -> None:
    for system in running.gateways:
        await running.send(system, "POST", "/v1/messages", vandamme.MESSAGES, SHOWN)
        log = running.gateways[system].log
        assert not [key for key in (KEY, "sk-openai", "sk-or", "sk-claude") if key in log]


async def test_health_as_yaml(running: Houses) -> None:
    answer = await running.send("vandamme", "GET", "/health?format=yaml", None, {})
    told = answer.text.splitlines()
    shown = [
        "status: healthy", "timestamp: '", "api_key_valid: true",
        "client_api_key_validation: true", "default_provider: openai", "providers:", "  openai:",
        "    api_format: openai", "    base_url: http", "    api_key_hash: sha256:",
    ]  # fmt: skip
    assert [line for line in shown if not any(each.startswith(line) for each in told)] == []


@pytest.mark.parametrize("variable", sorted(EXTENSIONS.keys() - {"OPENAI_USER"}))
async def test_a_bad_parameter_of_the_environment_is_refused_at_start(variable: str) -> None:
    """The reference's parameter_enhancement_error: no request can meet it. Any text is a user."""
    env = {"OPENAI_API_KEY": "k", "OPENROUTER_API_KEY": "k", variable: "{"}
    config, found = read_config(None, env)
    assert [str(each).partition(":")[0] for each in with_positions(found, config.source)] == [
        f"env {variable}"
    ]


async def test_the_picture_that_is_written_with_dots(running: Houses) -> None:
    """Nobody reads a picture's data on its way: whether it is one, the upstream says."""
    written = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB..."
    body = openrouter.looking("Describe this image:", written)
    answer = await running.send("openrouter", "POST", "/v1/messages", body, {})
    assert answer.status_code == 200
    part = running.last("openrouter")["messages"][0]["content"][1]
    assert part["image_url"]["url"].endswith(f";base64,{written}")
