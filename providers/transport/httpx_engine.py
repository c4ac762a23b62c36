"""The engine for HTTP/2, proxies and client certificates, on httpx2's transport layer.

The transport layer and not its client: that one adds headers, keeps cookies and reads the
environment. Its pool is slow with many connections, so the hot path has its own engine.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from importlib.util import find_spec
from math import inf
from typing import cast

import httpx2

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import BadAnswer, Cut, GatewayError, Unavailable, Unreachable, UpstreamTimeout
from gateway.reply import Source
from providers.transport.decode import (
    InflatedSource,
    can_decode,
    drop_encoding_headers,
    get_content_encoding,
)
from providers.transport.engine import (
    MAX_HEAD_BYTES,
    MAX_HEADER_COUNT,
    EngineOptions,
    EngineStats,
    Request,
    Response,
    check_target,
    parse_base_url,
    parse_header_block,
    pool_timeout,
    render_headers,
)

_CLOCK_RESOLUTION = 0.002  # a loop's clock may be coarse, and its timers early by as much

_FaultMaker = Callable[[str, Timeouts], GatewayError]

_FAULT_MAKERS: tuple[tuple[type[Exception], _FaultMaker], ...] = (
    (httpx2.ConnectTimeout, lambda _, limits: UpstreamTimeout("connect", limits.connect)),
    (httpx2.PoolTimeout, lambda origin, limits: pool_timeout(origin, limits.pool)),
    (httpx2.ConnectError, lambda origin, _: Unreachable(f"cannot connect to {origin}")),
    (httpx2.ProxyError, lambda origin, _: Unreachable(f"the proxy did not connect to {origin}")),
    (httpx2.NetworkError, lambda origin, _: Cut(f"{origin} hung up before its answer was whole")),
    (httpx2.TransportError, lambda origin, _: BadAnswer(f"{origin} sent bytes that are no answer")),
)


class HttpxEngine:
    """Connections to one origin, kept by httpx2."""

    def __init__(self, base_url: str, how: EngineOptions) -> None:
        if how.http2 and find_spec("h2") is None:
            raise ValueError('http2 needs the package "h2"')
        self._base_url = parse_base_url(base_url)
        self._url = httpx2.URL(base_url)
        context = ssl.create_default_context(cafile=how.ca_file)
        if how.client_cert:
            context.load_cert_chain(how.client_cert)
        limits = httpx2.Limits(
            max_connections=how.max_connections,
            max_keepalive_connections=how.max_connections,
            keepalive_expiry=how.keepalive,
        )
        self._transport = httpx2.AsyncHTTPTransport(
            verify=context, trust_env=False, http2=how.http2, limits=limits, proxy=how.proxy
        )
        self._bodies: set[_HttpxBody] = set()
        self._closed = False

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        """The answer once its head is whole."""
        watch = _RequestTimer(timeouts)
        sent = self._make_request(request, watch)
        if self._closed:
            raise Unavailable("this upstream's connections are closed")
        try:
            async with watch.limit_until(inf) as watch.scope:
                answer = await self._transport.handle_async_request(sent)
        except TimeoutError:
            raise watch.make_timeout("first_byte", timeouts.first_byte) from None
        except httpx2.HTTPError as exc:
            raise _make_fault(exc, self._base_url.origin, watch, begun=False) from None
        body = _HttpxBody(answer, watch, self._base_url.origin, self._bodies)
        self._bodies.add(body)
        headers = [(name.lower(), value) for name, value in answer.headers.raw]
        try:
            headers, source = self._decode_body(headers, body)
        except BadAnswer:
            await body.aclose()
            raise
        return Response(answer.status_code, headers, source, watch.connect, watch.queued)

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""
        self._closed = True
        for body in list(self._bodies):
            await body.aclose()
        await self._transport.aclose()

    def stats(self) -> EngineStats:
        """What is open now."""
        connections = self._transport._pool.connections  # httpx2 has no public way to it
        idle = sum(connection.is_idle() for connection in connections)
        return EngineStats(len(connections), idle, len(connections) - idle)

    def _make_request(self, request: Request, watch: "_RequestTimer") -> httpx2.Request:
        render_headers(request.headers)
        timeouts = watch.timeouts
        waits = {"connect": timeouts.connect or None, "pool": timeouts.pool or None}
        return httpx2.Request(
            request.method.decode("ascii"),
            self._url.copy_with(raw_path=self._base_url.path + check_target(request.target)),
            headers=[
                (b"accept-encoding", b"identity"),
                *parse_header_block(request.header_block),
                *request.headers,
            ],
            content=request.body,
            extensions={"timeout": waits, "trace": watch.on_trace_event},
        )

    def _decode_body(self, headers: Headers, body: "_HttpxBody") -> tuple[Headers, Source]:
        origin = self._base_url.origin
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if len(headers) > MAX_HEADER_COUNT or size > MAX_HEAD_BYTES:
            raise BadAnswer(f"{origin} sent a head over the limits")
        kind = get_content_encoding(headers)
        if not kind:
            return headers, body
        if not can_decode(kind):
            what = kind.decode("latin-1")
            raise BadAnswer(f"{origin} sent an encoding that was not asked for: {what!r}")
        return drop_encoding_headers(headers), InflatedSource(body, origin)


class _RequestTimer:
    """The clocks of one exchange."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.scope: asyncio.Timeout | None = None
        self.connect = 0.0
        self.queued = 0.0
        self._loop = asyncio.get_running_loop()
        self._total_due = self._loop.time() + (timeouts.total or inf)
        self._began_at = time.monotonic()
        self._dialled_at = 0.0
        self._stream: object = None

    def limit_until(self, due: float) -> asyncio.Timeout:
        """A scope up to a moment, or up to the total."""
        due = min(due, self._total_due)
        return asyncio.timeout_at(due if due < inf else None)

    def limit_idle(self) -> asyncio.Timeout:
        """A scope for one read of a body."""
        return self.limit_until(self._loop.time() + (self.timeouts.idle or inf))

    def make_timeout(self, which: str, seconds: float) -> UpstreamTimeout:
        """Which of the two it was."""
        if self._loop.time() + _CLOCK_RESOLUTION >= self._total_due:
            return UpstreamTimeout("total", self.timeouts.total)
        return UpstreamTimeout(which, seconds)

    async def on_trace_event(self, name: str, info: dict[str, object]) -> None:
        """What the transport is doing: its own timeouts cannot tell these phases apart."""
        now = time.monotonic()
        step = name.partition(".")[2]
        if step == "connect_tcp.started":
            self._dialled_at = now
            self.queued = now - self._began_at
        elif step in ("connect_tcp.complete", "start_tls.complete"):
            self.connect = now - self._dialled_at
            self._stream = info["return_value"]
        elif step == "start_tls.failed" and self._stream is not None:
            await cast(httpx2.AsyncByteStream, self._stream).aclose()  # left open when cancelled
        elif step == "send_request_headers.started" and not self._dialled_at:
            self.queued = now - self._began_at
        elif step == "send_request_body.complete" and self.scope is not None:
            due = min(self._loop.time() + (self.timeouts.first_byte or inf), self._total_due)
            self.scope.reschedule(due if due < inf else None)


