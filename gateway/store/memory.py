"""Entries in this process's memory: those used last, as many as a count and a size allow.

No call waits for many entries: what is cleared is out of reach at once, and is let go of in slices,
before anything else where room is needed.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, islice, repeat, takewhile
from time import monotonic
from typing import Generic, TypeVar

from msgspec import Struct

ENTRY_OVERHEAD = 400
"""Bytes that an entry takes beside its value: 380 to 430 as measured, with 100,000 and more."""
RELEASE_SLICE = 500
"""Most entries that are let go of between two turns of the loop."""
_LOOKAHEAD = 4 * RELEASE_SLICE
"""Entries that a cleanup notes at a time: the first of a dict lies behind all that were dropped."""


class StoredEntry(Struct, eq=False, gc=False):  # it leads to nothing that leads back to it
    """One value of a tenant, until the store's clock reaches `expires`."""

    tenant: bytes | str
    key: bytes | str
    value: bytes
    expires: float
    size: int
    """Bytes that it counts for."""


Entry = TypeVar("Entry", bound=StoredEntry)


class MemoryStore(Generic[Entry]):
    """The entries of every tenant. `ttl` is in seconds, `size` in bytes, the clock's in seconds."""

    down: bool | None = None
    """None: it is in this process and cannot be away."""

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.used_bytes = 0
        """Bytes that the entries take, those cleared included until they are let go of."""
        self._ttl = ttl
        self._max_entries = entries
        self._max_bytes = size
        self._clock = clock
        # by tenant and key, as they were put: what expires first comes first
        self._tenants: defaultdict[bytes | str, dict[bytes | str, Entry]] = defaultdict(dict)
        self._cleared: list[dict[bytes | str, Entry]] = []
        self._recent: OrderedDict[Entry, None] = OrderedDict()  # of both; used last, last

    def __len__(self) -> int:
        return len(self._recent) - sum(map(len, self._cleared))

    async def clear(self, tenant: bytes | str) -> int:
        """Forget a tenant's entries, all at once; return how many. What is put later stays."""
        own = self._tenants.pop(tenant, None)
        if not own:
            return 0
        count = len(own)
        self._cleared.append(own)
        if len(self._cleared) == 1:
            self._release_slice()
        return count

    async def cleanup(self) -> tuple[int, int]:
        """Forget what has expired; return how many entries that were and how many are left."""
        expired, removed = self._iter_expired(self._clock()), 0
        while some := len(list(map(self._drop_entry, islice(expired, RELEASE_SLICE)))):
            removed += some
            await asyncio.sleep(0)
        return removed, len(self)

    async def size(self) -> int:
        """Return how many entries there are, expired ones included until they are met."""
        return len(self)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Nothing to open."""
        yield

    def _get_entry(self, tenant: bytes | str, key: bytes | str) -> Entry | None:
        """The entry, used just now."""
        entry = self._tenants[tenant].get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop_entry(entry)
            return None
        self._recent.move_to_end(entry)
        return entry

    def _put_entry(self, entry: Entry) -> bool:
        """Keep an entry that fits, and drop what was not used for longest; whether it is kept."""
        own = self._tenants[entry.tenant]
        if entry.key in own:
            self._drop_entry(own[entry.key])
        if entry.size > self._max_bytes:
            return False
        while (
            len(self._recent) >= self._max_entries or self.used_bytes + entry.size > self._max_bytes
        ):
            if not self._release_one():
                self._drop_entry(next(iter(self._recent)))
        own[entry.key] = entry
        self._recent[entry] = None
        self.used_bytes += entry.size
        return True

    def _drop_entry(self, entry: Entry) -> None:
        del self._tenants[entry.tenant][entry.key]
        del self._recent[entry]
        self.used_bytes -= entry.size

    def _iter_expired(self, now: float) -> Iterator[Entry]:
        """What has expired; who takes one drops it before it takes the next."""
        for tenant in list(self._tenants):
            for most in chain([1], repeat(_LOOKAHEAD)):
                some = list(islice(self._tenants[tenant].values(), most))
                yield from self._iter_present(takewhile(lambda entry: entry.expires <= now, some))
                if not some or some[-1].expires > now:
                    break

    def _iter_present(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those that are still kept when their turn comes."""
        for entry in entries:
            if self._tenants[entry.tenant].get(entry.key) is entry:
                yield entry

    def _release_slice(self) -> None:
        """One slice now, the others one in each turn of the loop: whoever cleared may be gone."""
        for _ in range(RELEASE_SLICE):
            if not self._release_one():
                return
        asyncio.get_running_loop().call_soon(self._release_slice)

    def _release_one(self) -> bool:
        """Let go of one entry that was cleared; whether there was one."""
        if not self._cleared:
            return False
        own = self._cleared[-1]
        _, entry = own.popitem()
        if not own:
            self._cleared.pop()
        del self._recent[entry]
        self.used_bytes -= entry.size
        return True
