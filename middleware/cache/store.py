"""Where answers are kept: what every store does, and the one in this process's memory."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain, islice, repeat, takewhile
from time import monotonic
from typing import Protocol

from msgspec import Struct

from gateway.store.breaker import StoreDown
from middleware.cache.key import CacheKey

__all__ = [
    "ENTRY_OVERHEAD",
    "AnswerFormat",
    "CacheStore",
    "MemoryCacheStore",
    "RenderedAnswer",
    "StoreDown",
]

ENTRY_OVERHEAD = 400
"""Bytes that an entry takes beside its value: 380 to 430 as measured, with 100,000 and more."""
RELEASE_SLICE = 500
"""Most entries that are let go of between two turns of the loop."""


AnswerFormat = tuple[str, bool, bytes]
"""How an answer is sent: its dialect, whether as a stream, and that stream's options."""


class RenderedAnswer(Struct, frozen=True):
    """A stored answer in one form, as it was last said: the bytes to say it again."""

    body: bytes
    warnings: list[str]


class CacheStore(Protocol):
    """Values by key, each for a time."""

    name: str
    limit: int | None
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


class _CacheEntry(Struct, eq=False, gc=False):  # it leads to nothing that leads back to it
    tenant: bytes
    digest: bytes
    value: bytes
    expires: float
    size: int
    rendered: dict[AnswerFormat, RenderedAnswer] | None = None


_TenantEntries = dict[bytes, _CacheEntry]
"""A tenant's entries by digest, as they were put: what expires first comes first."""
_LOOKAHEAD = 4 * RELEASE_SLICE
"""Entries that a cleanup notes at a time: the first of a dict lies behind all that were dropped."""


class MemoryCacheStore:
    """Keeps the entries used last, as many as both limits allow.

    No call waits for many entries: what a tenant clears is out of reach at once, and is let go of
    in slices, before anything else where room is needed.
    """

    name = "memory"
    down: bool | None = None

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit: int | None = entries
        self.used_bytes = 0
        """Bytes that the entries take, those cleared included until they are let go of."""
        self._ttl = ttl
        self._max_bytes = size
        self._clock = clock
        self._tenants: defaultdict[bytes, _TenantEntries] = defaultdict(dict)
        self._cleared: list[_TenantEntries] = []
        self._recent: OrderedDict[_CacheEntry, None] = OrderedDict()  # of both; used last, last

    async def get(self, key: CacheKey) -> bytes | None:
        """The value, used just now."""
        entry = self._get_entry(key)
        return entry.value if entry is not None else None

    def _get_entry(self, key: CacheKey) -> _CacheEntry | None:
        entry = self._tenants[key.tenant].get(key.digest)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop_entry(entry)
            return None
        self._recent.move_to_end(entry)
        return entry

    def get_rendered(self, key: CacheKey, form: AnswerFormat) -> RenderedAnswer | None:
        """The value's bytes in that form, used just now."""
        entry = self._get_entry(key)
        return (
            entry.rendered.get(form) if entry is not None and entry.rendered is not None else None
        )

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
        own = self._tenants[key.tenant]
        if key.digest in own:
            self._drop_entry(own[key.digest])
        used = len(value) + ENTRY_OVERHEAD
        if used > self._max_bytes:
            return
        assert self.limit is not None
        while len(self._recent) >= self.limit or self.used_bytes + used > self._max_bytes:
            if not self._release_one():
                self._drop_entry(next(iter(self._recent)))
        entry = _CacheEntry(key.tenant, key.digest, value, self._clock() + self._ttl, used)
        own[key.digest] = entry
        self._recent[entry] = None
        self.used_bytes += used

    async def clear(self, tenant: bytes) -> int:
        """Forgets a tenant's entries, all at once; what is put from here on stays."""
        own = self._tenants.pop(tenant, None)
        if not own:
            return 0
        count = len(own)
        self._cleared.append(own)
        if len(self._cleared) == 1:
            self._release_slice()
        return count

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired by now."""
        expired, removed = self._iter_expired(self._clock()), 0
        while some := len(list(map(self._drop_entry, islice(expired, RELEASE_SLICE)))):
            removed += some
            await asyncio.sleep(0)
        return removed, await self.size()

    async def size(self) -> int:
        """How many entries there are, expired ones included until they are met."""
        return len(self._recent) - sum(map(len, self._cleared))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Nothing to open."""
        yield

    def _iter_expired(self, now: float) -> Iterator[_CacheEntry]:
        """What has expired; who takes one drops it before it takes the next."""
        for tenant in list(self._tenants):
            for most in chain([1], repeat(_LOOKAHEAD)):
                some = list(islice(self._tenants[tenant].values(), most))
                yield from self._iter_present(takewhile(lambda entry: entry.expires <= now, some))
                if not some or some[-1].expires > now:
                    break

    def _iter_present(self, entries: Iterable[_CacheEntry]) -> Iterator[_CacheEntry]:
        """Those that are still kept when their turn comes."""
        for entry in entries:
            if self._tenants[entry.tenant].get(entry.digest) is entry:
                yield entry

    def _drop_entry(self, entry: _CacheEntry) -> None:
        del self._tenants[entry.tenant][entry.digest]
        del self._recent[entry]
        self.used_bytes -= entry.size

    def _release_slice(self) -> None:
        """One slice now, the others one in each turn of the loop: whoever cleared may be gone."""
        for _ in range(RELEASE_SLICE):
            if not self._release_one():
                return
        asyncio.get_running_loop().call_soon(self._release_slice)

    def _release_one(self) -> bool:
        """Lets go of one entry that was cleared; whether there was one."""
        if not self._cleared:
            return False
        own = self._cleared[-1]
        _, entry = own.popitem()
        if not own:
            self._cleared.pop()
        del self._recent[entry]
        self.used_bytes -= entry.size
        return True
