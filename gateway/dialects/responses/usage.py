"""Token counts of the Responses API: inclusive, unlike the neutral ones (`ResponseUsage`)."""

from msgspec import Struct

from gateway.dialects.common import usage as openai
from gateway.dialects.common.usage import CompletionTokens, PromptTokens
from gateway.neutral.events import Usage


class UsageCounts(Struct):
    """`ResponseUsage`; servers leave members out, or null."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    input_tokens_details: PromptTokens | None = None
    output_tokens_details: CompletionTokens | None = None


def read_usage(counts: UsageCounts | None) -> Usage | None:
    """The counts as neutral ones, which exclude tokens read from and written to the cache."""
    if counts is None:
        return None
    return openai.read_usage(
        openai.UsageCounts(
            prompt_tokens=counts.input_tokens,
            completion_tokens=counts.output_tokens,
            prompt_tokens_details=counts.input_tokens_details,
            completion_tokens_details=counts.output_tokens_details,
        )
    )


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
