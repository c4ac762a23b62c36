"""The edge: bytes of a client to a Call, the chain's Reply to bytes, and one way out of every call.

Each call is one task, uvicorn's own. Our server's protocol cancels it when the client is gone;
under any other server one watcher on `receive()` does. What is slow on either side (a body that
stops arriving, silence towards the client, a client that stops reading) is seen by the one pulse of
the process, so that no call pays for timers of its own.
"""

import asyncio
from time import monotonic
from typing import Any

import structlog
from msgspec import Raw, Struct

from gateway.call import Call, Headers, Record
from gateway.dialect import Dialect, Fields
from gateway.edge.client import AsgiClient, Client, Receive, Scope, Send
from gateway.edge.headers import error_lines, reply_lines, request_id
from gateway.errors import (
    BodyTimeout,
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    TooLarge,
    Unavailable,
    UpgradeRefused,
)
from gateway.plugin import Next
from gateway.reply import Reply, Stream
from gateway.telemetry.log import log_call
from gateway.telemetry.totals import Totals
from gateway.wire.raw_json import decode, split_object

_log = structlog.get_logger("interlingua")
_TRUE = Raw(b"true")


class Limits(Struct, frozen=True):
    """What a client may take: bytes of a body, and seconds (between its bytes, of not reading)."""

    body: int = 64 * 1024 * 1024
    body_idle: float = 30.0
    write_idle: float = 90.0
    ping: float = 15.0


class Edge:
    """What all endpoints of one gateway share: the chain, the limits, the calls in flight."""

    def __init__(self, chain: Next, limits: Limits) -> None:
        self.chain = chain
        self.limits = limits
        self.open: set[Exchange] = set()
        self.totals = Totals()
        self.draining = False
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop of all calls, once it runs: asking for it costs each call a system call."""

    async def pulse(self, interval: float = 1.0) -> None:
        """Looks after every open call until cancelled."""
        while True:
            await asyncio.sleep(min(interval, self.limits.ping / 4))
            now = monotonic()
            for exchange in list(self.open):
                exchange.beat(now)

    def cut(self) -> None:
        """End every open call with an error in its own dialect: the drain's time is over."""
        for exchange in list(self.open):
            exchange.cut()


class Endpoint:
    """The ASGI application of one dialect's path."""

    def __init__(self, edge: Edge, dialect: Dialect, *, always_stream: bool = False) -> None:
        self._edge = edge
        self._dialect = dialect
        self._always_stream = always_stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.exchange(AsgiClient(scope, receive, send)).serve()

    def exchange(self, client: Client) -> "Exchange":
        """A client's request, still to be served."""
        exchange = Exchange(self._edge, self._dialect, client)
        exchange.always_stream = self._always_stream
        return exchange


