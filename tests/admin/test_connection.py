from pathlib import Path

import msgspec
import pytest

from tests.admin.house import ANSWER, SHOWN, before, house
from tests.fakes.upstream import Json, ReceivedRequest, Script, ScriptedUpstream, Stall

OWN = '[providers.own]\nuse = "compatible"\napi_key = "!PASSTHRU"\nbase_url = "http://127.0.0.1:1/v1"\n'


async def test_one_tiny_completion_through_the_chain(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        sent = await opened.get("/test-connection?provider=poe&model=gpt-4o")
        (request,) = upstream.requests
        assert msgspec.json.decode(request.body) == {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 16,
        }
        assert request.get_header(b"authorization") == b"Bearer poe-upstream"
        data = sent.json()
        assert (data["status"], data["provider"]) == ("success", "poe")
        assert data["model_used"] == "gpt-4o"
        assert data["response_id"] == "cmpl-123"
        totals = (await opened.get("/metrics/running-totals")).json()
        assert totals["providers"]["poe"]["models"]["gpt-4o"]["output_tokens"] == 12


@pytest.mark.parametrize(
    ("query", "path", "model"),
    [
        ("", "/openai/", "gpt-5-mini"),
        ("?provider=openai", "/openai/", "gpt-5-mini"),
        ("?provider=poe", "/poe/", "gpt-4o-mini"),
        ("?model=poe:gpt-4o", "/poe/", "gpt-4o"),
        ("?model=haiku", "/poe/", "gpt-4o-mini"),
    ],
)
async def test_which_model_is_tried(query: str, path: str, model: str, tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        sent = await opened.get(f"/test-connection{query}")
        assert (sent.status, sent.json()["model_used"]) == (200, model)
        assert path in upstream.requests[0].path
        limit = msgspec.json.decode(upstream.requests[0].body)
        assert limit.get("max_tokens", limit.get("max_completion_tokens")) == 16


async def test_a_model_of_the_upstreams_list_where_nothing_else_is_known(tmp_path: Path) -> None:
    def select(request: ReceivedRequest) -> Script:
        return [Json({"data": [{"id": "only"}]} if request.method == "GET" else ANSWER)]

    async with ScriptedUpstream(select=select) as upstream:
        more = f'[providers.vllm]\nbase_url = "{upstream.url}/vllm/v1"\n'
        async with house(tmp_path, upstream.url, more=more) as opened:
            sent = await opened.get("/test-connection?provider=vllm")
            assert (sent.status, sent.json()["model_used"]) == (200, "only")


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (Json({"error": {"message": "no such model"}}, status=404), 404, "no such model"),
        (Json({"error": {"message": "bad"}}, status=401), 401, "refused the gateway's key"),
        (Json(b"<html>"), None, "no JSON object"),
    ],
)
async def test_a_failure_is_a_503_that_says_why(
    script: Json, status: int | None, words: str, tmp_path: Path
) -> None:
    async with before(tmp_path, lambda _: [script]) as (opened, _):
        sent = await opened.get("/test-connection?provider=openai&model=gpt-4o")
        data = sent.json()
        assert sent.status == 503
        assert (data["status"], data["provider"]) == ("failed", "openai")
        assert words in data["message"]
        assert data["suggestions"]
        state = (await opened.get("/health/detailed")).json()["providers"]["openai"]
        assert state["errors"] == 1


async def test_no_upstream_at_all(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        sent = await opened.get("/test-connection")
        assert (sent.status, sent.json()["status"]) == (503, "failed")


async def test_where_clients_bring_their_keys_nothing_is_sent(tmp_path: Path) -> None:
    async with house(tmp_path, more=OWN) as opened:
        shown = [*SHOWN, (b"authorization", b"Bearer mine")]
        sent = await opened.get("/test-connection?provider=own", shown)
        assert (sent.status, sent.json()["status"]) == (200, "skipped")
        assert set(sent.json()) == {"status", "message", "provider", "timestamp"}


async def test_a_provider_of_which_no_model_is_known_asks_for_one(tmp_path: Path) -> None:
    async with ScriptedUpstream(select=lambda _: [Json({"data": []})]) as upstream:
        more = f'[providers.vllm]\nbase_url = "{upstream.url}/vllm/v1"\n'
        async with house(tmp_path, upstream.url, more=more) as opened:
            sent = await opened.get("/test-connection?provider=vllm")
            assert sent.status == 400
            assert "name one: ?model=" in sent.json()["error"]["message"]


async def test_an_upstream_that_is_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.admin.connection.TEST_TIMEOUT", 0.1)
    async with before(tmp_path, lambda _: [Stall()]) as (opened, _):
        sent = await opened.get("/test-connection?model=gpt-4o")
        assert (sent.status, sent.json()["error_type"]) == (503, "upstream_timeout")
