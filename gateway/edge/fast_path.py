"""The short way of most calls: a request that comes at once, its answer without ASGI between.

uvicorn makes a scope, an event and a task with its callbacks for each request, and looks each
header of the answer over twice: a third of what a small call costs. A request for an endpoint of
ours needs none of that where its body is here with its head, or is soon. Every other request goes
uvicorn's way, and both ways end in the same Exchange.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.call import Headers
from gateway.edge.client import Message
from gateway.edge.exchange import Endpoint
from gateway.edge.http_limits import LimitedProtocol

_JOIN = 16 * 1024
"""Bytes up to which one copy is cheaper than a second buffer in the system call."""
PATIENCE = 1.0
"""Seconds that the rest of a body may take; the long way waits longer, and tells when it stops."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a body that may come in several reads; a larger one is read the long way."""


class FastPathProtocol(LimitedProtocol):
    """The protocol of our server; `before` makes the class for a gateway's endpoints."""

    endpoints: ClassVar[Mapping[bytes, Endpoint]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._endpoint: Endpoint | None = None  # of the request that is arriving, on the short way
        self._pieces: list[bytes] = []
        self._waiting: asyncio.TimerHandle | None = None  # for the rest of its body
        self._idle_since = 0.0

    @classmethod
    def before(cls, endpoints: Mapping[str, Endpoint]) -> "type[FastPathProtocol]":
        """A protocol that knows these paths by heart."""
        known = {path.encode(): endpoint for path, endpoint in endpoints.items()}
        return type("Front", (cls,), {"endpoints": known})

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; waits a little for the rest of a body that says how long it is."""
        super().data_received(data)
        if self._endpoint is None or self._waiting is not None or self.transport.is_closing():
            return
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if lengths and int(lengths[0]) <= LARGEST:
            self._waiting = self.loop.call_later(PATIENCE, self._fall_back_to_asgi)
        else:
            self._fall_back_to_asgi()

    def _fall_back_to_asgi(self) -> None:
        """The way of uvicorn, for a request whose body is still on its way."""
        self._stop_waiting()
        if self._endpoint is None:
            return
        self._endpoint = None
        pieces, self._pieces = self._pieces, []
        super().accept()
        for piece in pieces:
            super().on_body(piece)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def shutdown(self) -> None:
        """The drain: a request that is arriving gets an answer too."""
        self._fall_back_to_asgi()
        super().shutdown()

    def accept(self) -> None:
        """Finds the endpoint of a sound head."""
        endpoint = self.endpoints.get(self.url)
        if endpoint is None and b"?" in self.url:
            endpoint = self.endpoints.get(self.url.partition(b"?")[0])
        if endpoint is None or not self._plain():
            super().accept()
        else:
            self._endpoint = endpoint

    def _plain(self) -> bool:
        """Whether nothing about the request needs more than a body and an answer."""
        parser, before = self.parser, self.cycle
        return (
            parser.get_method() == b"POST"
            and (before is None or before.response_complete)
            and not self.pipeline
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
        )

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._endpoint is not None:
            self._pieces.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: its exchange begins."""
        endpoint = self._endpoint
        if endpoint is None:
            super().on_message_complete()
            return
        self._endpoint = None
        self._stop_waiting()
        pieces, self._pieces = self._pieces, []
        self._in_head = True
        client = FrontClient(self, pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self.cycle = client  # type: ignore[assignment]  # it has all that uvicorn asks of one
        self.loop.create_task(endpoint.exchange(client).serve())

    def head(self, status: int, keep_alive: bool) -> bytes:
        """The status line and the server's own headers."""
        own = self.server_state.default_headers
        if own is not _Own.headers:  # uvicorn makes them anew each second
            _Own.headers = own
            _Own.lines = b"".join([b"%b: %b\r\n" % header for header in own])
        end = b"" if keep_alive else b"connection: close\r\n"
        return STATUS_LINE[status] + _Own.lines + end

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timers too."""
        self._fall_back_to_asgi()  # which tells of a client that left within its body
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()

    # --- one timer a connection, not one a request ------------------------------------------------

    def on_response_complete(self) -> None:
        """The next request may come; without one, the connection ends in its time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._rest(self.timeout_keep_alive)

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._rested)

    def _rested(self) -> None:
        self.timeout_keep_alive_task = None
        cycle = self.cycle
        if self.transport.is_closing() or (cycle is not None and not cycle.response_complete):
            return  # the answer under way sets the next timer
        if self._endpoint is not None or self._head_bytes:
            self._rest(
                self.timeout_keep_alive
            )  # a request is arriving, under a deadline of its own
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._rest(left)
        else:
            self.transport.close()

    def _unset_keepalive_if_required(self) -> None:
        if self.transport.is_closing():
            super()._unset_keepalive_if_required()


class _Own:
    headers: Headers = []
    lines = b""


class _Deaf:
    def set(self) -> None:
        """Nobody waits: the body was here before the exchange began."""


class FrontClient:
    """One request's client on its own connection; uvicorn takes it for its request's cycle."""

    __slots__ = (
        "_front", "_head", "_transport", "body", "disconnected", "headers", "keep_alive",
        "response_complete",
    )  # fmt: skip

    method = "POST"
    message_event = _Deaf()

    def __init__(self, front: FastPathProtocol, body: bytes) -> None:
        self._front = front
        self._transport = front.transport
        self._head = b""
        self.headers: Headers = front.headers
        self.body: bytes | None = body
        self.keep_alive: bool = front.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False

    async def receive(self) -> Message:
        """Nothing is left to receive."""
        raise NotImplementedError

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Calls back once when the client is gone."""
        self._front.watch(on_gone)

    def unwatch(self, on_gone: Callable[[], None]) -> None:
        """Ends that watch."""
        self._front.unwatch(on_gone)

    def abort(self) -> None:
        """Closes the socket at once."""
        self._transport.abort()

    async def answer(self, status: int, head: bytes, body: bytes) -> None:
        """Sends a whole answer in one piece."""
        if self.disconnected:
            return
        start = self._front.head(status, self.keep_alive) + head + b"\r\n"
        if len(body) < _JOIN:
            self._transport.write(start + body)
        else:
            self._transport.writelines((start, body))
        self._complete()

    async def start(self, status: int, head: bytes) -> None:
        """Keeps the head for the first chunk, which is there or soon will be."""
        start = self._front.head(status, self.keep_alive)
        self._head = start + head + b"transfer-encoding: chunked\r\n\r\n"

    def put(self, chunk: bytes) -> bool:
        """Sends more of a stream; False while the client does not read."""
        if self.disconnected or not chunk:
            return True
        if self._head:
            self._transport.write(b"%b%x\r\n%b\r\n" % (self._head, len(chunk), chunk))
            self._head = b""
        else:
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return not self._front.flow.write_paused

    async def drain(self) -> None:
        """Waits until the client reads."""
        await self._front.flow.drain()

    async def end(self) -> None:
        """Ends the stream."""
        if not self.disconnected:
            self._transport.write(self._head + b"0\r\n\r\n")
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        if not self.keep_alive:
            self._transport.close()
        self._front.on_response_complete()
