"""Errors of the Responses API, both ways."""

from typing import Any

import msgspec
import pytest

from gateway.dialects.responses import RESPONSES, errors
from gateway.errors import AllKeysCoolingDown, GatewayError, Unavailable
from gateway.wire.sse import Frame
from tests.dialects.responses.wires import names_of, response_of


def frame(name: str, data: Any) -> Frame:
    return Frame(name.encode(), msgspec.json.encode(data))


def test_an_error_before_the_first_byte_is_openais() -> None:
    error = GatewayError("no", status=404, kind="not_found_error", param="model")
    assert msgspec.json.decode(RESPONSES.write_error(error, "id")) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "model",
                  "code": "model_not_found"}
    }  # fmt: skip
    assert RESPONSES.error_status(GatewayError("busy", status=529)) == 503


def test_a_rate_limit_says_when_to_come_back() -> None:
    error = AllKeysCoolingDown("every key rests.")
    error.retry_after = 1.5
    told = msgspec.json.decode(RESPONSES.write_error(error, "id"))["error"]
    assert told["message"] == "every key rests. Please try again in 1.5s."
    assert told["code"] == "rate_limit_exceeded"
    error.message = "Please try again in 2s."
    told = msgspec.json.decode(RESPONSES.write_error(error, "id"))["error"]
    assert told["message"] == "Please try again in 2s."


@pytest.mark.parametrize(
    ("param", "code", "told"),
    [
        ("messages", "context_length_exceeded", "input"),
        ("messages.0.content", None, None),
        ("input.0.role", None, "input.0.role"),
        ("temperature", None, "temperature"),
    ],
)
def test_members_are_named_as_the_client_knows_them(
    param: str, code: str | None, told: str | None
) -> None:
    error = GatewayError("x", status=400, kind="invalid_request_error", code=code, param=param)
    assert msgspec.json.decode(RESPONSES.write_error(error, "id"))["error"]["param"] == told


def test_an_error_in_a_stream_is_a_failed_response() -> None:
    error = AllKeysCoolingDown("every key rests")
    error.retry_after = 2
    wire = RESPONSES.write_error_event(error, "re-q")
    assert names_of(wire) == ["created", "failed"]
    assert response_of(wire)["error"] == {
        "code": "rate_limit_exceeded",
        "message": "every key rests. Please try again in 2s.",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GatewayError("x", kind="overloaded_error"), "server_is_overloaded"),
        (GatewayError("x", kind="billing_error"), "insufficient_quota"),
        (GatewayError("x", kind="invalid_request_error"), "invalid_prompt"),
        (GatewayError("x", code="context_length_exceeded"), "context_length_exceeded"),
        (GatewayError("x"), "server_error"),
        (Unavailable("x"), "server_error"),
    ],
)
def test_codes_are_those_that_clients_act_on(error: GatewayError, code: str) -> None:
    assert response_of(RESPONSES.write_error_event(error, "r"))["error"]["code"] == code


@pytest.mark.parametrize(
    ("found", "status", "message"),
    [
        (frame("error", {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}),
         429, "slow"),
        (frame("error", {"type": "error", "error": {"message": "deep", "code": None}}),
         502, "deep"),
        (frame("", {"error": {"message": "bare", "type": "invalid_request_error"}}), 400, "bare"),
        (frame("response.failed", {"type": "response.failed", "response": {
            "status": "failed", "error": {"code": "server_error", "message": "oops"}}}),
         502, "oops"),
        (frame("response.failed", {"type": "response.failed",
                                   "response": {"status": "failed", "error": None}}),
         500, "the upstream failed to answer"),
        (Frame(b"error", b"plain words"), 502, "plain words"),
    ],
)  # fmt: skip
def test_errors_that_a_stream_tells(found: Frame, status: int, message: str) -> None:
    error = RESPONSES.stream_error(found)
    assert error is not None
    assert (error.status, error.message) == (status, message)


@pytest.mark.parametrize(
    "found",
    [
        frame("response.created", {"type": "response.created", "response": {"error": None}}),
        frame("response.output_text.delta", {"type": "response.output_text.delta",
                                             "delta": '{"error": "x"}'}),
        Frame(b"", b'no json "error"'),
    ],
)  # fmt: skip
def test_text_that_speaks_of_an_error_is_none(found: Frame) -> None:
    assert RESPONSES.stream_error(found) is None


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b'event: response.completed\ndata: {"type":"response.completed"}\n\n', True),
        (b'event: response.incomplete\r\ndata: {}\r\n\r\n', True),
        (b'data: {"type": "response.failed"}\n\n', True),
        (b'event: error\ndata: {}\n\n', True),
        (b'event: response.output_item.done\ndata: {"type":"response.output_item.done"}\n\n',
         False),
        (b'data: {"delta":"event: response.completed"}\n\n', False),
    ],
)  # fmt: skip
def test_a_streams_proper_end(tail: bytes, expected: bool) -> None:
    assert RESPONSES.is_complete(tail) is expected


@pytest.mark.parametrize(
    ("event", "data", "says_nothing"),
    [
        (b"response.created", b'{"type":"response.created","response":{}}', True),
        (b"", b'{ "type": "response.in_progress", "response": {}}', True),
        (b"response.created", b'{"sequence_number":0,"type":"response.created"}', True),
        (b"", b'{"sequence_number":0,"type":"response.created"}', False),
        (b"response.created", b'{"type":"response.created","background":true}', False),
        (b"response.queued", b'{"type":"response.queued","response":{}}', False),
        (b"", b'{"type":"response.output_item.added","response.created":1}', False),
        (b"", b"[DONE]", False),
    ],
)
def test_what_only_tells_of_an_answer_to_come(
    event: bytes, data: bytes, says_nothing: bool
) -> None:
    assert errors.is_preamble(Frame(event, data)) is says_nothing
