"""Errors of Gemini upstreams (`google.rpc.Status`), and the endings of their streams.

`{"error":{"code","message","status","details"}}`, sometimes in an array of one. The details name
the account, so only their retry delay reaches the client.
"""

import math
import re
from typing import Any

import msgspec

from gateway.dialect import AnswerSummary
from gateway.dialects.common.faults import (
    ErrorBody,
    find_error_body,
    make_refused,
    parse_json_or_none,
    read_plain_text,
)
from gateway.dialects.gemini.answer import is_blocked, read_usage
from gateway.dialects.gemini.wire import GenerateContentResponse
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
_ENDING_PATTERN = re.compile(
    rb'"(?:finishReason|blockReason)"\s*:\s*"|^data: ?\{\s*"error"', re.MULTILINE
)


def read_error(status: int, body: bytes) -> GatewayError:
    """The error in an upstream's error body."""
    return _read_rpc_status(status, parse_json_or_none(body)) or make_refused(
        status, ErrorBody(read_plain_text(body))
    )


def find_error(data: bytes) -> GatewayError | None:
    """The error in the body of a 200 or in an event of a stream; None if there is none."""
    return _read_rpc_status(200, parse_json_or_none(data))


def _read_rpc_status(status: int, found: Any) -> Refused | None:
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict) or "error" not in found:
        return None
    fault = find_error_body(found)
    if fault is None:
        return None
    error = make_refused(status, fault)
    details = _read_details(found["error"])
    error.details = None
    if isinstance(error.code, int):
        error.code = None  # it repeats the status
    error.retry_after = next((wait for each in details if (wait := _read_retry_delay(each))), None)
    return error


def _read_details(inner: Any) -> list[dict[str, Any]]:
    found = inner.get("details") if isinstance(inner, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _read_retry_delay(detail: dict[str, Any]) -> float | None:
    """The seconds of a `RetryInfo`; None for other details."""
    if detail.get("@type") != _RETRY_INFO:
        return None
    found = _DURATION.fullmatch(str(detail.get("retryDelay")))
    seconds = float(found[1]) if found else math.inf
    return seconds if math.isfinite(seconds) else None


def stream_error(frame: Frame) -> GatewayError | None:
    """The error in a frame; None for text that only mentions an error."""
    return find_error(frame.data) if b'"error"' in frame.data else None


def summarize(body: bytes) -> AnswerSummary:
    """The error in a 200 and the usage."""
    try:
        answer = decode(body, GenerateContentResponse)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return AnswerSummary(find_error(body))
    if present(answer.error):
        return AnswerSummary(
            find_error(body) or BadAnswer("upstream sent an error that says nothing")
        )
    counts = answer.usage_metadata
    usage = read_usage(counts) if counts is not None else None
    if not answer.candidates and not is_blocked(answer):
        return AnswerSummary(BadAnswer("upstream returned no candidates"), usage)
    return AnswerSummary(None, usage)


def is_complete(tail: bytes) -> bool:
    """Whether the last bytes of a stream hold a finish reason, a block reason or an error."""
    return _ENDING_PATTERN.search(tail.replace(b"\r", b"\n")) is not None
