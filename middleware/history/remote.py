"""Responses kept in Redis: shared by several gateways, as `gateway.store.redis` keeps them."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from gateway.store.redis import RedisStore

_KEY_PREFIX = "interlingua:history:1:"


class RedisHistoryStore(RedisStore):
    """Keeps entries in a Redis server, which expires them and bounds its own memory."""

    def __init__(self, url: str, ttl: float) -> None:
        super().__init__(url, ttl, "history_store")
        self._pending_writes: dict[
            str, bytes
        ] = {}  # whose write is under way: a client may be faster

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        """The values, which last as long again."""
        return await self._server.asked(
            partial(self._read_values, [_encode_key(tenant, id) for id in ids])
        )

    async def _read_values(self, names: list[str]) -> list[bytes | None]:
        async with self._server.redis.pipeline(transaction=False) as line:
            for name in names:
                line.get(name)
                line.pexpire(name, self._ttl)
            found = (await line.execute())[::2]
        return [
            self._pending_writes.get(name, value) for name, value in zip(names, found, strict=True)
        ]

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        """The ids that have those names."""
        keys = [_encode_key(tenant, f"name:{name}") for name in names]
        found = await self._server.asked(partial(self._mget, keys))
        return [value.decode() if value is not None else None for value in found]

    async def _mget(self, keys: list[str]) -> list[bytes | None]:
        return cast(list[bytes | None], await self._server.redis.mget(keys)) if keys else []

    def put(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        """Keeps a value soon."""
        self._server.later(partial(self._write_value, tenant, id, value, names))

    async def _write_value(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        key = _encode_key(tenant, id)
        self._pending_writes[key] = value
        try:
            async with self._server.redis.pipeline(transaction=False) as line:
                line.set(key, value, px=self._ttl)
                for name in names:
                    line.set(_encode_key(tenant, f"name:{name}"), id, px=self._ttl)
                await line.execute()
        finally:
            del self._pending_writes[key]

    async def drop(self, tenant: str, id: str) -> bool:
        """Forgets a value; what its items are called is left to expire."""
        return bool(await self._server.asked(partial(self._unlink, _encode_key(tenant, id))))

    async def _unlink(self, name: str) -> int:
        return int(await self._server.redis.unlink(name))


def _encode_key(tenant: str, id: str) -> str:
    return f"{_KEY_PREFIX}{tenant}:{id}"
