import hashlib
from pathlib import Path

from tests.admin.house import CHAT, before, house
from tests.fakes.upstream import Json, ReceivedRequest, Script

YAML = b"""\
api_key_valid: true
client_api_key_validation: true
default_provider: openai
providers:
  openai:
    api_format: openai
"""


async def test_health_asks_nobody_and_tells_no_secret(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        sent = await opened.get("/health", [])
        assert sent.headers["content-type"] == "application/json"
        assert b"sk-upstream" not in sent.body
        account = sent.json()["providers"]["openai"]
        assert account["base_url"] == f"{upstream.url}/openai/v1"
        digest = hashlib.sha256(b"sk-upstream").hexdigest()
        assert account["api_key_hash"] == f"sha256:{digest[:8]}"
        assert not upstream.requests


async def test_yaml_for_those_who_ask_for_it(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        for path, accept in (
            ("/health?format=yaml", b"*/*"),
            ("/health", b"text/yaml"),
            ("/health", b"application/yaml, */*;q=0.1"),
        ):
            sent = await opened.get(path, [(b"accept", accept)])
            assert sent.headers["content-type"] == "application/yaml; charset=utf-8"
            assert YAML in sent.body
        both = await opened.get("/health?format=json", [(b"accept", b"text/yaml")])
        assert both.json()["status"] == "healthy"
        assert (await opened.get("/health?format=xml", [])).status == 400


async def test_the_state_of_a_provider_is_what_its_calls_have_shown(tmp_path: Path) -> None:
    def select(request: ReceivedRequest) -> Script:
        return [Json(status=401)] if "/poe/" in request.path else [Json({"id": "x", "choices": []})]

    async with before(tmp_path, select) as (opened, _):
        data = (await opened.get("/health/detailed")).json()
        assert data["services"]["openai_api"] == "not called yet"
        assert data["services"]["openrouter_api"] == "not configured"
        assert (await opened.post(CHAT)).status == 200
        assert (await opened.post(CHAT | {"model": "poe:gpt-4o"})).status == 502
        data = (await opened.get("/health/detailed")).json()
        assert data["providers"]["openai"]["state"] == "healthy"
        assert data["providers"]["openai"]["last_success"]
        assert data["providers"]["openai"]["connections"]["open"] == 1
        poe = data["providers"]["poe"]
        assert (poe["state"], poe["keys"]["count"], poe["keys"]["resting"]) == ("failing", 1, 1)
        assert poe["last_failure"]
        assert "refused the gateway's key" in poe["last_error"]
        assert data["status"] == "healthy"
        assert data["performance_metrics"]["calls"] == 2
        assert data["services"]["batch_processing"] in ("enabled", "disabled")


async def test_a_gateway_none_of_whose_providers_works_is_degraded(tmp_path: Path) -> None:
    async with before(tmp_path, lambda _: [Json(status=401)]) as (opened, _):
        assert (await opened.get("/health", [])).json()["api_key_valid"] is True
        for model in ("openai:a", "poe:a"):
            await opened.post(CHAT | {"model": model})
        data = (await opened.get("/health", [])).json()
        assert (data["status"], data["api_key_valid"]) == ("degraded", False)


async def test_batches_and_profiles(tmp_path: Path) -> None:
    more = "[profiles.code]\naliases = { fast = 'openai:gpt-4o' }\n"
    async with house(tmp_path, more=more) as opened:
        data = (await opened.get("/health/detailed")).json()
        assert data["batches"] == {"engine": "off"}
        assert data["profiles"] == {"total": 1, "names": ["code"], "default": None}
    kept = f'[batch]\nengine = "embedded"\nfolder = "{tmp_path}"\n'
    async with house(tmp_path, more=kept) as opened:
        data = (await opened.get("/health/detailed")).json()
        assert data["batches"] == {"engine": "embedded", "open": 0, "in_flight": 0, "room": 32}


async def test_the_root_names_where_the_client_sees_us(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        headers = [(b"host", b"llm.example.com"), (b"x-forwarded-proto", b"https")]
        data = (await opened.get("/", headers)).json()
        assert data["config"]["base_url"] == "https://llm.example.com"
        assert data["endpoints"]["models"] == "/v1/models"
        odd = await opened.get("/", [(b"host", b"h"), (b"x-forwarded-proto", b"javascript")])
        assert odd.json()["config"]["base_url"] == "http://h"
