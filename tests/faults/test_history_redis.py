"""Responses kept in a real Redis: found by any gateway, and a Redis that is frozen or empty."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from gateway.call import Caller
from gateway.errors import InvalidRequest, Unavailable
from gateway.secret import Secret
from gateway.store.breaker import StoreDown
from middleware.history import History
from middleware.history.remote import RedisHistoryStore
from tests.fakes import calls
from tests.fakes.client import wait_until
from tests.fakes.responses import make_message
from tests.fakes.running import free_port
from tests.faults.test_cache_redis import Server, needed
from tests.middleware.test_history import Upstream, ask, user

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Server]:
    needed()
    made = Server(tmp_path, free_port())
    await made.start()
    yield made
    await made.stop()


def history(redis: Server) -> History:
    link = History(store=Secret(redis.url))
    link.bind(calls.runtime())
    return link


async def test_what_one_gateway_keeps_another_goes_on_from(redis: Server) -> None:
    first, second, upstream = history(redis), history(redis), Upstream()
    async with first.running(), second.running():
        await ask(first, upstream, input="one")
        # by the same gateway at once, though the write is made beside the call
        await ask(first, upstream, input="two", previous_response_id="resp_1")
        await wait_until(lambda: not first._store._server.beside)  # type: ignore[attr-defined]
        await ask(second, upstream, input="three", previous_response_id="resp_2")
        assert upstream.input[::2] == [user("one"), user("two"), user("three")]
        items = [{"type": "item_reference", "id": "msg_1"}]
        await ask(second, upstream, input=items)
        assert upstream.input == [make_message("answer 1", id="msg_1")]


async def test_callers_are_apart_and_what_is_forgotten_is_gone(redis: Server) -> None:
    link, upstream = history(redis), Upstream()
    async with link.running():
        await ask(link, upstream, caller="a")
        await wait_until(lambda: not link._store._server.beside)  # type: ignore[attr-defined]
        assert await link.find_response(Caller("b"), "resp_1") is None
        assert await link.find_response(Caller("a"), "resp_1") is not None
        assert await link.find_response(Caller("a"), "name:msg_1") is None  # a key of another kind
        assert await link.forget_response(Caller("a"), "resp_1")
        assert not await link.forget_response(Caller("a"), "resp_1")
        with pytest.raises(InvalidRequest):
            await ask(link, upstream, caller="a", previous_response_id="resp_1")


async def test_a_value_lasts_from_its_last_use(redis: Server) -> None:
    store = RedisHistoryStore(redis.url, 1.5)
    async with store.running():
        store.put("t", "a", b"1", ["n"])
        await wait_until(lambda: not store._server.beside)
        await asyncio.sleep(0.3)
        left = await store._server.redis.pttl("interlingua:history:1:t:a")
        assert await store.get("t", ["a", "b"]) == [b"1", None]
        assert await store._server.redis.pttl("interlingua:history:1:t:a") > left
        assert await store.find_owners("t", ["n", "m"]) == ["a", None]
        assert await store.find_owners("t", []) == []


async def test_a_frozen_store_is_503_for_those_who_need_it_alone(redis: Server) -> None:
    link, upstream = history(redis), Upstream()
    async with link.running():
        await ask(link, upstream)
        await wait_until(lambda: not link._store._server.beside)  # type: ignore[attr-defined]
        assert link.down is False
        redis.signal(signal.SIGSTOP)
        _, body = await ask(link, upstream, input="needs nothing")
        assert msgspec.json.decode(body)["id"] == "resp_2"
        for _ in range(8):  # the breaker opens meanwhile
            with pytest.raises(Unavailable):
                await ask(link, upstream, previous_response_id="resp_1")
        assert link.down is True
        redis.signal(signal.SIGCONT)

        async def found() -> bool:
            try:
                return (await link._store.get("x", ["y"])) == [None]
            except StoreDown:
                return False

        for _ in range(200):
            if await found():
                break
            await asyncio.sleep(0.05)
        await ask(link, upstream, previous_response_id="resp_1")
        assert len(upstream.input) == 3
