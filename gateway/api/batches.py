"""The Message Batches API, and the Batches API of OpenAI, on any provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

import msgspec
from starlette.routing import BaseRoute, Route

from gateway.api.files import BatchApiDeps, FilesApi, build_page, make_tenant
from gateway.batches.api_objects import write_chat_batch, write_message_batch
from gateway.batches.batch_params import BatchParams, read_batch_params
from gateway.batches.body_reader import BodyReader
from gateway.batches.content import ResultSource
from gateway.batches.items import ITEM_HEADERS
from gateway.batches.lines import BATCH_ENDPOINT, read_requests
from gateway.batches.scheduler import BatchScheduler, get_database_url, new_id
from gateway.batches.tables import BatchRow, LineRow
from gateway.config.builtins import short_name
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import CallError, InvalidRequest, NotFound
from gateway.fanout.item import ItemRunner
from gateway.plugin import Next, chain
from gateway.reply import Reply, Stream
from gateway.view import GatewayView
from gateway.wire.raw_json import split_object

_PASSED_LINKS = ("auth", "batch")
"""Links that a batch has passed as a whole, and its items do not pass again."""
_JSONL_HEADERS = [(b"content-type", b"application/x-jsonl")]
_ID_PREFIXES = {"messages": "msgbatch_", "chat": "batch_"}
_MAX_CREATE_BODY = 1024 * 1024


class Conflict(CallError):
    """What is asked of a batch does not fit how it stands."""

    status = 409


class BatchApis:
    """Both APIs of one gateway: their paths and their life."""

    def __init__(self, hall: BatchApiDeps) -> None:
        self._deps = hall
        self.routes: list[BaseRoute] = []
        for prefix in ("/v1", ""):
            self.routes += MessageBatchesApi(hall).make_routes(prefix)
            self.routes += ChatBatchesApi(hall).make_routes(prefix)
            self.routes += FilesApi(hall).make_routes(prefix)

    async def get_status(self) -> dict[str, object]:
        """Its engine, the batches that have not ended, and the items in flight."""
        return await self._deps.scheduler.get_status()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works off what there is until it is left."""
        async with self._deps.scheduler.running():
            yield


def make_batch_apis(view: GatewayView, last: Next) -> BatchApis:
    """The APIs as [batch] says. ConfigError where it cannot be."""
    config, edge = view.runtime.config, view.edge
    rest = [link for link in view.links if short_name(link) not in _PASSED_LINKS]
    url = get_database_url(config.batch, config.source.env)
    desk = BatchScheduler(
        config.batch, url, ItemRunner(edge, chain(rest, last), interrupted="drained"), view.peers
    )
    return BatchApis(BatchApiDeps(desk, edge, view.callers))


class _BatchesApi:
    """What the two APIs have in common."""

    kind = ""
    dialect: Dialect = MESSAGES

    def __init__(self, hall: BatchApiDeps) -> None:
        self._deps = hall
        self._scheduler = hall.scheduler

    async def _require_batch(self, ask: ApiRequest) -> BatchRow:
        batch_id = ask.path_params["id"]
        try:
            return await asyncio.to_thread(
                self._scheduler.store.get_batch, batch_id, make_tenant(ask.caller), self.kind
            )
        except KeyError:
            raise NotFound(f"There is no batch '{batch_id[:100]}'", param="id") from None

    async def _list_page(
        self, ask: ApiRequest, most: int, after: str, before: str
    ) -> tuple[list[BatchRow], bool]:
        limit = ask.parse_number("limit", 1, most) or 20
        try:
            return await asyncio.to_thread(
                self._scheduler.store.list_batches,
                make_tenant(ask.caller), self.kind, limit, after=after, before=before,
            )  # fmt: skip
        except KeyError:
            raise NotFound(f"There is no batch '{(after or before)[:100]}'") from None

    async def _create_batch(
        self, ask: ApiRequest, lines: list[LineRow], wanted: BatchParams
    ) -> BatchRow:
        now = time()
        kept = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in ask.headers
            if name in ITEM_HEADERS
        ]
        batch = BatchRow(
            id=new_id(_ID_PREFIXES[self.kind]),
            kind=self.kind,
            tenant=make_tenant(ask.caller),
            caller=ask.caller.name,
            headers=msgspec.json.encode(kept),
            input_file=wanted.file,
            metadata=wanted.metadata,
            output_seconds=wanted.output_seconds,
            phase="running" if lines else "validating",
            created=now,
            expires=now + self._scheduler.options.window,
            started=now if lines else None,
            total=len(lines),
        )
        await self._scheduler.add_batch(batch, lines, ask.caller.credential)
        return batch


