"""Token counts of the Responses API: inclusive, unlike the neutral ones (`ResponseUsage`)."""

from msgspec import Struct

from gateway.neutral.events import Usage


class InputDetails(Struct):
    """`InputTokensDetails`."""

    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class OutputDetails(Struct):
    """`OutputTokensDetails`."""

    reasoning_tokens: int | float | None = None


class UsageCounts(Struct):
    """`ResponseUsage`; servers leave members out, or null."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


def read_usage(counts: UsageCounts | None) -> Usage | None:
    """The counts as neutral ones, which exclude what the cache gave and took."""
    if counts is None:
        return None
    view = counts.input_tokens_details or InputDetails()
    cached, written = int(view.cached_tokens or 0), int(view.cache_write_tokens or 0)
    given = int(counts.input_tokens or 0)
    # an upstream whose parts exceed its sum counts exclusively already
    fresh = given if cached + written > given else given - cached - written
    outside = counts.output_tokens_details or OutputDetails()
    thought = outside.reasoning_tokens
    output = int(counts.output_tokens or 0)
    return Usage(fresh, output, cached, written, None if thought is None else int(thought))


def write_usage(usage: Usage) -> dict[str, object]:
    """The counts as the API writes them; every member of it is required."""
    given = usage.input + usage.cache_read + usage.cache_write
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": given + usage.output,
    }
