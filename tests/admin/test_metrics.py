import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.admin.house import ANSWER, CHAT, before
from tests.fakes.client import wait_until
from tests.fakes.upstream import SSE, Json, ReceivedRequest, Script

USAGE = b'{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}'
START = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
FRAMES = [
    START + b'[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n',
    START + b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    START + b'[],"usage":' + USAGE + b"}\n\n",
    b"data: [DONE]\n\n",
]
MESSAGES = {"model": "gpt-4o", "max_tokens": 9, "messages": CHAT["messages"], "stream": True}


async def figures(house: Any, query: str = "") -> dict[str, Any]:
    sent = await house.get(f"/metrics/running-totals{query}")
    assert sent.status == 200
    found: dict[str, Any] = sent.json()
    return found


async def test_whole_and_streamed_calls_add_up_by_provider_and_model(tmp_path: Path) -> None:
    def select(request: ReceivedRequest) -> Script:
        return [SSE(FRAMES)] if b'"stream":true' in request.body else [Json(ANSWER)]

    async with before(tmp_path, select) as (house, _):
        await house.post(CHAT)
        await house.post(CHAT | {"model": "poe:gpt-4o"})
        assert b"message_stop" in (await house.post(MESSAGES, "/v1/messages")).body
        found = await figures(house)
        assert found["summary"]["requests"] == 3
        assert found["summary"]["streams"] == 1
        assert found["summary"]["input_tokens"] == 27
        assert found["summary"]["output_tokens"] == 36
        assert found["providers"]["openai"]["rollup"]["requests"] == 2
        assert set(found["providers"]["openai"]["models"]) == {"gpt-4o-mini", "gpt-4o"}
        assert found["providers"]["poe"]["models"]["gpt-4o"]["average_first_byte_ms"] > 0
        # wildcards
        assert set((await figures(house, "?provider=p*"))["providers"]) == {"poe"}
        assert (await figures(house, "?model=*4O"))["summary"]["requests"] == 2
        assert (await figures(house, "?model=none"))["providers"] == {}
        yaml = await house.get("/metrics/running-totals?format=yaml&provider=poe")
        assert yaml.headers["content-type"].startswith("application/yaml")
        assert b"providers:\n  poe:\n    rollup:\n      requests: 1\n" in yaml.body


async def test_a_stream_whose_client_did_not_ask_for_usage_is_counted_without_it(
    tmp_path: Path,
) -> None:
    async with before(tmp_path, lambda _: [SSE([*FRAMES[:2], FRAMES[3]])]) as (house, _):
        assert b"[DONE]" in (await house.post(CHAT | {"stream": True})).body
        found = (await figures(house))["summary"]
    assert (found["requests"], found["without_usage"], found["output_tokens"]) == (1, 1, 0)


async def test_what_is_in_flight_is_shown_and_an_aborted_call_is_counted(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def stuck(exchange: Any) -> None:
        await exchange.run_script([SSE(FRAMES[:1], end=False)])
        await gate.wait()

    async with before(tmp_path, lambda _: stuck) as (house, _):
        call = house.asking(
            "/v1/chat/completions",
            method="POST",
            body=CHAT | {"stream": True, "messages": [{"role": "user", "content": "PRIVATE"}]},
        )
        await call.wait_until_sent(b"Hi")
        sent = await house.get("/metrics/active-requests")
        assert b"PRIVATE" not in sent.body
        (shown,) = sent.json()["requests"]
        assert shown.pop("age_ms") > 0
        assert shown.pop("id").startswith("req_")
        assert shown == {
            "dialect": "chat", "caller": "client1", "provider": "openai", "model": "gpt-4o-mini",
            "stream": True, "phase": "answering", "attempts": 1,
        }  # fmt: skip
        found = await figures(house, "?include_active=true")
        assert found["active"] == {"total": 1, "models": {"openai:gpt-4o-mini": 1}}
        call.hang_up()
        await call.wait_done()
        gate.set()
        assert (await house.get("/metrics/active-requests")).json()["requests"] == []
        assert (await figures(house))["summary"]["aborted"] == 1


async def test_the_live_stream_tells_news_and_ends_with_its_client(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def stuck(exchange: Any) -> None:
        await gate.wait()
        await exchange.run_script([Json(ANSWER)])

    async with before(tmp_path, lambda _: stuck) as (house, _):
        live = house.asking("/metrics/active-requests/stream?interval_ms=250")
        await live.wait_until_sent(b'"count":0')
        assert live.headers["content-type"].startswith("text/event-stream")
        call = house.asking("/v1/chat/completions", method="POST", body=CHAT)
        await live.wait_until_sent(b'"count":1')
        gate.set()
        await call.wait_done()
        await wait_until(lambda: b'"count":0' in live.sent[-1]["body"])
        live.hang_up()
        await live.wait_done(1)
        assert not live.is_complete


async def test_the_live_stream_ends_when_the_gateway_drains(tmp_path: Path) -> None:
    async with before(tmp_path) as (house, _):
        live = house.asking("/metrics/active-requests/stream?interval_ms=250")
        await live.wait_until_sent(b'"count":0')
        house.edge.draining = True
        await live.wait_done(2)
        assert live.is_complete
        assert (await house.get("/readyz", [])).status == 503
        assert (await house.get("/livez", [])).status == 200


async def test_the_last_errors_are_told_without_prompts_or_keys(tmp_path: Path) -> None:
    secret = "sk-12345678901234567890"
    body = msgspec.json.encode({"error": {"message": f"key {secret} is bad", "type": "x"}})
    async with before(tmp_path, lambda _: [Json(body, status=500)]) as (house, _):
        asked = CHAT | {"messages": [{"role": "user", "content": "PRIVATE"}]}
        for model in ("poe:a", "poe:b"):
            assert (await house.post(asked | {"model": model})).status == 500
        await house.post({"model": "x"})
        sent = await house.get("/metrics/logs?limit=2")
        assert secret.encode() not in sent.body
        assert b"PRIVATE" not in sent.body
        assert sent.json()["total"] == 3
        assert len(sent.json()["errors"]) == 2
        last, before_last = sent.json()["errors"]
        assert (last["status"], last["provider"]) == (400, "")
        assert (before_last["model"], before_last["status"]) == ("b", 500)
        assert before_last["error"] == "api_error: key *** is bad"
        assert [each["outcome"] for each in before_last["attempts"]] == ["500"] * 3
        assert (await figures(house))["providers"]["unrouted"]["rollup"]["errors"] == 1


@pytest.mark.parametrize("query", ["interval_ms=10", "interval_ms=x"])
async def test_the_rate_of_the_live_stream_has_bounds(query: str, tmp_path: Path) -> None:
    async with before(tmp_path) as (house, _):
        assert (await house.get(f"/metrics/active-requests/stream?{query}")).status == 400


async def test_head_of_a_stream_has_no_body(tmp_path: Path) -> None:
    async with before(tmp_path) as (house, _):
        sent = await house.get("/metrics/active-requests/stream", method="HEAD")
        assert (sent.status, sent.body) == (200, b"")
