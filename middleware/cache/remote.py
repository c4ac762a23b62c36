"""Answers kept in Redis: shared by several gateways, and never waited for longer than a blink.

Every command has one deadline, connecting included. A store that fails is left alone for a while;
the try that ends this is made beside the calls, so that none of them waits for it. Writes are made
beside the calls too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from middleware.cache.breaker import Breaker
from middleware.cache.key import Key
from middleware.cache.store import Form, StoreDown, Told

T = TypeVar("T")

DEADLINE = 0.1
"""Seconds for one command."""
SURVEY_DEADLINE = 10.0
"""Seconds for going through all entries, which only an operator asks for."""
CONNECTIONS = 50
_WRITES = 200
"""Writes that may be under way; an answer beyond them is not kept."""
_PREFIX = b"interlingua:cache:1:"
_PAGE = 500
_FAULTS = (RedisError, OSError, TimeoutError)


class Remote:
    """Keeps entries in a Redis server, which expires them and bounds its own memory."""

    name = "redis"
    limit: int | None = None

    def __init__(self, url: str, ttl: float) -> None:
        self._ttl = max(1, int(ttl * 1000))
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=DEADLINE,
            socket_timeout=DEADLINE,
            socket_connect_timeout=DEADLINE,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)
        where = _where(url)
        self._reads = Breaker("cache_store", where)
        self._writes = Breaker("cache_store_writes", where)
        self._beside: set[asyncio.Task[None]] = set()

    def told(self, key: Key, form: Form) -> Told | None:
        """Nothing: what lies here would outlive what another gateway clears there."""
        return None

    def tell(self, key: Key, form: Form, told: Told) -> None:
        """Keeps nothing."""

    async def get(self, key: Key) -> bytes | None:
        """The value, None where there is none."""
        if self._reads.open:
            if self._reads.due():
                self._start(self._try())
            raise StoreDown
        return await self._asked(cast(Awaitable[bytes | None], self._redis.get(_name(key))))

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value soon."""
        if self._reads.open or (self._writes.open and not self._writes.due()):
            return
        if len(self._beside) < _WRITES:
            self._start(self._write(_name(key), value))

    async def clear(self, tenant: bytes) -> int:
        """Forgets a tenant's entries."""
        return await self._survey(_PREFIX + tenant.hex().encode() + b":*", forget=True)

    async def cleanup(self) -> tuple[int, int]:
        """Redis forgets what has expired by itself: nothing is left to do."""
        return 0, await self.size()

    async def size(self) -> int:
        """How many entries there are."""
        return await self._survey(_PREFIX + b"*", forget=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Lets writes under way end, and closes the connections."""
        try:
            yield
        finally:
            await asyncio.gather(*self._beside, return_exceptions=True)
            try:
                async with asyncio.timeout(DEADLINE):
                    await self._redis.aclose()
            except _FAULTS:
                pass  # a frozen server does not say good-bye

    async def _asked(self, command: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(DEADLINE):
                found = await command
        except _FAULTS as fault:
            self._reads.failed(type(fault).__name__)
            raise StoreDown from None
        self._reads.succeeded()
        return found

    async def _try(self) -> None:
        """Closes the breaker again where the server answers."""
        try:
            async with asyncio.timeout(DEADLINE):
                await cast(Awaitable[Any], self._redis.ping())
        except _FAULTS as fault:
            self._reads.failed(type(fault).__name__)
        else:
            self._reads.succeeded()

    async def _write(self, name: bytes, value: bytes) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await self._redis.set(name, value, px=self._ttl)
        except _FAULTS as fault:
            self._writes.failed(type(fault).__name__)
        else:
            self._writes.succeeded()

    async def _survey(self, pattern: bytes, *, forget: bool) -> int:
        """Counts the entries of a pattern, page by page, and forgets them where that is asked."""
        if self._reads.open:
            raise StoreDown
        found = 0
        try:
            async with asyncio.timeout(SURVEY_DEADLINE):
                cursor = 0
                while True:
                    cursor, names = await self._redis.scan(cursor, match=pattern, count=_PAGE)
                    if names and forget:
                        found += await self._redis.unlink(*names)
                    else:
                        found += len(names)
                    if not cursor:
                        return found
        except _FAULTS as fault:
            self._reads.failed(type(fault).__name__)
            raise StoreDown from None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def _name(key: Key) -> bytes:
    return _PREFIX + key.tenant.hex().encode() + b":" + key.digest.hex().encode()


def _where(url: str) -> str:
    """The server's address as a log may have it: a URL may hold a password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
