"""The way into every endpoint that is no call: its method, the client's key, errors, the answer.

An endpoint is `async (ask) -> reply`; `say` makes the usual reply. `Door(endpoint, callers)` is the
ASGI application to put under a route.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from msgspec import Struct

from gateway.call import Caller, Headers, Record
from gateway.dialect import Dialect
from gateway.dialects.messages import MESSAGES
from gateway.edge.callers import Callers
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.headers import error_headers, reply_head, request_id
from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed
from gateway.reply import Reply, Stream

_log = structlog.get_logger("interlingua")
_BOOLEANS = {"": True, "1": True, "true": True, "yes": True, "on": True} | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


class ApiRequest(Struct, frozen=True):
    """A request to an endpoint of the gateway's own."""

    id: str
    method: str
    headers: Headers
    query: Mapping[str, str]
    path_params: Mapping[str, str]
    """What stands in the places of the route's path."""
    caller: Caller
    url: str = ""
    """Scheme and host as the client sees them."""

    def get_header(self, name: bytes) -> str:
        """The first header of that lower-case name, or ""."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    def parse_flag(self, name: str) -> bool:
        """Whether a parameter says yes; false without it. InvalidRequest where it says neither."""
        text = self.query.get(name)
        if text is None:
            return False
        said = _BOOLEANS.get(text.strip().lower())
        if said is None:
            raise InvalidRequest(f'{name} must be true or false, not "{text[:50]}"', param=name)
        return said

    def parse_number(self, name: str, least: int, most: int) -> int | None:
        """A parameter as a number; None without it. InvalidRequest outside the bounds."""
        text = self.query.get(name)
        if text is None:
            return None
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        if not least <= number <= most:
            message = f"{name} must be a number from {least} to {most}"
            raise InvalidRequest(message, param=name)
        return number


Handler = Callable[[ApiRequest], Awaitable[Reply]]
"""An endpoint of the gateway's own. It may raise any GatewayError."""


def json_reply(data: object, status: int = 200, headers: Headers | None = None) -> Reply:
    """A reply with that data as JSON."""
    return Reply(status, MESSAGES, msgspec.json.encode(data), headers or [])


class JsonEndpoint:
    """The ASGI application of one path: checks method and key, and answers errors in words.

    Without `callers` nobody has to show a key. `dialect` is whose form errors have, for clients
    that do not send `anthropic-version`.
    """

    def __init__(
        self,
        answers: Handler,
        callers: Callers | None,
        *,
        methods: tuple[str, ...] = ("GET", "HEAD"),
        dialect: Dialect = MESSAGES,
    ) -> None:
        self._handler = answers
        self._callers = callers
        self._methods = methods
        self._dialect = dialect
        self.needs_key = callers is not None

    @property
    def operations(self) -> Mapping[str, object]:
        """The function behind each method but HEAD."""
        return {method: self._handler for method in self._methods if method != "HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        ident, record = request_id(headers), Record(monotonic())
        try:
            reply = await self._handle(ident, scope)
        except GatewayError as error:
            await self._send_error(error, ident, record, scope, send)
        except Exception as fault:  # noqa: BLE001  # nothing may escape to the server
            _log.error("fault", request_id=ident, kind=type(fault).__name__, exc_info=True)
            unexpected = GatewayError("the gateway failed; its log has the details")
            await self._send_error(unexpected, ident, record, scope, send)
        else:
            await _send_reply(reply, reply_head(ident, record, reply), scope, receive, send)

    async def _handle(self, ident: str, scope: Scope) -> Reply:
        if scope["method"] not in self._methods:
            named = " or ".join(method for method in self._methods if method != "HEAD")
            raise MethodNotAllowed(f"{scope['method']} is not allowed here; use {named}")
        headers: Headers = scope["headers"]
        caller = self._callers.caller(headers) if self._callers is not None else Caller("anonymous")
        text = scope.get("query_string", b"").decode("latin-1")
        try:
            query = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
        except ValueError:
            raise InvalidRequest("the query has too many parameters") from None
        parts = scope.get("path_params", {})
        return await self._handler(
            ApiRequest(ident, scope["method"], headers, query, parts, caller, _get_base_url(scope))
        )

    async def _send_error(
        self, error: GatewayError, ident: str, record: Record, scope: Scope, send: Send
    ) -> None:
        dialect = MESSAGES if is_messages_client(scope["headers"]) else self._dialect
        body = dialect.write_error(error, ident)
        head = error_headers(ident, record, error, len(body))
        if error.status == 405:
            head = [each for each in head if each[0] != b"allow"]
            head.append((b"allow", ", ".join(self._methods).encode()))
        await _send_body(dialect.error_status(error), head, body, scope, send)


def _get_base_url(scope: Scope) -> str:
    found: dict[bytes, bytes] = dict(scope["headers"])
    # A proxy before us speaks TLS for us; whoever makes this up only misleads itself.
    scheme = found.get(b"x-forwarded-proto", b"").decode("latin-1").strip().lower()
    if scheme not in ("http", "https"):
        scheme = scope.get("scheme", "http")
    return f"{scheme}://{found.get(b'host', b'127.0.0.1').decode('latin-1')}"


def is_messages_client(headers: Headers) -> bool:
    """Whether a client of the Messages API asks."""
    return any(name == b"anthropic-version" for name, _ in headers)


async def _send_reply(
    reply: Reply, head: Headers, scope: Scope, receive: Receive, send: Send
) -> None:
    if isinstance(reply.body, Stream) and scope["method"] == "HEAD":
        await reply.aclose()
        await _send_body(reply.status, head, b"", scope, send)
    elif isinstance(reply.body, Stream):
        await _send_stream(reply.body, reply.status, head, receive, send)
    else:
        await _send_body(reply.status, head, reply.body, scope, send)


async def _send_body(status: int, head: Headers, body: bytes, scope: Scope, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": head})
    body = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _send_stream(
    stream: Stream, status: int, head: Headers, receive: Receive, send: Send
) -> None:
    """Sends a stream until it ends or the client leaves."""
    loop = asyncio.get_running_loop()
    sending: asyncio.Task[Any] = loop.create_task(_send_chunks(stream, status, head, send))
    watching: asyncio.Task[Any] = loop.create_task(_wait_disconnect(receive))
    try:
        await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        watching.cancel()
        await asyncio.gather(sending, watching, return_exceptions=True)
        await stream.aclose()


async def _send_chunks(stream: Stream, status: int, head: Headers, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": head})
    while chunk := await stream.read():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
