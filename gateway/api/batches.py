"""The Message Batches API, and the Batches API of OpenAI, on any provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

import msgspec
from starlette.routing import BaseRoute, Route

from gateway.api.files import FilesApi, Hall, page, tenant
from gateway.batches.content import Results
from gateway.batches.desk import Desk, database, new_id
from gateway.batches.forms import chat_batch, message_batch
from gateway.batches.intake import Intake
from gateway.batches.items import KEPT_HEADERS, Road
from gateway.batches.lines import ENDPOINT, read_requests
from gateway.batches.tables import Batch, Line
from gateway.batches.wanted import Wanted, read_wanted
from gateway.config.builtins import short_name
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import Ask, say
from gateway.errors import CallError, InvalidRequest, NotFound
from gateway.inside import Inside
from gateway.plugin import Next, chain
from gateway.reply import Reply, Stream
from gateway.wire.raw_json import split_object

_PASSED = ("auth", "batch")
"""Links that a batch has passed as a whole, and its items do not pass again."""
_JSONL = [(b"content-type", b"application/x-jsonl")]
_PREFIXES = {"messages": "msgbatch_", "chat": "batch_"}
_SMALL = 1024 * 1024


class Conflict(CallError):
    """What is asked of a batch does not fit how it stands."""

    status = 409


class BatchApis:
    """Both APIs of one gateway: their paths and their life."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self.routes: list[BaseRoute] = []
        for prefix in ("/v1", ""):
            self.routes += MessageBatches(hall).routes(prefix)
            self.routes += ChatBatches(hall).routes(prefix)
            self.routes += FilesApi(hall).routes(prefix)

    async def figures(self) -> dict[str, object]:
        """Its engine, the batches that have not ended, and the items in flight."""
        return await self._hall.desk.figures()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works off what there is until it is left."""
        async with self._hall.desk.running():
            yield


def batch_apis(inside: Inside, last: Next) -> BatchApis:
    """The APIs as [batch] says. ConfigError where it cannot be."""
    config, edge = inside.site.config, inside.edge
    rest = [link for link in inside.links if short_name(link) not in _PASSED]
    url = database(config.batch, config.source.env)
    desk = Desk(config.batch, url, Road(edge, chain(rest, last)), inside.peers)
    return BatchApis(Hall(desk, edge, inside.callers))


class _Batches:
    """What the two APIs have in common."""

    kind = ""
    dialect: Dialect = MESSAGES

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._desk = hall.desk

    async def _find(self, ask: Ask) -> Batch:
        batch_id = ask.parts["id"]
        try:
            return await asyncio.to_thread(
                self._desk.store.get, batch_id, tenant(ask.caller), self.kind
            )
        except KeyError:
            raise NotFound(f"There is no batch '{batch_id[:100]}'", param="id") from None

    async def _page(self, ask: Ask, most: int, after: str, before: str) -> tuple[list[Batch], bool]:
        limit = ask.number("limit", 1, most) or 20
        try:
            return await asyncio.to_thread(
                self._desk.store.page,
                tenant(ask.caller), self.kind, limit, after=after, before=before,
            )  # fmt: skip
        except KeyError:
            raise NotFound(f"There is no batch '{(after or before)[:100]}'") from None

    async def _taken(self, ask: Ask, lines: list[Line], wanted: Wanted) -> Batch:
        now = time()
        kept = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in ask.headers
            if name in KEPT_HEADERS
        ]
        batch = Batch(
            id=new_id(_PREFIXES[self.kind]),
            kind=self.kind,
            tenant=tenant(ask.caller),
            caller=ask.caller.name,
            headers=msgspec.json.encode(kept),
            input_file=wanted.file,
            metadata=wanted.metadata,
            output_seconds=wanted.output_seconds,
            phase="running" if lines else "validating",
            created=now,
            expires=now + self._desk.options.window,
            started=now if lines else None,
            total=len(lines),
        )
        await self._desk.take(batch, lines, ask.caller.credential)
        return batch


class MessageBatches(_Batches):
    """The endpoints under /v1/messages/batches."""

    kind = "messages"
    dialect = MESSAGES

    def routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance, path = self._hall.entrance, f"{prefix}/messages/batches"
        one = f"{path}/{{id}}"
        return [
            Route(path, entrance(MESSAGES, GET=self.all, POST=self.add)),
            Route(one, entrance(MESSAGES, GET=self.one, DELETE=self.remove)),
            Route(f"{one}/results", entrance(MESSAGES, GET=self.results)),
            Route(f"{one}/cancel", entrance(MESSAGES, POST=self.cancel)),
        ]

    async def add(self, ask: Ask, intake: Intake) -> Reply:
        """Takes a batch; it is on disk before the answer."""
        body = await intake.body(self._hall.edge.limits.body)
        # A batch may be large enough to hold up every other call while it is read.
        lines = await asyncio.to_thread(read_requests, body, self._desk.options.max_items)
        return _said(message_batch(await self._taken(ask, lines, Wanted()), ask.url))

    async def all(self, ask: Ask, intake: Intake) -> Reply:
        """The caller's batches, the newest first."""
        after, before = ask.query.get("after_id", ""), ask.query.get("before_id", "")
        batches, more = await self._page(ask, 1000, after, before)
        return say(page([message_batch(batch, ask.url) for batch in batches], more))

    async def one(self, ask: Ask, intake: Intake) -> Reply:
        """How far a batch is."""
        return _said(message_batch(await self._find(ask), ask.url))

    async def results(self, ask: Ask, intake: Intake) -> Reply:
        """A line for each request of an ended batch."""
        batch = await self._find(ask)
        if batch.phase != "ended":
            raise InvalidRequest(f"Batch '{batch.id}' has not ended: there are no results yet")
        head = [*_JSONL, (b"x-batch-id", batch.id.encode())]
        return Reply(200, MESSAGES, Stream(Results(self._desk.store, batch.id)), head)

    async def cancel(self, ask: Ask, intake: Intake) -> Reply:
        """Starts no further request of it; one that has ended stays as it is."""
        batch = await self._find(ask)
        await asyncio.to_thread(self._desk.store.stop, batch.id)
        return _said(message_batch(await self._find(ask), ask.url))

    async def remove(self, ask: Ask, intake: Intake) -> Reply:
        """Forgets an ended batch and its results."""
        batch = await self._find(ask)
        if batch.phase != "ended":
            raise InvalidRequest(f"Batch '{batch.id}' has not ended; cancel it first")
        await self._desk.remove(batch.id)
        return _said({"id": batch.id, "type": "message_batch_deleted"})


