"""Members of an upstream's answer: finish reasons, token counts, ids of calls."""

import hashlib
import secrets

from gateway.dialects.gemini.wire import GenerateContentResponse, PromptFeedback, UsageCounts
from gateway.errors import Refused
from gateway.neutral.events import Ending, Stop, Usage
from gateway.neutral.notes import LossReport

RETRYABLE_FINISH_REASONS = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
     "MISSING_THOUGHT_SIGNATURE"}
)  # fmt: skip
"""Finish reasons for faults of the model, where a retry may succeed."""
_REFUSAL_REASONS = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
     "ESCALATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"}
)  # fmt: skip
_LENGTH_REASONS = frozenset({"MAX_TOKENS", "CONTINUATION"})
_NORMAL_REASONS = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED", ""})


def read_stop(
    reason: str, message: str | None, *, said: bool, called: bool, notes: LossReport
) -> Ending:
    """The ending of an answer with text (`said`) or with a tool call (`called`)."""
    if reason in _LENGTH_REASONS:
        return Ending("max_tokens", native=reason if reason == "CONTINUATION" else None)
    if reason in _REFUSAL_REASONS or (reason == "OTHER" and not said and not called):
        why = message or f"The answer was stopped ({reason})."
        return Ending("refusal", explanation=why, native=reason)
    if reason not in _NORMAL_REASONS:
        notes.note("finish_reason", reason.lower())
    stop: Stop = "tool_use" if called else "end_turn"
    return Ending(stop, native=reason if reason not in _NORMAL_REASONS else None)


def read_block_reason(feedback: PromptFeedback) -> Ending:
    """The ending of an answer whose prompt was blocked."""
    why = feedback.block_reason_message or f"The prompt was blocked ({feedback.block_reason})."
    return Ending("refusal", explanation=why, native=feedback.block_reason)


def is_blocked(answer: GenerateContentResponse) -> bool:
    """Whether the answer says only that its prompt was blocked."""
    feedback = answer.prompt_feedback
    return not answer.candidates and feedback is not None and bool(feedback.block_reason)


def make_finish_error(reason: str, message: str | None) -> Refused:
    """The error for a finish reason in `RETRYABLE_FINISH_REASONS`."""
    words = f"upstream ended its answer with finishReason {reason!r}"
    return Refused(f"{words}: {message}" if message else words, status=502, kind="api_error")


def read_usage(counts: UsageCounts) -> Usage:
    """The counts in the neutral, exclusive form."""
    prompt = _to_count(counts.prompt_token_count) + _to_count(counts.tool_use_prompt_token_count)
    cached = min(_to_count(counts.cached_content_token_count), prompt)
    thoughts, said = (
        _to_count(counts.thoughts_token_count),
        _to_count(counts.candidates_token_count),
    )
    if prompt + said != _to_count(counts.total_token_count):
        said += thoughts  # else `candidatesTokenCount` includes them
    reasoning = thoughts if counts.thoughts_token_count is not None else None
    return Usage(prompt - cached, said, cached, 0, reasoning)


def _to_count(count: int | float | None) -> int:
    return max(0, int(count or 0))


def make_call_id(answer: str, index: int) -> str:
    """An id for a call without one: the same for the same index in the same answer."""
    if not answer:
        return f"call_{secrets.token_hex(12)}"
    return f"call_{hashlib.sha256(f'{answer}/{index}'.encode()).hexdigest()[:24]}"
