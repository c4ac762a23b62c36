"""Responses that clients go on from by their id: `store` and `previous_response_id` of the API.

It stands behind `alias`, for the targets tell who keeps what, and before `cache`, for an answer
given again is a new response. A provider that speaks Responses keeps its own: the id passes as it
is, and leads later calls back to the same target. For every other provider the gateway keeps what
was asked and said, and puts it before the input of the call that names it.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from gateway.call import Call, Caller
from gateway.config.size import Size
from gateway.counting.dialects import RESPONSES_COUNTING
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.request_in import make_previous_not_found
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.errors import Unavailable
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from gateway.store.breaker import StoreDown
from gateway.store.open import open_store
from gateway.wire.raw_json import decode, member, present
from middleware.history.peer_store import PeerStore
from middleware.history.recorder import RecordedStream, RequestRecord, ResponseRecorder
from middleware.history.store import HistoryStore, MemoryHistoryStore
from middleware.history.stored import (
    ItemFields,
    Items,
    StoredResponse,
    list_input_items,
    make_tenant,
    read_input_items,
)

_RESPONSES_DIALECTS = (RESPONSES, RESPONSES_COUNTING)
_ITEM_REFERENCE = "item_reference"
_MAX_ID_LENGTH = 200
"""Characters of an id; what is longer is none of ours."""


class History(Middleware):
    """Keeps the answers to Responses clients, so that they can go on from them by their ids."""

    ttl: Annotated[float, Meta(gt=0)] = 86400.0
    """Seconds for which a response is kept after its last use."""
    max_entries: Annotated[int, Meta(ge=1)] = 10000
    """Most responses kept; those not used for longest go first."""
    max_bytes: Size = Size("64MiB")
    """Most bytes of all responses kept, a number or a text such as "64MiB"."""
    store: Secret = Secret("memory")
    """"memory", or the URL of a Redis server; it may hold a password, so env:NAME is best."""

    def bind(self, runtime: Runtime) -> None:
        """Opens the store. ConfigError where its URL leads to none."""
        self._runtime = runtime
        self._store = open_store(self.store, self._make_memory_store, self._make_redis_store)

    def _make_memory_store(self) -> HistoryStore:
        return MemoryHistoryStore(self.ttl, self.max_entries, self.max_bytes)

    def _make_redis_store(self, url: str) -> HistoryStore:
        from middleware.history.remote import RedisHistoryStore  # noqa: PLC0415  # an extra

        return RedisHistoryStore(url, self.ttl)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The store's life."""
        peers = self._runtime.peers
        if isinstance(self._store, MemoryHistoryStore) and peers.count > 1:
            self._store = PeerStore(self._store, peers)
        async with self._store.running():
            yield

    @property
    def down(self) -> bool | None:
        """Whether its store does not answer; None where that is the gateway's own memory."""
        return self._store.down

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """The answer, kept where the client did not say otherwise."""
        return self._answer_call(call, next) if call.dialect in _RESPONSES_DIALECTS else next(call)

    async def _answer_call(self, call: Call, next: Next) -> Reply:
        tenant = make_tenant(call.caller)
        if b'"item_reference"' in bytes(call.fields.get("input", b"")):
            call = await self._expand_references(call, tenant)
        going, before = await self._expand_previous(call, tenant)
        keeps = bytes(call.fields.get("store", b"")) != b"false"
        record = call.record
        record.stored = keeps
        keeper = ResponseRecorder(self._store, RequestRecord(tenant, before, call, keeps), record)
        reply = await next(going)
        if reply.status != 200:
            return reply
        if isinstance(reply.body, Stream):
            watched = Stream(RecordedStream(reply.body, keeper))
            return msgspec.structs.replace(reply, body=watched)
        keeper.record_response(reply.body)
        return reply

    # --- what a call goes on from -----------------------------------------------------------------

    async def _expand_previous(self, call: Call, tenant: str) -> tuple[Call, list[str]]:
        """The call with all that it goes on from before its input, and the ids of that."""
        raw = call.fields.get("previous_response_id")
        if raw is None or not present(raw):
            return call, []
        id = member(raw, str, "previous_response_id")
        past = await self._load_conversation(tenant, id)
        if past is None:
            return _keep_native_targets(call, id), []
        if past[-1].target:
            return _keep_owner_target(call, past[-1].target), []
        items: Items = []
        for each in past:
            items += [*decode(each.input, Items), *each.parse_output()]
        try:
            items += read_input_items(call)
        except msgspec.ValidationError:
            return call, []  # whoever reads it whole says what is wrong with it
        call.record.previous = id
        fields = {k: v for k, v in call.fields.items() if k != "previous_response_id"}
        whole = msgspec.structs.replace(call, fields=fields).with_field("input", items)
        return whole, [each.id for each in past]

    async def _load_conversation(self, tenant: str, id: str) -> list[StoredResponse] | None:
        """The responses up to that one; None where one is not kept. Raises Unavailable."""
        last = (await self._load_stored(tenant, [id]))[0]
        if last is None:
            return None
        earlier = await self._load_stored(tenant, last.before)
        found = [each for each in earlier if each is not None]
        return [*found, last] if len(found) == len(earlier) else None

    async def _load_stored(self, tenant: str, ids: list[str]) -> list[StoredResponse | None]:
        if any(len(id) > _MAX_ID_LENGTH for id in ids):
            return [None] * len(ids)
        try:
            values = await self._store.get(tenant, ids) if ids else []
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None
        return [_parse_stored(value) if value is not None else None for value in values]

    async def _expand_references(self, call: Call, tenant: str) -> Call:
        """The call with the items it refers to, as far as they are kept here."""
        try:
            items = read_input_items(call)
            wanted = [_find_reference(raw) for raw in items]
        except msgspec.ValidationError:
            return call
        found = await self._load_items(tenant, {id for id in wanted if id})
        if not found:
            return call
        whole = [found.get(id, raw) if id else raw for raw, id in zip(items, wanted, strict=True)]
        return call.with_field("input", whole)

    async def _load_items(self, tenant: str, ids: set[str]) -> dict[str, Raw]:
        names = sorted(id for id in ids if len(id) <= _MAX_ID_LENGTH)
        try:
            owners = await self._store.find_owners(tenant, names)
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None
        found: dict[str, Raw] = {}
        for kept in await self._load_stored(tenant, sorted({id for id in owners if id})):
            for raw in kept.parse_output() if kept is not None and not kept.target else ():
                if (id := decode(raw, ItemFields).id) in ids:
                    found[id] = raw
        return found

    # --- what the endpoints ask -------------------------------------------------------------------

    async def find_response(self, caller: Caller, id: str) -> bytes | None:
        """The response of that caller. Raises Unavailable."""
        kept = (await self._load_stored(make_tenant(caller), [id]))[0]
        return kept.response if kept is not None and not kept.target else None

    async def find_owner(self, caller: Caller, id: str) -> str | None:
        """The target that keeps that caller's response itself, if one does. Raises Unavailable."""
        kept = (await self._load_stored(make_tenant(caller), [id]))[0]
        return kept.target or None if kept is not None else None

    async def input_items(self, caller: Caller, id: str) -> list[dict[str, Any]] | None:
        """The items that it was made from, oldest first. Raises Unavailable."""
        past = await self._load_conversation(make_tenant(caller), id)
        if past is None or past[-1].target:
            return None
        return list_input_items(past[-1], past[:-1])

    async def forget_response(self, caller: Caller, id: str) -> bool:
        """Whether it was there to be forgotten. Raises Unavailable."""
        try:
            return len(id) <= _MAX_ID_LENGTH and await self._store.drop(make_tenant(caller), id)
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None


def _parse_stored(value: bytes) -> StoredResponse | None:
    try:
        return msgspec.msgpack.decode(value, type=StoredResponse)
    except msgspec.MsgspecError:
        return None


def _keep_native_targets(call: Call, id: str) -> Call:
    """The call to those that may know the id: who speaks Responses keeps its own."""
    native = tuple(
        target
        for target in call.targets
        if any(each.name == DIALECT_NAME for each in target.dialects)
    )
    if not native:
        raise make_previous_not_found(id)
    return call if len(native) == len(call.targets) else call.with_targets(native)


def _keep_owner_target(call: Call, target: str) -> Call:
    """The call to the target that keeps the answer, where it is one of the call's."""
    same = tuple(each for each in call.targets if str(each) == target)
    return call.with_targets(same) if same else call


def _find_reference(raw: Raw) -> str | None:
    item = decode(raw, ItemFields)
    if item.type == _ITEM_REFERENCE or (item.type is None and item.role is None):
        return item.id
    return None
