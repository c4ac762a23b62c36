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
from gateway.counting.kind import RESPONSES_COUNTING
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.request_in import unknown_previous
from gateway.dialects.responses.wire import NAME
from gateway.errors import Unavailable
from gateway.plugin import Middleware, Next, Site
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from gateway.store.breaker import StoreDown
from gateway.store.open import opened
from gateway.wire.raw_json import decode, member, present
from middleware.history.keeping import Asked, Keeper, Watched
from middleware.history.kept import Item, Items, Kept, input_of, listed, tenant_of
from middleware.history.spread import Spread
from middleware.history.store import Memory, Store

_OURS = (RESPONSES, RESPONSES_COUNTING)
_REFERENCE = "item_reference"
_LONGEST = 200
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

    def bind(self, site: Site) -> None:
        """Opens the store. ConfigError where its URL leads to none."""
        self._site = site
        self._store = opened(self.store, self._memory, self._remote)

    def _memory(self) -> Store:
        return Memory(self.ttl, self.max_entries, self.max_bytes)

    def _remote(self, url: str) -> Store:
        from middleware.history.remote import Remote  # noqa: PLC0415  # an extra

        return Remote(url, self.ttl)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The store's life."""
        peers = self._site.peers
        if isinstance(self._store, Memory) and peers.count > 1:
            self._store = Spread(self._store, peers)
        async with self._store.running():
            yield

    @property
    def down(self) -> bool | None:
        """Whether its store does not answer; None where that is the gateway's own memory."""
        return self._store.down

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """The answer, kept where the client did not say otherwise."""
        return self._answer(call, next) if call.dialect in _OURS else next(call)

    async def _answer(self, call: Call, next: Next) -> Reply:
        tenant = tenant_of(call.caller)
        if b'"item_reference"' in bytes(call.fields.get("input", b"")):
            call = await self._with_items(call, tenant)
        going, before = await self._continued(call, tenant)
        keeps = bytes(call.fields.get("store", b"")) != b"false"
        record = call.record
        record.stored = keeps
        keeper = Keeper(self._store, Asked(tenant, before, call, keeps), record)
        reply = await next(going)
        if reply.status != 200:
            return reply
        if isinstance(reply.body, Stream):
            watched = Stream(Watched(reply.body, keeper))
            return msgspec.structs.replace(reply, body=watched)
        keeper.keep(reply.body)
        return reply

    # --- what a call goes on from -----------------------------------------------------------------

    async def _continued(self, call: Call, tenant: str) -> tuple[Call, list[str]]:
        """The call with all that it goes on from before its input, and the ids of that."""
        raw = call.fields.get("previous_response_id")
        if raw is None or not present(raw):
            return call, []
        id = member(raw, str, "previous_response_id")
        past = await self._past(tenant, id)
        if past is None:
            return _left(call, id), []
        if past[-1].target:
            return _led(call, past[-1].target), []
        items: Items = []
        for each in past:
            items += [*decode(each.input, Items), *each.output()]
        try:
            items += input_of(call)
        except msgspec.ValidationError:
            return call, []  # whoever reads it whole says what is wrong with it
        call.record.previous = id
        fields = {k: v for k, v in call.fields.items() if k != "previous_response_id"}
        whole = msgspec.structs.replace(call, fields=fields).with_field("input", items)
        return whole, [each.id for each in past]

    async def _past(self, tenant: str, id: str) -> list[Kept] | None:
        """The responses up to that one; None where one is not kept. Raises Unavailable."""
        last = (await self._kept(tenant, [id]))[0]
        if last is None:
            return None
        earlier = await self._kept(tenant, last.before)
        found = [each for each in earlier if each is not None]
        return [*found, last] if len(found) == len(earlier) else None

    async def _kept(self, tenant: str, ids: list[str]) -> list[Kept | None]:
        if any(len(id) > _LONGEST for id in ids):
            return [None] * len(ids)
        try:
            values = await self._store.get(tenant, ids) if ids else []
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None
        return [_read(value) if value is not None else None for value in values]

    async def _with_items(self, call: Call, tenant: str) -> Call:
        """The call with the items it refers to, as far as they are kept here."""
        try:
            items = input_of(call)
            wanted = [_reference(raw) for raw in items]
        except msgspec.ValidationError:
            return call
        found = await self._items(tenant, {id for id in wanted if id})
        if not found:
            return call
        whole = [found.get(id, raw) if id else raw for raw, id in zip(items, wanted, strict=True)]
        return call.with_field("input", whole)

    async def _items(self, tenant: str, ids: set[str]) -> dict[str, Raw]:
        names = sorted(id for id in ids if len(id) <= _LONGEST)
        try:
            owners = await self._store.owners(tenant, names)
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None
        found: dict[str, Raw] = {}
        for kept in await self._kept(tenant, sorted({id for id in owners if id})):
            for raw in kept.output() if kept is not None and not kept.target else ():
                if (id := decode(raw, Item).id) in ids:
                    found[id] = raw
        return found

    # --- what the endpoints ask -------------------------------------------------------------------

    async def find(self, caller: Caller, id: str) -> bytes | None:
        """The response of that caller. Raises Unavailable."""
        kept = (await self._kept(tenant_of(caller), [id]))[0]
        return kept.response if kept is not None and not kept.target else None

    async def keeper(self, caller: Caller, id: str) -> str | None:
        """The target that keeps that caller's response itself, if one does. Raises Unavailable."""
        kept = (await self._kept(tenant_of(caller), [id]))[0]
        return kept.target or None if kept is not None else None

    async def items(self, caller: Caller, id: str) -> list[dict[str, Any]] | None:
        """The items that it was made from, oldest first. Raises Unavailable."""
        past = await self._past(tenant_of(caller), id)
        if past is None or past[-1].target:
            return None
        return listed(past[-1], past[:-1])

    async def forget(self, caller: Caller, id: str) -> bool:
        """Whether it was there to be forgotten. Raises Unavailable."""
        try:
            return len(id) <= _LONGEST and await self._store.drop(tenant_of(caller), id)
        except StoreDown:
            raise Unavailable("the store of responses does not answer") from None


def _read(value: bytes) -> Kept | None:
    try:
        return msgspec.msgpack.decode(value, type=Kept)
    except msgspec.MsgspecError:
        return None


def _left(call: Call, id: str) -> Call:
    """The call to those that may know the id: who speaks Responses keeps its own."""
    native = tuple(
        target for target in call.targets if any(each.name == NAME for each in target.dialects)
    )
    if not native:
        raise unknown_previous(id)
    return call if len(native) == len(call.targets) else call.with_targets(native)


def _led(call: Call, target: str) -> Call:
    """The call to the target that keeps the answer, where it is one of the call's."""
    same = tuple(each for each in call.targets if str(each) == target)
    return call.with_targets(same) if same else call


def _reference(raw: Raw) -> str | None:
    item = decode(raw, Item)
    if item.type == _REFERENCE or (item.type is None and item.role is None):
        return item.id
    return None
