"""Thought signatures: what a Gemini server attaches to a tool call and demands back with it.

The first call of a model turn has one, good for the provider and model that made it. In the neutral
form it is hidden reasoning of the origin `CALL`, just before its call: clients of other dialects
carry it sealed. Many Chat clients drop the member it came in, so it is also kept here. Gemini's own
API signs texts too; the next turn is the better for it, though it is not demanded back.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from gateway.call import Call

CALL = "call"
"""Origin of hidden reasoning that signs the next tool call, and its kind when it is sealed."""
NATIVE_CALL = "gemini-call"
"""The same from Gemini's own API: it is no word of Chat, so Chat clients get it sealed as well."""
SAID = "said"
"""Origin of hidden reasoning that signs the text before it, and its kind when it is sealed."""
ALONE = "alone"
"""The same of a signature that came in an empty text of its own."""


def sealed_kind(origin: str) -> str:
    """The kind under which hidden reasoning of that origin is sealed."""
    if origin == NATIVE_CALL:
        return CALL
    return origin if origin in (CALL, SAID, ALONE) else "redacted"


DAY = 24 * 60 * 60.0
_OVERHEAD = 256
"""Bytes that an entry takes beside its texts."""


class Limits(Struct, frozen=True):
    """Most entries and bytes, of one tenant and of all; how long an entry lasts after its use."""

    own_count: int = 4096
    own_size: int = 8 * 1024 * 1024
    count: int = 65536
    size: int = 64 * 1024 * 1024
    seconds: float = DAY


class _Entry(Struct):
    signature: str
    size: int
    until: float


class _Shelf:
    """One tenant's entries, the longest unused first."""

    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self.size = 0

    def drop(self, key: tuple[str, str]) -> int:
        """Takes an entry out; its size."""
        size = self.entries.pop(key).size
        self.size -= size
        return size


class Signatures:
    """The signatures of every tenant, in memory; what is longest unused makes room."""

    def __init__(
        self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.count = 0
        """Entries now."""
        self.size = 0
        """Bytes now."""
        self.on_keep: Callable[[str, tuple[str, str], str], None] = lambda *_: None
        """Called with what was kept for a client's next call."""
        self._limits = limits or Limits()
        self._clock = clock
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()

    def keep(self, tenant: str, key: tuple[str, str], signature: str) -> None:
        """Keeps the signature of a call; `key` is its target and its id."""
        size = len(signature) + len(key[0]) + len(key[1]) + _OVERHEAD
        if size > self._limits.own_size:
            return
        shelf = self._shelves.setdefault(tenant, _Shelf())
        if key in shelf.entries:
            self._drop(tenant, shelf, key)
            shelf = self._shelves.setdefault(tenant, shelf)
        shelf.entries[key] = _Entry(signature, size, self._clock() + self._limits.seconds)
        shelf.size += size
        self.count += 1
        self.size += size
        self._shelves.move_to_end(tenant)
        self._make_room(tenant, shelf)

    def find(self, tenant: str, key: tuple[str, str]) -> str | None:
        """The signature of a call, which then lasts as long again."""
        shelf = self._shelves.get(tenant)
        entry = shelf.entries.get(key) if shelf is not None else None
        if shelf is None or entry is None:
            return None
        now = self._clock()
        if entry.until <= now:
            self._drop(tenant, shelf, key)
            return None
        entry.until = now + self._limits.seconds
        shelf.entries.move_to_end(key)
        self._shelves.move_to_end(tenant)
        return entry.signature

    def _make_room(self, tenant: str, shelf: _Shelf) -> None:
        limits = self._limits
        while len(shelf.entries) > limits.own_count or shelf.size > limits.own_size:
            self._drop(tenant, shelf, next(iter(shelf.entries)))
        while self.count > limits.count or self.size > limits.size:
            idle, oldest = next(iter(self._shelves.items()))
            self._drop(idle, oldest, next(iter(oldest.entries)))

    def _drop(self, tenant: str, shelf: _Shelf, key: tuple[str, str]) -> None:
        self.size -= shelf.drop(key)
        self.count -= 1
        if not shelf.entries:
            del self._shelves[tenant]


class Kept(Struct, frozen=True):
    """One tenant's signatures at one target."""

    signatures: Signatures
    tenant: str
    target: str

    def keep(self, id: str, signature: str) -> None:
        """Keeps the signature of the call with that id."""
        self.signatures.keep(self.tenant, (self.target, id), signature)
        self.signatures.on_keep(self.tenant, (self.target, id), signature)

    def find(self, id: str) -> str | None:
        """The signature of the call with that id, if it was kept."""
        return self.signatures.find(self.tenant, (self.target, id))


PROCESS = Signatures()
"""Those of every call of this process."""


def signatures(call: Call) -> Kept:
    """The signatures of the call's tenant at its target."""
    credential = call.caller.credential
    whose = credential.digest().hex() if credential else ""
    return Kept(PROCESS, f"{call.caller.name} {whose}", str(call.target))
