import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blockbuster import blockbuster_ctx

from tests.admin.house import CHAT, CONFIG, OPENAI, POE, SHOWN, before, house, usual
from tests.fakes.upstream import Head, Json, ReceivedRequest, Script, ScriptedUpstream, Stall

MESSAGES_LIST = {
    "data": [
        {
            "type": "model", "id": "claude-opus-4-8", "display_name": "Claude Opus 4.8",
            "created_at": "2026-01-02T03:04:05Z", "lifecycle": "deprecated",
            "max_input_tokens": 1000000, "max_tokens": 64000,
        }
    ],
    "has_more": False, "first_id": "claude-opus-4-8", "last_id": "claude-opus-4-8",
}  # fmt: skip
CLAUDE = """
[providers.claude]
use = "anthropic"
api_key = "sk-ant"
base_url = "{upstream}/claude/v1"
"""
VERSION = (b"anthropic-version", b"2023-06-01")


def ids(sent: Any) -> list[str]:
    return [each["id"] for each in sent.json()["data"]]


async def test_all_providers_are_listed_and_every_id_can_be_called(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        sent = await opened.get("/v1/models")
        assert ids(sent) == [
            "gpt-4o-mini", "gpt-4o", "poe:gpt-4o", "big", "small", "fast", "haiku", "sonnet",
        ]  # fmt: skip
        for ident in ids(sent):
            body = {"model": ident, "messages": [{"role": "user", "content": "x"}]}
            assert (await opened.post(body)).status == 200
        assert "x-gateway-warnings" not in sent.headers


async def test_an_id_that_an_alias_would_take_is_listed_so_that_it_is_reached(
    tmp_path: Path,
) -> None:
    more = '[aliases]\nmini = "poe:gpt-4o"\n"gpt-4o" = "poe:gpt-4o"\n'
    async with before(tmp_path, more=more) as (opened, upstream):
        names = ids(await opened.get("/v1/models"))
        assert names[:2] == ["openai:gpt-4o-mini", "openai:gpt-4o"]
        assert "gpt-4o" in names
        await opened.post(CHAT | {"model": "openai:gpt-4o-mini"})
        last = upstream.requests[-1]
        assert ("/openai/" in last.path, b"gpt-4o-mini" in last.body) == (True, True)
    text = CONFIG.replace('fast = "gpt-4o-mini"', 'mini = "gpt-4o"')
    async with before(tmp_path, config=text) as (opened, upstream):
        names = ids(await opened.get("/v1/models"))
        assert names[:2] == ["!openai:gpt-4o-mini", "gpt-4o"]
        await opened.post(CHAT | {"model": "!openai:gpt-4o-mini"})
        assert b'"gpt-4o-mini"' in upstream.requests[-1].body
        one = await opened.get("/v1/models/openai:gpt-4o-mini")
        assert one.json()["id"] == "!openai:gpt-4o-mini"


async def test_no_endpoint_blocks_the_loop(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        with blockbuster_ctx():
            for path in ("/v1/models", "/top-models", "/v1/aliases", "/health/detailed", "/"):
                assert (await opened.get(path)).status == 200
            assert (await opened.get("/v1/models?refresh=true")).status == 200


async def test_an_alias_is_marked_and_says_what_it_stands_for(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        found = {each["id"]: each for each in (await opened.get("/v1/models")).json()["data"]}
    marks = ("owned_by", "provider", "alias", "alias_for")
    assert [found["haiku"][mark] for mark in marks] == ["poe", "poe", True, ["poe:gpt-4o-mini"]]
    assert found["big"]["alias_for"] == ["openai:gpt-5"]
    assert found["big"]["context_window"] == 400000
    assert "alias" not in found["gpt-4o"]


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_the_header_beats_the_query_and_v1_may_be_left_out(
    prefix: str, tmp_path: Path
) -> None:
    async with before(tmp_path) as (opened, _):
        path = f"{prefix}/models?provider=openai&format=raw"
        assert (await opened.get(path)).json() == OPENAI
        assert (await opened.get(path, [*SHOWN, (b"provider", b"poe")])).json() == POE
        several = (await opened.get(f"{prefix}/models?format=raw")).json()
        assert several == {"object": "list", "providers": {"openai": OPENAI, "poe": POE}}


async def test_a_client_of_the_messages_api_gets_its_form(tmp_path: Path) -> None:
    def select(request: ReceivedRequest) -> Script:
        if "/claude/" in request.path:
            assert request.path == "/claude/v1/models?limit=1000"
            assert request.get_header(b"x-api-key") == b"sk-ant"
            assert request.get_header(b"anthropic-version") == b"2023-06-01"
            return [Json(MESSAGES_LIST)]
        return usual(request)

    async with ScriptedUpstream(select=select) as upstream:
        more = CLAUDE.format(upstream=upstream.url)
        async with house(tmp_path, upstream.url, more=more) as opened:
            sent = await opened.get("/v1/models?limit=1000", [*SHOWN, VERSION])
            data = sent.json()
            assert set(data) == {"data", "has_more", "first_id", "last_id"}
            assert (data["has_more"], data["first_id"]) == (False, "gpt-4o-mini")
            found = {each["id"]: each for each in data["data"]}
            assert found["claude:claude-opus-4-8"] == {
                "type": "model", "id": "claude:claude-opus-4-8", "display_name": "Claude Opus 4.8",
                "created_at": "2026-01-02T03:04:05Z", "lifecycle": "deprecated",
                "max_input_tokens": 1000000, "max_tokens": 64000, "provider": "claude",
            }  # fmt: skip
            assert found["gpt-4o"]["created_at"] == "2023-02-28T18:56:41Z"
            assert found["big"]["created_at"] == "1970-01-01T00:00:00Z"
            named = await opened.get("/v1/models?format=openai", [*SHOWN, VERSION])
            assert named.json()["object"] == "list"
            wrong = await opened.get("/v1/models", [VERSION])
            assert (wrong.status, wrong.json()["type"]) == (401, "error")


async def test_pages(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):

        async def page(query: str) -> tuple[list[str], bool]:
            sent = await opened.get(f"/v1/models?format=anthropic&{query}")
            return ids(sent), sent.json()["has_more"]

        assert await page("limit=2") == (["gpt-4o-mini", "gpt-4o"], True)
        assert await page("limit=2&after_id=gpt-4o") == (["poe:gpt-4o", "big"], True)
        assert await page("after_id=haiku") == (["sonnet"], False)
        assert await page("limit=1&before_id=poe:gpt-4o") == (["gpt-4o"], True)
        for wrong in ("limit=0", "limit=1001", "limit=x", "after_id=no", "before_id=no"):
            assert (await opened.get(f"/v1/models?{wrong}")).status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models?provider=nope", 404),
        ("/v1/models/gpt-4o?provider=nope", 404),
        ("/v1/models?format=xml", 400),
        ("/v1/models?refresh=maybe", 400),
        ("/v1/models/no-such-model", 404),
        ("/top-models?limit=0", 400),
        ("/top-models?limit=51", 400),
        ("/test-connection?provider=nope", 404),
    ],
)
async def test_what_cannot_be_is_refused(path: str, status: int, tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        sent = await opened.get(path)
    assert sent.status == status
    if "provider=nope" in path:
        assert "configured providers: openai, poe" in sent.json()["error"]["message"]


async def test_one_model_by_its_id_prefixed_or_with_slashes(tmp_path: Path) -> None:
    slashed = {"data": [{"id": "vendor/model:free", "context_length": 5, "created_at": None}]}

    def select(request: ReceivedRequest) -> Script:
        return [Json(slashed)] if "/poe/" in request.path else usual(request)

    async with before(tmp_path, select) as (opened, _):
        for path in ("gpt-4o", "openai:gpt-4o"):
            assert (await opened.get(f"/v1/models/{path}")).json()["created"] == 1677610601
        one = (await opened.get("/models/poe:vendor/model:free")).json()
        assert (one["id"], one["context_window"], one["created"]) == ("poe:vendor/model:free", 5, 0)
        shown = await opened.get("/v1/models/haiku", [*SHOWN, VERSION])
        assert shown.json()["display_name"] == "haiku (poe:gpt-4o-mini)"


async def test_a_list_is_kept_until_its_time_or_refresh(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        for _ in range(3):
            await opened.get("/v1/models?provider=openai")
        assert len(upstream.requests) == 1
        await opened.get("/v1/models?provider=openai&refresh=true")
        assert len(upstream.requests) == 2


async def test_clients_that_ask_at_once_share_one_fetch(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        sent = await asyncio.gather(*(opened.get("/v1/models?provider=poe") for _ in range(20)))
        assert {each.status for each in sent} == {200}
        assert len(upstream.requests) == 1


async def test_the_kept_list_outlives_the_process_and_a_failing_upstream(tmp_path: Path) -> None:
    async with before(tmp_path, catalogue="ttl = 0") as (opened, upstream):
        first = await opened.get("/v1/models?provider=openai")
        port = upstream.port
    files = list((tmp_path / "state" / "models").iterdir())
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    assert files[0].parent.stat().st_mode & 0o777 == 0o700
    # Nobody listens there any more.
    async with house(tmp_path, f"http://127.0.0.1:{port}", catalogue="ttl = 0") as opened:
        again = await opened.get("/v1/models?provider=openai&refresh=true")
        assert (again.status, again.json()) == (200, first.json())
        assert again.headers["x-gateway-warnings"] == "openai:stale"
        every = await opened.get("/v1/models")
        assert every.status == 200
        assert every.headers["x-gateway-warnings"] == "openai:stale, poe:missing"
        assert (await opened.get("/v1/models?provider=poe")).status == 502


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"fetched":1}', b'{"fetched":1,"models":7}', b"\xff"]
)
async def test_a_damaged_file_is_ignored_and_written_anew(damage: bytes, tmp_path: Path) -> None:
    async with ScriptedUpstream(select=usual) as upstream:
        async with house(tmp_path, upstream.url) as opened:
            first = await opened.get("/v1/models?provider=openai")
        (file,) = (tmp_path / "state" / "models").iterdir()
        file.write_bytes(damage)
        async with house(tmp_path, upstream.url) as opened:
            assert (await opened.get("/v1/models?provider=openai")).json() == first.json()
        assert len(upstream.requests) == 2
        assert msgspec.json.decode(file.read_bytes())["models"] == OPENAI


async def test_a_folder_that_cannot_be_written_leaves_memory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    async with before(tmp_path) as (opened, upstream):
        for _ in range(2):
            assert (await opened.get("/v1/models?provider=openai")).status == 200
        assert len(upstream.requests) == 1


async def test_a_slow_upstream_is_not_waited_for_but_serves_the_next_client(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slowly(exchange: Any) -> None:
        await gate.wait()
        await exchange.run_script([Json(POE)])

    def select(request: ReceivedRequest) -> Script:
        return slowly if "/poe/" in request.path else usual(request)

    async with before(tmp_path, select, wait=0.1) as (opened, upstream):
        began = time.monotonic()
        sent = await opened.get("/v1/models")
        assert time.monotonic() - began < 1
        assert "gpt-4o" in ids(sent)
        assert "poe:gpt-4o" not in ids(sent)
        assert sent.headers["x-gateway-warnings"] == "poe:missing"
        gate.set()
        sent = await opened.get("/v1/models?provider=poe")
        assert ids(sent)[0] == "poe:gpt-4o"
        assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "script",
    [
        [Json(status=500)],
        [Json(b"[1,2]")],
        [Json(b'{"no":"list"}')],
        [Json(b"<html>")],
        [Head(200, [("content-length", "5")]), Stall()],
    ],
)
async def test_nonsense_is_no_list_and_no_crash(script: Script, tmp_path: Path) -> None:
    async with before(tmp_path, lambda _: script, wait=0.2) as (opened, _):
        sent = await opened.get("/v1/models?provider=openai")
        if script[0] == Json(b"[1,2]"):  # type: ignore[index]
            assert "gpt-4o" not in ids(sent)
        else:
            assert sent.status in (502, 504)
        assert (await opened.get("/v1/models")).status == 200


async def test_where_clients_bring_their_keys_each_key_has_its_own_list(tmp_path: Path) -> None:
    def select(request: ReceivedRequest) -> Script:
        if "/own/" not in request.path:
            return usual(request)
        key = (request.get_header(b"authorization") or b"").decode().removeprefix("Bearer ")
        return [Json({"data": [{"id": f"for-{key}"}]})]

    async with ScriptedUpstream(select=select) as upstream:
        more = (
            '[providers.own]\nuse = "compatible"\napi_key = "!PASSTHRU"\n'
            f'base_url = "{upstream.url}/own/v1"\n'
        )
        async with house(tmp_path, upstream.url, more=more) as opened:
            for key in ("one", "two", "one"):
                shown = [(b"x-gateway-key", b"gw-key"), (b"x-api-key", key.encode())]
                sent = await opened.get("/v1/models?provider=own", shown)
                assert ids(sent) == [f"own:for-{key}"]
            assert len(upstream.requests) == 2
            assert not any("own" in path.name for path in (tmp_path / "state").rglob("*"))
            assert (await opened.get("/v1/models?provider=own")).status == 401
            sent = await opened.get("/v1/models")
            assert (sent.status, "x-gateway-warnings" in sent.headers) == (200, False)
