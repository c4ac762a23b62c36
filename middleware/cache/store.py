"""Where answers are kept: what every store does, and the one in this process's memory."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from gateway.store.breaker import StoreDown
from gateway.store.memory import ENTRY_OVERHEAD, MemoryStore, StoredEntry
from middleware.cache.key import CacheKey

__all__ = [
    "ENTRY_OVERHEAD",
    "AnswerFormat",
    "CacheStore",
    "MemoryCacheStore",
    "RenderedAnswer",
    "StoreDown",
]

AnswerFormat = tuple[str, bool, bytes]
"""How an answer is sent: its dialect, whether as a stream, and that stream's options."""


class RenderedAnswer(Struct, frozen=True):
    """A stored answer in one form, as it was last said: the bytes to say it again."""

    body: bytes
    warnings: list[str]


class CacheStore(Protocol):
    """Values by key, each for a time."""

    name: str

    @property
    def limit(self) -> int | None:
        """Most entries; None where the store itself sets no such limit."""

    @property
    def down(self) -> bool | None:
        """Whether it does not answer; None where it is in this process."""

    async def get(self, key: CacheKey) -> bytes | None:
        """The value, None where there is none. Raises StoreDown."""

    def put(self, key: CacheKey, value: bytes) -> None:
        """Keeps a value; at once or soon, as well as it can."""

    def get_rendered(self, key: CacheKey, form: AnswerFormat) -> RenderedAnswer | None:
        """The value's bytes in that form, where they are at hand."""

    def put_rendered(self, key: CacheKey, form: AnswerFormat, told: RenderedAnswer) -> None:
        """Keeps a value's bytes in that form at hand, beside the value, as well as it can."""

    async def clear(self, tenant: bytes) -> int:
        """Forgets what a tenant has; how many that were. Raises StoreDown."""

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many that were, and how many are left. StoreDown."""

    async def size(self) -> int:
        """How many entries there are. Raises StoreDown."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """The store's life."""


class _CacheEntry(StoredEntry, gc=False):
    rendered: dict[AnswerFormat, RenderedAnswer] | None = None


class MemoryCacheStore(MemoryStore[_CacheEntry]):
    """Answers in this process's memory, and beside each the bytes of the forms it was sent in."""

    name = "memory"

    @property
    def limit(self) -> int | None:
        """Most entries."""
        return self._max_entries

    async def get(self, key: CacheKey) -> bytes | None:
        """The value, used just now."""
        entry = self._get_entry(key.tenant, key.digest)
        return entry.value if entry is not None else None

    def get_rendered(self, key: CacheKey, form: AnswerFormat) -> RenderedAnswer | None:
        """The value's bytes in that form, used just now."""
        entry = self._get_entry(key.tenant, key.digest)
        if entry is None or entry.rendered is None:
            return None
        return entry.rendered.get(form)

    def put_rendered(self, key: CacheKey, form: AnswerFormat, told: RenderedAnswer) -> None:
        """Keeps them where there is room without dropping anything for it."""
        entry = self._tenants[key.tenant].get(key.digest)
        size = len(told.body) + ENTRY_OVERHEAD
        if entry is None or self.used_bytes + size > self._max_bytes:
            return
        if entry.rendered is None:
            entry.rendered = {}
        if form in entry.rendered:
            return
        entry.rendered[form] = told
        entry.size += size
        self.used_bytes += size

    def put(self, key: CacheKey, value: bytes) -> None:
        """Keeps a value that fits, and drops what was not used for longest."""
        size = len(value) + ENTRY_OVERHEAD
        expires = self._clock() + self._ttl
        self._put_entry(_CacheEntry(key.tenant, key.digest, value, expires, size))
