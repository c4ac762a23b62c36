"""Which batches there are and were, tenant by tenant, for those who ask how far one is."""

import os
from collections import OrderedDict
from time import monotonic
from typing import Literal

from msgspec import Struct

from gateway.roles import BatchProgress, format_timestamp

_MAX_EVICTIONS = 100
"""Most batches that are forgotten when one begins: the others of a burst go with the next."""


class BatchEntry(Struct):
    """One batch, from its start to some time after its end."""

    id: str
    tenant: str
    total: int
    successful: int = 0
    failed: int = 0
    status: Literal["processing", "completed", "cancelled"] = "processing"
    completion_time: str | None = None
    started: float = 0.0  # of the monotonic clock
    ended: float = 0.0
    item_seconds: float = 0.0
    """Seconds that its items took, one by one."""

    @property
    def success_rate(self) -> float:
        """The part of all items that came to an answer."""
        return round(self.successful / self.total, 4)

    def make_progress(self) -> BatchProgress:
        """How far it is."""
        processed = self.successful + self.failed
        return BatchProgress(
            self.id, self.status, self.total, processed, self.successful, self.failed,
            self.completion_time,
        )  # fmt: skip


class BatchRegistry:
    """The batches of all tenants; those that ended are kept for a while."""

    def __init__(self, most: int, seconds: float) -> None:
        self._max_batches = most
        self._retain_seconds = seconds
        self._tenants: dict[str, dict[str, BatchEntry]] = {}
        self._ended: OrderedDict[str, BatchEntry] = OrderedDict()
        self.open_count = 0
        """Batches that have not ended."""
        self.wall_seconds = 0.0
        """Seconds that completed batches took."""
        self.item_seconds = 0.0
        """Seconds that their items took, one by one."""

    def begin_batch(self, tenant: str, total: int) -> BatchEntry:
        """A new batch of that many items."""
        # Who knows an id may be anybody where no keys are asked for: it must not be guessed.
        entry = BatchEntry(f"batch-{os.urandom(12).hex()}", tenant, total, started=monotonic())
        self._evict_old(tenant)
        self._tenants.setdefault(tenant, {})[entry.id] = entry
        self.open_count += 1
        return entry

    def end_batch(self, entry: BatchEntry, status: Literal["completed", "cancelled"]) -> None:
        """The batch is over; what was said first about how it ended stands."""
        if entry.status == "processing":
            entry.status = status
            entry.completion_time = format_timestamp()
            entry.ended = monotonic()
            self._ended[entry.id] = entry
            self.open_count -= 1
            if status == "completed":
                self.wall_seconds += entry.ended - entry.started
                self.item_seconds += entry.item_seconds

    def find_batch(self, tenant: str, batch_id: str) -> BatchEntry | None:
        """The tenant's batch of that id."""
        entry = self._tenants.get(tenant, {}).get(batch_id)
        return None if entry is None or self._is_old(entry) else entry

    def _is_old(self, entry: BatchEntry) -> bool:
        return entry.status != "processing" and monotonic() - entry.ended > self._retain_seconds

    def _evict_old(self, tenant: str) -> None:
        """Drops what is too old, and the tenant's oldest ended ones to make place for one.

        It looks at the entries of no other tenant, but for those whose time is over.
        """
        for _ in range(min(_MAX_EVICTIONS, len(self._ended))):
            first = next(iter(self._ended.values()))
            if not self._is_old(first):
                break
            self._drop_entry(first)
        entries = self._tenants.get(tenant, {})
        if len(entries) >= self._max_batches:
            ended = [each for each in entries.values() if each.status != "processing"]
            for entry in ended[: len(entries) - self._max_batches + 1]:
                self._drop_entry(entry)

    def _drop_entry(self, entry: BatchEntry) -> None:
        del self._ended[entry.id]
        del self._tenants[entry.tenant][entry.id]
