"""Errors of the Messages API, both ways (`ErrorResponse`).

An error is mapped by its status and its type. Only a prompt that is too long is recognised by the
message: servers word it in many ways, and agents compact their history on one wording alone.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import AnswerSummary
from gateway.dialects.messages.usage import read_usage
from gateway.dialects.messages.wire import StartedMessage, UsageCounts
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame, frame

_OVERFLOW_CODE = "context_length_exceeded"
_STATUS_OF_KIND = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
_KIND_OF_STATUS = {status: kind for kind, status in _STATUS_OF_KIND.items()} | {
    405: "invalid_request_error",
    408: "timeout_error",
    422: "invalid_request_error",
}
_QUOTA_CODES = frozenset({
    "enforced_spend_limit_reached", "contract_spend_limit_reached", "insufficient_quota",
})  # fmt: skip
_CONTEXT_OVERFLOW = re.compile(
    r"prompt is too long|maximum context length|context[ _]length[ _]exceeded"
    r"|exceeds? the (available |maximum )?context"
    r"|exceeds? (the )?(model's )?context (window|limit|length)"
    r"|input token count|too many (input )?tokens|input is too long|exceed context limit"
    r"|exceeds the (limit|max).{0,40}tokens|longer than the model's context length",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(r"overloaded|capacity", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,_]*\d|\d")
_TOKEN_LIMIT = re.compile(
    r"(?:maximum context length (?:is|of)|context (?:window|size|length|limit) (?:is|of)?"
    r"|maximum number of tokens allowed|limit (?:is|of)|>|max(?:imum)? (?:is|of))"
    r"\D{0,6}(\d[\d,_]*)",
    re.IGNORECASE,
)
_ENDING_PATTERN = re.compile(
    rb'^(?:event: ?(?:message_stop|error)\s*$|data: ?\{\s*"type"\s*:\s*"(?:message_stop|error)")',
    re.MULTILINE,
)


def read_error(status: int, body: bytes) -> GatewayError:
    """The error in an upstream's error body, of whatever JSON shape."""
    try:
        found = decode(body, Any)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    inner = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(inner, str):
        return _make_refused(status, inner, {})
    if not isinstance(inner, dict):
        return _make_refused(status, "", {})
    words = inner.get("message", inner.get("detail"))
    if not isinstance(words, str):
        words = "" if words is None else msgspec.json.encode(words).decode()
    return _make_refused(status, words, inner)


def _make_refused(status: int, words: str, inner: dict[str, Any]) -> GatewayError:
    status = _infer_status(inner) if status == 200 else status
    kind = inner.get("type")
    if not isinstance(kind, str) or kind not in _STATUS_OF_KIND:
        kind = _KIND_OF_STATUS.get(status, "invalid_request_error" if status < 500 else "api_error")
    if status == 503 and _OVERLOADED.search(words):
        kind = "overloaded_error"
    details = inner.get("details")
    details = details if isinstance(details, dict) else None
    code = (details or {}).get("error_code", inner.get("code"))
    error = Refused(
        words or f"upstream returned {status}",
        status=status,
        kind=kind,
        code=code if isinstance(code, str | int) and not isinstance(code, bool) else None,
        param=inner["param"] if isinstance(inner.get("param"), str) else None,
        details=details,
    )
    if status in (400, 413, 422) and (code == _OVERFLOW_CODE or _CONTEXT_OVERFLOW.search(words)):
        error.code = _OVERFLOW_CODE
    if error.code == _OVERFLOW_CODE or error.code in _QUOTA_CODES or kind == "billing_error":
        error.should_retry = False
    return error


def _infer_status(inner: dict[str, Any]) -> int:
    """The status of an error in a 200: its code if that is one, else that of its type."""
    code = inner.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    return _STATUS_OF_KIND.get(str(inner.get("type")), 500)


def write_error(error: GatewayError, request_id: str) -> bytes:
    """An error body: `{"type":"error","error":{...},"request_id":...}`."""
    return msgspec.json.encode(_build_error(error, request_id))


def write_error_event(error: GatewayError, request_id: str) -> bytes:
    """An error inside a stream; the official clients raise on it."""
    return frame(b"error", write_error(error, request_id))


def _build_error(error: GatewayError, request_id: str) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": _error_type(error), "message": _write_error_message(error)}
    if error.details:
        inner["details"] = dict(error.details)
    return {"type": "error", "error": inner, "request_id": request_id}


def _error_type(error: GatewayError) -> str:
    return "overloaded_error" if error_status(error) == 529 else error.kind


def error_status(error: GatewayError) -> int:
    """The HTTP status for a Messages client: 422 becomes 400, an overload 529."""
    if error.status == 422:
        return 400
    if error.kind == "overloaded_error" and error.status in (500, 503):
        return 529
    return error.status


def _write_error_message(error: GatewayError) -> str:
    """The error's message; a context overflow in the wording on which agents compact."""
    words = error.message
    if error.code != _OVERFLOW_CODE or words.startswith("prompt is too long"):
        return words
    used, most = _parse_token_counts(words)
    if used is None or most is None:
        return f"prompt is too long: {words}"
    return f"prompt is too long: {used} tokens > {most} maximum"


def _parse_token_counts(words: str) -> tuple[int | None, int | None]:
    """Tokens used and tokens allowed; None for what the message does not say."""
    numbers = [_parse_int(found) for found in _NUMBER.findall(words)]
    if (named := _TOKEN_LIMIT.search(words)) is not None:
        most = _parse_int(named[1])
        return next((number for number in numbers if number > most), None), most
    large = sorted({number for number in numbers if number >= 100}, reverse=True)
    return (large[0], large[1]) if len(large) == 2 else (None, None)


def _parse_int(digits: str) -> int:
    return int(digits.replace(",", "").replace("_", ""))


class _SummaryFields(Struct):
    type: str = ""
    message: StartedMessage | str | None = None
    error: Raw = ABSENT
    usage: UsageCounts | None = None


def summarize(body: bytes) -> AnswerSummary:
    """The error in a 200 and the usage; empty where the body is no JSON object."""
    try:
        glance = decode(body, _SummaryFields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return AnswerSummary()
    begun = glance.message  # `message_start` holds the prompt's counts
    counts = begun.usage if isinstance(begun, StartedMessage) else glance.usage
    is_error = glance.type == "error" or present(glance.error)
    if not is_error and not glance.type:
        return AnswerSummary(BadAnswer("upstream sent JSON that is no message"))
    return AnswerSummary(read_error(200, body) if is_error else None, read_usage(counts))


def stream_error(event: Frame) -> GatewayError | None:
    """The error in a frame; None for text that only mentions an error."""
    if event.event != b"error" and b'"error"' not in event.data:
        return None
    if event.event == b"error":
        return read_error(200, event.data)
    return summarize(event.data).error


def is_complete(tail: bytes) -> bool:
    """Whether the last bytes of a stream hold `message_stop` or an error event."""
    return _ENDING_PATTERN.search(tail.replace(b"\r", b"\n")) is not None
