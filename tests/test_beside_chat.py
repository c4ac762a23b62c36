"""Embeddings and legacy completions through the whole gateway, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.wire.sse import Splitter
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.hosting import InProcessGateway, run_in_process
from tests.fakes.upstream import SSE, Chunk, Close, Head, Json, Script
from tests.faults.wires import TEXT, stream, whole

CONFIG = """
[providers.openai]
api_key = "k-openai"
base_url = "{url}/openai/v1"
defaults = { temperature = 0.5, seed = 7 }
aliases = { vectors = "text-embedding-3-small" }

[providers.azure]
api_key = "k-azure"
base_url = "{url}/azure/openai"
api_version = "2024-10-21"

[providers.openrouter]
api_key = "k-openrouter"
base_url = "{url}/openrouter/v1"

[providers.vllm]
base_url = "{url}/vllm/v1"

[providers.groq]
api_key = "k-groq"
base_url = "{url}/groq/v1"

[providers.anthropic]
api_key = "k-anthropic"
base_url = "{url}/anthropic/v1"

[providers.echo]

[aliases]
either = ["openai:first", "vllm:second"]

[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
[[middleware]]
use = "fallback"
wait = 0.001
[[middleware]]
use = "convert"
"""
VECTORS = (
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]}],'
    b'"model":"up","usage":{"prompt_tokens":5,"total_tokens":5}}'
)
TEXTS = (
    b'{"id":"cmpl-1","object":"text_completion","created":1,"model":"up","choices":'
    b'[{"text":" a time","index":0,"logprobs":{"tokens":[" a"]},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},"brand_new":1.0}'
)
PIECES = [
    b'data: {"id":"cmpl-1","object":"text_completion","choices":[{"text":" a","x":1.0}]}\n\n',
    b'data: {"id":"cmpl-1","choices":[{"text":"","index":0,"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]


@asynccontextmanager
async def opened(
    folder: Path, *scripts: Script, config: str = CONFIG
) -> AsyncIterator[InProcessGateway]:
    async with run_in_process(folder, config, *scripts) as one:
        yield one


async def embed(
    one: InProcessGateway, model: str, path: str = "/v1/embeddings", **more: Any
) -> AsgiTestRequest:
    return await one.send_call({"model": model, "input": ["a", "b"]} | more, path)


async def complete(
    one: InProcessGateway, model: str, path: str = "/v1/completions", **more: Any
) -> AsgiTestRequest:
    return await one.send_call({"model": model, "prompt": "Once"} | more, path)


# --- embeddings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path", "sent", "credential"),
    [
        ("openai:m", "/openai/v1/embeddings", "m", "Bearer k-openai"),
        ("openai:vectors", "/openai/v1/embeddings", "text-embedding-3-small", "Bearer k-openai"),
        (
            "azure:m",
            "/azure/openai/deployments/m/embeddings?api-version=2024-10-21",
            "m",
            "k-azure",
        ),
        ("openrouter:v/m", "/openrouter/v1/embeddings", "v/m", "Bearer k-openrouter"),
        ("vllm:m", "/vllm/v1/embeddings", "m", ""),
    ],
)
async def test_embeddings_pass_as_they_are(
    tmp_path: Path, model: str, path: str, sent: str, credential: str
) -> None:
    async with opened(tmp_path, Json(VECTORS)) as one:
        more = {"dimensions": 2, "encoding_format": "float", "new": 1.0}
        for at in ("/v1/embeddings", "/embeddings"):
            answer = await embed(one, model, at, **more)
            request = one.upstream.requests[-1]
            shown = request.get_header(b"authorization") or request.get_header(b"api-key") or b""
            assert (request.path, shown.decode()) == (path, credential)
            assert one.last_request_body == {"model": sent, "input": ["a", "b"]} | more
            assert (answer.status, answer.body) == (200, VECTORS)
            assert "x-gateway-warnings" not in answer.headers


async def test_they_are_counted_and_not_cached(tmp_path: Path) -> None:
    async with opened(tmp_path, Json(VECTORS)) as one:
        for _ in range(2):
            answer = await embed(one, "openai:m")
            assert answer.headers["x-cache-status"] == "bypass"
        assert len(one.upstream.requests) == 2
        (tally,) = one.app.state.edge.totals.tallies.values()
        assert (tally.calls, tally.input_tokens, tally.output_tokens) == (2, 10, 0)


async def test_the_next_target_serves_when_one_fails(tmp_path: Path) -> None:
    fault = Json({"error": {"message": "down"}}, 503)
    async with opened(tmp_path, fault, Json(VECTORS)) as one:
        answer = await embed(one, "either")
        assert answer.status == 200
        assert [request.path.split("/")[1] for request in one.upstream.requests] == [
            "openai",
            "vllm",
        ]


@pytest.mark.parametrize("provider", ["anthropic", "groq", "echo"])
async def test_a_provider_without_them_is_told_of_with_advice(
    tmp_path: Path, provider: str
) -> None:
    async with opened(tmp_path) as one:
        answer = await embed(one, f"{provider}:m")
        assert answer.status == 404
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert error["message"] == (
            f'The provider "{provider}" has no embeddings; '
            "ask one that has: azure, openai, openrouter, vllm"
        )
        assert one.upstream.requests == []


async def test_where_none_has_them_that_is_said(tmp_path: Path) -> None:
    config = '[providers.anthropic]\napi_key = "k"\n'
    async with opened(tmp_path, config=config) as one:
        answer = await embed(one, "anthropic:m")
        assert answer.json()["error"]["message"].endswith("no provider here has any")


async def test_an_upstreams_error_keeps_its_words(tmp_path: Path) -> None:
    told = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "x"}}
    async with opened(tmp_path, Json(told, 404)) as one:
        answer = await embed(one, "openai:m")
        assert (answer.status, answer.json()) == (404, told)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>"])
async def test_an_answer_that_is_none_is_502(tmp_path: Path, body: bytes) -> None:
    async with opened(tmp_path, Json(body)) as one:
        assert (await embed(one, "openai:m")).status == 502


async def test_a_mistake_is_told_as_chat_tells_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        answer = await one.send_call({"model": "openai:m"}, "/v1/embeddings")
        assert answer.status == 400
        assert answer.json()["error"]["param"] == "input"


# --- legacy completions, as they are --------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("vllm:m", "/vllm/v1/completions"),
        ("openai:gpt-3.5-turbo-instruct", "/openai/v1/completions"),
        ("openrouter:v/m", "/openrouter/v1/completions"),
        ("azure:gpt-35-turbo-instruct",
         "/azure/openai/deployments/gpt-35-turbo-instruct/completions?api-version=2024-10-21"),
    ],
)  # fmt: skip
async def test_completions_pass_as_they_are(tmp_path: Path, model: str, path: str) -> None:
    async with opened(tmp_path, Json(TEXTS), SSE(PIECES)) as one:
        more: dict[str, Any] = {
            "prompt": [[1, 2], [3]], "echo": True, "logprobs": 2, "n": 3, "suffix": "end",
        }  # fmt: skip
        answer = await complete(one, model, **more)
        assert one.upstream.requests[0].path == path
        defaults = {"temperature": 0.5, "seed": 7} if model.startswith("openai") else {}
        assert one.last_request_body == {"model": model.partition(":")[2], **more, **defaults}
        assert (answer.status, answer.body) == (200, TEXTS)
        streamed = await complete(one, model, "/completions", stream=True)
        assert streamed.body == b"".join(PIECES)
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_a_whole_answer_to_a_stream_is_streamed(tmp_path: Path) -> None:
    async with opened(tmp_path, Json(TEXTS)) as one:
        answer = await complete(one, "vllm:m", stream=True)
        chunks = [frame.data for frame in Splitter().feed(answer.body)]
        assert chunks[-1] == b"[DONE]"
        assert msgspec.json.decode(chunks[0])["choices"][0]["text"] == " a time"


async def test_a_stream_that_is_cut_ends_in_an_error(tmp_path: Path) -> None:
    cut: Script = [
        Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]),
        Chunk(PIECES[0]), Close(),
    ]  # fmt: skip
    async with opened(tmp_path, cut) as one:
        answer = await complete(one, "vllm:m", stream=True)
        last = msgspec.json.decode(Splitter().feed(answer.body)[-1].data)
        assert last["error"]["code"] == "bad_gateway"
        assert b"[DONE]" not in answer.body


# --- legacy completions, converted ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "name"), [("anthropic:claude-sonnet-4-5", "messages"), ("openai:gpt-4o", "chat")]
)
async def test_a_text_becomes_a_turn_and_the_answer_a_text(
    tmp_path: Path, model: str, name: Any
) -> None:
    async with opened(tmp_path, Json(whole(name)), SSE(stream(name))) as one:
        answer = await complete(one, model, max_tokens=40, echo=True, stop="END")
        said = one.last_request_body["messages"]
        assert said in (
            [{"role": "user", "content": "Once"}],
            [{"role": "user", "content": [{"type": "text", "text": "Once"}]}],
        )
        assert one.upstream.requests[0].path.endswith(("/chat/completions", "/messages"))
        found = answer.json()
        assert found["object"] == "text_completion"
        assert found["model"] == model
        assert found["choices"] == [
            {"text": TEXT, "index": 0, "logprobs": None, "finish_reason": "stop"}
        ]
        assert found["usage"]["total_tokens"] == 5
        assert answer.headers["x-gateway-warnings"].startswith("echo:unsupported_by_target")
        streamed = await complete(one, model, max_tokens=40, stream=True)
        frames = Splitter().feed(streamed.body)
        assert frames.pop().data == b"[DONE]"
        chunks = [msgspec.json.decode(frame.data) for frame in frames]
        assert "".join(each["choices"][0]["text"] for each in chunks) == TEXT
        assert {each["object"] for each in chunks} == {"text_completion"}
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream_", [False, True])
async def test_an_upstreams_error_is_told_as_chat_tells_it(tmp_path: Path, stream_: bool) -> None:
    told = {"type": "error", "error": {"type": "not_found_error", "message": "no such model"}}
    async with opened(tmp_path, Json(told, 404)) as one:
        answer = await complete(one, "anthropic:claude-x", stream=stream_)
        assert answer.status == 404
        assert answer.json()["error"]["message"] == "no such model"


@pytest.mark.parametrize(
    ("more", "param"),
    [({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [1]}, "prompt"), ({"n": 2}, "n")],
)
async def test_what_cannot_be_converted_is_refused(
    tmp_path: Path, more: dict[str, Any], param: str
) -> None:
    async with opened(tmp_path) as one:
        answer = await complete(one, "anthropic:claude-x", **more)
        assert answer.status == 400
        assert answer.json()["error"]["param"] == param
        assert one.upstream.requests == []


async def test_echo_continues_a_text_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        answer = await complete(one, "echo:m")
        assert answer.json()["choices"][0]["text"] == "echo: Once"
        streamed = await complete(one, "echo:m", prompt="a b", stream=True)
        assert Splitter().feed(streamed.body)[-1].data == b"[DONE]"


# --- who may ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions"])
async def test_a_clients_key_is_asked_for(tmp_path: Path, path: str) -> None:
    config = '[auth]\nkeys = ["client-key"]\n' + CONFIG
    answers = {"/v1/embeddings": VECTORS, "/v1/completions": TEXTS}
    async with opened(tmp_path, Json(answers[path]), config=config) as one:
        body = {"model": "vllm:m", "input": "a", "prompt": "a"}
        assert (await one.send_call(body, path)).status == 401
        assert one.upstream.requests == []
        assert (await one.send_call(body, path, authorization="Bearer client-key")).status == 200


async def test_the_home_page_names_both(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        found = (await AsgiTestRequest(one.app, path="/", method="GET").start().wait_done()).json()[
            "endpoints"
        ]
        assert found["embeddings"] == "/v1/embeddings"
        assert found["completions"] == "/v1/completions"
