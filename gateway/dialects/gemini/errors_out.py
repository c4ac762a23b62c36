"""Errors for Gemini clients (`{"error":{"code","message","status","details"}}`).

The details are of google.rpc's types: Google's clients read the retry delay of a quota error from
`RetryInfo`.
"""

from typing import Any

import msgspec

from gateway.errors import GatewayError
from gateway.wire.sse import data_frame

_TYPE_PREFIX = "type.googleapis.com/google.rpc."
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_REPLACED_STATUSES = {402: 429, 422: 400, 529: 503}
"""Statuses that Google's clients do not know, and the nearest that they know."""


def error_status(error: GatewayError) -> int:
    """The HTTP status for a Gemini client."""
    status = _REPLACED_STATUSES.get(error.status, error.status)
    return status if status >= 400 else 502


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The error body for a Gemini client."""
    return msgspec.json.encode(_build_error(error, request_id))


def write_error_event(error: GatewayError, request_id: str) -> bytes:
    """An error event of a stream; the official clients expect `error` as its first member."""
    return data_frame(write_error(error, request_id))


def _build_error(error: GatewayError, request_id: str) -> dict[str, Any]:
    code = error_status(error)
    status = _STATUS_NAMES.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    said = {"code": code, "message": error.message, "status": status}
    return {"error": said | {"details": _build_details(error, request_id)}}


def _build_details(error: GatewayError, request_id: str) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    reason = error.code if isinstance(error.code, str) else error.kind
    info: dict[str, Any] = {"reason": reason.upper(), "domain": "interlingua"}
    details.append(_build_detail("ErrorInfo", info))
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append(_build_detail("BadRequest", {"fieldViolations": [violation]}))
    if error.retry_after is not None and error.should_retry is not False:
        wait = f"{max(error.retry_after, 0.0):g}s"
        details.append(_build_detail("RetryInfo", {"retryDelay": wait}))
    details.append(_build_detail("RequestInfo", {"requestId": request_id}))
    return details


def _build_detail(kind: str, members: dict[str, Any]) -> dict[str, Any]:
    return {"@type": _TYPE_PREFIX + kind} | members
