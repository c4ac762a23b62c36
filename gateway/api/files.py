"""The Files API, for input files of batches and the files of their results."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from time import time
from typing import Any

import structlog
from msgspec import Struct
from sqlalchemy.exc import DBAPIError

from gateway.batches.api_objects import write_file_object
from gateway.batches.batch_params import check_retention
from gateway.batches.body_reader import BodyReader
from gateway.batches.content import open_content
from gateway.batches.scheduler import BatchScheduler, new_id
from gateway.batches.tables import FileRow
from gateway.call import Caller
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.edge.exchange import Edge
from gateway.edge.operation import ApiRequest, Handler, Operation, json_reply, versioned
from gateway.edge.pagination import PageRequest, page_members
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.reply import Reply, Stream

_log = structlog.get_logger("interlingua")
BodyHandler = Callable[[ApiRequest, BodyReader], Awaitable[Reply]]
"""A handler that may read the request's body."""
_PURPOSES = ("batch", "batch_output")
_MAX_NAME_LENGTH = 255
_MAX_PAGE_SIZE = 10_000


class BatchApiDeps(Struct, frozen=True):
    """What all endpoints of the batch APIs share."""

    scheduler: BatchScheduler
    edge: Edge

    def make_operation(
        self, method: str, path: str, handler: BodyHandler, *, dialect: Dialect, **more: Any
    ) -> Operation:
        """The operation of a handler that may read the body, at a path with and without /v1."""
        routes = versioned(path)
        return Operation(
            path=routes[0],
            routes=routes,
            method=method,
            handler=self._with_body(handler),
            dialect=dialect,
            **more,
        )

    def _with_body(self, handler: BodyHandler) -> Handler:
        edge = self.edge

        @wraps(handler)
        async def handle(ask: ApiRequest) -> Reply:
            if ask.method == "POST" and edge.draining:
                raise Unavailable("the gateway is shutting down; send the request again")
            body = BodyReader(ask.receive, ask.headers, edge.limits.body_idle)
            try:
                return await handler(ask, body)
            except DBAPIError as fault:
                _log.error("batches_not_kept", request_id=ask.id, error=str(fault.orig)[:500])
                raise Unavailable("batches cannot be kept, or read, at the moment") from None

        return handle


class FilesApi:
    """The endpoints under /v1/files."""

    def __init__(self, hall: BatchApiDeps) -> None:
        self._deps = hall
        self._scheduler = hall.scheduler

    def make_operations(self) -> list[Operation]:
        """The endpoints."""
        make = partial(self._deps.make_operation, dialect=CHAT)
        one, content = "/files/{id}", ("application/octet-stream",)
        return [
            make("GET", "/files", self.list_files),
            make("POST", "/files", self.create_file, takes="multipart/form-data"),
            make("GET", one, self.get_file),
            make("DELETE", one, self.delete_file),
            make("GET", f"{one}/content", self.get_content, gives=content),
        ]

    async def create_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Uploads an input file of a batch."""
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
        """The caller's files."""
        page = PageRequest.from_query(ask, _MAX_PAGE_SIZE, after="after")
        purpose = ask.query.get("purpose", "")
        oldest_first = ask.parse_order() == "asc"
        try:
            files, more = await asyncio.to_thread(
                self._scheduler.files.list_files,
                make_tenant(ask.caller), purpose, page.limit or _MAX_PAGE_SIZE, page.after,
                oldest_first=oldest_first,
            )  # fmt: skip
        except KeyError:
            raise NotFound(f"No such File object: {page.after[:100]}", param="after") from None
        return json_reply(build_page([write_file_object(file) for file in files], more))

    async def get_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Name, size and dates of a file."""
        return json_reply(write_file_object(await self._require_file(ask)))

    async def get_content(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """The content of a file."""
        desk, file = self._scheduler, await self._require_file(ask)
        stream = Stream(open_content(desk.store, desk.files, file))
        return Reply(200, CHAT, stream, [(b"content-type", b"application/octet-stream")])

    async def delete_file(self, ask: ApiRequest, intake: BodyReader) -> Reply:
        """Deletes a file; a batch that has read it continues."""
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
    """Seconds that a file is stored: as its form says, at most `most`."""
    named = {name: fields.get(f"expires_after[{name}]") for name in ("anchor", "seconds")}
    if named["anchor"] is None and named["seconds"] is None:
        return most
    text = named["seconds"] or ""
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return min(check_retention(named["anchor"], seconds, "expires_after"), most)


def make_tenant(caller: Caller) -> str:
    """The owner of a caller's batches and files.

    Without client keys all callers have one name: their upstream credentials tell them apart.
    """
    if caller.name == "anonymous" and caller.credential is not None:
        return f"anonymous {caller.credential.digest().hex()[:32]}"
    return caller.name


def build_page(data: list[dict[str, object]], more: bool) -> dict[str, object]:
    """A page of a list in both APIs; Messages clients ignore `object`."""
    return {
        "object": "list",
        "data": data,
    } | page_members([each["id"] for each in data], more)
