"""A request to count as a dialect of its own: another path, and an answer of its own.

So a count is a call as any other to those who ask who calls and where to, and to a provider; those
who keep, repeat or convert answers have no part in it.
"""

from dataclasses import replace

import msgspec
from msgspec import Raw, Struct, field

from gateway.dialect import AnswerSummary, Dialect, Fields
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.wire.raw_json import member

_ANSWER_MEMBERS = frozenset({
    "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "top_k", "metadata",
    "service_tier", "container", "inference_geo", "fallbacks", "fallback_credit_token", "thread",
    "diagnostics", "output_format",
})  # fmt: skip
"""Members of a Messages request that the counting endpoint does not take."""
_MIN_MAX_TOKENS = Raw(b"1")


class MessagesTokenCount(Struct):
    """`MessageTokensCount`, and the second count that clients of other gateways read."""

    input_tokens: int
    output_tokens: int = 0


def strip_answer_members(fields: Fields) -> Fields:
    """The members that the counting endpoint takes; those that nobody knows go on."""
    return {name: raw for name, raw in fields.items() if name not in _ANSWER_MEMBERS}


def _add_max_tokens(fields: Fields) -> Fields:
    # Messages asks for a limit that has no meaning here; a client may leave it out.
    return strip_answer_members(fields) | {"max_tokens": _MIN_MAX_TOKENS}


def _summarize_nothing(_body: bytes) -> AnswerSummary:
    return AnswerSummary()  # a count used no tokens


MESSAGES_COUNTING = replace(
    MESSAGES,
    name="count",
    path="/messages/count_tokens",
    check=lambda fields: MESSAGES.check(_add_max_tokens(fields)),
    read_prompt=lambda fields, notes: MESSAGES.read_prompt(_add_max_tokens(fields), notes),
    summarize=_summarize_nothing,
)
"""`POST /v1/messages/count_tokens` (`MessageCountTokensParams`)."""


class GeminiTokenCount(Struct, rename="camel"):
    """`CountTokensResponse`."""

    total_tokens: int


GEMINI_COUNTING = replace(GEMINI, name="count", summarize=_summarize_nothing)
"""`POST .../models/{model}:countTokens` (`CountTokensParameters`)."""

_REQUEST_MEMBERS = ("generateContentRequest", "generate_content_request")


def unwrap_request(fields: Fields) -> Fields:
    """What is to be counted: bare, or the whole request of the call that is about to be made."""
    for name in _REQUEST_MEMBERS:
        if name in fields:
            return member(fields[name], dict[str, Raw], name)
    return fields


class ResponsesTokenCount(Struct, kw_only=True):
    """`InputTokenCountResponse`."""

    object: str = "response.input_tokens"
    input_tokens: int


RESPONSES_COUNTING = replace(
    RESPONSES, name="count", path="/responses/input_tokens", summarize=_summarize_nothing
)
"""`POST /v1/responses/input_tokens` (`InputTokenCountParams`)."""

_COUNTED_MEMBERS = frozenset({
    "conversation", "input", "instructions", "model", "parallel_tool_calls", "personality",
    "previous_response_id", "reasoning", "text", "tool_choice", "tools", "truncation",
})  # fmt: skip
"""Members of a Responses request that its counting endpoint takes."""


def keep_counted_members(fields: Fields) -> Fields:
    """The members that count; a client may send the whole of the call it is about to make."""
    return {name: raw for name, raw in fields.items() if name in _COUNTED_MEMBERS}


def read_count(body: bytes) -> int | None:
    """The tokens that an upstream's own count tells; None where it tells none."""
    try:
        told = msgspec.json.decode(body, type=_UpstreamCount)
    except msgspec.DecodeError:
        return None
    return told.input_tokens if told.input_tokens is not None else told.total_tokens


class _UpstreamCount(Struct):
    """A count in either dialect."""

    input_tokens: int | None = None
    total_tokens: int | None = field(default=None, name="totalTokens")


def write_count(dialect: Dialect, tokens: int) -> bytes:
    """The count as a client of that counting dialect reads it."""
    if dialect is GEMINI_COUNTING:
        return msgspec.json.encode(GeminiTokenCount(tokens))
    if dialect is RESPONSES_COUNTING:
        return msgspec.json.encode(ResponsesTokenCount(input_tokens=tokens))
    return msgspec.json.encode(MessagesTokenCount(tokens))


COUNTING_DIALECTS = (MESSAGES_COUNTING, GEMINI_COUNTING, RESPONSES_COUNTING)
