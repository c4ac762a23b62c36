"""The engine of the hot path: HTTP/1.1 to one origin over a pool of kept connections."""

import asyncio
import socket
import ssl
import time
from collections import OrderedDict, deque
from contextlib import suppress
from functools import cache
from math import inf

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import BadAnswer, InvalidRequest, Unavailable, Unreachable, UpstreamTimeout
from gateway.reply import Source
from providers.transport.connection import Connection
from providers.transport.decode import (
    InflatedSource,
    can_decode,
    drop_encoding_headers,
    get_content_encoding,
)
from providers.transport.dial import open_connection
from providers.transport.engine import (
    EngineStats,
    Request,
    Response,
    check_target,
    parse_base_url,
    pool_timeout,
    render_headers,
)
from providers.transport.response_body import ResponseBody

_METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS")
_BODILESS_METHODS = frozenset([b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
_PEEK_AFTER = 1.0  # seconds idle before the socket is asked whether it is still open


def _make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


@cache
def _get_public_tls_context() -> ssl.SSLContext:
    return _make_tls_context(None)  # slow to load, and the same for every origin


class PooledEngine:
    """Connections to one origin: the one used last is used first, at most so many at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: str | None = None,
        max_connections: int = 1000,
        keepalive: float = 55.0,
    ) -> None:
        self._base_url = parse_base_url(base_url)
        self.origin = self._base_url.origin
        self._tls: ssl.SSLContext | None = None
        if self._base_url.tls:
            self._tls = _make_tls_context(ca_file) if ca_file else _get_public_tls_context()
        self._max_connections = max_connections
        self._keepalive = keepalive
        host = b" HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\n"
        self._request_line_end = host % self._base_url.authority.encode()
        self._request_line_starts = {
            method: method + b" " + self._base_url.path for method in _METHODS
        }
        self._idle: OrderedDict[Connection, None] = OrderedDict()  # the last is the freshest
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dialing_count = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._open_sockets: set[Connection] = set()
        self._drained: asyncio.Future[None] | None = None
        self._closed = False

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        """The answer once its head is whole."""
        wire = self._render_request(request)
        loop = self._loop
        if loop is None:  # asked for once: each time costs a system call
            loop = self._loop = asyncio.get_running_loop()
        now = loop.time()
        total_due = now + timeouts.total if timeouts.total else inf
        connect = queued = 0.0
        connection = self._take_idle(now)
        if connection is None:
            began = time.monotonic()  # a loop's own clock may be a coarse one
            connection = await self._acquire_connection(timeouts, total_due)
            connect = 0.0 if connection.used else connection.connect
            queued = time.monotonic() - began - connect
        exchange = connection.send_request(wire, timeouts, total_due)
        await exchange.wait_for_head()
        headers: Headers = exchange.headers
        body: Source = exchange
        if exchange.encoded:
            headers, body = self._decode_body(exchange)
        return Response(exchange.status, headers, body, connect, queued)

    async def aclose(self) -> None:
        """Close every connection and wait until each socket is closed."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(Unavailable("the gateway closes this upstream's connections"))
        for connection in list(self._connections):
            connection.fail_request(Unavailable("the gateway closes this upstream's connections"))
        while self._open_sockets:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def stats(self) -> EngineStats:
        """What is open now."""
        taken = len(self._connections) + self._dialing_count
        return EngineStats(taken, len(self._idle), taken - len(self._idle))

    # -- what a connection says

    def on_socket_closed(self, connection: Connection) -> None:
        """Its socket is closed."""
        self._open_sockets.discard(connection)
        if not self._open_sockets and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def release_connection(self, connection: Connection) -> None:
        """It goes to whoever waits longest, else to rest."""
        if not self._hand_over(connection):
            self._idle[connection] = None
            oldest = next(iter(self._idle))
            if connection.idle_since - oldest.idle_since > self._keepalive:
                oldest.abort()

    def discard_connection(self, connection: Connection) -> None:
        """Its place is free."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._idle.pop(connection, None)
            self._offer_place()

    # -- inside

    def _render_request(self, request: Request) -> tuple[bytes, bytes]:
        start = self._request_line_starts.get(request.method)
        if start is None:
            raise InvalidRequest("the upstream's method is not one")
        body = request.body
        end = b"\r\n"
        if body or request.method not in _BODILESS_METHODS:
            end = b"content-length: %d\r\n\r\n" % len(body)
        extra = render_headers(request.headers) if request.headers else b""
        head = (
            start
            + check_target(request.target)
            + self._request_line_end
            + request.header_block
            + extra
            + end
        )
        return head, body

    def _decode_body(self, exchange: ResponseBody) -> tuple[Headers, Source]:
        kind = get_content_encoding(exchange.headers)
        if not kind:
            return exchange.headers, exchange
        if not can_decode(kind):
            exchange.abort()
            what = kind.decode("latin-1")
            raise BadAnswer(f"{self.origin} sent an encoding that was not asked for: {what!r}")
        return drop_encoding_headers(exchange.headers), InflatedSource(exchange, self.origin)

    def _take_idle(self, now: float) -> Connection | None:
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            rest = now - connection.idle_since
            fresh = rest <= self._keepalive and connection.is_usable()
            if fresh and (rest < _PEEK_AFTER or self._is_silent(connection)):
                return connection
            connection.abort()
        return None

    def _is_silent(self, connection: Connection) -> bool:
        """Whether nothing, not even an end, waits to be read."""
        if self._tls is not None:
            return True  # what waits may be no more than a session ticket
        peek = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, connection.get_socket_fd())
        try:
            peek.setblocking(False)
            peek.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            peek.detach()
        return False

    async def _acquire_connection(self, timeouts: Timeouts, total_due: float) -> Connection:
        while not self._closed:
            if (
                len(self._connections) + self._dialing_count < self._max_connections
                and not self._waiters
            ):
                self._dialing_count += 1
                return await self._open_connection(timeouts, total_due)
            got = await self._wait_for_connection(timeouts, total_due)
            if got is None:
                return await self._open_connection(timeouts, total_due)
            if got.is_usable():
                return got
            got.abort()
        raise Unavailable("this upstream's connections are closed")

    async def _open_connection(self, timeouts: Timeouts, total_due: float) -> Connection:
        """A new connection in a place that `_dialing` counts already."""
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        due = min(loop.time() + (timeouts.connect or inf), total_due)
        connection = None
        try:
            async with asyncio.timeout_at(due if due < inf else None):
                connection = await open_connection(
                    self._base_url, self._tls, lambda: Connection(self, loop)
                )
            connection.connect = time.monotonic() - began
        except TimeoutError:
            if due == total_due:
                raise UpstreamTimeout("total", timeouts.total) from None
            raise UpstreamTimeout("connect", timeouts.connect) from None
        finally:
            self._dialing_count -= 1
            if connection is None or not connection.is_usable() or self._closed:
                self._offer_place()
            else:
                self._connections.add(connection)
                self._open_sockets.add(connection)
        if connection not in self._connections:
            connection.abort()
            if self._closed:
                raise Unavailable("this upstream's connections are closed")
            raise Unreachable(f"{self.origin} closed a new connection at once")
        return connection

    async def _wait_for_connection(self, timeouts: Timeouts, total_due: float) -> Connection | None:
        """A connection, or None for a place to make one in, which `_dialing` counts already."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        due = min(loop.time() + (timeouts.pool or inf), total_due)
        try:
            async with asyncio.timeout_at(due if due < inf else None):
                return await waiter
        except TimeoutError:
            self._stop_waiting(waiter)
            if due == total_due:
                raise UpstreamTimeout("total", timeouts.total) from None
            raise pool_timeout(self.origin, timeouts.pool) from None
        except BaseException:
            self._stop_waiting(waiter)
            raise

    def _stop_waiting(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Stops waiting; what was handed over in the same moment is handed on."""
        if waiter.cancelled() or not waiter.done():
            with suppress(ValueError):
                self._waiters.remove(waiter)
        elif waiter.exception() is None:
            place = waiter.result()
            if place is None:
                self._dialing_count -= 1
                self._offer_place()
            elif not place.closed:
                self.release_connection(place)

    def _hand_over(self, place: Connection | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(place)
                return True
        return False

    def _offer_place(self) -> None:
        if self._waiters and len(self._connections) + self._dialing_count < self._max_connections:
            self._dialing_count += 1
            if not self._hand_over(None):
                self._dialing_count -= 1
