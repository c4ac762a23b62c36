"""Headers the gateway itself writes: on every answer, on errors, and what upstreams' become."""

import random
import re
from functools import lru_cache
from time import monotonic

from gateway.call import Headers, Record
from gateway.errors import GatewayError
from gateway.reply import Reply, Stream
from gateway.telemetry import conformance

_bits = random.Random().getrandbits  # noqa: S311  # an id is not secret, and urandom is a system call
_SANE_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
_JSON = b"content-type: application/json\r\n"
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
_STREAM = b"".join([b"%b: %b\r\n" % header for header in STREAM])
_END = b"\r\n" + b"".join([b"%b: %b\r\n" % header for header in COMPATIBILITY])
# Formatting a number costs as much as the rest of a head, so small ones are formatted once.
PLACES = [b".%03d" % thousandths for thousandths in range(1000)]
"""The three places behind a point."""
_SHORT = [b"%d.%02d" % divmod(hundredths, 100) for hundredths in range(3000)]
_FIT = bytes([9, *range(32, 127), *range(128, 256)])
"""What may stand in a header line."""


def request_id(headers: Headers) -> str:
    """The client's own request id where it is sane, else a new one."""
    for header in headers:
        if header[0] == b"x-request-id" and _SANE_ID.fullmatch(header[1]):
            return header[1].decode()
    return "req_" + _bits(96).to_bytes(12, "big").hex()


def reply_head(id: str, record: Record, reply: Reply | None) -> Headers:
    """The head of an answer, header by header; of an opening stream where there is no reply yet."""
    return pairs(reply_lines(id, record, reply))


def error_headers(id: str, record: Record, error: GatewayError, length: int) -> Headers:
    """The head of an error in the caller's dialect, header by header."""
    return pairs(error_lines(id, record, error, length))


def own_headers(id: str, record: Record) -> Headers:
    """What stands on every answer, header by header."""
    return pairs(_own(id, record))


def pairs(lines: bytes) -> Headers:
    """The headers of lines that were made here."""
    found = [line.partition(b": ") for line in lines[:-2].split(b"\r\n")]
    return [(name, value) for name, _, value in found]


def reply_lines(id: str, record: Record, reply: Reply | None) -> bytes:
    """The head of an answer, ready to be sent. GatewayError for a header that may not be."""
    lines = _own(id, record)
    if reply is None:
        return lines + _STREAM
    given = reply.headers
    if reply.error is not None and reply.error.should_retry is not None:
        given = [header for header in given if header[0] != b"x-should-retry"]
        given.append((b"x-should-retry", b"true" if reply.error.should_retry else b"false"))
    if given:
        lines += _checked(given)
    if reply.error is not None and reply.error.retry_after is not None:
        # of an error that had it in its body
        lines += _wait(reply.error.retry_after) if b"\nretry-after" not in lines else b""
    if record.warnings:
        lines += b"x-gateway-warnings: %b\r\n" % _listed(record.warnings)
    typed = b"content-type" in dict(given)
    if isinstance(reply.body, Stream):
        return lines if typed else lines + _STREAM
    form = b"content-length: %d\r\n" if typed else _JSON + b"content-length: %d\r\n"
    return lines + form % len(reply.body)


def error_lines(id: str, record: Record, error: GatewayError, length: int) -> bytes:
    """The head of an error in the caller's dialect, ready to be sent."""
    lines = _own(id, record) + _JSON + b"content-length: %d\r\n" % length
    if error.retry_after is not None:
        lines += _wait(error.retry_after)
    if error.should_retry is not None:
        lines += b"x-should-retry: %b\r\n" % (b"true" if error.should_retry else b"false")
    if record.warnings:
        lines += b"x-gateway-warnings: %b\r\n" % _listed(record.warnings)
    if error.status == 405:
        lines += b"allow: POST\r\n"
    return lines


def _wait(seconds: float) -> bytes:
    seconds = max(seconds, 0.0)
    return b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (-int(-seconds // 1), seconds * 1000)


def _own(id: str, record: Record) -> bytes:
    total = monotonic() - record.started
    given = id.encode()
    none = b"0.00"  # a phase that did not happen, like most phases of most calls
    parts = [
        b"x-request-id: ", given, b"\r\nrequest-id: ", given,
        b"\r\nx-processing-time: ", b"%d" % total if total >= 1 else b"0",
        PLACES[int(total * 1e3) % 1000], b"\r\nserver-timing: auth;dur=",
        _ms(record.auth_done - record.started) if record.auth_done else none,
        b", queue;dur=", _ms(record.queued) if record.queued else none,
        b", connect;dur=", _ms(record.connect) if record.connect else none,
        b", first_byte;dur=", _ms(record.first_byte) if record.first_byte else none,
        b", convert;dur=", _ms(record.convert) if record.convert else none,
        b", total;dur=", _ms(total), _END,
    ]  # fmt: skip
    if record.provider:
        parts.append(_routed(record.provider, record.model))
    if record.cache:
        parts.append(_line(b"x-cache-status", record.cache.encode()))
    if record.upstream_id:
        parts += (b"x-upstream-request-id: ", _printable(record.upstream_id), b"\r\n")
    return b"".join(parts)


def _ms(seconds: float) -> bytes:
    """Milliseconds with two places."""
    hundredths = int(seconds * 1e5)
    return _SHORT[hundredths] if hundredths < 3000 else b"%d.%02d" % divmod(hundredths, 100)


@lru_cache(maxsize=1024)
def _routed(provider: str, model: str) -> bytes:
    names = _printable(provider), _printable(model)
    return b"x-gateway-provider: %b\r\nx-gateway-model: %b\r\n" % names


def _checked(headers: Headers) -> bytes:
    """The lines of headers that others made: none of them may hold the end of a line."""
    return b"".join([_line(name, value) for name, value in headers])


@lru_cache(maxsize=1024)
def _line(name: bytes, value: bytes) -> bytes:
    line = b"%b: %b\r\n" % (name, value)
    if line.translate(None, _FIT) != b"\r\n":
        raise GatewayError("a header of the answer holds what no header may hold")
    return line


def _printable(text: str, limit: int = 200) -> bytes:
    """A header value: what cannot stand in one becomes `?`."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text.encode()
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit]).encode()


def _listed(warnings: list[str]) -> bytes:
    # nginx answers 502 if a header block is over 4 kB; the log line has all warnings.
    return _printable(", ".join(warnings), 2000)
