"""One socket to an upstream and the exchange on it: bytes in, chunks out, one timer.

The parser is asked only where framing is in question. Once the head is known, a body of known
length and one that ends with the connection are handed over as they were read.

A connection is in the pool's care while idle. It leaves its exchange the moment the answer's last
byte was read from the socket, which may be long before anybody took the last chunk.
"""

import asyncio
from math import inf
from sys import maxsize
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import BadAnswer, Cut, GatewayError, UpstreamTimeout
from providers.transport.engine import MAX_HEAD_BYTES, MAX_HEADER_COUNT
from providers.transport.response_body import ResponseBody

_JOIN_BELOW_BYTES = 16_384  # below this one copy is cheaper than a second buffer in the system call
_FRAMING_HEADERS = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
_CLOCK_RESOLUTION = 0.001  # a loop's clock may be this coarse


class ConnectionPool(Protocol):
    """Who keeps the connections."""

    origin: str

    def release_connection(self, connection: "Connection") -> None:
        """It is free for another exchange."""

    def discard_connection(self, connection: "Connection") -> None:
        """It is of no more use."""

    def on_socket_closed(self, connection: "Connection") -> None:
        """Its socket is closed."""


def _count_head_bytes(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


class Connection(asyncio.Protocol):
    """One socket; its exchanges come one after another."""

    def __init__(self, owner: ConnectionPool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._response_body: ResponseBody | None = None
        self._parser: HttpResponseParser | None = None
        self._timeouts = Timeouts()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = inf
        self._total_due = inf
        self._started_at = 0.0
        self.closed = False
        self.paused = False
        self.used = False
        self.connect = 0.0
        self.idle_since = 0.0

    def send_request(
        self, wire: tuple[bytes, bytes], timeouts: Timeouts, total_due: float
    ) -> ResponseBody:
        """Writes a request and expects its answer."""
        assert self._transport is not None
        assert self._response_body is None
        head, body = wire
        if len(body) < _JOIN_BELOW_BYTES:
            self._transport.write(head + body if body else head)
        else:
            self._transport.writelines((head, body))
        self._response_body = exchange = ResponseBody(self, self._loop)
        self._head_only = head.startswith(b"HEAD ")
        self._timeouts = timeouts
        self._started_at = self._loop.time()
        self._last_read_at = 0.0
        self._total_due = total_due
        self._body_left = 0  # bytes of the body still to come that the parser need not see
        self._bytes_since_body = 0  # bytes read since the last that carried some of the body
        self._complete = False
        self._fault: GatewayError | None = None
        self._body_pieces: list[bytes] = []
        self._reset_head()
        self._arm_timer(min(self._started_at + (timeouts.first_byte or inf), total_due))
        return exchange

    def abort(self) -> None:
        """Closes the socket at once; any number of times."""
        if not self.closed:
            self.closed = True
            self._pool.discard_connection(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    def fail_request(self, error: GatewayError) -> None:
        """Ends the exchange with a fault, and the connection with it."""
        exchange = self._response_body
        self._response_body = None
        self.abort()
        if exchange is not None:
            exchange.connection = None
            exchange.error = error
            exchange.wake_reader()

    def resume_reading(self) -> None:
        """Reads on, after the chunks were taken."""
        assert self._transport is not None
        self.paused = False
        self._last_read_at = self._loop.time()
        self._transport.resume_reading()
        self._arm_timer(self._last_read_at + (self._timeouts.idle or inf))

    def is_usable(self) -> bool:
        """Whether a request may be written."""
        return not (self.closed or self._transport is None or self._transport.is_closing())

    def get_socket_fd(self) -> int:
        """The descriptor, -1 once closed."""
        assert self._transport is not None
        return cast(int, self._transport.get_extra_info("socket").fileno())

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket, and TLS where asked for, is up."""
        self._transport = cast(asyncio.Transport, transport)
        if self.closed:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if exc is None:
            self.eof_received()
        else:
            self._fail_cut()
        self._transport = None
        self._pool.on_socket_closed(self)

    def eof_received(self) -> None:
        """The upstream sends no more, which ends a body without a length and cuts any other."""
        exchange = self._response_body
        if (
            exchange is not None
            and exchange.status
            and self._content_length < 0
            and not self._chunked
        ):
            self._keep_alive = False
            self._finish_response(exchange)
        else:
            self._fail_cut()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        exchange = self._response_body
        if exchange is None:  # an answer to nothing
            self.abort()
            return
        self._last_read_at = self._loop.time()
        if not self._body_left:
            self._parse_data(exchange, data)
            return
        size = len(data)
        if size >= self._body_left:
            self._complete = True
            self._keep_alive = self._keep_alive and size == self._body_left
            data = data[: self._body_left]
        self._body_left -= len(data)
        self._deliver_chunk(exchange, data)

    # -- what the parser calls

    def on_message_begin(self) -> None:
        """The start of an answer: ours, one after an interim one, or one that nobody asked for."""
        if self._complete:
            self._keep_alive = False
        elif self._headers:
            self._reset_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody needs."""
        if self._status:
            return
        name = name.lower()
        self._headers.append((name, value))
        if name in _FRAMING_HEADERS:
            self._record_framing(name, value)

    def _record_framing(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._content_length = int(value)
        elif name == b"content-encoding":
            self._encoded = True
        else:
            if value.lower() != b"chunked":
                self._raise_bad_answer("a transfer encoding other than chunked")
            self._chunked = True

    def on_headers_complete(self) -> None:
        """The whole head; an interim one is let go by."""
        if self._complete:
            return
        headers = self._headers
        # What was read since the last body holds the head, which may be a small part of it.
        heavy = (
            self._bytes_since_body > MAX_HEAD_BYTES and _count_head_bytes(headers) > MAX_HEAD_BYTES
        )
        if heavy or len(headers) > MAX_HEADER_COUNT:
            self._raise_bad_answer("a head over the limits")
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status == 101:
            self._raise_bad_answer("a protocol that was not asked for")
        if status < 200:
            return
        self._status = status
        self._keep_alive = self._parser.should_keep_alive()
        if self._head_only or status in (204, 304):
            self._complete = True
            self._parser = None  # it would wait for the body that the head announces

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._complete:
            self._keep_alive = False
        else:
            self._body_pieces.append(data)

    def on_message_complete(self) -> None:
        """The last byte of an answer."""
        self._complete = self._complete or self._status > 0

    # -- inside

    def _reset_head(self) -> None:
        self._status = 0
        self._content_length = -1
        self._chunked = self._encoded = False
        self._keep_alive = False
        self._headers: Headers = []

    def _raise_bad_answer(self, what: str) -> None:
        self._fault = BadAnswer(f"{self._pool.origin} sent {what}")
        raise self._fault  # through the parser, which stops

    def _parse_data(self, exchange: ResponseBody, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = HttpResponseParser(self)
        self._bytes_since_body += len(data)  # a head, trailers, the extensions of a chunk
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            if not self._complete:
                what = f"{self._pool.origin} sent bytes that are no answer: {exc}"
                self._fault = self._fault or BadAnswer(what)
            self._keep_alive = False
        chunk = b""
        pieces = self._body_pieces
        if pieces:
            self._bytes_since_body = 0
            chunk = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
        elif self._bytes_since_body > MAX_HEAD_BYTES and not self._complete and self._fault is None:
            self._fault = BadAnswer(f"{self._pool.origin} sent a head over the limits")
        if self._status:
            self._deliver_chunk(exchange, chunk)
        elif self._fault is not None:
            self.fail_request(self._fault)

    def _deliver_chunk(self, exchange: ResponseBody, chunk: bytes) -> None:
        if not exchange.status:
            self._begin_body(exchange, len(chunk))
        enough = exchange.push_chunk(chunk) if chunk else False
        if self._fault is not None:
            self.fail_request(self._fault)
        elif self._complete:
            self._finish_response(exchange)
        else:
            if enough and not self.paused and self._transport is not None:
                self.paused = True
                self._transport.pause_reading()

    def _begin_body(self, exchange: ResponseBody, size: int) -> None:
        exchange.headers = self._headers
        exchange.status = self._status
        exchange.encoded = self._encoded
        exchange.wake_reader()
        if self._complete:
            return
        if not self._chunked:
            self._parser = None  # it will not see the rest
            self._body_left = self._content_length - size if self._content_length >= 0 else maxsize
        self._arm_timer(self._last_read_at + (self._timeouts.idle or inf))

    def _finish_response(self, exchange: ResponseBody) -> None:
        self._response_body = None
        exchange.connection = None
        exchange.ended = True
        exchange.wake_reader()
        transport = self._transport
        assert transport is not None
        if not self._keep_alive or transport.is_closing() or transport.get_write_buffer_size():
            self.abort()
            return
        if self.paused:
            self.paused = False
            transport.resume_reading()
        self.used = True
        self.idle_since = self._loop.time()
        self._pool.release_connection(self)

    def _fail_cut(self) -> None:
        exchange = self._response_body
        if exchange is None:
            self.abort()
        elif self.used and not self._last_read_at:
            what = f"{self._pool.origin} closed an idle connection as it was used again"
            self.fail_request(Cut(what, code="stale"))
        else:
            self.fail_request(Cut(f"{self._pool.origin} hung up before its answer was whole"))

    def _arm_timer(self, due: float) -> None:
        if self._timer is not None:
            if self._timer_due <= due:
                return  # it looks again when it runs
            self._timer.cancel()
            self._timer = None
        if due < inf:
            self._timer_due = due
            self._timer = self._loop.call_at(due, self._check_timeouts)

    def _check_timeouts(self) -> None:
        self._timer = None
        exchange = self._response_body
        if exchange is None:
            return
        timeouts = self._timeouts
        if not exchange.status:
            which, seconds = "first_byte", timeouts.first_byte
            due = self._started_at + (seconds or inf)
        else:
            which, seconds = "idle", timeouts.idle
            due = inf if self.paused else self._last_read_at + (seconds or inf)
        if self._total_due < due:
            which, seconds, due = "total", timeouts.total, self._total_due
        if self._loop.time() + _CLOCK_RESOLUTION >= due:
            self.fail_request(UpstreamTimeout(which, seconds))
        else:
            self._arm_timer(due)
