"""Errors of the Gemini API, and what a glance at an answer tells."""

from typing import Any

import pytest

from gateway.dialects.gemini import GEMINI
from gateway.errors import Refused
from gateway.neutral.events import Usage
from gateway.wire.sse import Frame
from tests.dialects.gemini.conversions import Json, encoded, event

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "q"}]}


def told(code: int, status: str, message: str = "words", *details: Json) -> Json:
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
           "metadata": {"consumer": "projects/12345"}}  # fmt: skip
ERRORS: list[tuple[int, Any, dict[str, Any]]] = [
    (400, told(400, "INVALID_ARGUMENT"), {"kind": "invalid_request_error", "code": None}),
    (400, told(400, "INVALID_ARGUMENT", "API key not valid.", INVALID),
     {"status": 401, "kind": "authentication_error", "details": None}),
    (400, told(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum (5)."),
     {"code": "context_length_exceeded", "should_retry": False}),
    (403, told(403, "PERMISSION_DENIED"), {"kind": "permission_error"}),
    (404, told(404, "NOT_FOUND"), {"kind": "not_found_error"}),
    (429, told(429, "RESOURCE_EXHAUSTED", "q", QUOTA, RETRY),
     {"kind": "rate_limit_error", "retry_after": 34.5, "details": None}),
    (429, [told(429, "RESOURCE_EXHAUSTED", "q", RETRY)], {"retry_after": 34.5, "message": "q"}),
    (500, told(500, "INTERNAL"), {"kind": "api_error", "status": 500}),
    (503, told(503, "UNAVAILABLE", "The model is overloaded."), {"kind": "overloaded_error"}),
    (504, told(504, "DEADLINE_EXCEEDED"), {"kind": "timeout_error"}),
    (429, told(429, "RESOURCE_EXHAUSTED", "q", RETRY | {"retryDelay": "soon"}),
     {"retry_after": None}),
    (429, {"error": {"code": 429, "message": "q", "details": ["x"]}}, {"retry_after": None}),
    (500, {"error": "words"}, {"message": "words"}),
    (500, {"x": 1}, {"message": "upstream returned 500"}),
    (502, [], {"message": "upstream returned 502"}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
def test_errors(status: int, body: Any, expected: dict[str, Any]) -> None:
    error = GEMINI.read_error(status, encoded(body))
    assert {name: getattr(error, name) for name in expected} == expected
    if "status" not in expected:
        assert error.status == status


def test_bodies_that_are_no_json() -> None:
    assert GEMINI.read_error(502, b"<html>x").message == "upstream returned 502"
    assert GEMINI.read_error(502, b"bad gateway").message == "bad gateway"


def test_a_200_may_hold_an_error_and_tells_its_counts() -> None:
    digest = GEMINI.summarize(encoded([told(429, "RESOURCE_EXHAUSTED")]))
    assert isinstance(digest.error, Refused)
    assert digest.error.status == 429
    found = GEMINI.summarize(encoded(told(503, "UNAVAILABLE"))).error
    assert found is not None
    assert found.status == 503
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    digest = GEMINI.summarize(encoded(event({"text": "x"}, finish="STOP", usageMetadata=counts)))
    assert (digest.error, digest.usage) == (None, Usage(5, 2))
    assert GEMINI.summarize(encoded({"promptFeedback": {"blockReason": "SAFETY"}})).error is None
    assert GEMINI.summarize(b"{}").error is not None
    assert GEMINI.summarize(b"<").error is None
    odd = GEMINI.summarize(b'{"error":5}').error
    assert odd is not None
    assert odd.status == 502


def test_a_frame_that_only_speaks_of_an_error_carries_none() -> None:
    assert GEMINI.stream_error(Frame(b"", encoded(event({"text": '"error"'})))) is None
    assert GEMINI.stream_error(Frame(b"", encoded(event({"text": "x"})))) is None
    error = GEMINI.stream_error(Frame(b"", encoded(told(429, "RESOURCE_EXHAUSTED", "q", RETRY))))
    assert error is not None
    assert (error.status, error.retry_after) == (429, 34.5)


TAILS = [
    (b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n', True),
    (b'data: {"candidates":[{"finishReason": "MAX_TOKENS","index":0}],"x":1}\r\n\r\n', True),
    (b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n', True),
    (b'data: {"error":{"code":503}}\n\n', True),
    (b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\n\n', False),
    (rb'data: {"candidates":[{"content":{"parts":[{"text":"\"finishReason\":\"STOP"}]}}]}', False),
    (b"", False),
]


@pytest.mark.parametrize(("tail", "whole"), TAILS)
def test_a_stream_that_ends_so_is_whole(tail: bytes, whole: bool) -> None:
    assert GEMINI.is_complete(tail) is whole
