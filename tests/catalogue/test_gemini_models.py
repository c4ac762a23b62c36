"""The catalogue as Gemini's clients read it."""

from pathlib import Path
from typing import Any

import pytest

from gateway.call import Headers
from gateway.catalogue.entries import CatalogueModel, ModelEntry
from gateway.catalogue.gemini_models import write_gemini_model
from tests.admin.house import before

GOOGLES: Headers = [(b"x-goog-api-key", b"gw-key")]
METHODS = ["generateContent", "streamGenerateContent", "countTokens"]


async def listed(folder: Path, path: str) -> Any:
    async with before(folder) as (opened, _):
        got = await opened.get(path, GOOGLES)
        assert got.status == 200, got.body
        return got.json()


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models", "/models", "/v1beta1/models"])
async def test_the_list_has_every_model_and_alias(tmp_path: Path, path: str) -> None:
    found = await listed(tmp_path, path)
    names = [model["name"] for model in found["models"]]
    assert {"models/gpt-4o-mini", "models/poe:gpt-4o", "models/fast"} <= set(names)
    assert len(names) == len(set(names))
    assert all(model["supportedGenerationMethods"] == METHODS for model in found["models"])
    assert "nextPageToken" not in found


async def test_the_list_comes_in_pages(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        whole = (await opened.get("/v1beta/models", GOOGLES)).json()["models"]
        token, pages = "", []
        while True:
            query = f"?pageSize=2&pageToken={token}" if token else "?pageSize=2"
            page = (await opened.get(f"/v1beta/models{query}", GOOGLES)).json()
            pages.append(page["models"])
            token = page.get("nextPageToken", "")
            if not token:
                break
        assert [model for page in pages for model in page] == whole
        assert {len(page) for page in pages[:-1]} == {2}


@pytest.mark.parametrize(
    "ident", ["gpt-4o-mini", "models/gpt-4o-mini", "openai:gpt-4o-mini", "poe:gpt-4o", "fast"]
)
async def test_one_model(tmp_path: Path, ident: str) -> None:
    found = await listed(tmp_path, f"/v1beta/models/{ident}")
    assert found["name"].startswith("models/")
    assert found["supportedGenerationMethods"] == METHODS


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1beta/models/nobody", 404),
        ("/v1/models/nobody", 404),
        ("/v1beta/models?pageToken=nobody", 400),
        ("/v1beta/models?pageSize=0", 400),
        ("/v1beta/models?provider=nobody", 404),
    ],
)
async def test_what_is_wrong_is_told_in_geminis_words(
    tmp_path: Path, path: str, status: int
) -> None:
    async with before(tmp_path) as (opened, _):
        got = await opened.get(path, GOOGLES)
        assert (got.status, got.json()["error"]["code"]) == (status, status)


@pytest.mark.parametrize(
    ("headers", "member"),
    [
        ([(b"x-api-key", b"gw-key")], "data"),
        ([(b"authorization", b"Bearer gw-key")], "data"),
        ([(b"authorization", b"Bearer gw-key"), (b"x-goog-api-client", b"sdk")], "models"),
        ([(b"x-goog-api-key", b"gw-key")], "models"),
    ],
)
async def test_other_clients_get_their_own_form(
    tmp_path: Path, headers: Headers, member: str
) -> None:
    async with before(tmp_path) as (opened, _):
        assert member in (await opened.get("/v1/models", headers)).json()


def test_limits_and_what_the_upstream_adds() -> None:
    raw = {"name": "models/g", "supportedGenerationMethods": ["generateContent"], "thinking": True}
    shown = write_gemini_model(
        CatalogueModel(id="p:g", provider="p", entry=ModelEntry("g", context=9, output=3, raw=raw))
    )
    assert shown == {
        "name": "models/p:g",
        "displayName": "p:g",
        "version": "",
        "supportedGenerationMethods": ["generateContent"],
        "thinking": True,
        "inputTokenLimit": 9,
        "outputTokenLimit": 3,
    }


def test_an_alias_says_what_it_stands_for() -> None:
    shown = write_gemini_model(
        CatalogueModel(id="a", provider="p", entry=ModelEntry("a"), alias_for=["p:x"])
    )
    assert shown["displayName"] == "a (p:x)"
