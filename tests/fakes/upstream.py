"""A scripted upstream: what it sends, byte for byte and pause for pause, and what it saw.

    async with ScriptedUpstream([Head(200), Chunk(b"hi"), Stall()]) as up: ...

A script is a list of steps or `async (exchange) -> None`; a step is callable the same way. With
several scripts each request takes the next and the last one repeats; `select(request)` picks by
request. A connection stays open after a script unless the script closed it.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from tests.fakes.certificate import Certificate, make_certificate
from tests.fakes.steps import (
    SSE,
    Chunk,
    Close,
    Dribble,
    HalfClose,
    Head,
    Header,
    Json,
    Pause,
    ReceivedRequest,
    Reset,
    Script,
    ScriptExchange,
    Send,
    Stall,
    Step,
    WaitFor,
)

__all__ = [
    "SSE",
    "Certificate",
    "Chunk",
    "Close",
    "ClosedConnection",
    "Dribble",
    "HalfClose",
    "Head",
    "Header",
    "Json",
    "Pause",
    "ReceivedRequest",
    "Reset",
    "Script",
    "ScriptExchange",
    "ScriptedUpstream",
    "Send",
    "Stall",
    "Step",
    "WaitFor",
    "make_certificate",
]


@dataclass
class ClosedConnection:
    """One connection's end: when its peer sent FIN, and when the socket was gone, monotonic."""

    connection: int
    eof_at: float | None
    closed_at: float
    error: Exception | None


class ScriptedUpstream:
    """A server on a free port of 127.0.0.1 that answers by script."""

    def __init__(
        self,
        *scripts: Script,
        select: Callable[[ReceivedRequest], Script] | None = None,
        tls: Certificate | None = None,
        seconds: float = 20.0,
        send_buffer: int | None = None,
    ) -> None:
        self._scripts = list(scripts) or [Json()]
        self._select = select
        self._tls = tls
        self._seconds = seconds
        self._send_buffer = send_buffer
        self._server: asyncio.Server | None = None
        self._connections: set[_UpstreamConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self.requests: list[ReceivedRequest] = []
        self.closed_connections: list[ClosedConnection] = []
        self.accepted_count = 0
        self.written_bytes = 0
        """Bytes given to the transports; what a script could not yet give is not in it."""
        self.port = 0

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """Connections whose peer has not closed them."""
        return sum(not connection.peer_left.is_set() for connection in self._connections)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        context = self._tls.make_server_context() if self._tls else None
        self._server = await loop.create_server(
            lambda: _UpstreamConnection(self), "127.0.0.1", self.port, ssl=context, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hang_up()
        if self._errors and kind is None:
            raise self._errors[0]

    async def hang_up(self) -> None:
        """Closes every connection at once and waits until the sockets are gone."""
        for connection in list(self._connections):
            connection.transport.abort()
        for connection in list(self._connections):
            await connection.socket_closed.wait()

    def close_idle(self) -> None:
        """FIN on every connection that has no script running."""
        for connection in list(self._connections):
            if connection.task is None:
                connection.transport.close()

    def start_script(
        self, connection: "_UpstreamConnection", request: ReceivedRequest
    ) -> "asyncio.Task[None]":
        """Runs the script of a request."""
        if self._select is not None:
            script = self._select(request)
        else:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        task = connection.loop.create_task(self._run_script(connection, request, script))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_script(
        self, connection: "_UpstreamConnection", request: ReceivedRequest, script: Script
    ) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await ScriptExchange(request, connection).run_script(script)
        except ConnectionError:
            pass  # the peer left before the script was through
        except Exception as error:  # noqa: BLE001 - an assertion in a script fails the test
            self._errors.append(error)
        finally:
            connection.start_next_request()


class _UpstreamConnection(asyncio.Protocol):
    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.loop = asyncio.get_running_loop()
        self.transport = cast(asyncio.Transport, None)
        self.peer_left = asyncio.Event()
        self.socket_closed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._eof_at: float | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.upstream.accepted_count += 1
        self.number = self.upstream.accepted_count
        self.upstream._connections.add(self)
        if self.upstream._send_buffer:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.upstream._send_buffer)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.task is None:
            self._parse_request()

    def eof_received(self) -> bool:
        self._eof_at = time.monotonic()
        self.peer_left.set()
        self._writable.set()
        return self.task is not None and self.upstream._tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        end = ClosedConnection(self.number, self._eof_at, time.monotonic(), exc)
        self.upstream.closed_connections.append(end)
        self.upstream._connections.discard(self)
        self.peer_left.set()
        self._writable.set()
        self.socket_closed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def send(self, data: bytes) -> None:
        await self._writable.wait()
        if self.socket_closed.is_set() or self.transport.is_closing():
            raise ConnectionResetError
        self.upstream.written_bytes += len(data)
        self.transport.write(data)
        await self._writable.wait()

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def start_next_request(self) -> None:
        """The script is through; answer what came meanwhile."""
        self.task = None
        if self._eof_at is not None:
            self.transport.close()
        elif not self.socket_closed.is_set():
            self._parse_request()

    def _parse_request(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        first, *others = head.split(b"\r\n")
        method, path, _ = first.decode("latin-1").split(" ", 2)
        pairs = [line.partition(b":") for line in others]
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        length = int(dict(headers).get(b"content-length", b"0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        request = ReceivedRequest(
            method, path, headers, rest[:length], self.number, time.monotonic()
        )
        self.task = self.upstream.start_script(self, request)
