"""Errors of the Responses API, both ways.

Before the first byte they are the OpenAI error object, as in Chat. Inside a stream a client gets
`response.failed` with a whole response, which is what Codex looks for; an `error` event it skips.
"""

import re
import time
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.common import openai_errors
from gateway.dialects.responses.event_frames import EventFrames
from gateway.errors import GatewayError, Refused, Unavailable, UpstreamError
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame

read_error = openai_errors.read_error
error_status = openai_errors.error_status
_CODE_OF_KIND = {
    "authentication_error": "invalid_api_key",
    "billing_error": "insufficient_quota",
    "rate_limit_error": "rate_limit_exceeded",
    "overloaded_error": "server_is_overloaded",
    "invalid_request_error": "invalid_prompt",
}
OVERFLOW_CODE = "context_length_exceeded"
"""The code on which agents make their conversation shorter."""
_SEQUENCE_NUMBER = re.compile(rb'"sequence_number": ?(\d+)')
_PREAMBLE_EVENTS = (b"response.created", b"response.in_progress")
_EVENT_TYPE = re.compile(rb'\{\s*"type"\s*:\s*"([a-z_.]+)"')
_BACKGROUND = re.compile(rb'"background": ?true')
_RETRY_HINT = re.compile(r"try again in", re.IGNORECASE)
_ENDING_PATTERN = re.compile(
    rb"^(?:event: ?(?:response\.(?:completed|incomplete|failed)|error)\s*$"
    rb'|data: ?\{\s*"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)")',
    re.MULTILINE,
)


def write_error(error: GatewayError, _request_id: str = "") -> bytes:
    """`ErrorObject` in its wrapper; at a rate limit with the wait in seconds, which Codex reads."""
    adapted = GatewayError(
        _write_error_message(error), status=error.status, kind=error.kind, code=error.code,
        param=_adapt_param(error),
    )  # fmt: skip
    return openai_errors.write_error(adapted)


def _write_error_message(error: GatewayError) -> str:
    wait, message = error.retry_after, error.message
    if error.status != 429 or wait is None or _RETRY_HINT.search(message):
        return message
    return f"{message.rstrip('.')}. Please try again in {wait:g}s."


def _adapt_param(error: GatewayError) -> str | None:
    """The member at fault; None for a path of another dialect's request."""
    if error.code == OVERFLOW_CODE:
        return "input"
    foreign = error.param is not None and error.param.startswith("messages")
    return None if foreign else error.param


def error_as_event(error: GatewayError) -> bool:
    """Codex compacts its conversation on this code in a stream, but not on an error status."""
    return error.code == OVERFLOW_CODE


def write_error_object(error: GatewayError) -> dict[str, object]:
    """`ResponseError`: the code and the message of a failed response."""
    own = isinstance(error, UpstreamError | Unavailable) and not isinstance(error, Refused)
    code = error.code if isinstance(error.code, str) and not own else None
    if code is None:  # the API has no codes for faults of a gateway
        code = _CODE_OF_KIND.get(error.kind) or "server_error"
    return {"code": code, "message": _write_error_message(error)}


def write_error_event(error: GatewayError, request_id: str) -> bytes:
    """The whole stream of a call that failed before its answer began."""
    response: dict[str, Any] = {
        "id": "resp_" + request_id.replace("-", ""),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    frames = EventFrames()
    created = frames.event("response.created", {"response": response})
    response |= {"status": "failed", "error": write_error_object(error)}
    return created + frames.event("response.failed", {"response": response})


def write_failed_event(first: bytes, tail: bytes, error: GatewayError) -> bytes:
    """`response.failed` after the event `first` and the last bytes `tail` of a relayed stream."""
    number = _SEQUENCE_NUMBER.findall(tail)
    try:
        response: dict[str, object] = {**decode(first, _FirstEvent).response}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        response = {}
    failed = response | {"status": "failed", "error": write_error_object(error)}
    frames = EventFrames(int(number[-1]) + 1 if number else 0)
    return frames.event("response.failed", {"response": failed})


class _FirstEvent(Struct):
    response: dict[str, Raw] = {}


class _FailedResponse(Struct):
    error: Raw = ABSENT
    status: str | None = None


class _ErrorEvent(Struct):
    type: str = ""
    error: Raw = ABSENT
    response: _FailedResponse | None = None


def stream_error(event: Frame) -> GatewayError | None:
    """The error that a frame of a stream carries: `error`, `response.failed`, or a bare object."""
    data = event.data
    if event.event != b"error" and b'"error"' not in data:
        return None
    try:
        found = decode(data, _ErrorEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read_error(200, data) if event.event == b"error" else None
    if found.type == "response.failed" and found.response is not None:
        if not present(found.response.error):
            return read_error(500, b'{"error":{"message":"the upstream failed to answer"}}')
        return read_error(200, b'{"error":' + bytes(found.response.error) + b"}")
    if present(found.error):
        return read_error(200, data)
    if found.type == "error" or event.event == b"error":
        return read_error(200, b'{"error":' + data + b"}")
    return None


def is_preamble(event: Frame) -> bool:
    """Whether a frame only announces an answer.

    In background mode it also gives the id to poll with, so that it is sent at once.
    """
    typed = _EVENT_TYPE.match(event.data)
    name = typed[1] if typed else event.event
    return name in _PREAMBLE_EVENTS and _BACKGROUND.search(event.data) is None


def is_complete(tail: bytes) -> bool:
    """Whether the last bytes of a stream hold its ending, good or bad."""
    return _ENDING_PATTERN.search(tail.replace(b"\r", b"\n")) is not None
