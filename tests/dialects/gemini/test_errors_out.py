"""Errors for Gemini clients."""

from typing import Any

import msgspec
import pytest

from gateway.dialects.gemini import GEMINI
from gateway.errors import (
    AllKeysCoolingDown,
    GatewayError,
    InvalidRequest,
    NotFound,
    Refused,
    Unauthenticated,
)


def told(error: GatewayError) -> Any:
    return msgspec.json.decode(GEMINI.write_error(error, "req_1"))["error"]


def detail(error: GatewayError, kind: str) -> Any:
    found = [one for one in told(error)["details"] if one["@type"].endswith(f"google.rpc.{kind}")]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidRequest("x"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (Refused("x", status=402), 429, "RESOURCE_EXHAUSTED"),
        (Refused("x", status=403), 403, "PERMISSION_DENIED"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (Refused("x", status=405), 405, "INVALID_ARGUMENT"),
        (Refused("x", status=409), 409, "ABORTED"),
        (Refused("x", status=413), 413, "INVALID_ARGUMENT"),
        (Refused("x", status=422), 400, "INVALID_ARGUMENT"),
        (Refused("x", status=429), 429, "RESOURCE_EXHAUSTED"),
        (GatewayError("x"), 500, "INTERNAL"),
        (Refused("x", status=200), 502, "UNAVAILABLE"),
        (Refused("x", status=503), 503, "UNAVAILABLE"),
        (Refused("x", status=504), 504, "DEADLINE_EXCEEDED"),
        (Refused("x", status=529), 503, "UNAVAILABLE"),
        (Refused("x", status=599), 599, "INTERNAL"),
    ],
)
def test_codes_and_statuses(error: GatewayError, code: int, status: str) -> None:
    assert GEMINI.error_status(error) == code
    said = told(error)
    assert (said["code"], said["message"], said["status"]) == (code, "x", status)


def test_details() -> None:
    error = InvalidRequest("contents: bad", param="contents")
    assert detail(error, "BadRequest")["fieldViolations"] == [
        {"field": "contents", "description": "contents: bad"}
    ]
    assert detail(error, "ErrorInfo")["reason"] == "INVALID_REQUEST_ERROR"
    assert detail(error, "RequestInfo")["requestId"] == "req_1"
    assert detail(error, "RetryInfo") is None


def test_how_long_to_wait() -> None:
    error = AllKeysCoolingDown("x")
    error.retry_after = 1.5
    assert detail(error, "RetryInfo")["retryDelay"] == "1.5s"
    assert detail(error, "ErrorInfo")["reason"] == "RATE_LIMIT_EXCEEDED"
    error.should_retry = False
    assert detail(error, "RetryInfo") is None


def test_in_a_stream_the_error_is_the_first_member() -> None:
    """The official Python client looks for nothing else."""
    event = GEMINI.write_error_event(NotFound("x"), "req_1")
    assert event.startswith(b'data: {"error":{"code":404,')
    assert event.endswith(b"\n\n")
