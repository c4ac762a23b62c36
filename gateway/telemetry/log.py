"""structlog, set up once: JSON for machines, key-value for a terminal, one line for each call.

Lines are written by a thread of their own: a reader of our log that stalls must not stall a call.
"""

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from select import PIPE_BUF
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import IO, Any

import msgspec
import structlog
from msgspec import Struct

from gateway.call import Record

_KEYS = re.compile(r"\b(?:sk-|AIza|AKIA|xox[abp]-)[A-Za-z0-9_\-]{8,}|Bearer\s+[A-Za-z0-9._\-]{8,}")
_KEYS_IN_BYTES = re.compile(_KEYS.pattern.encode())
_PENDING_LIMIT = 10_000
"""Lines that may wait for a slow reader; further ones are dropped and counted."""
_PAUSE = 0.05
"""Seconds over which lines are gathered into one write."""


class CallLine(Struct):
    """What the log says of one call; the order is that of the line."""

    ts: str
    level: str
    event: str
    request_id: str
    dialect: str
    caller: str
    provider: str
    model: str
    status: int
    end: str
    cache: str
    error: str
    attempts: int
    total_ms: float
    first_byte_ms: float
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    warnings: list[str]


class LineWriter:
    """Writes lines to a file from a thread; `write` never waits."""

    def __init__(self, file: IO[bytes], *, shared: bool = False) -> None:
        self._file = file
        self._shared = shared
        self._pending: list[bytes] = []
        self._awake = Event()
        self._stopping = False
        self.dropped = 0
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Takes one line, its end included."""
        if len(self._pending) >= _PENDING_LIMIT:
            self.dropped += 1
            return
        self._pending.append(line)
        if not self._awake.is_set():
            self._awake.set()

    def close(self) -> None:
        """Writes what is pending; waits a second at most for a reader that stalls."""
        self._stopping = True
        self._awake.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stopping:
            self._awake.wait()
            if not self._stopping:
                sleep(_PAUSE)
            self._awake.clear()
            self._flush()

    def _flush(self) -> None:
        lines, self._pending = self._pending, []
        dropped, self.dropped = self.dropped, 0
        if dropped:
            lines.append(b'{"level":"warning","event":"log_lines_dropped","count":%d}\n' % dropped)
        try:
            for piece in _pieces(lines) if self._shared else [b"".join(lines)]:
                self._file.write(piece)
                self._file.flush()
        except (OSError, ValueError):
            self.dropped += len(lines)  # nobody reads: the count is all that is left to say


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    """Lines in pieces that a pipe takes whole: another process must not write into a line."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece


class _Sink:
    """structlog's logger over a LineWriter."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, message: bytes | str) -> None:
        line = message if isinstance(message, bytes) else message.encode("utf-8", "replace")
        self._writer.write(line + b"\n")

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


_line = msgspec.json.Encoder().encode


class _State:
    writer: LineWriter | None = None
    json = False
    calls = True


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The last processor: nothing that looks like a key leaves, whatever field it stands in."""
    for key, value in event.items():
        if isinstance(value, str) and _KEYS.search(value):
            event[key] = _KEYS.sub("***", value)
    return event


def _marked(text: str) -> bool:
    """Whether a key may begin in the text; the pattern costs five times as much."""
    return "sk-" in text or "AIza" in text or "AKIA" in text or "xox" in text or "Bearer" in text


def log_call(id: str, dialect: str, record: Record, status: int) -> None:
    """The one line of a call: no prompt, no answer, no key."""
    if not _State.calls:
        return
    usage = record.usage
    line = CallLine(
        _timestamp(time()),
        "info",
        "call",
        id,
        dialect,
        record.caller,
        record.provider,
        record.model,
        status,
        record.end,
        record.cache,
        record.error,
        len(record.attempts),
        int((monotonic() - record.started) * 1e5) / 100,
        int(record.first_byte * 1e5) / 100,
        usage.input if usage else None,
        usage.output if usage else None,
        usage.cache_read if usage else None,
        record.warnings,
    )
    if _State.json and _State.writer is not None:
        # The one line that every call pays for is encoded directly.
        encoded = _line(line)
        # All else in it was made here, or is the operator's own word.
        if record.error or record.warnings or _marked(id + record.model):
            encoded = _KEYS_IN_BYTES.sub(b"***", encoded)
        _State.writer.write(encoded + b"\n")
    else:
        fields = msgspec.structs.asdict(line)
        del fields["ts"], fields["level"]
        structlog.get_logger().info(fields.pop("event"), **fields)


_second = (0, "")
_ENDS = [f".{thousandths:03d}Z" for thousandths in range(1000)]


def _timestamp(now: float) -> str:
    """RFC 3339 with milliseconds; the date and time of day are made once a second."""
    global _second  # one value for the process
    whole = int(now)
    if _second[0] != whole:
        _second = (whole, datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    return _second[1] + _ENDS[int((now - whole) * 1e3)]


def _encode(event: Any, **_: object) -> bytes:
    return msgspec.json.encode(event)


def setup(level: str = "info", format: str = "auto", worker: int = 0) -> None:
    """Configure structlog and the standard library's loggers; `format` is auto, json or console.

    A worker's number stands in its lines but those of calls.
    """
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    close()
    _State.writer = writer = LineWriter(sys.stderr.buffer, shared=worker > 0)
    _State.json = not console
    _State.calls = threshold <= logging.INFO
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        *([_numbered(worker)] if worker else []),
    ]
    last: list[structlog.types.Processor] = (
        [redact, structlog.dev.ConsoleRenderer(timestamp_key="ts")]
        if console
        else [
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(_encode),
        ]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _Sink(writer),
        cache_logger_on_first_use=False,
    )
    _route_stdlib(threshold)


def _numbered(worker: int) -> structlog.types.Processor:
    def add(_: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["worker"] = worker
        return event

    return add


def close() -> None:
    """Writes what is pending; later lines need another `setup`."""
    if _State.writer is not None:
        _State.writer.close()
        _State.writer = None


class _Stdlib(logging.Handler):
    """What uvicorn and asyncio log, in the same form as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        logger.log(
            record.levelno,
            record.getMessage(),
            logger=record.name,
            exc_info=record.exc_info or None,
        )


def _route_stdlib(threshold: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Stdlib()]
    root.setLevel(max(threshold, logging.WARNING))
    # uvicorn's own "started" lines name no address that matters here; ours does.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
        logger.setLevel(logging.WARNING)
