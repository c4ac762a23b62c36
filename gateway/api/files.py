"""The Files API, for input files of batches and the files of their results."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import time

import structlog
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from starlette.routing import BaseRoute, Route

from gateway.batches.api_objects import write_file_object
from gateway.batches.batch_params import check_retention
from gateway.batches.body_reader import BodyReader
from gateway.batches.content import open_content
from gateway.batches.scheduler import BatchScheduler, new_id
from gateway.batches.tables import FileRow
from gateway.call import Caller
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.edge.callers import Callers
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.exchange import Edge
from gateway.edge.operation import ApiRequest, JsonEndpoint, json_reply
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.reply import Reply, Stream

_log = structlog.get_logger("interlingua")
BodyHandler = Callable[[ApiRequest, BodyReader], Awaitable[Reply]]
"""An endpoint that may read the request's body."""
_PURPOSES = ("batch", "batch_output")
_MAX_NAME_LENGTH = 255


class BatchApiDeps(Struct, frozen=True):
    """What all doors of the batch APIs share."""

    scheduler: BatchScheduler
    edge: Edge
    callers: Callers

    def make_endpoint(self, dialect: Dialect, **takes: BodyHandler) -> "BatchEndpoint":
        """The ASGI application of a path, by method."""
        return BatchEndpoint(self, dialect, takes)


class BatchEndpoint:
    """A door for each method; the key is checked before any of the body is read."""

    needs_key = True

    def __init__(
        self, hall: BatchApiDeps, dialect: Dialect, takes: Mapping[str, BodyHandler]
    ) -> None:
        self._deps = hall
        self._dialect = dialect
        self._handlers = dict(takes) | ({"HEAD": takes["GET"]} if "GET" in takes else {})

    @property
    def operations(self) -> Mapping[str, object]:
        """The function behind each method but HEAD."""
        return {method: each for method, each in self._handlers.items() if method != "HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        edge = self._deps.edge

        async def answers(ask: ApiRequest) -> Reply:
            if ask.method == "POST" and edge.draining:
                raise Unavailable("the gateway is shutting down; send the request again")
            intake = BodyReader(receive, ask.headers, edge.limits.body_idle)
            try:
                return await self._handlers[ask.method](ask, intake)
            except DBAPIError as fault:
                _log.error("batches_not_kept", request_id=ask.id, error=str(fault.orig)[:500])
                raise Unavailable("batches cannot be kept, or read, at the moment") from None

        methods = tuple(self._handlers)
        door = JsonEndpoint(answers, self._deps.callers, methods=methods, dialect=self._dialect)
        await door(scope, receive, send)


class FilesApi:
    """The endpoints under /v1/files."""

    def __init__(self, hall: BatchApiDeps) -> None:
        self._deps = hall
        self._scheduler = hall.scheduler

    def make_routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance = self._deps.make_endpoint
        one = f"{prefix}/files/{{id}}"
        return [
            Route(f"{prefix}/files", entrance(CHAT, GET=self.list_files, POST=self.create_file)),
            Route(one, entrance(CHAT, GET=self.get_file, DELETE=self.delete_file)),
            Route(f"{one}/content", entrance(CHAT, GET=self.get_content)),
        ]

    async def create_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Takes a file; it is on disk before the answer."""
        options = self._scheduler.options
        async with intake.open_upload(options.max_file) as upload:
            if upload.fields.get("purpose") != "batch":
                message = "purpose: must be 'batch'; this gateway keeps no other files"
                raise InvalidRequest(message, param="purpose")
            now = time()
            file = FileRow(
                id=new_id("file-"),
                tenant=make_tenant(ask.caller),
                name=upload.name[:_MAX_NAME_LENGTH].replace("\0", ""),
                purpose="batch",
                size=0,
                created=now,
                expires=now + _read_retention(upload.fields, options.retention),
            )
            file = await asyncio.to_thread(self._scheduler.files.add_file, file, upload.content)
        return json_reply(write_file_object(file))

    async def list_files(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """The caller's files, page by page."""
        limit = ask.parse_number("limit", 1, 10_000) or 10_000
        purpose, after = ask.query.get("purpose", ""), ask.query.get("after", "")
        order = ask.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest("order must be 'asc' or 'desc'", param="order")
        try:
            files, more = await asyncio.to_thread(
                self._scheduler.files.list_files,
                make_tenant(ask.caller), purpose, limit, after, oldest_first=order == "asc",
            )  # fmt: skip
        except KeyError:
            raise NotFound(f"No such File object: {after[:100]}", param="after") from None
        return json_reply(build_page([write_file_object(file) for file in files], more))

    async def get_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """What is known of a file."""
        return json_reply(write_file_object(await self._require_file(ask)))

    async def get_content(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """What is in it."""
        desk, file = self._scheduler, await self._require_file(ask)
        stream = Stream(open_content(desk.store, desk.files, file))
        return Reply(200, CHAT, stream, [(b"content-type", b"application/octet-stream")])

    async def delete_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Forgets it; a batch that has read it goes on."""
        file = await self._require_file(ask)
        await asyncio.to_thread(self._scheduler.files.remove_file, file)
        return json_reply({"id": file.id, "object": "file", "deleted": True})

    async def _require_file(self, ask: ApiRequest) -> FileRow:
        file_id = ask.path_params["id"]
        try:
            return await asyncio.to_thread(
                self._scheduler.files.get_file, file_id, make_tenant(ask.caller)
            )
        except KeyError:
            raise NotFound(f"No such File object: {file_id[:100]}", param="id") from None


def _read_retention(fields: Mapping[str, str], most: float) -> float:
    """How long a file is kept: as its form says, but no longer than all others."""
    named = {name: fields.get(f"expires_after[{name}]") for name in ("anchor", "seconds")}
    if named["anchor"] is None and named["seconds"] is None:
        return most
    text = named["seconds"] or ""
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return min(check_retention(named["anchor"], seconds, "expires_after"), most)


def make_tenant(caller: Caller) -> str:
    """Whose batches and files a caller sees.

    Where no keys are asked for all callers have one name: the credentials they bring tell them
    apart.
    """
    if caller.name == "anonymous" and caller.credential is not None:
        return f"anonymous {caller.credential.digest().hex()[:32]}"
    return caller.name


def build_page(data: list[dict[str, object]], more: bool) -> dict[str, object]:
    """A page of a list as both APIs have it; one names it "list", the other ignores that."""
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
