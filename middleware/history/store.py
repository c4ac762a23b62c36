"""Where responses are kept: what every store does, and the one in this process's memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Protocol

from msgspec import Struct

ENTRY_OVERHEAD = 400
"""Bytes that an entry takes beside its value, and each of its names."""


class HistoryStore(Protocol):
    """Values by tenant and id, each for a time from its last use; names lead to ids."""

    @property
    def down(self) -> bool | None:
        """Whether it does not answer; None where it is in this gateway's processes."""

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        """The values of those ids. Raises StoreDown."""

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        """The ids that have those names. Raises StoreDown."""

    def put(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        """Keeps a value; at once or soon, as well as it can."""

    async def drop(self, tenant: str, id: str) -> bool:
        """Forgets a value; whether it was there. Raises StoreDown."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """The store's life."""


class _HistoryEntry(Struct):
    value: bytes
    names: tuple[str, ...]
    expires: float
    size: int


EntryKey = tuple[str, str]


class MemoryHistoryStore:
    """Keeps the entries used last, as many as both limits allow."""

    down: bool | None = None

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.used_bytes = 0
        """Bytes that the entries take."""
        self._ttl = ttl
        self._max_entries = entries
        self._max_bytes = size
        self._clock = clock
        self._entries: OrderedDict[EntryKey, _HistoryEntry] = OrderedDict()
        self._owners: dict[EntryKey, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        """The values, used just now."""
        return [self._get_value((tenant, id)) for id in ids]

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        """The ids that have those names."""
        return [self._owners.get((tenant, name)) for name in names]

    def put(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        """Keeps a value that fits, and drops what was not used for longest."""
        key = (tenant, id)
        if key in self._entries:
            self._drop_entry(key)
        size = len(value) + ENTRY_OVERHEAD + sum(len(name) + ENTRY_OVERHEAD for name in names)
        if size > self._max_bytes:
            return
        while len(self._entries) >= self._max_entries or self.used_bytes + size > self._max_bytes:
            self._drop_entry(next(iter(self._entries)))
        self._entries[key] = _HistoryEntry(value, tuple(names), self._clock() + self._ttl, size)
        self._owners.update(((tenant, name), id) for name in names)
        self.used_bytes += size

    async def drop(self, tenant: str, id: str) -> bool:
        """Forgets a value."""
        there = self._get_value((tenant, id)) is not None
        if there:
            self._drop_entry((tenant, id))
        return there

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Nothing to open."""
        yield

    def _get_value(self, key: EntryKey) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if entry.expires <= now:
            self._drop_entry(key)
            return None
        entry.expires = now + self._ttl
        self._entries.move_to_end(key)
        return entry.value

    def _drop_entry(self, key: EntryKey) -> None:
        entry = self._entries.pop(key)
        self.used_bytes -= entry.size
        for name in entry.names:
            if self._owners.get((key[0], name)) == key[1]:
                del self._owners[key[0], name]
