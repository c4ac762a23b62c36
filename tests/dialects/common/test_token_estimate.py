"""Token counts where the upstream reports none."""

from msgspec import Raw

from gateway.dialects.common.token_estimate import estimate_input, usage_or_estimate
from gateway.neutral.events import Usage
from tests.dialects.gemini.sent import conversion


def test_four_bytes_of_the_named_members_are_a_token_rounded_up() -> None:
    fields = {"contents": Raw(b"12345"), "tools": Raw(b"123"), "model": Raw(b"x" * 100)}
    assert estimate_input(fields, "contents", "tools", "systemInstruction") == 2
    assert estimate_input({**fields, "tools": Raw(b"1234")}, "contents", "tools") == 3


def test_counts_of_the_upstream_are_kept() -> None:
    way = conversion()
    assert usage_or_estimate(Usage(1, 2), 100, "usage", way) == Usage(1, 2)
    assert way.notes.entries == []


def test_an_estimate_is_noted() -> None:
    way = conversion()
    way.input_estimate = 7
    assert usage_or_estimate(None, 5, "usage", way) == Usage(7, 2)
    assert way.notes.entries == ["usage:estimated"]
