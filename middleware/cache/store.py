"""Where answers are kept: what every store does, and the one in this process's memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Protocol

from msgspec import Struct

from gateway.breaker import StoreDown
from middleware.cache.key import Key

__all__ = ["OVERHEAD", "Form", "Memory", "Store", "StoreDown", "Told"]

OVERHEAD = 300
"""Bytes that an entry takes beside its value."""


Form = tuple[str, bool, bytes]
"""How an answer is sent: its dialect, whether as a stream, and that stream's options."""


class Told(Struct, frozen=True):
    """A stored answer in one form, as it was last said: the bytes to say it again."""

    body: bytes
    warnings: list[str]


class Store(Protocol):
    """Values by key, each for a time."""

    name: str
    limit: int | None
    """Most entries; None where the store itself sets no such limit."""

    @property
    def down(self) -> bool | None:
        """Whether it does not answer; None where it is in this process."""

    async def get(self, key: Key) -> bytes | None:
        """The value, None where there is none. Raises StoreDown."""

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value; at once or soon, as well as it can."""

    def told(self, key: Key, form: Form) -> Told | None:
        """The value's bytes in that form, where they are at hand."""

    def tell(self, key: Key, form: Form, told: Told) -> None:
        """Keeps a value's bytes in that form at hand, beside the value, as well as it can."""

    async def clear(self, tenant: bytes) -> int:
        """Forgets what a tenant has; how many that were. Raises StoreDown."""

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many that were, and how many are left. StoreDown."""

    async def size(self) -> int:
        """How many entries there are. Raises StoreDown."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """The store's life."""


class _Entry:
    __slots__ = ("expires", "told", "used", "value")

    def __init__(self, expires: float, value: bytes) -> None:
        self.expires = expires
        self.value = value
        self.told: dict[Form, Told] = {}
        self.used = len(value) + OVERHEAD


class Memory:
    """Keeps the entries used last, as many as both limits allow."""

    name = "memory"
    down: bool | None = None

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit: int | None = entries
        self.used = 0
        """Bytes that the entries take."""
        self._ttl = ttl
        self._max_size = size
        self._clock = clock
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    async def get(self, key: Key) -> bytes | None:
        """The value, used just now."""
        entry = self._fresh(key)
        return entry.value if entry is not None else None

    def _fresh(self, key: Key) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def told(self, key: Key, form: Form) -> Told | None:
        """The value's bytes in that form, used just now."""
        entry = self._fresh(key)
        return entry.told.get(form) if entry is not None else None

    def tell(self, key: Key, form: Form, told: Told) -> None:
        """Keeps them where there is room without dropping anything for it."""
        entry = self._entries.get(key)
        size = len(told.body) + OVERHEAD
        if entry is None or form in entry.told or self.used + size > self._max_size:
            return
        entry.told[form] = told
        entry.used += size
        self.used += size

    def put(self, key: Key, value: bytes) -> None:
        """Keeps a value that fits, and drops what was not used for longest."""
        if key in self._entries:
            self._drop(key)
        entry = _Entry(self._clock() + self._ttl, value)
        if entry.used > self._max_size:
            return
        assert self.limit is not None
        while len(self._entries) >= self.limit or self.used + entry.used > self._max_size:
            self._drop(next(iter(self._entries)))
        self._entries[key] = entry
        self.used += entry.used

    async def clear(self, tenant: bytes) -> int:
        """Forgets a tenant's entries."""
        return self._drop_all([key for key in self._entries if key.tenant == tenant])

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired."""
        now = self._clock()
        old = [key for key, entry in self._entries.items() if entry.expires <= now]
        return self._drop_all(old), len(self._entries)

    async def size(self) -> int:
        """How many entries there are, expired ones included until they are met."""
        return len(self._entries)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Nothing to open."""
        yield

    def _drop(self, key: Key) -> None:
        self.used -= self._entries.pop(key).used

    def _drop_all(self, keys: list[Key]) -> int:
        for key in keys:
            self._drop(key)
        return len(keys)
