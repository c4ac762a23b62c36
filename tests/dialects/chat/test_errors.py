"""Errors of Chat servers read, errors for Chat clients written, and what bytes say at a glance."""

import msgspec
import pytest

from gateway.dialects.chat import CHAT
from gateway.errors import (
    Cut,
    Forbidden,
    GatewayError,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamTimeout,
)
from gateway.neutral.events import Usage
from gateway.wire.sse import Frame

Told = tuple[int, str, object, str]
READ: list[tuple[int, bytes, Told, bool | None]] = [
    (400, b'{"error":{"message":"bad","type":"invalid_request_error","param":"x","code":null}}',
     (400, "invalid_request_error", None, "bad"), None),
    (401, b'{"error":{"message":"key","code":"invalid_api_key"}}',
     (401, "authentication_error", "invalid_api_key", "key"), None),
    (402, b'{"error":{"message":"pay","code":402}}', (402, "billing_error", 402, "pay"), False),
    (403, b'{"error":"text"}', (403, "permission_error", None, "text"), None),
    (404, b'{"detail":"Not Found"}', (404, "not_found_error", None, "Not Found"), None),
    (409, b"{}", (409, "conflict_error", None, "upstream returned 409"), None),
    (413, b"", (413, "request_too_large", None, "upstream returned 413"), None),
    (422, b'{"detail":[{"loc":["body","messages",0],"msg":"missing"}]}',
     (422, "invalid_request_error", None, "messages.0: missing"), None),
    (400, b'{"object":"error","message":"m","type":"t","code":"3280"}',
     (400, "invalid_request_error", "3280", "m"), None),
    (400, b'[{"error":{"code":400,"message":"API key","details":[{"reason":"API_KEY_INVALID"}]}}]',
     (401, "authentication_error", 400, "API key"), None),
    (429, b'{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}',
     (429, "rate_limit_error", "rate_limit_exceeded", "slow"), None),
    (429, b'{"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}}',
     (429, "rate_limit_error", "insufficient_quota", "pay"), False),
    (400, b'{"error":{"message":"no","code":"content_filter","innererror":{"code":"X"}}}',
     (400, "invalid_request_error", "content_filter", "no"), False),
    (400, b'{"error":{"message":"no","code":"content_policy_violation"}}',
     (400, "invalid_request_error", "content_policy_violation", "no"), False),
    (400, b'{"error":{"message":"Failed to call","code":"tool_use_failed"}}',
     (502, "api_error", "tool_use_failed", "Failed to call"), None),
    (500, b"<html><body>oops</body></html>",
     (500, "api_error", None, "upstream returned 500"), None),
    (500, b"Internal Server Error", (500, "api_error", None, "Internal Server Error"), None),
    (503, b'{"error":{"message":"Model overloaded"}}',
     (503, "overloaded_error", None, "Model overloaded"), None),
    (503, b'{"error":{"message":"loading"}}', (503, "api_error", None, "loading"), None),
    (504, b"", (504, "timeout_error", None, "upstream returned 504"), None),
    (502, msgspec.json.encode({"error": {
        "code": 502, "message": "Provider returned error",
        "metadata": {"raw": '{"error":{"message":"why"}}', "provider_name": "P"}}}),
     (502, "api_error", 502, "Provider returned error: why"), None),
    (400, b'{"error":{"message":{"a":1}}}', (400, "invalid_request_error", None, '{"a":1}'), None),
    (400, b'{"code":"x","error":"xai"}', (400, "invalid_request_error", "x", "xai"), None),
    (400, b'{"a":' * 3000, (400, "invalid_request_error", None, "upstream returned 400"), None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "told", "retry"), READ)
def test_read(status: int, body: bytes, told: Told, retry: bool | None) -> None:
    error = CHAT.read_error(status, body)
    assert (error.status, error.kind, error.code, error.message) == told
    assert error.should_retry is retry


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 200000 tokens. However, you requested 210000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Your input exceeds the context window of this model",
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        "too many tokens in the prompt",
        "the request exceeds the available context size. try increasing the context size",
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_case_38_context_overflow_in_every_spelling(message: str, status: int) -> None:
    error = CHAT.read_error(status, msgspec.json.encode({"error": {"message": message}}))
    assert (error.status, error.kind) == (400, "invalid_request_error")
    assert (error.code, error.param) == ("context_length_exceeded", "messages")
    assert (error.message, error.should_retry) == (message, False)


