"""Where responses are kept: what every store does, and the one in this process's memory."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Protocol

from gateway.store.memory import ENTRY_OVERHEAD, MemoryStore, StoredEntry


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


class _HistoryEntry(StoredEntry, gc=False):
    names: tuple[str, ...] = ()


class MemoryHistoryStore(MemoryStore[_HistoryEntry]):
    """Responses in this process's memory; each use makes one last as long again."""

    def __init__(
        self, ttl: float, entries: int, size: int, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(ttl, entries, size, clock)
        self._owners: dict[tuple[str, str], str] = {}

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        """The values, used just now."""
        return [self._get_value(tenant, id) for id in ids]

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        """The ids that have those names."""
        return [self._owners.get((tenant, name)) for name in names]

    def put(self, tenant: str, id: str, value: bytes, names: Sequence[str]) -> None:
        """Keeps a value that fits, and drops what was not used for longest."""
        size = len(value) + ENTRY_OVERHEAD + sum(len(name) + ENTRY_OVERHEAD for name in names)
        expires = self._clock() + self._ttl
        if self._put_entry(_HistoryEntry(tenant, id, value, expires, size, tuple(names))):
            self._owners.update(((tenant, name), id) for name in names)

    async def drop(self, tenant: str, id: str) -> bool:
        """Forgets a value."""
        entry = self._get_entry(tenant, id)
        if entry is None:
            return False
        self._drop_entry(entry)
        return True

    def _get_value(self, tenant: str, id: str) -> bytes | None:
        entry = self._get_entry(tenant, id)
        if entry is None:
            return None
        entry.expires = self._clock() + self._ttl
        return entry.value

    def _drop_entry(self, entry: _HistoryEntry) -> None:
        super()._drop_entry(entry)
        tenant, id = str(entry.tenant), entry.key
        for name in entry.names:
            if self._owners.get((tenant, name)) == id:
                del self._owners[tenant, name]
