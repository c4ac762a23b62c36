"""The client of one request, as an exchange sees it: what it sent, and the way back to it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from gateway.call import Headers
from gateway.edge.headers import pairs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

CONNECTION = "interlingua.connection"
"""The extension of the ASGI scope under which our server's protocol puts the connection."""
_NONE: dict[str, Any] = {}


class Watched(Protocol):
    """A connection that tells when its client is gone."""

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Calls back once when the client is gone."""

    def unwatch(self, on_gone: Callable[[], None]) -> None:
        """Ends that watch, and no other's."""

    def abort(self) -> None:
        """Closes the socket at once, whatever the client has not read."""


class Client(Watched, Protocol):
    """One request's client: what it sent, and the way back to it."""

    headers: Headers
    method: str
    body: bytes | None
    """The whole body where it is here already; else `receive` has it."""
    keep_alive: bool
    """Whether the connection goes on after the answer."""

    async def receive(self) -> Message:
        """The next message of ASGI: a piece of the body, or that the client is gone."""

    async def answer(self, status: int, head: bytes, body: bytes) -> None:
        """Sends a whole answer; `head` is lines of headers."""

    async def start(self, status: int, head: bytes) -> None:
        """Begins a stream."""

    def put(self, chunk: bytes) -> bool:
        """Takes more of it; False where `drain` is due before the next."""

    async def drain(self) -> None:
        """Waits until the client reads."""

    async def end(self) -> None:
        """Ends it."""


class AsgiClient:
    """A client behind any ASGI server. One task waits for its end where no connection tells it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers: Headers = scope["headers"]
        self.method: str = scope["method"]
        self.body: bytes | None = None
        self.keep_alive = True
        self._chunk = b""
        self._receive = receive
        self._send = send
        self._connection: Watched | None = scope.get("extensions", _NONE).get(CONNECTION)
        self._watcher: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        """The next message of the server."""
        return await self._receive()

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Calls back once when the client is gone; only after the whole body was received."""
        if self._connection is not None:
            self._connection.watch(on_gone)
        else:
            self._watcher = asyncio.get_running_loop().create_task(self._wait(on_gone))

    def unwatch(self, on_gone: Callable[[], None]) -> None:
        """Ends that watch."""
        if self._connection is not None:
            self._connection.unwatch(on_gone)
        elif self._watcher is not None:
            self._watcher.cancel()

    async def _wait(self, on_gone: Callable[[], None]) -> None:
        # After the body, receive() returns only when the client is gone or the answer is complete.
        while (await self._receive())["type"] != "http.disconnect":
            pass
        on_gone()

    async def answer(self, status: int, head: bytes, body: bytes) -> None:
        """Sends a whole answer."""
        await self.start(status, head)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def start(self, status: int, head: bytes) -> None:
        """Begins a stream."""
        headers = pairs(head)
        if not self.keep_alive:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def put(self, chunk: bytes) -> bool:
        """Takes more of it, for `drain` to send: no ASGI server takes anything at once."""
        self._chunk = chunk
        return False

    async def drain(self) -> None:
        """Sends it."""
        await self._send({"type": "http.response.body", "body": self._chunk, "more_body": True})

    async def end(self) -> None:
        """Ends it."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        """Closes the socket where the server lets us."""
        if self._connection is not None:
            self._connection.abort()
