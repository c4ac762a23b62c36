"""Errors of the Messages API, read and written."""

import msgspec
import pytest

from gateway.dialects.messages import MESSAGES
from gateway.errors import (
    Cut,
    GatewayError,
    InvalidRequest,
    Refused,
    Unavailable,
    UpstreamTimeout,
)
from gateway.neutral.events import Usage
from gateway.wire.sse import Frame


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            429,
            b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"r"}',
            "rate_limit_error",
            "slow",
        ),
        (400, b'{"error":{"message":"m","type":"odd"}}', "invalid_request_error", "m"),
        (400, b'{"error":"words"}', "invalid_request_error", "words"),
        (422, b'{"detail":[{"loc":["a"]}]}', "invalid_request_error", '[{"loc":["a"]}]'),
        (500, b'{"message":"m"}', "api_error", "m"),
        (502, b"<html>Bad gateway</html>", "api_error", "upstream returned 502"),
        (503, b"", "api_error", "upstream returned 503"),
        (
            503,
            b'{"error":{"message":"Server is overloaded"}}',
            "overloaded_error",
            "Server is overloaded",
        ),
        (529, b"{}", "overloaded_error", "upstream returned 529"),
        (401, b"{}", "authentication_error", "upstream returned 401"),
        (402, b"{}", "billing_error", "upstream returned 402"),
        (403, b"{}", "permission_error", "upstream returned 403"),
        (404, b"{}", "not_found_error", "upstream returned 404"),
        (408, b"{}", "timeout_error", "upstream returned 408"),
        (409, b"{}", "conflict_error", "upstream returned 409"),
        (413, b"{}", "request_too_large", "upstream returned 413"),
        (504, b"{}", "timeout_error", "upstream returned 504"),
        (418, b"[1]", "invalid_request_error", "upstream returned 418"),
    ],
)
def test_an_error_is_mapped_by_status_and_type(
    status: int, body: bytes, kind: str, message: str
) -> None:
    error = MESSAGES.read_error(status, body)
    assert isinstance(error, Refused)
    assert (error.status, error.kind, error.message) == (status, kind, message)


def test_details_code_and_param_are_kept() -> None:
    body = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"m","param":"x",'
        b'"details":{"error_code":"tool_name_conflict","n":1}}}'
    )
    error = MESSAGES.read_error(400, body)
    assert error.code == "tool_name_conflict"
    assert error.param == "x"
    assert error.details == {"error_code": "tool_name_conflict", "n": 1}
    assert error.should_retry is None


