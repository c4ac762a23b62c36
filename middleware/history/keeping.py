"""Keeping an answer on its way to the client: a stream's only once it has come to its end."""

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Record
from gateway.reply import Source
from gateway.wire.raw_json import decode
from gateway.wire.sse import Splitter
from middleware.history.kept import Kept, finished, input_of
from middleware.history.store import Store

_ENDS = (b'"response.completed"', b'"response.incomplete"')


class Asked(Struct, frozen=True):
    """What a response is kept with: whose it is, what it goes on from, and its own input."""

    tenant: str
    before: list[str]
    call: Call
    """As the client sent it, what it refers to put in its place."""
    keeps: bool
    """The client did not refuse to have it kept."""


class Keeper:
    """Puts one call's answer away."""

    def __init__(self, store: Store, asked: Asked, record: Record) -> None:
        self._store = store
        self._asked = asked
        self._record = record

    def keep(self, body: bytes) -> None:
        """The whole response; of one that its upstream keeps, only where that was."""
        found = finished(body)
        if found is None:
            return
        id, items = found
        asked, target = self._asked, self._record.relayed
        if target:
            self._put(Kept(id, target=target), [])
        elif asked.keeps:
            self._put(Kept(id, asked.before, _own(asked.call), body), items)

    def _put(self, kept: Kept, names: list[str]) -> None:
        self._store.put(self._asked.tenant, kept.id, msgspec.msgpack.encode(kept), names)


def _own(call: Call) -> bytes:
    """The items of the call's own input as a JSON array; none where it has no items."""
    try:
        return msgspec.json.encode(input_of(call))
    except msgspec.ValidationError:
        return b"[]"


class Watched:
    """A stream whose last event is kept when it has passed."""

    __slots__ = ("_keeper", "_source")

    def __init__(self, source: Source, keeper: Keeper) -> None:
        self._source = source
        self._keeper = keeper

    async def read(self) -> bytes:
        """The next chunk, as it is."""
        chunk = await self._source.read()
        if any(end in chunk for end in _ENDS):
            self._hear(chunk)
        return chunk

    def _hear(self, chunk: bytes) -> None:
        # Both lanes hand on whole events only.
        for frame in Splitter().feed(chunk):
            if not any(end in frame.data for end in _ENDS):
                continue
            try:
                event = decode(frame.data, _Event)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if event.type in ("response.completed", "response.incomplete"):
                self._keeper.keep(bytes(event.response))

    async def aclose(self) -> None:
        """Lets go of the source."""
        await self._source.aclose()


class _Event(Struct):
    type: str = ""
    response: Raw = Raw(b"")
