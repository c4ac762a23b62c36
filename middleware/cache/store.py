"""Where answers are kept: what every store does, and the one in this process's memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Protocol

from middleware.cache.key import Key

OVERHEAD = 300
"""Bytes that an entry takes beside its value."""


class StoreDown(Exception):
    """The store cannot be asked now."""


class Store(Protocol):
    """Values by key, each for a time."""

    name: str
    limit: int | None
    """Most entries; None where the store itself sets no such limit."""

    async def get(self, key: Key) -> bytes | None:
        """The value, None where there is none. Raises StoreDown."""

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value; at once or soon, as well as it can."""

    async def clear(self, tenant: bytes) -> int:
        """Forgets what a tenant has; how many that were. Raises StoreDown."""

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many that were, and how many are left. StoreDown."""

    async def size(self) -> int:
        """How many entries there are. Raises StoreDown."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """The store's life."""


class Memory:
    """Keeps the entries used last, as many as both limits allow."""

    name = "memory"

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit: int | None = entries
        self.used = 0
        """Bytes that the entries take."""
        self._ttl = ttl
        self._max_size = size
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: Key) -> bytes | None:
        """The value, used just now."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = entry
        if expires <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value that fits, and drops what was not used for longest."""
        if key in self._entries:
            self._drop(key)
        size = len(value) + OVERHEAD
        if size > self._max_size:
            return
        assert self.limit is not None
        while len(self._entries) >= self.limit or self.used + size > self._max_size:
            self._drop(next(iter(self._entries)))
        self._entries[key] = (self._clock() + self._ttl, value)
        self.used += size

    async def clear(self, tenant: bytes) -> int:
        """Forgets a tenant's entries."""
        return self._drop_all([key for key in self._entries if key.tenant == tenant])

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired."""
        now = self._clock()
        old = [key for key, (expires, _) in self._entries.items() if expires <= now]
        return self._drop_all(old), len(self._entries)

    async def size(self) -> int:
        """How many entries there are, expired ones included until they are met."""
        return len(self._entries)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Nothing to open."""
        yield

    def _drop(self, key: Key) -> None:
        _, value = self._entries.pop(key)
        self.used -= len(value) + OVERHEAD

    def _drop_all(self, keys: list[Key]) -> int:
        for key in keys:
            self._drop(key)
        return len(keys)
