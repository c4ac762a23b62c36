"""Answers kept in Redis: shared by several gateways, as `gateway.store.redis` keeps them."""

from functools import partial
from typing import cast

from gateway.store.redis import RedisStore
from middleware.cache.key import CacheKey
from middleware.cache.store import AnswerFormat, RenderedAnswer

SCAN_DEADLINE = 10.0
"""Seconds for going through all entries, which only an operator asks for."""
_KEY_PREFIX = b"interlingua:cache:1:"
_SCAN_PAGE = 500


class RedisCacheStore(RedisStore):
    """Keeps entries in a Redis server, which expires them and bounds its own memory."""

    name = "redis"
    limit: int | None = None

    def __init__(self, url: str, ttl: float) -> None:
        super().__init__(url, ttl, "cache_store")

    def get_rendered(self, key: CacheKey, form: AnswerFormat) -> RenderedAnswer | None:
        """Nothing: what lies here would outlive what another gateway clears there."""
        return None

    def put_rendered(self, key: CacheKey, form: AnswerFormat, told: RenderedAnswer) -> None:
        """Keeps nothing."""

    async def get(self, key: CacheKey) -> bytes | None:
        """The value, None where there is none."""
        found = await self._server.asked(partial(self._server.redis.get, _encode_key(key)))
        return cast(bytes | None, found)

    def put(self, key: CacheKey, value: bytes) -> None:
        """Keeps a value soon."""
        self._server.later(partial(self._server.redis.set, _encode_key(key), value, px=self._ttl))

    async def clear(self, tenant: bytes) -> int:
        """Forgets a tenant's entries."""
        return await self._scan_entries(_KEY_PREFIX + tenant.hex().encode() + b":*", forget=True)

    async def cleanup(self) -> tuple[int, int]:
        """Redis forgets what has expired by itself: nothing is left to do."""
        return 0, await self.size()

    async def size(self) -> int:
        """How many entries there are."""
        return await self._scan_entries(_KEY_PREFIX + b"*", forget=False)

    async def _scan_entries(self, pattern: bytes, *, forget: bool) -> int:
        """Counts the entries of a pattern, page by page, and forgets them where that is asked."""
        return await self._server.asked(
            partial(self._scan_pages, pattern, forget=forget), SCAN_DEADLINE
        )

    async def _scan_pages(self, pattern: bytes, *, forget: bool) -> int:
        redis, cursor, found = self._server.redis, 0, 0
        while True:
            cursor, names = await redis.scan(cursor, match=pattern, count=_SCAN_PAGE)
            if names and forget:
                found += await redis.unlink(*names)
            else:
                found += len(names)
            if not cursor:
                return found


def _encode_key(key: CacheKey) -> bytes:
    return _KEY_PREFIX + key.tenant.hex().encode() + b":" + key.digest.hex().encode()
