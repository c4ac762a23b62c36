"""Answers kept in Redis: shared by several gateways, as `gateway.store.redis` keeps them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from gateway.store.redis import Server
from middleware.cache.key import Key
from middleware.cache.store import Form, Told

SURVEY_DEADLINE = 10.0
"""Seconds for going through all entries, which only an operator asks for."""
_PREFIX = b"interlingua:cache:1:"
_PAGE = 500


class Remote:
    """Keeps entries in a Redis server, which expires them and bounds its own memory."""

    name = "redis"
    limit: int | None = None

    def __init__(self, url: str, ttl: float) -> None:
        self._ttl = max(1, int(ttl * 1000))
        self._server = Server(url, "cache_store")

    @property
    def down(self) -> bool:
        """The server is left alone for a while."""
        return self._server.down

    def told(self, key: Key, form: Form) -> Told | None:
        """Nothing: what lies here would outlive what another gateway clears there."""
        return None

    def tell(self, key: Key, form: Form, told: Told) -> None:
        """Keeps nothing."""

    async def get(self, key: Key) -> bytes | None:
        """The value, None where there is none."""
        found = await self._server.asked(partial(self._server.redis.get, _name(key)))
        return cast(bytes | None, found)

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value soon."""
        self._server.later(partial(self._server.redis.set, _name(key), value, px=self._ttl))

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
        async with self._server.running():
            yield

    async def _survey(self, pattern: bytes, *, forget: bool) -> int:
        """Counts the entries of a pattern, page by page, and forgets them where that is asked."""
        return await self._server.asked(
            partial(self._counted, pattern, forget=forget), SURVEY_DEADLINE
        )

    async def _counted(self, pattern: bytes, *, forget: bool) -> int:
        redis, cursor, found = self._server.redis, 0, 0
        while True:
            cursor, names = await redis.scan(cursor, match=pattern, count=_PAGE)
            if names and forget:
                found += await redis.unlink(*names)
            else:
                found += len(names)
            if not cursor:
                return found


def _name(key: Key) -> bytes:
    return _PREFIX + key.tenant.hex().encode() + b":" + key.digest.hex().encode()
