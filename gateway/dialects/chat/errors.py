"""Errors of Chat servers in all their shapes, and errors for Chat clients in one.

Read: OpenAI's `error` object, a bare string, FastAPI's `detail`, Mistral's and vLLM's
`object:"error"`, Gemini's arrays, Azure's `innererror`, OpenRouter's `metadata`, GLM's `success`,
MiniMax's `base_resp`, HTML. Written: the four members of `ErrorObject`, always.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import wire
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.sse import Frame, data_frame
from gateway.wire import ABSENT, present

_OVERFLOW = re.compile(
    r"maximum context length|context[_ ]length|prompt is too long|context[_ ]window|"
    r"context[_ ]size|input token count|too many (input )?tokens|input is too long|"
    r"reduce the length of the (messages|prompt)",
    re.IGNORECASE,
)
_BUSY = re.compile(r"overloaded|capacity", re.IGNORECASE)
_FINAL = frozenset(
    {
        "insufficient_quota",
        "content_policy_violation",
        "content_filter",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
_LONGEST = 2000
_PLAIN_LONGEST = 300

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
    # what Responses says inside a 200 of a prompt that it does not take
    (
        "invalid_prompt", "data_residency_mismatch", "bio_policy", "misalignment_policy_violation",
        "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
        "image_too_large", "image_too_small", "image_parse_error", "invalid_image_mode",
        "image_content_policy_violation", "image_file_too_large", "unsupported_image_media_type",
        "empty_image_file", "failed_to_download_image", "image_file_not_found",
    ),
    400,
)  # fmt: skip


class Fault(Struct):
    """What an error body says, whatever its shape."""

    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    details: dict[str, object] | None = None


def fault_in(value: Any) -> Fault | None:
    """The fault that a JSON value of an upstream tells of, if it does."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, dict):
        return _from_object(inner)
    if isinstance(inner, str) and inner:
        return Fault(inner, code=_code(value.get("code")))
    if "choices" in value:
        return None
    return _unwrapped(value)


def _unwrapped(value: dict[str, Any]) -> Fault | None:
    """The fault in a body that has no `error` member."""
    if detail := value.get("detail"):
        return _from_detail(detail)
    status = value.get("base_resp")
    if isinstance(status, dict) and status.get("status_code"):
        return Fault(_text(status.get("status_msg")), code=_code(status.get("status_code")))
    if value.get("success") is False:
        return Fault(_text(value.get("msg", value.get("message"))), code=_code(value.get("code")))
    if value.get("object") == "error" or "message" in value:
        return _from_object(value)
    return None


def _from_object(inner: dict[str, Any]) -> Fault:
    message = _text(inner.get("message"))
    metadata = inner.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if raw and (said := _provider_words(raw)) and said not in message:
        message = f"{message}: {said}" if message else said
    kept = ("innererror", "failed_generation", "details")
    details = {name: inner[name] for name in kept if inner.get(name)}
    kind = inner.get("type") or inner.get("status")
    param = inner.get("param")
    return Fault(
        message,
        kind if isinstance(kind, str) else None,
        _code(inner.get("code")),
        param if isinstance(param, str) else None,
        details or None,
    )


def _provider_words(raw: Any) -> str:
    """What OpenRouter's `metadata.raw` says: the provider's own body, often JSON in a string."""
    if isinstance(raw, str) and raw.lstrip()[:1] in ("{", "["):
        raw = _json(raw.encode()) or raw
    inner = fault_in(raw)
    return inner.message if inner else _text(raw)


def _from_detail(detail: Any) -> Fault:
    first = detail[0] if isinstance(detail, list) and detail else None
    if isinstance(first, dict) and "msg" in first:
        path = [str(step) for step in first.get("loc", []) if step != "body"]
        param = ".".join(path) or None
        message = _text(first["msg"])
        return Fault(f"{param}: {message}" if param else message, param=param)
    if isinstance(detail, dict):
        return fault_in(detail) or _from_object(detail)
    return Fault(_text(detail))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:_LONGEST]


def _code(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return value


def _json(body: bytes) -> Any:
    try:
        return wire.decode(body, object)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _plain(body: bytes) -> str:
    """A short body of words; a page of HTML says nothing a client can use."""
    text = body[:_PLAIN_LONGEST].decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{", "[") or not text.isprintable() else text


def read_error(status: int, body: bytes) -> GatewayError:
    """What an upstream's error answer says."""
    fault = fault_in(_json(body.strip())) or Fault(_plain(body))
    return refused(status, fault)


def refused(status: int, fault: Fault) -> Refused:
    """The fault as an upstream's refusal; a status of 200 leaves it to the fault's own words."""
    status = status if status >= 400 else _status(fault)
    if status == 400 and "API_KEY_INVALID" in _text(fault.details):
        status = 401
    message = fault.message or f"upstream returned {status}"
    if fault.code == "tool_use_failed":
        status = 502  # the model's slip, not the client's: another try may do
    kind, code, param = _kind(status, message), fault.code, fault.param
    final = code in _FINAL or fault.type in _FINAL or status == 402
    if status in (400, 413, 422) and _OVERFLOW.search(f"{message} {code} {fault.type}"):
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


def _status(fault: Fault) -> int:
    for word in (fault.code, fault.type):
        number = int(word) if isinstance(word, str) and word.isdecimal() else word
        if isinstance(number, int) and 400 <= number < 600:
            return number
        if isinstance(word, str) and word in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[word]
    return 400 if _OVERFLOW.search(fault.message) else 502


def _kind(status: int, message: str) -> str:
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if status < 500:
        return "invalid_request_error"
    return "overloaded_error" if status == 503 and _BUSY.search(message) else "api_error"


def error_in(data: bytes) -> GatewayError | None:
    """The error in a 200 answer's body or in one chunk of a stream, if there is one."""
    fault = fault_in(_json(data))
    return refused(200, fault) if fault is not None else None


def stream_error(frame: Frame) -> GatewayError | None:
    """The error that a stream's first chunk carries; one that ends before it began is one too."""
    if frame.data.strip() == b"[DONE]":
        return BadAnswer("upstream returned no choices")
    if frame.event != b"error" and b'error"' not in frame.data and b'"detail"' not in frame.data:
        return None
    found = error_in(frame.data)
    if found is None and frame.event == b"error":
        return refused(200, Fault(_plain(frame.data)))
    return found


_TYPES: dict[str, tuple[str, str | None]] = {
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
_CODES_OF_STATUS = {502: "bad_gateway", 503: "service_unavailable", 504: "timeout"}
_STATUSES = {402: 429, 529: 503}


def write_error(error: GatewayError, _request_id: str = "") -> bytes:
    """`ErrorObject` in its wrapper, all four members; it has no place for the request's id."""
    if error.kind == "api_error" or (error.kind == "timeout_error" and error.status == 504):
        kind, code = "server_error", _CODES_OF_STATUS.get(error.status)
    else:
        kind, code = _TYPES.get(error.kind) or (error.kind, None)
    said = error.code if error.code is not None else code
    inner = {"message": error.message, "type": kind, "param": error.param, "code": said}
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
    status = _STATUSES.get(error.status, error.status)
    return status if status >= 400 else 502


def broken(finish: str, error: Raw = ABSENT) -> Refused:
    """The fault behind a finish reason that is no ending."""
    fault = fault_in({"error": _json(bytes(error))}) if present(error) else None
    if fault is None:
        code = 503 if finish == "insufficient_system_resource" else 502
        return refused(code, Fault(f"upstream ended its answer with finish_reason {finish!r}"))
    return refused(200, fault)
