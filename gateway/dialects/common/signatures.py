"""Thought signatures: Gemini servers attach them to tool calls and require them back.

The first call of a model turn has one, valid for the provider and model that made it. In the
neutral form it is hidden reasoning of the origin `CALL_SIGNATURE`, just before its call: clients of
other dialects carry it sealed. Many Chat clients drop the member that holds it, so it is also
stored here. Gemini's own API signs texts too; these signatures are optional.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from gateway.call import Call

CALL_SIGNATURE = "call"
"""Origin of hidden reasoning that signs the next tool call, and its kind when it is sealed."""
GEMINI_CALL_SIGNATURE = "gemini-call"
"""The same from Gemini's own API; Chat clients get it sealed as well."""
TEXT_SIGNATURE = "said"
"""Origin of hidden reasoning that signs the text before it, and its kind when it is sealed."""
LONE_SIGNATURE = "alone"
"""The same for a signature that came with an empty text."""


def sealed_kind(origin: str) -> str:
    """The kind under which hidden reasoning of that origin is sealed."""
    if origin == GEMINI_CALL_SIGNATURE:
        return CALL_SIGNATURE
    return origin if origin in (CALL_SIGNATURE, TEXT_SIGNATURE, LONE_SIGNATURE) else "redacted"


DAY = 24 * 60 * 60.0
_ENTRY_OVERHEAD = 256
"""Bytes of an entry in addition to its texts."""


class SignatureLimits(Struct, frozen=True):
    """Limits on entries and bytes, per tenant (`own_`) and in all; seconds until expiry."""

    own_count: int = 4096
    own_size: int = 8 * 1024 * 1024
    count: int = 65536
    size: int = 64 * 1024 * 1024
    seconds: float = DAY


class _SignatureEntry(Struct):
    signature: str
    size: int
    expires_at: float


class _TenantEntries:
    """One tenant's entries, the least recently used first."""

    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: OrderedDict[tuple[str, str], _SignatureEntry] = OrderedDict()
        self.size = 0

    def remove(self, key: tuple[str, str]) -> int:
        """Removes an entry; returns its size."""
        size = self.entries.pop(key).size
        self.size -= size
        return size


class SignatureStore:
    """The signatures of all tenants in memory; the least recently used are evicted."""

    def __init__(
        self, limits: SignatureLimits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.count = 0
        """Current number of entries."""
        self.size = 0
        """Current size in bytes."""
        self.on_keep: Callable[[str, tuple[str, str], str], None] = lambda *_: None
        """Called with tenant, key and signature of each one that a call stores."""
        self._limits = limits or SignatureLimits()
        self._clock = clock
        self._tenants: OrderedDict[str, _TenantEntries] = OrderedDict()

    def keep(self, tenant: str, key: tuple[str, str], signature: str) -> None:
        """Stores the signature of a call; `key` is its target and its id."""
        size = len(signature) + len(key[0]) + len(key[1]) + _ENTRY_OVERHEAD
        if size > self._limits.own_size:
            return
        shelf = self._tenants.setdefault(tenant, _TenantEntries())
        if key in shelf.entries:
            self._remove_entry(tenant, shelf, key)
            shelf = self._tenants.setdefault(tenant, shelf)
        shelf.entries[key] = _SignatureEntry(signature, size, self._clock() + self._limits.seconds)
        shelf.size += size
        self.count += 1
        self.size += size
        self._tenants.move_to_end(tenant)
        self._evict_oldest(tenant, shelf)

    def find(self, tenant: str, key: tuple[str, str]) -> str | None:
        """The signature of a call, whose expiry starts again; None if it is not stored."""
        shelf = self._tenants.get(tenant)
        entry = shelf.entries.get(key) if shelf is not None else None
        if shelf is None or entry is None:
            return None
        now = self._clock()
        if entry.expires_at <= now:
            self._remove_entry(tenant, shelf, key)
            return None
        entry.expires_at = now + self._limits.seconds
        shelf.entries.move_to_end(key)
        self._tenants.move_to_end(tenant)
        return entry.signature

    def _evict_oldest(self, tenant: str, shelf: _TenantEntries) -> None:
        limits = self._limits
        while len(shelf.entries) > limits.own_count or shelf.size > limits.own_size:
            self._remove_entry(tenant, shelf, next(iter(shelf.entries)))
        while self.count > limits.count or self.size > limits.size:
            idle, oldest = next(iter(self._tenants.items()))
            self._remove_entry(idle, oldest, next(iter(oldest.entries)))

    def _remove_entry(self, tenant: str, shelf: _TenantEntries, key: tuple[str, str]) -> None:
        self.size -= shelf.remove(key)
        self.count -= 1
        if not shelf.entries:
            del self._tenants[tenant]


class CallerSignatures(Struct, frozen=True):
    """One tenant's signatures at one target."""

    signatures: SignatureStore
    tenant: str
    target: str

    def keep(self, id: str, signature: str) -> None:
        """Stores the signature of the call with that id."""
        self.signatures.keep(self.tenant, (self.target, id), signature)
        self.signatures.on_keep(self.tenant, (self.target, id), signature)

    def find(self, id: str) -> str | None:
        """The signature of the call with that id; None if it is not stored."""
        return self.signatures.find(self.tenant, (self.target, id))


PROCESS_SIGNATURES = SignatureStore()
"""The signatures of all calls of this process."""


def signatures_for_call(call: Call) -> CallerSignatures:
    """The signatures of the call's tenant at its target."""
    credential = call.caller.credential
    whose = credential.digest().hex() if credential else ""
    return CallerSignatures(PROCESS_SIGNATURES, f"{call.caller.name} {whose}", str(call.target))