def test_too_many_tokens_a_minute_is_no_overflow() -> None:
    error = CHAT.read_error(429, b'{"error":{"message":"too many tokens per minute"}}')
    assert (error.kind, error.code) == ("rate_limit_error", None)


def error_of(status: int, kind: str, code: str | int | None = None) -> GatewayError:
    return GatewayError("m", status=status, kind=kind, code=code)


WRITTEN: list[tuple[GatewayError, int, str, object]] = [
    (InvalidRequest("m"), 400, "invalid_request_error", None),
    (Unauthenticated("m"), 401, "authentication_error", "invalid_api_key"),
    (error_of(402, "billing_error"), 429, "insufficient_quota", "insufficient_quota"),
    (Forbidden("m"), 403, "permission_error", None),
    (NotFound("m"), 404, "invalid_request_error", "model_not_found"),
    (error_of(408, "timeout_error"), 408, "timeout", "request_timeout"),
    (error_of(409, "conflict_error"), 409, "conflict_error", None),
    (TooLarge("m"), 413, "invalid_request_error", "request_too_large"),
    (error_of(429, "rate_limit_error"), 429, "rate_limit_error", "rate_limit_exceeded"),
    (error_of(500, "api_error"), 500, "server_error", None),
    (Cut("m"), 502, "server_error", "bad_gateway"),
    (error_of(502, "api_error", 502), 502, "server_error", 502),
    (Unavailable("m"), 503, "server_error", "service_unavailable"),
    (error_of(504, "timeout_error"), 504, "server_error", "timeout"),
    (error_of(529, "overloaded_error"), 503, "server_error", "overloaded"),
    (error_of(500, "cache_error"), 500, "cache_error", None),
    (error_of(200, "api_error"), 502, "server_error", None),
]


@pytest.mark.parametrize(("error", "status", "type", "code"), WRITTEN)
def test_written_and_case_21_no_done_after_an_error(
    error: GatewayError, status: int, type: str, code: object
) -> None:
    body = msgspec.json.encode(
        {"error": {"message": "m", "type": type, "param": None, "code": code}}
    )
    assert CHAT.error_status(error) == status
    assert CHAT.write_error(error, "req_1") == body
    assert CHAT.write_error_event(error, "req_1") == b"data: " + body + b"\n\n"


def test_written_timeout() -> None:
    body = msgspec.json.decode(CHAT.write_error(UpstreamTimeout("first_byte", 60), "r"))["error"]
    assert (body["type"], body["code"]) == ("upstream_timeout", "first_byte_timeout")
    assert CHAT.error_status(UpstreamTimeout("idle", 60)) == 504


def test_digest() -> None:
    whole = CHAT.summarize(b' {"choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":1}}')
    assert (whole.error, whole.usage) == (None, Usage(3, 1))
    assert CHAT.summarize(b'{"choices":[{}],"error":null}').error is None
    found = CHAT.summarize(b'{"error":{"code":429,"message":"slow"}}').error
    assert found is not None
    assert (found.status, found.message) == (429, "slow")
    assert CHAT.summarize(b"{").error is None
    assert CHAT.summarize(b'[{"error":{"message":"gem"}}]').error is not None


@pytest.mark.parametrize(
    ("tail", "whole"),
    [
        (b"data: {}\n\ndata: [DONE]\n\n", True),
        (b"data:[DONE]", True),
        (b'x","finish_reason":"stop"}]}\n\n', True),
        (b'"finish_reason": "length"}', True),
        (b'"finish_reason":null}]}', False),
        (b'"finish_reason":""}]}', False),
        (b'"finish_reason":"error"}]}', False),
        (b'{"content":"\\"finish_reason\\":\\"stop\\""}', False),
        (b'{"content":"data: [DONE]"}', False),
        (b"", False),
    ],
)
def test_whole(tail: bytes, whole: bool) -> None:
    assert CHAT.is_complete(tail) is whole


@pytest.mark.parametrize(
    ("event", "data", "message"),
    [
        (b"", b'{"error":{"message":"boom"}}', "boom"),
        (b"error", b'{"message":"named"}', "named"),
        (b"error", b"words", "words"),
        (b"", b'{"object":"error","message":"vllm"}', "vllm"),
        (b"", b'{"choices":[],"error":null}', None),
        (b"", b'{"choices":[{"delta":{"content":"\\"error\\""}}]}', None),
        (b"", b"[DONE]", "upstream returned no choices"),
    ],
)
def test_stream_error(event: bytes, data: bytes, message: str | None) -> None:
    error = CHAT.stream_error(Frame(event, data))
    assert (error and error.message) == message
