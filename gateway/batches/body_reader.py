"""Bodies of requests that are no calls: JSON as a whole, and files as they arrive."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import BinaryIO

from msgspec import Struct
from starlette.datastructures import FormData, Headers as FormHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from gateway.call import Headers
from gateway.edge.client import Receive
from gateway.errors import BodyTimeout, InvalidRequest, TooLarge

_FORM_OVERHEAD = 64 * 1024
"""Bytes of a form around its file."""
_MAX_FIELDS = 20


class Upload(Struct):
    """A file as it came, and the fields beside it; its content lies on disk where it is large."""

    name: str
    content: BinaryIO
    fields: dict[str, str]


class BodyReader:
    """The body of one request."""

    def __init__(self, receive: Receive, headers: Headers, idle: float) -> None:
        self._receive = receive
        self._headers = headers
        self._idle_timeout = idle

    async def read_body(self, limit: int) -> bytes:
        """All of it. TooLarge, BodyTimeout."""
        async with aclosing(self._iter_pieces(limit)) as pieces:
            return b"".join([piece async for piece in pieces])

    @asynccontextmanager
    async def open_upload(self, limit: int) -> AsyncIterator[Upload]:
        """The file of a form, until it is left. InvalidRequest, TooLarge, BodyTimeout."""
        kind = next((value for name, value in self._headers if name == b"content-type"), b"")
        if not kind.lower().startswith(b"multipart/form-data"):
            raise InvalidRequest("the content type must be multipart/form-data")
        async with aclosing(self._iter_pieces(limit + _FORM_OVERHEAD)) as pieces:
            parser = MultiPartParser(
                FormHeaders(raw=self._headers), pieces, max_files=1, max_fields=_MAX_FIELDS
            )
            try:
                form = await parser.parse()
            except MultiPartException as fault:
                raise InvalidRequest(f"the form cannot be read: {fault.message}") from None
            except KeyError:
                raise InvalidRequest("the content type names no boundary") from None
        try:
            yield _read_upload(form, limit)
        finally:
            await form.close()

    async def _iter_pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        size, more = 0, True
        while more:
            try:
                async with asyncio.timeout(self._idle_timeout):
                    message = await self._receive()
            except TimeoutError:
                raise BodyTimeout("the request body stopped arriving") from None
            if message["type"] == "http.disconnect":
                raise BodyTimeout("the request body ended too early")
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the request body is larger than {limit} bytes, the limit here")
            more = message.get("more_body", False)
            if piece:
                yield piece


def _read_upload(form: FormData, limit: int) -> Upload:
    found = form.get("file")
    if not isinstance(found, UploadFile):
        raise InvalidRequest("file: Field required, as a file of the form", param="file")
    if (found.size or 0) > limit:
        raise TooLarge(f"the file is larger than {limit} bytes, the limit of this gateway")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return Upload(found.filename or "upload", found.file, fields)
