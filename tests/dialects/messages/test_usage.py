"""Token counts of the Messages API."""

from gateway.dialects.messages.usage import merge_usage, read_usage, write_usage
from gateway.dialects.messages.wire import ThinkingTokens, UsageCounts
from gateway.neutral.events import Usage


def test_counts_are_exclusive_on_both_sides() -> None:
    counts = UsageCounts(50, 10, 900, 50, ThinkingTokens(3))
    usage = Usage(50, 10, 900, 50, 3)
    assert read_usage(counts) == usage
    assert write_usage(usage) == {
        "input_tokens": 50,
        "cache_creation_input_tokens": 50,
        "cache_read_input_tokens": 900,
        "output_tokens": 10,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_null_counts_are_0_and_no_counts_are_none() -> None:
    assert read_usage(UsageCounts()) == Usage()
    assert read_usage(None) is None


def test_a_later_count_replaces_the_earlier_one_unless_null() -> None:
    earlier = Usage(25, 1, 5, 6, 2)
    assert merge_usage(earlier, UsageCounts(output_tokens=9)) == Usage(25, 9, 5, 6, 2)
    assert merge_usage(earlier, UsageCounts(0, 0, 0, 0, ThinkingTokens(0))) == Usage(0, 0, 0, 0, 0)
