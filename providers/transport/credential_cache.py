"""Credentials that are fetched off the loop, and again before they expire."""

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
FETCH_RETRY_PAUSE = 10.0
"""Seconds after a failed look in which the credential in hand is used without another."""


class CredentialLease(Struct, Generic[T], frozen=True):
    """A credential, and for how many seconds it holds."""

    value: T
    fresh_seconds: float = inf
    """Until it is looked for again, in the background."""
    usable_seconds: float = inf
    """Until it may not be used any more."""


class CredentialCache(Generic[T]):
    """One credential for all calls of a provider; one look at a time, in a thread."""

    def __init__(self, fetch: Callable[[bool], CredentialLease[T]]) -> None:
        """`fetch` may block; its argument says that the last one was refused."""
        self._fetch = fetch
        self._lease: CredentialLease[T] | None = None
        self._fresh_until = self._usable_until = 0.0
        self._pending_fetch: asyncio.Future[CredentialLease[T]] | None = None

    async def get_credential(self, refused: T | None = None) -> T:
        """The credential, another than the one that an upstream refused. Raises what fetch does."""
        lease, now = self._lease, monotonic()
        held = lease is not None and lease.value is not refused
        if lease is not None and held and now < self._fresh_until:
            return lease.value
        looking = self._pending_fetch
        if looking is None:
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(None, self._fetch, refused is not None)
            self._pending_fetch = looking
            looking.add_done_callback(self._store_lease)
        if lease is not None and held and now < self._usable_until:
            return lease.value
        return (await asyncio.shield(looking)).value

    def _store_lease(self, looking: "asyncio.Future[CredentialLease[T]]") -> None:
        self._pending_fetch = None
        now = monotonic()
        if looking.cancelled() or looking.exception() is not None:
            self._fresh_until = now + FETCH_RETRY_PAUSE  # whoever waits for it hears why
            return
        self._lease = lease = looking.result()
        self._fresh_until, self._usable_until = (
            now + lease.fresh_seconds,
            now + lease.usable_seconds,
        )
