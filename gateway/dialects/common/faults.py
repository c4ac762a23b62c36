"""Errors of upstreams, in all JSON shapes that are known from servers."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, Refused
from gateway.wire import raw_json

_CONTEXT_OVERFLOW = re.compile(
    r"maximum context length|context[_ ]length|prompt is too long|context[_ ]window|"
    r"context[_ ]size|input token count|too many (input )?tokens|input is too long|"
    r"reduce the length of the (messages|prompt)",
    re.IGNORECASE,
)

_OVERLOADED = re.compile(r"overloaded|capacity", re.IGNORECASE)

_NOT_RETRYABLE = frozenset({
    "insufficient_quota", "content_policy_violation", "content_filter",
    "enforced_spend_limit_reached", "contract_spend_limit_reached",
})  # fmt: skip

_MESSAGE_LIMIT = 2000

_PLAIN_TEXT_LIMIT = 300

_KIND_OF_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "UNAUTHENTICATED": 401,
    "insufficient_quota": 429,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NOT_FOUND": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
    "engine_overloaded_error": 429,
    "overloaded_error": 503,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
} | dict.fromkeys(
    # error codes of Responses in a 200, for prompts that it refuses
    (
        "invalid_prompt", "data_residency_mismatch", "bio_policy", "misalignment_policy_violation",
        "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
        "image_too_large", "image_too_small", "image_parse_error", "invalid_image_mode",
        "image_content_policy_violation", "image_file_too_large", "unsupported_image_media_type",
        "empty_image_file", "failed_to_download_image", "image_file_not_found",
    ),
    400,
)  # fmt: skip


class ErrorBody(Struct):
    """The members of an error body, of any shape."""

    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    details: dict[str, object] | None = None


def find_error_body(value: Any) -> ErrorBody | None:
    """The error in a JSON value of an upstream; None if it holds none."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, dict):
        return _read_error_object(inner)
    if isinstance(inner, str) and inner:
        return ErrorBody(inner, code=_read_code(value.get("code")))
    if "choices" in value:
        return None
    return _find_bare_error(value)


def _find_bare_error(value: dict[str, Any]) -> ErrorBody | None:
    """The error in a body without an `error` member; None if it holds none."""
    if detail := value.get("detail"):
        return _read_fastapi_detail(detail)
    status = value.get("base_resp")
    if isinstance(status, dict) and status.get("status_code"):
        return ErrorBody(
            _clip_text(status.get("status_msg")), code=_read_code(status.get("status_code"))
        )
    if value.get("success") is False:
        return ErrorBody(
            _clip_text(value.get("msg", value.get("message"))), code=_read_code(value.get("code"))
        )
    if value.get("object") == "error" or "message" in value:
        return _read_error_object(value)
    return None


def _read_error_object(inner: dict[str, Any]) -> ErrorBody:
    message = _clip_text(inner.get("message"))
    metadata = inner.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if raw and (said := _read_provider_message(raw)) and said not in message:
        message = f"{message}: {said}" if message else said
    kept = ("innererror", "failed_generation", "details")
    details = {name: inner[name] for name in kept if inner.get(name)}
    kind = inner.get("type") or inner.get("status")
    param = inner.get("param")
    return ErrorBody(
        message,
        kind if isinstance(kind, str) else None,
        _read_code(inner.get("code")),
        param if isinstance(param, str) else None,
        details or None,
    )


def _read_provider_message(raw: Any) -> str:
    """The message in OpenRouter's `metadata.raw`, the provider's body, often JSON in a string."""
    if isinstance(raw, str) and raw.lstrip()[:1] in ("{", "["):
        raw = parse_json_or_none(raw.encode()) or raw
    inner = find_error_body(raw)
    return inner.message if inner else _clip_text(raw)


def _read_fastapi_detail(detail: Any) -> ErrorBody:
    first = detail[0] if isinstance(detail, list) and detail else None
    if isinstance(first, dict) and "msg" in first:
        path = [str(step) for step in first.get("loc", []) if step != "body"]
        param = ".".join(path) or None
        message = _clip_text(first["msg"])
        return ErrorBody(f"{param}: {message}" if param else message, param=param)
    if isinstance(detail, dict):
        return find_error_body(detail) or _read_error_object(detail)
    return ErrorBody(_clip_text(detail))


def _clip_text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:_MESSAGE_LIMIT]


def _read_code(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return value


def parse_json_or_none(body: bytes) -> Any:
    """The JSON value of the body; None where it is not JSON."""
    try:
        return raw_json.decode(body, object)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_plain_text(body: bytes) -> str:
    """The start of a plain-text body; empty for HTML, JSON and binary data."""
    text = body[:_PLAIN_TEXT_LIMIT].decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{", "[") or not text.isprintable() else text


def make_refused(status: int, fault: ErrorBody) -> Refused:
    """The error as Refused; at a status of 200, the status comes from its code or type."""
    status = status if status >= 400 else _infer_status(fault)
    if status == 400 and "API_KEY_INVALID" in _clip_text(fault.details):
        status = 401
    message = fault.message or f"upstream returned {status}"
    if fault.code == "tool_use_failed":
        status = 502  # a fault of the model, not of the client: a retry may succeed
    kind, code, param = _infer_kind(status, message), fault.code, fault.param
    final = code in _NOT_RETRYABLE or fault.type in _NOT_RETRYABLE or status == 402
    if status in (400, 413, 422) and _CONTEXT_OVERFLOW.search(f"{message} {code} {fault.type}"):
        status, kind, final = 400, "invalid_request_error", True
        code, param = "context_length_exceeded", param or "messages"
    elif code is None and (status == 402 or fault.type == "insufficient_quota"):
        code = "insufficient_quota"
    error = Refused(
        message, status=status, kind=kind, code=code, param=param, details=fault.details
    )
    if final:
        error.should_retry = False
    return error


def _infer_status(fault: ErrorBody) -> int:
    for word in (fault.code, fault.type):
        number = int(word) if isinstance(word, str) and word.isdecimal() else word
        if isinstance(number, int) and 400 <= number < 600:
            return number
        if isinstance(word, str) and word in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[word]
    return 400 if _CONTEXT_OVERFLOW.search(fault.message) else 502


def _infer_kind(status: int, message: str) -> str:
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if status < 500:
        return "invalid_request_error"
    return "overloaded_error" if status == 503 and _OVERLOADED.search(message) else "api_error"


def find_error(data: bytes) -> GatewayError | None:
    """The error in the body of a 200 or in a chunk of a stream; None if there is none."""
    fault = find_error_body(parse_json_or_none(data))
    return make_refused(200, fault) if fault is not None else None
