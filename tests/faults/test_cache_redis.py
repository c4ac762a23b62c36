"""The cache over a real Redis: frozen, killed, read-only, full of nonsense, and well again."""

import asyncio
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import httpx2
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from middleware.cache.key import CacheKey
from middleware.cache.remote import RedisCacheStore
from middleware.cache.store import StoreDown
from tests.fakes.client import wait_until
from tests.fakes.running import GatewayProcess, free_port, run_gateway
from tests.fakes.steps import Json, ReceivedRequest, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import PROVIDERS
from tests.faults.wires import TEXT, ask, whole

pytestmark = pytest.mark.asyncio(loop_scope="function")

SERVER = shutil.which("redis-server")
PASSWORD = "the-password-of-the-tests"
CONFIG = """
[log]
format = "json"
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
store = "env:REDIS_URL"
ttl = 60
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""
DEADLINE, SLACK = 0.1, 0.1
"""Seconds that a call may wait for the store, and what a busy machine adds."""


class Server:
    """A Redis of our own, ended by its process id."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Starts it, empty, and waits until it answers."""
        assert SERVER
        self._process = await asyncio.create_subprocess_exec(
            SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass",
            PASSWORD, "--dir", str(self._folder), stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with Redis.from_url(self.url) as client:
            for _ in range(200):
                try:
                    await client.ping()
                except (RedisError, OSError):  # not up yet
                    await asyncio.sleep(0.02)
                else:
                    return
        raise AssertionError("redis-server did not start")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            await self._process.wait()


class RedisCacheGateway:
    """A gateway whose cache is in that Redis."""

    def __init__(self, running: GatewayProcess, upstream: ScriptedUpstream, redis: Server) -> None:
        self.gateway = running
        self.upstream = upstream
        self.redis = redis

    async def ask(self, model: str, *, stream: bool = False) -> tuple[str, float]:
        """The state of the cache for a call, and its seconds; its answer is always right."""
        began = time.monotonic()
        answer = await ask(self.gateway.port, "chat", f"chat:{model}", stream=stream)
        assert (answer.status, answer.text) == (200, TEXT)
        return answer.headers[b"x-cache-status"].decode(), time.monotonic() - began

    async def until_kept(self, model: str) -> None:
        """Asks until the answer is there: it is written beside the call."""
        for _ in range(100):
            if (await self.ask(model))[0] == "hit":
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the answer was not kept")

    def told(self, event: str) -> int:
        """How often the log has an event."""
        return self.gateway.log.count(f'"event":"{event}"')


def needed() -> None:
    """Skips the test where there is no redis-server, or fails it where there has to be one."""
    if SERVER:
        return
    if os.environ.get("INTERLINGUA_REQUIRE_REDIS"):
        pytest.fail("redis-server is not installed")
    pytest.skip("redis-server is not installed")


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[RedisCacheGateway]:
    needed()

    def select(request: ReceivedRequest) -> Script:
        return Json(whole("chat"))

    redis = Server(folder, free_port())
    await redis.start()
    try:
        async with ScriptedUpstream(select=select, seconds=60) as upstream:
            config = CONFIG + PROVIDERS.replace("{url}", upstream.url)
            async with run_gateway(folder, config, {"REDIS_URL": redis.url}) as running:
                yield RedisCacheGateway(running, upstream, redis)
    finally:
        await redis.stop()


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[RedisCacheGateway]:
    async with scene(tmp_path) as made:
        yield made


async def test_answers_are_kept_counted_and_cleared(running: RedisCacheGateway) -> None:
    await running.until_kept("a")
    await running.until_kept("b")
    assert (await running.ask("a", stream=True))[0] == "hit"
    async with Redis.from_url(running.redis.url) as client:
        names = [name async for name in client.scan_iter()]
        assert len(names) == 2
        assert 0 < await client.pttl(names[0]) <= 60_000
        stats = await _get(running.gateway.port, "GET", "stats")
        assert (stats["cache_backend"], stats["cache_size"]) == ("redis", 2)
        assert await _get(running.gateway.port, "POST", "cleanup") == {
            "status": "success", "message": "Cache cleanup completed",
            "expired_entries_removed": 0, "remaining_entries": 2,
        }  # fmt: skip
        assert (await _get(running.gateway.port, "DELETE", "clear"))["cleared_entries"] == 2
        assert await client.dbsize() == 0
    assert PASSWORD not in running.gateway.log


async def _get(port: int, method: str, name: str) -> dict[str, object]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.request(method, f"/v1/messages/cache/{name}")
        found: dict[str, object] = answer.json()
        return found


async def test_a_corrupted_or_flushed_value_is_a_miss(running: RedisCacheGateway) -> None:
    await running.until_kept("a")
    async with Redis.from_url(running.redis.url) as client:
        (name,) = [name async for name in client.scan_iter()]
        for wrong in (b"", b"\x00\xff", b"{}", (await client.get(name) or b"")[:-4]):
            await client.set(name, wrong)
            assert (await running.ask("a"))[0] == "miss"
            await running.until_kept("a")
        await client.flushall()
    assert (await running.ask("a"))[0] == "miss"
    assert running.told("cache_store_down") == 0


async def test_a_frozen_redis_costs_a_few_calls_a_little_and_then_nothing(
    running: RedisCacheGateway,
) -> None:
    await running.until_kept("a")
    running.redis.signal(signal.SIGSTOP)
    slow = [await running.ask("a") for _ in range(5)]
    assert {state for state, _ in slow} == {"bypass"}
    assert max(seconds for _, seconds in slow) < DEADLINE + SLACK
    quick = [await running.ask("a") for _ in range(60)]
    assert {state for state, _ in quick} == {"bypass"}
    assert sorted(seconds for _, seconds in quick)[30] < 0.02
    stats = await _get(running.gateway.port, "GET", "stats")
    assert stats["cache_size"] is None
    refused = await _get(running.gateway.port, "DELETE", "clear")
    assert refused["error"]["type"] == "cache_error"  # type: ignore[index]
    await asyncio.sleep(2.3)
    tried = [await running.ask("a") for _ in range(20)]  # the try is made beside them
    assert median(seconds for _, seconds in tried) < DEADLINE
    assert (running.told("cache_store_down"), running.told("cache_store_up")) == (1, 0)
    running.redis.signal(signal.SIGCONT)
    await asyncio.sleep(2.3)
    await running.until_kept("a")
    await wait_until(lambda: running.told("cache_store_up") == 1)
    assert running.told("cache_store_down") == 1
    assert PASSWORD not in running.gateway.log


async def test_many_calls_at_once_meet_a_frozen_redis(running: RedisCacheGateway) -> None:
    await running.until_kept("a")
    running.redis.signal(signal.SIGSTOP)
    got = await asyncio.gather(*(running.ask(f"new-{number}") for number in range(100)))
    assert {state for state, _ in got} == {"bypass"}
    assert median(seconds for _, seconds in got) < 10 * DEADLINE
    await wait_until(lambda: running.told("cache_store_down") == 1)


async def test_a_killed_redis_is_found_again_when_it_is_back(running: RedisCacheGateway) -> None:
    await running.until_kept("a")
    await running.redis.stop()
    got = [await running.ask("a") for _ in range(20)]
    assert {state for state, _ in got} == {"bypass"}
    assert await _is_up(running.gateway.port) == 0
    await running.redis.start()
    await asyncio.sleep(2.3)
    await running.until_kept("a")
    assert await _is_up(running.gateway.port) == 1
    await wait_until(lambda: running.told("cache_store_up") == 1)
    assert running.told("cache_store_down") == 1


async def _is_up(port: int) -> float:
    """What Prometheus is told of the cache's store."""
    async with httpx2.AsyncClient() as client:
        told = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    (line,) = re.findall(r'^gateway_store_up{link="cache"} (\S+)$', told, re.MULTILINE)
    return float(line)


async def test_a_read_only_redis_still_answers_what_it_has(running: RedisCacheGateway) -> None:
    await running.until_kept("a")
    async with Redis.from_url(running.redis.url) as client:
        await client.config_set("min-replicas-to-write", 1)  # refuses every write from now on
        for number in range(10):
            assert (await running.ask(f"new-{number}"))[0] == "miss"
            assert (await running.ask("a"))[0] == "hit"
        await wait_until(lambda: running.told("cache_store_writes_down") == 1)
        assert running.told("cache_store_down") == 0
        await client.config_set("min-replicas-to-write", 0)
    await asyncio.sleep(2.1)
    await running.until_kept("new-0")
    await wait_until(
        lambda: running.told("cache_store_writes_up") == 1
    )  # lines are gathered a while


async def test_a_gateway_starts_without_its_redis(tmp_path: Path) -> None:
    async with ScriptedUpstream(Json(whole("chat"))) as upstream:
        config = CONFIG + PROVIDERS.replace("{url}", upstream.url)
        url = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
        async with run_gateway(tmp_path, config, {"REDIS_URL": url}) as made:
            answer = await ask(made.port, "chat", "chat:m")
            assert answer.headers[b"x-cache-status"] == b"bypass"
        assert PASSWORD not in made.log


async def test_commands_given_up_leave_no_answer_for_another(tmp_path: Path) -> None:
    needed()
    redis = Server(tmp_path, free_port())
    await redis.start()
    store = RedisCacheStore(redis.url, 60)
    keys = [CacheKey(b"t", b"%d" % number) for number in range(30)]
    try:
        async with store.running():
            for key in keys:
                store.put(key, key.digest)
            await wait_until(lambda: not store._server.beside)
            assert [await store.get(key) for key in keys] == [key.digest for key in keys]
            redis.signal(signal.SIGSTOP)
            lost = await asyncio.gather(*map(store.get, keys), return_exceptions=True)
            assert {type(each) for each in lost} == {StoreDown}
            asked = [asyncio.ensure_future(store._server.redis.get("t")) for _ in range(20)]
            await asyncio.sleep(0.01)
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            redis.signal(signal.SIGCONT)
            await asyncio.sleep(0.1)
            store._server.reads.succeeded()
            for _ in range(5):
                got = await asyncio.gather(*map(store.get, keys))
                assert got == [key.digest for key in keys]
    finally:
        await redis.stop()
