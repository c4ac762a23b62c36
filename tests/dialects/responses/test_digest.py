"""What a Responses answer says at a glance."""

from typing import Any

import msgspec
import pytest

from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import Usage

COUNTS = {
    "input_tokens": 10, "output_tokens": 3, "total_tokens": 13,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
USAGE = Usage(5, 3, 4, 1, 2)


def digest(value: Any) -> Any:
    return RESPONSES.summarize(msgspec.json.encode(value))


def test_a_good_answer() -> None:
    found = digest({"object": "response", "output": [], "error": None, "usage": COUNTS})
    assert (found.error, found.usage) == (None, USAGE)


def test_an_event_with_the_usage_in_its_response() -> None:
    found = digest({"type": "response.completed", "response": {"usage": COUNTS}})
    assert (found.error, found.usage) == (None, USAGE)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"input_tokens": 10, "output_tokens": 3}, Usage(10, 3)),
        ({"input_tokens": None, "output_tokens": None}, Usage()),
        ({"input_tokens": 2, "input_tokens_details": {"cached_tokens": 5}}, Usage(2, 0, 5)),
        ({"input_tokens": 2, "input_tokens_details": None}, Usage(2)),
    ],
)
def test_counts_of_servers_that_leave_some_out(counts: Any, usage: Usage) -> None:
    assert digest({"output": [], "usage": counts}).usage == usage


def test_an_error_in_a_200() -> None:
    error = digest({"error": {"message": "slow", "code": "rate_limit_exceeded"}}).error
    assert (error.status, error.message) == (429, "slow")
    failed = {"output": [], "status": "failed", "error": {"code": "server_error", "message": "m"}}
    assert digest(failed).error.message == "m"


def test_json_that_is_no_response() -> None:
    assert digest({"hello": 1}).error.status == 502


def test_what_cannot_be_read_says_nothing() -> None:
    found = RESPONSES.summarize(b"<html>")
    assert (found.error, found.usage) == (None, None)
