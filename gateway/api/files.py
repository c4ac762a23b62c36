"""The Files API, for input files of batches and the files of their results."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import time

import structlog
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from starlette.routing import BaseRoute, Route

from gateway.batches.content import content
from gateway.batches.desk import Desk, new_id
from gateway.batches.forms import file_object
from gateway.batches.intake import Intake
from gateway.batches.tables import File
from gateway.batches.wanted import kept_for
from gateway.call import Caller
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.edge.callers import Callers
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.exchange import Edge
from gateway.edge.operation import Ask, Door, say
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.reply import Reply, Stream

_log = structlog.get_logger("interlingua")
Takes = Callable[[Ask, Intake], Awaitable[Reply]]
"""An endpoint that may read the request's body."""
_PURPOSES = ("batch", "batch_output")
_NAME_LIMIT = 255


class Hall(Struct, frozen=True):
    """What all doors of the batch APIs share."""

    desk: Desk
    edge: Edge
    callers: Callers

    def entrance(self, dialect: Dialect, **takes: Takes) -> "Entrance":
        """The ASGI application of a path, by method."""
        return Entrance(self, dialect, takes)


class Entrance:
    """A door for each method; the key is checked before any of the body is read."""

    locked = True

    def __init__(self, hall: Hall, dialect: Dialect, takes: Mapping[str, Takes]) -> None:
        self._hall = hall
        self._dialect = dialect
        self._takes = dict(takes) | ({"HEAD": takes["GET"]} if "GET" in takes else {})

    @property
    def operations(self) -> Mapping[str, object]:
        """The function behind each method but HEAD."""
        return {method: each for method, each in self._takes.items() if method != "HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        edge = self._hall.edge

        async def answers(ask: Ask) -> Reply:
            if ask.method == "POST" and edge.draining:
                raise Unavailable("the gateway is shutting down; send the request again")
            intake = Intake(receive, ask.headers, edge.limits.body_idle)
            try:
                return await self._takes[ask.method](ask, intake)
            except DBAPIError as fault:
                _log.error("batches_not_kept", request_id=ask.id, error=str(fault.orig)[:500])
                raise Unavailable("batches cannot be kept, or read, at the moment") from None

        methods = tuple(self._takes)
        door = Door(answers, self._hall.callers, methods=methods, dialect=self._dialect)
        await door(scope, receive, send)


class FilesApi:
    """The endpoints under /v1/files."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._desk = hall.desk

    def routes(self, prefix: str) -> list[BaseRoute]:
        """The paths below that prefix."""
        entrance = self._hall.entrance
        one = f"{prefix}/files/{{id}}"
        return [
            Route(f"{prefix}/files", entrance(CHAT, GET=self.all, POST=self.add)),
            Route(one, entrance(CHAT, GET=self.one, DELETE=self.remove)),
            Route(f"{one}/content", entrance(CHAT, GET=self.content)),
        ]

    async def add(self, ask: Ask, intake: Intake) -> Reply:
        """Takes a file; it is on disk before the answer."""
        options = self._desk.options
        async with intake.upload(options.max_file) as upload:
            if upload.fields.get("purpose") != "batch":
                message = "purpose: must be 'batch'; this gateway keeps no other files"
                raise InvalidRequest(message, param="purpose")
            now = time()
            file = File(
                id=new_id("file-"),
                tenant=tenant(ask.caller),
                name=upload.name[:_NAME_LIMIT].replace("\0", ""),
                purpose="batch",
                size=0,
                created=now,
                expires=now + _seconds(upload.fields, options.retention),
            )
            file = await asyncio.to_thread(self._desk.files.add, file, upload.content)
        return say(file_object(file))

    async def all(self, ask: Ask, intake: Intake) -> Reply:
        """The caller's files, page by page."""
        limit = ask.number("limit", 1, 10_000) or 10_000
        purpose, after = ask.query.get("purpose", ""), ask.query.get("after", "")
        order = ask.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest("order must be 'asc' or 'desc'", param="order")
        try:
            files, more = await asyncio.to_thread(
                self._desk.files.page,
                tenant(ask.caller), purpose, limit, after, oldest_first=order == "asc",
            )  # fmt: skip
        except KeyError:
            raise NotFound(f"No such File object: {after[:100]}", param="after") from None
        return say(page([file_object(file) for file in files], more))

    async def one(self, ask: Ask, intake: Intake) -> Reply:
        """What is known of a file."""
        return say(file_object(await self._file(ask)))

    async def content(self, ask: Ask, intake: Intake) -> Reply:
        """What is in it."""
        desk, file = self._desk, await self._file(ask)
        stream = Stream(content(desk.store, desk.files, file))
        return Reply(200, CHAT, stream, [(b"content-type", b"application/octet-stream")])

    async def remove(self, ask: Ask, intake: Intake) -> Reply:
        """Forgets it; a batch that has read it goes on."""
        file = await self._file(ask)
        await asyncio.to_thread(self._desk.files.remove, file)
        return say({"id": file.id, "object": "file", "deleted": True})

    async def _file(self, ask: Ask) -> File:
        file_id = ask.parts["id"]
        try:
            return await asyncio.to_thread(self._desk.files.get, file_id, tenant(ask.caller))
        except KeyError:
            raise NotFound(f"No such File object: {file_id[:100]}", param="id") from None


def _seconds(fields: Mapping[str, str], most: float) -> float:
    """How long a file is kept: as its form says, but no longer than all others."""
    named = {name: fields.get(f"expires_after[{name}]") for name in ("anchor", "seconds")}
    if named["anchor"] is None and named["seconds"] is None:
        return most
    text = named["seconds"] or ""
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return min(kept_for(named["anchor"], seconds, "expires_after"), most)


def tenant(caller: Caller) -> str:
    """Whose batches and files a caller sees.

    Where no keys are asked for all callers have one name: the credentials they bring tell them
    apart.
    """
    if caller.name == "anonymous" and caller.credential is not None:
        return f"anonymous {caller.credential.digest().hex()[:32]}"
    return caller.name


def page(data: list[dict[str, object]], more: bool) -> dict[str, object]:
    """A page of a list as both APIs have it; one names it "list", the other ignores that."""
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
