"""structlog, set up once: JSON for machines, key-value for a terminal, one line written per call."""

import logging
import re
import sys
from collections.abc import MutableMapping
from time import monotonic
from typing import Any

import msgspec
import structlog

from gateway.call import Record

_KEYS = re.compile(r"\b(?:sk-|AIza|AKIA|xox[abp]-)[A-Za-z0-9_\-]{8,}|Bearer\s+[A-Za-z0-9._\-]{8,}")


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The last processor: nothing that looks like a key leaves, whatever field it stands in."""
    for key, value in event.items():
        if isinstance(value, str) and _KEYS.search(value):
            event[key] = _KEYS.sub("***", value)
    return event


def _encode(event: Any, **_: object) -> bytes:
    return msgspec.json.encode(event)


_access = structlog.get_logger("interlingua")


def log_call(id: str, dialect: str, record: Record, status: int) -> None:
    """The one line of a call: no prompt, no answer, no key."""
    usage = record.usage
    _access.info(
        "call",
        request_id=id,
        dialect=dialect,
        caller=record.caller,
        provider=record.provider,
        model=record.model,
        status=status,
        end=record.end,
        error=record.error,
        attempts=len(record.attempts),
        total_ms=round((monotonic() - record.started) * 1e3, 2),
        first_byte_ms=round(record.first_byte * 1e3, 2),
        input_tokens=usage.input if usage else None,
        output_tokens=usage.output if usage else None,
        cache_read_tokens=usage.cache_read if usage else None,
        warnings=record.warnings,
    )


def setup(level: str = "info", format: str = "auto") -> None:
    """Configure structlog and the standard library's loggers; `format` is auto, json or console."""
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if console
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    _route_stdlib(threshold)


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
