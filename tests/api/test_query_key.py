"""Where Google's clients put their key."""

from pathlib import Path

import pytest

from gateway.call import Headers
from tests.admin.gemini_house import scene
from tests.fakes.upstream import Json


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?key=gw-key", []),
        ("?alt=json&key=gw-key&x=1", []),
        ("?$key=gw-key", []),
        ("", [(b"x-goog-api-key", b"gw-key")]),
        ("", [(b"authorization", b"Bearer gw-key")]),
        ("?key=wrong", [(b"x-goog-api-key", b"gw-key")]),
    ],
)
async def test_a_key_may_stand_in_each_of_these_places(
    tmp_path: Path, query: str, headers: Headers
) -> None:
    async with scene(tmp_path) as on:
        got = await on.ask(f"models/chat:m:generateContent{query}", headers=headers)
        assert got.status == 200, got.body
        (request,) = on.upstream.requests
        assert b"gw-key" not in b" ".join(value for _, value in request.headers)
        assert "key" not in request.path
        assert request.get_header(b"authorization") == b"Bearer sk-upstream-chat"


@pytest.mark.parametrize("query", ["", "?key=", "?key=wrong-key-of-a-client"])
async def test_without_a_key_nothing_is_served(
    tmp_path: Path, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with scene(tmp_path) as on:
        for path in ("models/chat:m:generateContent", "models/chat:m:countTokens"):
            got = await on.ask(path + query, headers=[])
            assert (got.status, got.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
            assert b"wrong-key" not in got.body
        assert not on.upstream.requests
    assert "wrong-key" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("odd", ["a%0d%0ax-evil:%201", "a%00", "a%20b", "%C3%A9", "a%0a"])
async def test_a_key_that_no_header_could_hold_is_none(tmp_path: Path, odd: str) -> None:
    async with scene(tmp_path) as on:
        headers = [(b"x-gateway-key", b"gw-key")]
        got = await on.ask(f"models/own:m:generateContent?key={odd}", headers=headers)
        assert (got.status, got.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
        assert not on.upstream.requests


async def test_a_clients_own_key_goes_to_the_provider_that_takes_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        headers = [(b"x-gateway-key", b"gw-key")]
        got = await on.ask("models/own:m:generateContent?key=my-own-key", headers=headers)
        assert got.status == 200
        (request,) = on.upstream.requests
        assert request.get_header(b"authorization") == b"Bearer my-own-key"
        assert request.get_header(b"x-goog-api-key") is None
        assert "my-own-key" not in request.path


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models", "/models", "/v1/models/chat:x"])
async def test_a_list_takes_the_key_there_too(tmp_path: Path, path: str) -> None:
    async with scene(tmp_path) as on:
        on.play([Json({"object": "list", "data": [{"id": "x"}]})])
        assert (await on.ask(path, b"", method="GET", headers=[])).status == 401
        got = await on.ask(f"{path}?key=gw-key", b"", method="GET", headers=[])
        assert got.status == 200
        assert b'"models/x"' in got.body
        assert all("gw-key" not in request.path for request in on.upstream.requests)
