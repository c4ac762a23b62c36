"""Keeping an answer on its way to the client: a stream's only once it has come to its end."""

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Record
from gateway.reply import Source
from gateway.wire.raw_json import decode
from gateway.wire.sse import Splitter
from middleware.history.store import HistoryStore
from middleware.history.stored import StoredResponse, parse_finished_response, read_input_items

_END_EVENTS = (b'"response.completed"', b'"response.incomplete"')


class RequestRecord(Struct, frozen=True):
    """What a response is kept with: whose it is, what it goes on from, and its own input."""

    tenant: str
    before: list[str]
    call: Call
    """As the client sent it, what it refers to put in its place."""
    should_store: bool
    """The client did not refuse to have it kept."""


class ResponseRecorder:
    """Puts one call's answer away."""

    def __init__(self, store: HistoryStore, asked: RequestRecord, record: Record) -> None:
        self._store = store
        self._request = asked
        self._record = record

    def record_response(self, body: bytes) -> None:
        """The whole response; of one that its upstream keeps, only where that was."""
        found = parse_finished_response(body)
        if found is None:
            return
        id, items = found
        asked, target = self._request, self._record.relayed
        if target:
            self._put_stored(StoredResponse(id, target=target), [])
        elif asked.should_store:
            self._put_stored(
                StoredResponse(id, asked.before, _encode_input(asked.call), body), items
            )

    def _put_stored(self, kept: StoredResponse, names: list[str]) -> None:
        self._store.put(self._request.tenant, kept.id, msgspec.msgpack.encode(kept), names)


def _encode_input(call: Call) -> bytes:
    """The items of the call's own input as a JSON array; none where it has no items."""
    try:
        return msgspec.json.encode(read_input_items(call))
    except msgspec.ValidationError:
        return b"[]"


class RecordedStream(Source):
    """A stream whose last event is kept when it has passed."""

    __slots__ = ("_recorder", "_source")

    def __init__(self, source: Source, keeper: ResponseRecorder) -> None:
        self._source = source
        self._recorder = keeper

    async def read(self) -> bytes:
        """The next chunk, as it is."""
        chunk = await self._source.read()
        if any(end in chunk for end in _END_EVENTS):
            self._record_end(chunk)
        return chunk

    def _record_end(self, chunk: bytes) -> None:
        # Both lanes hand on whole events only.
        for frame in Splitter().feed(chunk):
            if not any(end in frame.data for end in _END_EVENTS):
                continue
            try:
                event = decode(frame.data, _ResponseEvent)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if event.type in ("response.completed", "response.incomplete"):
                self._recorder.record_response(bytes(event.response))

    async def aclose(self) -> None:
        """Lets go of the source."""
        await self._source.aclose()


class _ResponseEvent(Struct):
    type: str = ""
    response: Raw = Raw(b"")
