from pathlib import Path

import msgspec
import pytest

from gateway.catalogue.top import load_builtin_ranking
from tests.admin.house import before, house
from tests.fakes.upstream import Json, ReceivedRequest, Script, ScriptedUpstream

ROUTER = '[providers.openrouter]\napi_key = "or"\nbase_url = "{upstream}/or/v1"\n'
LIST = {
    "data": [
        {
            "id": "vendor/new", "context_length": 1000, "supported_parameters": ["tools"],
            "pricing": {"prompt": "0.000003", "completion": "0.000015"},
        },
        {"id": "vendor/free", "pricing": {"prompt": "-1", "completion": "x"}},
    ]
}  # fmt: skip


def test_the_shipped_list_is_whole() -> None:
    models = load_builtin_ranking().models
    assert [each.ranking for each in models] == list(range(1, len(models) + 1))
    assert len({(each.provider, each.name) for each in models}) == len(models)
    assert all(each.input_price and each.output_price for each in models)


async def test_limit_and_provider_cut_the_list(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        assert len((await opened.get("/top-models")).json()["models"]) == 10
        assert len((await opened.get("/v1/top-models?limit=3")).json()["models"]) == 3
        data = (await opened.get("/top-models?provider=Anthropic&limit=50")).json()
        assert data["providers"] == ["anthropic"]
        assert data["suggested_aliases"]["coding"].startswith("claude-")
        assert "cache" not in data
        assert (await opened.get("/top-models?provider=nobody")).json()["models"] == []


async def test_disabled_is_an_empty_list_and_no_error(tmp_path: Path) -> None:
    async with house(tmp_path, catalogue='top_models = "disabled"') as opened:
        data = (await opened.get("/top-models?include_cache_info=true")).json()
        assert (data["source"], data["models"], data["suggested_aliases"]) == ("disabled", [], {})
        assert data["cache"]["cached"] is False
        assert (await opened.get("/v1/aliases")).json()["suggested"] == {"default": {}}


async def test_openrouters_list_is_kept_and_outlives_it(tmp_path: Path) -> None:
    up = True

    def select(request: ReceivedRequest) -> Script:
        return [Json(LIST)] if up else [Json(status=500)]

    async with ScriptedUpstream(select=select) as upstream:
        more = ROUTER.format(upstream=upstream.url)
        source = 'top_models = "openrouter"'
        async with house(tmp_path, upstream.url, more=more, catalogue=source) as opened:
            # Aliases never wait for an upstream: nothing is known yet.
            assert (await opened.get("/v1/aliases")).json()["suggested"] == {"default": {}}
            assert not upstream.requests
            data = (await opened.get("/top-models")).json()
            assert data["source"] == "openrouter"
            assert data["models"][0] == {
                "name": "vendor/new", "provider": "openrouter", "sub_provider": "vendor",
                "ranking": 1, "category": "tools", "context_window": 1000,
                "input_price": 3.0, "output_price": 15.0, "cache_read_price": None,
            }  # fmt: skip
            assert data["models"][1]["input_price"] is None
            up = False
            data = (await opened.get("/top-models?refresh=true&include_cache_info=true")).json()
            assert len(data["models"]) == 2
            assert data["cache"]["cached"] is True
            assert "answered 500" in data["cache"]["error"]
            suggested = (await opened.get("/v1/aliases")).json()["suggested"]
            assert suggested == {"default": {"tools": "vendor/new", "chat": "vendor/free"}}


async def test_without_an_openrouter_the_shipped_list_serves(tmp_path: Path) -> None:
    async with house(tmp_path, catalogue='top_models = "openrouter"') as opened:
        assert (await opened.get("/top-models")).json()["source"] == "manual"


async def test_profiles_are_a_list_though_there_are_none(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        data = (await opened.get("/profiles")).json()
        assert data == {"object": "list", "profiles": {}, "total": 0}


async def test_profiles_show_their_aliases_and_their_time(tmp_path: Path) -> None:
    more = """
    [profiles.code]
    timeout = 5
    aliases = { fast = "openai:gpt-4o-mini", deep = ["poe:gpt-4o", "openai:gpt-4o"] }
    [profiles.plain]
    """
    async with house(tmp_path, more=more) as opened:
        data = (await opened.get("/v1/profiles")).json()
    assert data == {
        "object": "list",
        "profiles": {
            "code": {
                "name": "code", "timeout": 5.0, "alias_count": 2, "source": "config.toml",
                "aliases": {"fast": "openai:gpt-4o-mini", "deep": "poe:gpt-4o"},
                "fallbacks": {"deep": ["openai:gpt-4o"]},
            },
            "plain": {
                "name": "plain", "timeout": None, "alias_count": 0, "source": "config.toml",
                "aliases": {},
            },
        },
        "total": 2,
    }  # fmt: skip


async def test_an_alias_with_several_targets_shows_them_all(tmp_path: Path) -> None:
    more = '[aliases]\nboth = ["poe:a", "openai:b"]\nlone = "gpt-4o"\n'
    async with house(tmp_path, more=more) as opened:
        data = (await opened.get("/v1/aliases")).json()
        assert data["aliases"]["poe"]["both"] == "a"
        assert data["aliases"]["openai"]["lone"] == "gpt-4o"
        assert data["fallbacks"] == {"both": ["openai:b"]}
        assert data["total"] == sum(len(each) for each in data["aliases"].values())


@pytest.mark.parametrize("path", ["/v1/aliases", "/top-models", "/profiles", "/v1/models"])
async def test_other_methods_are_405(path: str, tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        sent = await opened.get(path, method="DELETE")
        assert (sent.status, sent.headers["allow"]) == (405, "GET, HEAD")
        assert msgspec.json.decode(sent.body)["error"]["message"].endswith("use GET")
