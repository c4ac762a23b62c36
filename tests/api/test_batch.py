"""The batch endpoints of a built gateway."""

from pathlib import Path
from typing import Any

import pytest

from gateway.api.batch import accepts_events
from gateway.app import build
from tests.admin.house import KEY, before, house
from tests.configs import loaded


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        (b"text/event-stream", True),
        (b"application/json, Text/Event-Stream;q=0.5", True),
        (b"text/event-stream; charset=utf-8", True),
        (b"*/*", False),
        (b"text/*", False),
        (b"application/json", False),
        (b"application/json, text/event-stream;q=0", False),
        (b"text/event-stream; q=0.0", False),
        (b"text/event-stream2", False),
        (b"", False),
    ],
)
def test_events_are_for_those_who_name_them(accept: bytes, events: bool) -> None:
    assert accepts_events([(b"accept", accept)]) is events


def test_a_client_that_accepts_nothing_gets_no_events() -> None:
    assert not accepts_events([(b"accept-encoding", b"text/event-stream")])


def _items(*texts: str) -> dict[str, Any]:
    asked = [[{"role": "user", "content": text}] for text in texts]
    return {"messages": [{"model": "fast", "max_tokens": 9, "messages": each} for each in asked]}


async def test_each_item_resolves_its_own_alias(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, upstream):
        body = _items("a", "b")
        body["messages"][1]["model"] = "poe:sonnet"
        answer = await opened.post(body, "/v1/messages/batch")
        assert answer.json()["success_rate"] == 1.0
        asked = [(each.path, each.body) for each in upstream.requests]
        paths = sorted(path for path, _ in asked)
        assert paths == ["/openai/v1/chat/completions", "/poe/v1/chat/completions"]
        models = sorted(b'"model":"gpt-4o-mini"' in body for _, body in asked)
        assert models == [False, True]


async def test_the_status_asks_for_the_key(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        batch_id = (await opened.post(_items("a"), "/messages/batch")).json()["batch_id"]
        path = f"/messages/batch/{batch_id}/status"
        assert (await opened.get(path, headers=[])).status == 401
        told = await opened.get(path)
        assert (told.status, told.json()["status"]) == (200, "completed")
        assert told.headers["x-batch-id"] == batch_id
        assert (await opened.get(path, method="POST")).status == 405


async def test_a_get_of_the_batch_path_is_told_the_method(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        refused = await opened.get("/v1/messages/batch", headers=[(b"x-api-key", KEY.encode())])
        assert (refused.status, refused.headers["allow"]) == (405, "POST")


def test_without_the_link_there_are_no_batch_endpoints(tmp_path: Path) -> None:
    text = "".join(f'[[middleware]]\nuse = "{use}"\n' for use in ("auth", "alias", "convert"))
    paths = [getattr(route, "path", "") for route in build(loaded(tmp_path, text)).routes]
    assert not any(path.endswith("/messages/batch") for path in paths)
    paths = [getattr(route, "path", "") for route in build(loaded(tmp_path, "")).routes]
    assert "/v1/messages/batch" in paths
