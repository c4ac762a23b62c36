"""Token counts of OpenAI's dialects: inclusive on the wire, exclusive in the neutral form."""

from msgspec import Struct

from gateway.dialects.common.shapes import Number
from gateway.neutral.events import Usage


class PromptTokens(Struct):
    """`PromptTokensDetails`."""

    cached_tokens: Number | None = None
    cache_write_tokens: Number | None = None


class CompletionTokens(Struct):
    """`CompletionTokensDetails`."""

    reasoning_tokens: Number | None = None


class UsageCounts(Struct):
    """`CompletionUsage`, with the members that DeepSeek, Moonshot and others add."""

    prompt_tokens: Number | None = None
    completion_tokens: Number | None = None
    total_tokens: Number | None = None
    prompt_tokens_details: PromptTokens | None = None
    completion_tokens_details: CompletionTokens | None = None
    prompt_cache_hit_tokens: Number | None = None
    cached_tokens: Number | None = None
    cache_creation_input_tokens: Number | None = None


_NO_PROMPT_TOKENS = PromptTokens()

_NO_COMPLETION_TOKENS = CompletionTokens()


def read_usage(counts: UsageCounts) -> Usage:
    """The neutral counts: their input excludes tokens read from and written to the prompt cache."""
    prompt = counts.prompt_tokens_details or _NO_PROMPT_TOKENS
    completion = counts.completion_tokens_details or _NO_COMPLETION_TOKENS
    # int() because some servers write 12.0
    cached = int(
        prompt.cached_tokens or counts.prompt_cache_hit_tokens or counts.cached_tokens or 0
    )
    written = int(prompt.cache_write_tokens or counts.cache_creation_input_tokens or 0)
    given, output = int(counts.prompt_tokens or 0), int(counts.completion_tokens or 0)
    reasoning = completion.reasoning_tokens
    if reasoning and int(counts.total_tokens or 0) == given + output + int(reasoning):
        output += int(reasoning)  # xAI does not include reasoning in completion_tokens
    # If the parts exceed the sum, the upstream counts exclusively already.
    fresh = given if cached + written > given else given - cached - written
    return Usage(fresh, output, cached, written, None if reasoning is None else int(reasoning))


def write_usage(usage: Usage) -> dict[str, object]:
    """Neutral counts as `CompletionUsage`."""
    prompt = usage.input + usage.cache_read + usage.cache_write
    counts: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
    }
    if usage.reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return counts