class _HttpxBody:
    """The Source of one answer's body."""

    __slots__ = ("_answer", "_chunks", "_error", "_open_bodies", "_origin", "_over", "_timer")

    def __init__(
        self, answer: httpx2.Response, watch: _RequestTimer, origin: str, kept: "set[_HttpxBody]"
    ) -> None:
        self._answer = answer
        stream = cast(httpx2.AsyncByteStream, answer.stream)
        self._chunks = cast(AsyncGenerator[bytes, None], stream.__aiter__())
        self._timer = watch
        self._origin = origin
        self._open_bodies = kept
        self._over = False
        self._error: GatewayError | None = None

    async def read(self) -> bytes:
        """The next chunk; empty at the end."""
        while not self._over:
            try:
                async with self._timer.limit_idle():
                    chunk = await anext(self._chunks, b"")
            except TimeoutError:
                self._error = self._timer.make_timeout("idle", self._timer.timeouts.idle)
            except httpx2.HTTPError as exc:
                self._error = _make_fault(exc, self._origin, self._timer, begun=True)
            except BaseException:  # cancelled: nobody will take the rest
                await self.aclose()
                raise
            else:
                if chunk:
                    return chunk
            await self._end_body()
        if self._error is not None:
            raise self._error
        return b""

    async def aclose(self) -> None:
        """Hang up unless the answer is whole."""
        if not self._over:
            self._error = Cut("the answer was closed here before its end")
            await self._end_body()

    async def _end_body(self) -> None:
        self._over = True
        self._open_bodies.discard(self)
        await self._chunks.aclose()
        await self._answer.stream.aclose()  # type: ignore[union-attr]


def _make_fault(exc: Exception, origin: str, watch: _RequestTimer, *, begun: bool) -> GatewayError:
    # what the parser objected to is wrapped as it is, what the transport itself found is a text
    closed = exc.__cause__ is not None and isinstance(exc.__cause__.args[0], str)
    if isinstance(exc, httpx2.RemoteProtocolError) and (begun or closed):
        reused = not begun and not watch.connect
        what = f"{origin} hung up before its answer was whole"
        return Cut(what, code="stale" if reused else None)
    make = next(make for kind, make in _FAULT_MAKERS if isinstance(exc, kind))
    return make(origin, watch.timeouts)
