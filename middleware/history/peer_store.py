"""Responses kept in the memory of several workers: what one has not, the others are asked for."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from gateway.workers.peers import Peers
from middleware.history.store import MemoryHistoryStore

_GET, _OWNERS, _DROP = "history get", "history owners", "history drop"
_PeerQuery = tuple[str, list[str]]


class PeerStore:
    """A store in memory, and those of the other workers behind it."""

    down: bool | None = None

    def __init__(self, own: MemoryHistoryStore, peers: Peers) -> None:
        self._local = own
        self._peers = peers
        peers.answer(_GET, self._answer_get)
        peers.answer(_OWNERS, self._answer_owners)
        peers.answer(_DROP, self._answer_drop)

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        """The values, used just now."""
        values = await self._local.get(tenant, ids)
        missing = [place for place, value in enumerate(values) if value is None]
        if missing:
            about = msgspec.msgpack.encode((tenant, [ids[place] for place in missing]))
            for body in await self._peers.ask(_GET, about):
                found = msgspec.msgpack.decode(body, type=list[bytes | None])
                for place, value in zip(missing, found, strict=True):
                    values[place] = values[place] or value
        return values

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        """The ids that have those names."""
        owners = await self._local.find_owners(tenant, names)
        missing = [place for place, owner in enumerate(owners) if owner is None]
        if missing:
            about = msgspec.msgpack.encode((tenant, [names[place] for place in missing]))
            for body in await self._peers.ask(_OWNERS, about):
                found = msgspec.msgpack.decode(body, type=list[str | None])
                for place, owner in zip(missing, found, strict=True):
                    owners[place] = owners[place] or owner
        return owners

    def put(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        """Keeps a value in this worker."""
        self._local.put(tenant, id, value, names)

    async def drop(self, tenant: str, id: str) -> bool:
        """Forgets a value, wherever it is."""
        if await self._local.drop(tenant, id):
            return True
        about = msgspec.msgpack.encode((tenant, [id]))
        return b"dropped" in await self._peers.ask(_DROP, about)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The life of the store behind it."""
        async with self._local.running():
            yield

    async def _answer_get(self, about: bytes) -> bytes:
        tenant, ids = msgspec.msgpack.decode(about, type=_PeerQuery)
        return msgspec.msgpack.encode(await self._local.get(tenant, ids))

    async def _answer_owners(self, about: bytes) -> bytes:
        tenant, names = msgspec.msgpack.decode(about, type=_PeerQuery)
        return msgspec.msgpack.encode(await self._local.find_owners(tenant, names))

    async def _answer_drop(self, about: bytes) -> bytes:
        tenant, ids = msgspec.msgpack.decode(about, type=_PeerQuery)
        return b"dropped" if await self._local.drop(tenant, ids[0]) else b""
