"""What uvicorn's HTTP parser lets through and a gateway must not.

A head has a count, a size and a deadline; it has exactly one Host, and no transfer coding but
chunked. Whatever fails is answered at once and the connection closed: what followed on it cannot be
told from a second request.
"""

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any, ClassVar, Self

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.call import Headers, Record
from gateway.edge.client import CONNECTION
from gateway.edge.headers import error_lines, request_id
from gateway.errors import InvalidRequest

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]*)(:\d{1,5})?")
_URL_LIMIT = 8192
_WORDS = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


def _weight(headers: Headers) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _times(headers: Headers, wanted: bytes) -> int:
    return sum(name == wanted for name, _ in headers)


@lru_cache(maxsize=256)
def _sound_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol under the limits of [server]; `limited` makes the class for them."""

    max_headers: ClassVar[int] = 100
    max_header_bytes: ClassVar[int] = 32 * 1024
    header_timeout: ClassVar[float] = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._on_gone: Callable[[], None] | None = None

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Calls back once when the client is gone."""
        self._on_gone = on_gone
        self.flow.resume_reading()  # paused by a large body, the socket would hide the end

    def unwatch(self, on_gone: Callable[[], None]) -> None:
        """Ends that watch; the next request on the connection may have one of its own by now."""
        if self._on_gone == on_gone:
            self._on_gone = None

    def abort(self) -> None:
        """Closes the socket at once, whatever the client has not read."""
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: Codex tries a WebSocket at each start, and its answer says all."""

    @classmethod
    def limited(cls, headers: int, size: int, seconds: float) -> type[Self]:
        """A protocol with these limits: fields, bytes, seconds for a head."""
        limits = {"max_headers": headers, "max_header_bytes": size, "header_timeout": seconds}
        return type("LimitedProtocol", (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is closed at the head's deadline."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.header_timeout, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the deadline and tells who asked."""
        self._forget_deadline()
        super().connection_lost(exc)
        if self._on_gone is not None:
            self._on_gone()
        # Each of these leads back here: a few kilobytes that only the collector would free.
        self.cycle = self.scope = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; watches a head that does not end with the data."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and not self.transport.is_closing() and self._head_bytes:
            if self._head_bytes > self.max_header_bytes:
                self._refuse(431)
            elif self._deadline is None:
                self._deadline = self.loop.call_later(self.header_timeout, self._too_slow)

    def on_message_begin(self) -> None:
        """A head begins."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        name = name.lower()
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """A head that is not sound is refused before any application sees it."""
        self._in_head = False
        received, self._head_bytes = self._head_bytes, 0
        if self._deadline is not None:
            self._forget_deadline()
        if self.transport.is_closing():
            return
        refusal = self._refusal(received)
        if refusal:
            self._refuse(refusal, self.headers)
        else:
            self.accept()

    def accept(self) -> None:
        """Takes a sound head the way of ASGI."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # makes the scope, which only this way needs
        self.url, self.expect_100_continue = url, expect
        self.headers += headers
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drops what follows a refused head."""
        if self.cycle is not None and not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The next bytes are the next head's."""
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def _refusal(self, received: int) -> int:
        """The status that a head is refused with, 0 for a sound one; `received` bytes hold it."""
        headers = self.headers
        if len(self.url) > _URL_LIMIT:
            return 414
        if len(headers) > self.max_headers:
            return 431
        # What was received holds the head, which may be a small part of it.
        if received > self.max_header_bytes and _weight(headers) > self.max_header_bytes:
            return 431
        named = dict(headers)
        host = named.get(b"host")
        if host is None:
            if self.parser.get_http_version() != "1.0":
                return 400
        elif not _sound_host(host) or (len(named) < len(headers) and _times(headers, b"host") > 1):
            return 400
        if b"transfer-encoding" not in named:
            return 0
        codings = [value for name, value in headers if name == b"transfer-encoding"]
        return 400 if any(value.strip().lower() != b"chunked" for value in codings) else 0

    def _too_slow(self) -> None:
        self._deadline = None
        if self._in_head and not self.transport.is_closing():
            if self._head_bytes:
                self._refuse(408)
            else:
                self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP as what is no sound head."""
        self._refuse(400)

    def _refuse(self, status: int, headers: Headers | None = None) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # an answer is under way: nothing may be written into it
            return
        words = _WORDS[status]
        body = (
            b'{"error":{"message":"%s","type":"invalid_request_error","param":null,"code":%d}}'
            % (words.encode(), status)
        )
        record, refused = Record(monotonic()), InvalidRequest(words)
        lines = error_lines(request_id(headers or []), record, refused, len(body))
        head = f"HTTP/1.1 {status} {words}\r\n".encode() + lines + b"connection: close\r\n\r\n"
        self.transport.write(head + body)
        self.transport.close()
