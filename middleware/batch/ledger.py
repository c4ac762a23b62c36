"""Which batches there are and were, tenant by tenant, for those who ask how far one is."""

import os
from collections import OrderedDict
from time import monotonic
from typing import Literal

from msgspec import Struct

from gateway.roles import Progress, timestamp

_AT_ONCE = 100
"""Most batches that are forgotten when one begins: the others of a burst go with the next."""


class Entry(Struct):
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
    apart: float = 0.0
    """Seconds that its items took, one by one."""

    @property
    def rate(self) -> float:
        """The part of all items that came to an answer."""
        return round(self.successful / self.total, 4)

    def progress(self) -> Progress:
        """How far it is."""
        processed = self.successful + self.failed
        return Progress(
            self.id, self.status, self.total, processed, self.successful, self.failed,
            self.completion_time,
        )  # fmt: skip


class Ledger:
    """The batches of all tenants; those that ended are kept for a while."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._tenants: dict[str, dict[str, Entry]] = {}
        self._ended: OrderedDict[str, Entry] = OrderedDict()
        self.open = 0
        """Batches that have not ended."""
        self.together = 0.0
        """Seconds that completed batches took."""
        self.apart = 0.0
        """Seconds that their items took, one by one."""

    def begin(self, tenant: str, total: int) -> Entry:
        """A new batch of that many items."""
        # Who knows an id may be anybody where no keys are asked for: it must not be guessed.
        entry = Entry(f"batch-{os.urandom(12).hex()}", tenant, total, started=monotonic())
        self._forget(tenant)
        self._tenants.setdefault(tenant, {})[entry.id] = entry
        self.open += 1
        return entry

    def end(self, entry: Entry, status: Literal["completed", "cancelled"]) -> None:
        """The batch is over; what was said first about how it ended stands."""
        if entry.status == "processing":
            entry.status = status
            entry.completion_time = timestamp()
            entry.ended = monotonic()
            self._ended[entry.id] = entry
            self.open -= 1
            if status == "completed":
                self.together += entry.ended - entry.started
                self.apart += entry.apart

    def find(self, tenant: str, batch_id: str) -> Entry | None:
        """The tenant's batch of that id."""
        entry = self._tenants.get(tenant, {}).get(batch_id)
        return None if entry is None or self._is_old(entry) else entry

    def _is_old(self, entry: Entry) -> bool:
        return entry.status != "processing" and monotonic() - entry.ended > self._seconds

    def _forget(self, tenant: str) -> None:
        """Drops what is too old, and the tenant's oldest ended ones to make place for one.

        It looks at the entries of no other tenant, but for those whose time is over.
        """
        for _ in range(min(_AT_ONCE, len(self._ended))):
            first = next(iter(self._ended.values()))
            if not self._is_old(first):
                break
            self._drop(first)
        entries = self._tenants.get(tenant, {})
        if len(entries) >= self._most:
            ended = [each for each in entries.values() if each.status != "processing"]
            for entry in ended[: len(entries) - self._most + 1]:
                self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        del self._ended[entry.id]
        del self._tenants[entry.tenant][entry.id]