class Exchange:
    """One request and what is sent back."""

    def __init__(self, edge: Edge, dialect: Dialect, client: Client) -> None:
        self.edge = edge
        self.dialect = dialect
        self.headers = client.headers
        self.id = request_id(client.headers)
        self.record = Record(monotonic())
        self.always_stream = False
        self.status = 0  # sent to the client; 0 before that
        self.finished = False
        self.streaming = False  # the client asked for a stream
        self._client = client
        self._task: asyncio.Task[Any] | None = None
        self._gone = False
        self._cut = False
        self._sent = b""  # the whole body, while it is read
        self._reading = True
        self._writing = False
        self._pinging: asyncio.Task[None] | None = None
        self._last = self.record.started  # when a byte last came in, or went out

    async def serve(self) -> None:
        """Answer the request, whatever happens, and book it."""
        edge = self.edge
        self._task = asyncio.current_task(edge.loop)
        edge.open.add(self)
        try:
            try:
                await self._answer()
            except GatewayError as error:
                await self._fail(error)
            except Exception as fault:  # noqa: BLE001  # the one place where nothing may escape
                _log.error("fault", request_id=self.id, kind=type(fault).__name__, exc_info=True)
                await self._fail(GatewayError("the gateway failed; its log has the details"))
        except asyncio.CancelledError:
            await self._cancelled()
        finally:
            edge.open.discard(self)
            self.finished = True
            self.record_call()

    async def _answer(self) -> None:
        client = self._client
        if self.edge.draining:
            raise Unavailable("the gateway is shutting down; send the request again")
        if client.method != "POST":
            raise refused_method(client.method, client.headers)
        body = client.body
        if body is None:
            body = await self._body()
        elif len(body) > self.edge.limits.body:
            raise _too_large(self.edge.limits.body)
        self._reading = False
        client.body = None
        leave = self._leave
        client.watch(leave)
        try:
            answering = self.edge.chain(self._read_call(body))
            # A stream may be long: nothing here keeps what the client sent until its end.
            self._sent = body = b""
            reply = await answering
            if isinstance(reply.body, Stream):
                await self._respond_stream(reply, reply.body)
            else:
                await self._respond(reply, reply.body)
        finally:
            self.finished = True
            client.unwatch(leave)

    async def _body(self) -> bytes:
        limit = self.edge.limits.body
        for name, value in self.headers:
            if name == b"content-length" and int(value) > limit:
                raise _too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._client.receive()
            if message["type"] == "http.disconnect":
                self._gone = True
                raise asyncio.CancelledError
            self._last = monotonic()
            pieces.append(message["body"])
            size += len(pieces[-1])
            if size > limit:
                raise _too_large(limit)
            if not message.get("more_body"):
                return b"".join(pieces)

    def _read_call(self, body: bytes) -> Call:
        self._sent = body
        try:
            call = self._checked(split_object(body))
        except UnicodeDecodeError:
            raise InvalidRequest(f"the request body is not UTF-8{_place(body)}") from None
        self.streaming = call.stream
        return call

    def _checked(self, fields: Fields) -> Call:
        self.dialect.check(fields)
        if self.always_stream:
            fields["stream"] = _TRUE
        stream = "stream" in fields and bytes(fields["stream"]) == b"true"
        # A batch may leave it to its items to name one.
        model = decode(fields["model"], str) if "model" in fields else ""
        return Call(
            self.id, self.dialect, model, stream, fields, self.headers, self.record,
            body=self._sent,
        )  # fmt: skip

    def _leave(self) -> None:
        """The client is gone: nobody waits for what the call still does."""
        if not self.finished:
            self._abandon()

    def _abandon(self) -> None:
        if self._task is not None:
            self._gone = True
            self._task.cancel()

    async def _respond(self, reply: Reply, body: bytes) -> None:
        if self.status:  # a stream was opened to show life: the answer must go in-band
            error = reply.error or GatewayError(
                "the answer came in a form that no stream can carry"
            )
            await self._write_last(self.dialect.write_error_event(error, self.id))
            self._close("upstream_error", error)
        else:
            await self._whole(reply.status, reply_lines(self.id, self.record, reply), body)
            self._close("upstream_error" if reply.error else "complete", reply.error)

    async def _respond_stream(self, reply: Reply, stream: Stream) -> None:
        try:
            # The head waits for the first chunk: until then a fault can still be a status.
            chunk = await stream.read()
            if not self.status:
                await self._start(reply.status, reply_lines(self.id, self.record, reply))
            read, put = stream.read, self._client.put
            while chunk:
                if not put(chunk):
                    await self._drain()
                self._last = monotonic()
                chunk = await read()
            await self._client.end()
            self._close("upstream_error" if reply.error else "complete", reply.error)
        finally:
            await stream.aclose()

    async def _fail(self, error: GatewayError) -> None:
        """Tell the client, before the first byte as a status and after it in-band."""
        self._close("rejected" if error.status < 500 else "upstream_error", error)
        if self.status:
            if self.streaming:
                tell = self.record.tell
                event = tell(error) if tell else self.dialect.write_error_event(error, self.id)
                await self._write_last(event)
            else:  # nothing can be told, but a part must not look like the whole
                self._client.abort()
            return
        body = self.dialect.write_error(error, self.id)
        head = error_lines(self.id, self.record, error, len(body))
        if self._reading:
            # The rest of the body is still on its way: this connection cannot be used again.
            self._client.keep_alive = False
        await self._whole(self.dialect.error_status(error), head, body)

    async def _cancelled(self) -> None:
        if self._task is not None and (self._gone or self._cut):
            self._task.uncancel()
        if self._gone:
            self._close("client_gone", None)
        elif self._cut:
            await self._fail(_cut_error(self._reading))
            self.record.end = "drained" if not self._reading else "rejected"
        else:
            self._close("drained", None)
            raise asyncio.CancelledError

    def record_call(self) -> None:
        """Adds the ended call to the totals and the log."""
        name, record = self.dialect.name, self.record
        self.edge.totals.record_call(self.id, name, record, self.status, streamed=self.streaming)
        log_call(self.id, name, record, self.status)

    def cut(self) -> None:
        """End the call now, with an error the client can read."""
        if not self.finished and self._task is not None and not self._gone:
            self._cut = True
            self._task.cancel()

    def beat(self, now: float) -> None:
        """Called about every second: pings a silent stream, ends a stuck client."""
        limits, quiet = self.edge.limits, now - self._last
        if self._writing:
            if quiet > limits.write_idle:
                self._client.abort()
                self._abandon()  # it may be finished but for its last words
        elif self.finished:
            return
        elif self._reading:
            if quiet > limits.body_idle:
                self.cut()
        elif self._pinging is not None and not self._pinging.done():
            pass  # the last ping still waits for the client to read
        elif self.streaming and quiet >= limits.ping:
            # In a task of its own: a client that does not read must not hold up the pulse.
            self._pinging = asyncio.get_running_loop().create_task(self._ping())

    async def _ping(self) -> None:
        if self.finished or self._writing:
            return  # since this was due the answer came
        if not self.status:
            # No answer yet: from here on an error can only be told in-band.
            await self._start(200, reply_lines(self.id, self.record, None))
        await self._write(self.dialect.ping)

    async def _whole(self, status: int, head: bytes, body: bytes) -> None:
        self.status = status
        self._writing = True
        await self._client.answer(status, head, body)
        self._writing = False

    async def _start(self, status: int, head: bytes) -> None:
        self.status = status
        await self._client.start(status, head)

    async def _write(self, chunk: bytes) -> None:
        if not self._client.put(chunk):
            await self._drain()
        self._last = monotonic()

    async def _drain(self) -> None:
        self._writing = True
        await self._client.drain()
        self._writing = False

    async def _write_last(self, chunk: bytes) -> None:
        await self._write(chunk)
        await self._client.end()

    def _close(self, end: str, error: GatewayError | None) -> None:
        record = self.record
        record.end = end
        if error is not None:
            record.error = f"{error.kind}: {error.message}"


def refused_method(method: str, headers: Headers) -> GatewayError:
    """Why a path does not take that method; Codex tries a WebSocket first and obeys a 426 alone."""
    for name, value in headers:
        if name == b"upgrade" and value.lower() == b"websocket":
            return UpgradeRefused("this gateway speaks no WebSocket; use POST")
    return MethodNotAllowed(f"{method} is not allowed here; use POST")


def _place(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as bad:
        return f" at byte {bad.start}"
    return ""


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request body is larger than {limit} bytes, the limit of this gateway")


def _cut_error(reading: bool) -> GatewayError:
    if reading:
        return BodyTimeout("the request body stopped arriving")
    return Unavailable("the gateway is shutting down and could not finish this answer")
