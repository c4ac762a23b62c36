"""Errors in Chat streams, and the finish reasons that stand for errors."""

from msgspec import Raw

from gateway.dialects.common.faults import (
    ErrorBody,
    find_error,
    find_error_body,
    make_refused,
    parse_json_or_none,
    read_plain_text,
)
from gateway.dialects.common.openai_errors import write_error
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.wire.raw_json import ABSENT, present
from gateway.wire.sse import Frame, data_frame


def stream_error(frame: Frame) -> GatewayError | None:
    """The error that a stream's first chunk carries; one that ends before it began is one too."""
    if frame.data.strip() == b"[DONE]":
        return BadAnswer("upstream returned no choices")
    if frame.event != b"error" and b'error"' not in frame.data and b'"detail"' not in frame.data:
        return None
    found = find_error(frame.data)
    if found is None and frame.event == b"error":
        return make_refused(200, ErrorBody(read_plain_text(frame.data)))
    return found


def write_error_event(error: GatewayError, _request_id: str = "") -> bytes:
    """The same as one chunk, with advice where a timeout ran out; no `[DONE]` follows it."""
    written = write_error(error)
    if error.kind == "upstream_timeout":
        advice = b',"suggestion":"Consider increasing REQUEST_TIMEOUT"}}'
        written = written.removesuffix(b"}}") + advice
    return data_frame(written)


def make_finish_error(finish: str, error: Raw = ABSENT) -> Refused:
    """The error that a finish reason such as `network_error` stands for."""
    fault = find_error_body({"error": parse_json_or_none(bytes(error))}) if present(error) else None
    if fault is None:
        code = 503 if finish == "insufficient_system_resource" else 502
        return make_refused(
            code, ErrorBody(f"upstream ended its answer with finish_reason {finish!r}")
        )
    return make_refused(200, fault)