class ChatBatches(_Batches):
    """The endpoints under /v1/batches."""

    kind = "chat"
    dialect = CHAT

    def routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance, path = self._hall.entrance, f"{prefix}/batches"
        return [
            Route(path, entrance(CHAT, GET=self.all, POST=self.add)),
            Route(f"{path}/{{id}}", entrance(CHAT, GET=self.one)),
            Route(f"{path}/{{id}}/cancel", entrance(CHAT, POST=self.cancel)),
        ]

    async def add(self, ask: Ask, intake: Intake) -> Reply:
        """Takes a batch; its file is checked afterwards."""
        body = await intake.body(_SMALL)
        try:
            fields = split_object(body)
            wanted = read_wanted(fields)
        except UnicodeDecodeError:
            raise InvalidRequest("the request body is not UTF-8") from None
        try:
            file = await asyncio.to_thread(self._desk.files.get, wanted.file, tenant(ask.caller))
        except KeyError:
            message = f"No such File object: {wanted.file[:100]}"
            raise InvalidRequest(message, param="input_file_id") from None
        if file.purpose != "batch":
            message = f"The purpose of file '{file.id}' must be 'batch', not '{file.purpose}'"
            raise InvalidRequest(message, param="input_file_id")
        return await self._said(await self._taken(ask, [], wanted))

    async def all(self, ask: Ask, intake: Intake) -> Reply:
        """The caller's batches, the newest first."""
        batches, more = await self._page(ask, 100, ask.query.get("after", ""), "")
        return say(page([await self._shown(batch) for batch in batches], more))

    async def one(self, ask: Ask, intake: Intake) -> Reply:
        """How far a batch is."""
        return await self._said(await self._find(ask))

    async def cancel(self, ask: Ask, intake: Intake) -> Reply:
        """Starts no further request of it. Conflict where it has ended."""
        batch = await self._find(ask)
        if batch.phase == "ended":
            raise Conflict(f"Cannot cancel a batch with status '{batch.outcome}'.")
        await asyncio.to_thread(self._desk.store.stop, batch.id)
        return await self._said(await self._find(ask))

    async def _shown(self, batch: Batch) -> dict[str, object]:
        if batch.phase == "ended":
            states = ("succeeded", "errored", "canceled", "expired")
            counts = {state: getattr(batch, state) for state in states}
        else:
            counts = await asyncio.to_thread(self._desk.store.counts, batch.id)
        return chat_batch(batch, counts, ENDPOINT)

    async def _said(self, batch: Batch) -> Reply:
        return _said(await self._shown(batch))


def _said(told: dict[str, object]) -> Reply:
    return say(told, headers=[(b"x-batch-id", str(told["id"]).encode())])
