"""Errors of Chat servers in all their shapes, and errors for Chat clients in one.

Read: OpenAI's `error` object, a bare string, FastAPI's `detail`, Mistral's and vLLM's
`object:"error"`, Gemini's arrays, Azure's `innererror`, OpenRouter's `metadata`, GLM's `success`,
MiniMax's `base_resp`, HTML. Written: the four members of `ErrorObject`, always.
"""

import msgspec
from msgspec import Raw

from gateway.dialects.common.faults import (
    ErrorBody,
    _read_plain_text,
    _try_parse_json,
    find_error,
    find_error_body,
    make_refused,
)
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.wire.raw_json import ABSENT, present
from gateway.wire.sse import Frame, data_frame


def read_error(status: int, body: bytes) -> GatewayError:
    """What an upstream's error answer says."""
    fault = find_error_body(_try_parse_json(body.strip())) or ErrorBody(_read_plain_text(body))
    return make_refused(status, fault)


def stream_error(frame: Frame) -> GatewayError | None:
    """The error that a stream's first chunk carries; one that ends before it began is one too."""
    if frame.data.strip() == b"[DONE]":
        return BadAnswer("upstream returned no choices")
    if frame.event != b"error" and b'error"' not in frame.data and b'"detail"' not in frame.data:
        return None
    found = find_error(frame.data)
    if found is None and frame.event == b"error":
        return make_refused(200, ErrorBody(_read_plain_text(frame.data)))
    return found


_TYPE_AND_CODE_OF_KIND: dict[str, tuple[str, str | None]] = {
    "invalid_request_error": ("invalid_request_error", None),
    "authentication_error": ("authentication_error", "invalid_api_key"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "permission_error": ("permission_error", None),
    "not_found_error": ("invalid_request_error", "model_not_found"),
    "conflict_error": ("conflict_error", None),
    "timeout_error": ("timeout", "request_timeout"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
    "overloaded_error": ("server_error", "overloaded"),
    "upstream_timeout": ("upstream_timeout", "upstream_timeout"),
    "multi_modal_error": ("invalid_request_error", "multi_modal_error"),
}
_CODE_OF_STATUS = {502: "bad_gateway", 503: "service_unavailable", 504: "timeout"}
_CLIENT_STATUSES = {402: 429, 529: 503}


def write_error(error: GatewayError, _request_id: str = "") -> bytes:
    """`ErrorObject` in its wrapper, all four members; it has no place for the request's id."""
    if error.kind == "api_error" or (error.kind == "timeout_error" and error.status == 504):
        kind, code = "server_error", _CODE_OF_STATUS.get(error.status)
    else:
        kind, code = _TYPE_AND_CODE_OF_KIND.get(error.kind) or (error.kind, None)
    inner = {
        "message": error.message, "type": kind, "param": error.param,
        "code": code if error.code is None else error.code,
    }  # fmt: skip
    return msgspec.json.encode({"error": inner})


def write_error_event(error: GatewayError, _request_id: str = "") -> bytes:
    """The same as one chunk, with advice where a timeout ran out; no `[DONE]` follows it."""
    written = write_error(error)
    if error.kind == "upstream_timeout":
        advice = b',"suggestion":"Consider increasing REQUEST_TIMEOUT"}}'
        written = written.removesuffix(b"}}") + advice
    return data_frame(written)


def error_status(error: GatewayError) -> int:
    """The status a Chat client understands: it knows no 402 and no 529."""
    status = _CLIENT_STATUSES.get(error.status, error.status)
    return status if status >= 400 else 502


def make_finish_error(finish: str, error: Raw = ABSENT) -> Refused:
    """The error that a finish reason such as `network_error` stands for."""
    fault = find_error_body({"error": _try_parse_json(bytes(error))}) if present(error) else None
    if fault is None:
        code = 503 if finish == "insufficient_system_resource" else 502
        return make_refused(
            code, ErrorBody(f"upstream ended its answer with finish_reason {finish!r}")
        )
    return make_refused(200, fault)
