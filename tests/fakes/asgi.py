"""A client that drives an ASGI application by hand: it can wait, stop reading and hang up."""

import asyncio
from typing import Any

import msgspec

from gateway.call import Headers
from gateway.edge.client import Message, Scope


class AsgiTestRequest:
    """One request to an ASGI application."""

    def __init__(
        self,
        app: Any,
        body: bytes | dict[str, Any] = b"",
        *,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        headers: Headers | None = None,
        more: bool = False,
    ) -> None:
        self.sent: list[Message] = []
        self.readable = asyncio.Event()
        self.readable.set()
        self._app = app
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._changed = asyncio.Condition()
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.feed(data, more=more)
        self.scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers or [],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 1),
            "client": ("127.0.0.1", 2),
            "root_path": "",
        }
        self.task: asyncio.Task[None] | None = None

    def start(self) -> "AsgiTestRequest":
        """Sends the request; the application runs from now on."""
        run = self._app(self.scope, self._receive, self._send)
        self.task = asyncio.get_running_loop().create_task(run)
        return self

    def feed(self, data: bytes, *, more: bool = False) -> None:
        """Another piece of the request's body."""
        self._incoming.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def hang_up(self) -> None:
        """The client is gone."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def wait_done(self, seconds: float = 5) -> "AsgiTestRequest":
        """Waits until the application has returned."""
        assert self.task is not None
        async with asyncio.timeout(seconds):
            await self.task
        return self

    async def wait_until_sent(self, piece: bytes, seconds: float = 5) -> None:
        """Waits until the body so far holds a piece."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: piece in self.body)

    @property
    def has_started(self) -> bool:
        return bool(self.sent)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    def json(self) -> Any:
        """The body decoded."""
        return msgspec.json.decode(self.body)

    async def _receive(self) -> Message:
        return await self._incoming.get()

    async def _send(self, message: Message) -> None:
        await self.readable.wait()
        self.sent.append(message)
        async with self._changed:
            self._changed.notify_all()