@pytest.mark.parametrize(
    ("status", "inner"),
    [
        (402, {"type": "billing_error", "message": "pay"}),
        (
            429,
            {
                "type": "rate_limit_error",
                "message": "spent",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        ),
        (429, {"message": "spent", "code": "insufficient_quota"}),
        (400, {"message": "prompt is too long: 2 tokens > 1 maximum"}),
    ],
)
def test_what_cannot_succeed_is_not_retried(status: int, inner: dict[str, object]) -> None:
    error = MESSAGES.read_error(status, msgspec.json.encode({"error": inner}))
    assert error.should_retry is False


OVERFLOWS = [
    (
        "prompt is too long: 210000 tokens > 200000 maximum",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    (
        (
            "This model's maximum context length is 200000 tokens. However, your messages resulted "
            "in 210000 tokens."
        ),
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    (
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9000 "
            "tokens (8000 in the messages, 1000 in the completion)."
        ),
        "prompt is too long: 9000 tokens > 8192 maximum",
    ),
    (
        (
            "The input token count (1,200,000) exceeds the maximum number of tokens allowed "
            "(1,048,576)."
        ),
        "prompt is too long: 1200000 tokens > 1048576 maximum",
    ),
    (
        "the request exceeds the available context size (4096 tokens), it has 5000 tokens",
        "prompt is too long: 5000 tokens > 4096 maximum",
    ),
    (
        "Your input exceeds the context window of this model.",
        "prompt is too long: Your input exceeds the context window of this model.",
    ),
]


@pytest.mark.parametrize(("said", "told"), OVERFLOWS)
def test_an_overflow_is_told_as_agents_know_it(said: str, told: str) -> None:
    body = msgspec.json.encode({"error": {"message": said, "type": "invalid_request_error"}})
    error = MESSAGES.read_error(400, body)
    assert error.code == "context_length_exceeded"
    assert error.should_retry is False
    written = msgspec.json.decode(MESSAGES.write_error(error, "req_1"))
    assert written["error"] == {"type": "invalid_request_error", "message": told}


def test_too_many_tokens_per_minute_is_no_overflow() -> None:
    error = MESSAGES.read_error(429, b'{"error":{"message":"too many tokens per minute"}}')
    assert error.code is None


@pytest.mark.parametrize(
    ("error", "status", "type_"),
    [
        (InvalidRequest("m"), 400, "invalid_request_error"),
        (Refused("m", status=422, kind="invalid_request_error"), 400, "invalid_request_error"),
        (Refused("m", status=503, kind="overloaded_error"), 529, "overloaded_error"),
        (Refused("m", status=529, kind="overloaded_error"), 529, "overloaded_error"),
        (Unavailable("m"), 503, "api_error"),
        (Cut("m"), 502, "api_error"),
        (GatewayError("m"), 500, "api_error"),
    ],
)
def test_an_error_for_the_client(error: GatewayError, status: int, type_: str) -> None:
    assert MESSAGES.error_status(error) == status
    assert msgspec.json.decode(MESSAGES.write_error(error, "req_1")) == {
        "type": "error",
        "error": {"type": type_, "message": "m"},
        "request_id": "req_1",
    }


def test_a_timeout_keeps_its_word_and_details() -> None:
    error = UpstreamTimeout("idle", 30)
    assert MESSAGES.error_status(error) == 504
    assert msgspec.json.decode(MESSAGES.write_error(error, "r"))["error"] == {
        "type": "upstream_timeout",
        "message": error.message,
        "details": {"timeout": "idle", "seconds": 30},
    }


def test_an_error_event() -> None:
    assert MESSAGES.write_error_event(Cut("m"), "r") == (
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"},'
        b'"request_id":"r"}\n\n'
    )


def test_digest() -> None:
    body = b'{"type":"message","content":[],"usage":{"input_tokens":3,"output_tokens":2}}'
    got = MESSAGES.summarize(body)
    assert (got.error, got.usage) == (None, Usage(3, 2))
    bad = MESSAGES.summarize(b'{"error":{"code":429,"message":"slow"}}')
    assert bad.error is not None
    assert (bad.error.status, bad.error.kind) == (429, "rate_limit_error")
    for nothing in (b"", b"[]", b"<html>"):
        assert MESSAGES.summarize(nothing) == type(got)()


@pytest.mark.parametrize(
    ("event", "data", "status"),
    [
        (b"error", b'{"type":"error","error":{"type":"api_error","message":"m"}}', 500),
        (b"", b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}', 529),
        (b"", b'{"error":{"message":"m","code":502}}', 502),
        (b"error", b"not json", 500),
        (b"ping", b'{"type":"ping"}', None),
        (b"", b'{"type":"content_block_delta","delta":{"text":"error"}}', None),
        (b"", b'{"type":"x","delta":{"type":"error"}}', None),
    ],
)
def test_stream_error(event: bytes, data: bytes, status: int | None) -> None:
    got = MESSAGES.stream_error(Frame(event, data))
    assert (got.status if got is not None else None) == status


@pytest.mark.parametrize(
    ("tail", "whole"),
    [
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type": "message_stop"}\r\n\r\n', True),
        (b'event: error\ndata: {"type":"error"}\n\n', True),
        (b'event: message_delta\ndata: {"type":"message_delta"}\n\n', False),
        (
            (
                b'event: content_block_delta\ndata: {"type":"content_block_delta",'
                b'"delta":{"text":"event: message_stop"}}\n\n'
            ),
            False,
        ),
        (b'data: {"type":"x","text":"message_stop"}\n\n', False),
        (b"", False),
    ],
)
def test_whole(tail: bytes, whole: bool) -> None:
    assert MESSAGES.is_complete(tail) == whole


def test_json_that_is_no_message_is_no_answer() -> None:
    for other in (b'{"error":null}', b'{"hello":1}'):
        error = MESSAGES.summarize(other).error
        assert error is not None
        assert (error.status, error.message) == (502, "upstream sent JSON that is no message")
