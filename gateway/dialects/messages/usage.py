"""Token counts of the Messages API: exclusive, as in the neutral form (`Usage`)."""

from typing import Any

from gateway.dialects.messages.wire import UsageCounts
from gateway.neutral.events import Usage


def read_usage(counts: UsageCounts | None) -> Usage | None:
    """The counts; null ones are 0."""
    return merge_usage(Usage(), counts) if counts is not None else None


def merge_usage(usage: Usage, counts: UsageCounts) -> Usage:
    """The usage, with every count that is not null replacing the older one."""
    details = counts.output_tokens_details
    reasoning = details.thinking_tokens if details is not None else None
    return Usage(
        _latest_count(counts.input_tokens, usage.input),
        _latest_count(counts.output_tokens, usage.output),
        _latest_count(counts.cache_read_input_tokens, usage.cache_read),
        _latest_count(counts.cache_creation_input_tokens, usage.cache_write),
        usage.reasoning if reasoning is None else reasoning,
    )


def _latest_count(count: int | None, older: int) -> int:
    return older if count is None else count


def write_usage(usage: Usage) -> dict[str, Any]:
    """The usage member; every count is a number."""
    counts: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.reasoning is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts
