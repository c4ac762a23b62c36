"""Headers the gateway itself writes: on every answer, on errors, and what upstreams' become."""

import random
import re
from time import monotonic

from gateway import conformance
from gateway.call import Headers, Record
from gateway.errors import GatewayError
from gateway.reply import Reply, Stream

_bits = random.Random().getrandbits  # noqa: S311  # an id is no secret, and urandom is a system call
_SANE_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
_JSON = (b"content-type", b"application/json")
_TIMING = (
    b"auth;dur=%.2f, queue;dur=%.2f, connect;dur=%.2f, first_byte;dur=%.2f, "
    b"convert;dur=%.2f, total;dur=%.2f"
)
STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
EXPOSED = (
    "x-request-id, request-id, x-processing-time, server-timing, x-gateway-provider, "
    "x-gateway-model, x-gateway-warnings, x-upstream-request-id, x-cache-status, x-batch-id, "
    "x-api-compatibility, x-gateway-estimate, retry-after, retry-after-ms, x-should-retry"
)
"""What a browser may read, where the operator allows its origin."""
COMPATIBILITY: Headers = conformance.headers()
"""On every answer: what the tests of this build have shown."""


def request_id(headers: Headers) -> str:
    """The client's own request id where it is sane, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode()
    return f"req_{_bits(96):024x}"


def reply_head(id: str, record: Record, reply: Reply | None) -> Headers:
    """The head of an answer; of an opening stream where there is no reply yet."""
    head = _own(id, record)
    if reply is None:
        return head + STREAM
    head += reply.headers
    if reply.error is not None and reply.error.should_retry is not None:
        head = [header for header in head if header[0] != b"x-should-retry"]
        head.append((b"x-should-retry", b"true" if reply.error.should_retry else b"false"))
    if record.warnings:
        head.append((b"x-gateway-warnings", _listed(record.warnings)))
    typed = any(name == b"content-type" for name, _ in reply.headers)
    if isinstance(reply.body, Stream):
        return head if typed else head + STREAM
    if not typed:
        head.append(_JSON)
    head.append((b"content-length", b"%d" % len(reply.body)))
    return head


def error_headers(id: str, record: Record, error: GatewayError, length: int) -> Headers:
    """The head of an error in the caller's dialect."""
    head = _own(id, record)
    head.append(_JSON)
    head.append((b"content-length", b"%d" % length))
    if error.retry_after is not None:
        seconds = max(error.retry_after, 0.0)
        head.append((b"retry-after", b"%d" % -int(-seconds // 1)))
        head.append((b"retry-after-ms", b"%d" % (seconds * 1000)))
    if error.should_retry is not None:
        head.append((b"x-should-retry", b"true" if error.should_retry else b"false"))
    if record.warnings:
        head.append((b"x-gateway-warnings", _listed(record.warnings)))
    if error.status == 405:
        head.append((b"allow", b"POST"))
    return head


def _own(id: str, record: Record) -> Headers:
    total = monotonic() - record.started
    timing = _TIMING % (
        (record.auth_done - record.started) * 1e3 if record.auth_done else 0.0,
        record.queued * 1e3,
        record.connect * 1e3,
        record.first_byte * 1e3,
        record.convert * 1e3,
        total * 1e3,
    )
    given = id.encode()
    head = [
        (b"x-request-id", given),
        (b"request-id", given),
        (b"x-processing-time", b"%.3f" % total),
        (b"server-timing", timing),
        *COMPATIBILITY,
    ]
    if record.provider:
        head.append((b"x-gateway-provider", _printable(record.provider)))
        head.append((b"x-gateway-model", _printable(record.model)))
    if record.cache:
        head.append((b"x-cache-status", record.cache.encode()))
    if record.upstream_id:
        head.append((b"x-upstream-request-id", _printable(record.upstream_id)))
    return head


def _printable(text: str, limit: int = 200) -> bytes:
    """A header value: what cannot stand in one becomes `?`."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text.encode()
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit]).encode()


def _listed(warnings: list[str]) -> bytes:
    # A header block of over 4 kB makes nginx answer 502 for us: the log line has the rest.
    return _printable(", ".join(warnings), 2000)
