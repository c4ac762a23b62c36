"""Errors of OpenAI's dialects: read in all shapes of servers, written in one.

Read: OpenAI's `error` object, a bare string, FastAPI's `detail`, Mistral's and vLLM's
`object:"error"`, Gemini's arrays, Azure's `innererror`, OpenRouter's `metadata`, GLM's `success`,
MiniMax's `base_resp`, HTML. Written: the four members of `ErrorObject`, always.
"""

import msgspec

from gateway.dialects.common.faults import (
    ErrorBody,
    find_error_body,
    make_refused,
    parse_json_or_none,
    read_plain_text,
)
from gateway.errors import GatewayError

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


def read_error(status: int, body: bytes) -> GatewayError:
    """The error in an upstream's error body."""
    fault = find_error_body(parse_json_or_none(body.strip())) or ErrorBody(read_plain_text(body))
    return make_refused(status, fault)


def write_error(error: GatewayError, _request_id: str = "") -> bytes:
    """`ErrorObject` in its wrapper, with all four members; it has none for the request id."""
    if error.kind == "api_error" or (error.kind == "timeout_error" and error.status == 504):
        kind, code = "server_error", _CODE_OF_STATUS.get(error.status)
    else:
        kind, code = _TYPE_AND_CODE_OF_KIND.get(error.kind) or (error.kind, None)
    inner = {
        "message": error.message, "type": kind, "param": error.param,
        "code": code if error.code is None else error.code,
    }  # fmt: skip
    return msgspec.json.encode({"error": inner})


def error_status(error: GatewayError) -> int:
    """The HTTP status for an OpenAI client, which does not know 402 and 529."""
    status = _CLIENT_STATUSES.get(error.status, error.status)
    return status if status >= 400 else 502