class MessageBatchesApi(_BatchesApi):
    """The endpoints under /v1/messages/batches."""

    kind = "messages"
    dialect = MESSAGES

    def make_routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance, path = self._deps.make_endpoint, f"{prefix}/messages/batches"
        one = f"{path}/{{id}}"
        return [
            Route(path, entrance(MESSAGES, GET=self.list_batches, POST=self.create_batch)),
            Route(one, entrance(MESSAGES, GET=self.get_batch, DELETE=self.delete_batch)),
            Route(f"{one}/results", entrance(MESSAGES, GET=self.get_results)),
            Route(f"{one}/cancel", entrance(MESSAGES, POST=self.cancel_batch)),
        ]

    async def create_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Takes a batch; it is on disk before the answer."""
        body = await intake.read_body(self._deps.edge.limits.body)
        # A batch may be large enough to hold up every other call while it is read.
        lines = await asyncio.to_thread(read_requests, body, self._scheduler.options.max_items)
        return _reply_with_id(
            write_message_batch(await self._create_batch(ask, lines, BatchParams()), ask.url)
        )

    async def list_batches(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """The caller's batches, the newest first."""
        after, before = ask.query.get("after_id", ""), ask.query.get("before_id", "")
        batches, more = await self._list_page(ask, 1000, after, before)
        return json_reply(
            build_page([write_message_batch(batch, ask.url) for batch in batches], more)
        )

    async def get_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """How far a batch is."""
        return _reply_with_id(write_message_batch(await self._require_batch(ask), ask.url))

    async def get_results(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """A line for each request of an ended batch."""
        batch = await self._require_batch(ask)
        if batch.phase != "ended":
            raise InvalidRequest(f"Batch '{batch.id}' has not ended: there are no results yet")
        head = [*_JSONL_HEADERS, (b"x-batch-id", batch.id.encode())]
        return Reply(200, MESSAGES, Stream(ResultSource(self._scheduler.store, batch.id)), head)

    async def cancel_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Starts no further request of it; one that has ended stays as it is."""
        batch = await self._require_batch(ask)
        await asyncio.to_thread(self._scheduler.store.request_cancel, batch.id)
        return _reply_with_id(write_message_batch(await self._require_batch(ask), ask.url))

    async def delete_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Forgets an ended batch and its results."""
        batch = await self._require_batch(ask)
        if batch.phase != "ended":
            raise InvalidRequest(f"Batch '{batch.id}' has not ended; cancel it first")
        await self._scheduler.remove_batch(batch.id)
        return _reply_with_id({"id": batch.id, "type": "message_batch_deleted"})


class ChatBatchesApi(_BatchesApi):
    """The endpoints under /v1/batches."""

    kind = "chat"
    dialect = CHAT

    def make_routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance, path = self._deps.make_endpoint, f"{prefix}/batches"
        return [
            Route(path, entrance(CHAT, GET=self.list_batches, POST=self.create_batch)),
            Route(f"{path}/{{id}}", entrance(CHAT, GET=self.get_batch)),
            Route(f"{path}/{{id}}/cancel", entrance(CHAT, POST=self.cancel_batch)),
        ]

    async def create_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Takes a batch; its file is checked afterwards."""
        body = await intake.read_body(_MAX_CREATE_BODY)
        try:
            fields = split_object(body)
            wanted = read_batch_params(fields)
        except UnicodeDecodeError:
            raise InvalidRequest("the request body is not UTF-8") from None
        try:
            file = await asyncio.to_thread(
                self._scheduler.files.get_file, wanted.file, make_tenant(ask.caller)
            )
        except KeyError:
            message = f"No such File object: {wanted.file[:100]}"
            raise InvalidRequest(message, param="input_file_id") from None
        if file.purpose != "batch":
            message = f"The purpose of file '{file.id}' must be 'batch', not '{file.purpose}'"
            raise InvalidRequest(message, param="input_file_id")
        return await self._reply_batch(await self._create_batch(ask, [], wanted))

    async def list_batches(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """The caller's batches, the newest first."""
        batches, more = await self._list_page(ask, 100, ask.query.get("after", ""), "")
        return json_reply(build_page([await self._build_object(batch) for batch in batches], more))

    async def get_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """How far a batch is."""
        return await self._reply_batch(await self._require_batch(ask))

    async def cancel_batch(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Starts no further request of it. Conflict where it has ended."""
        batch = await self._require_batch(ask)
        if batch.phase == "ended":
            raise Conflict(f"Cannot cancel a batch with status '{batch.outcome}'.")
        await asyncio.to_thread(self._scheduler.store.request_cancel, batch.id)
        return await self._reply_batch(await self._require_batch(ask))

    async def _build_object(self, batch: BatchRow) -> dict[str, object]:
        if batch.phase == "ended":
            states = ("succeeded", "errored", "canceled", "expired")
            counts = {state: getattr(batch, state) for state in states}
        else:
            counts = await asyncio.to_thread(self._scheduler.store.count_states, batch.id)
        return write_chat_batch(batch, counts, BATCH_ENDPOINT)

    async def _reply_batch(self, batch: BatchRow) -> Reply:
        return _reply_with_id(await self._build_object(batch))


def _reply_with_id(told: dict[str, object]) -> Reply:
    return json_reply(told, headers=[(b"x-batch-id", str(told["id"]).encode())])
