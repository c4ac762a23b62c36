"""The members of a Chat answer, whole (`ChatCompletion`) or in pieces (`ChatCompletionChunk`).

Types are as wide as the servers that call themselves compatible; what is not here is ignored.
"""

import contextlib

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.common.usage import UsageCounts
from gateway.neutral.events import Stop
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import PREFIX
from gateway.wire.raw_json import ABSENT, decode


class ReasoningDetail(Struct, omit_defaults=True):
    """A member of OpenRouter's `reasoning_details`."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class ThinkingBlock(Struct):
    """A member of LiteLLM's `thinking_blocks`: a Messages thinking block."""

    type: str = "thinking"
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class FunctionFragment(Struct):
    """`ChoiceDeltaToolCallFunction`; Ollama gives the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Raw] | None = None


class CustomFragment(Struct):
    """`Custom` of a call, or a piece of it."""

    name: str | None = None
    input: str | None = None


class ToolFragment(Struct):
    """`ChoiceDeltaToolCall`, and `ChatCompletionMessageToolCallUnion`; Gemini adds the last."""

    index: int | str | None = None
    id: str | int | None = None
    function: FunctionFragment | None = None
    custom: CustomFragment | None = None
    extra_content: Raw = ABSENT


class AnswerAudio(Struct):
    """`ChatCompletionAudio`."""

    transcript: str | None = None


class Delta(Struct):
    """`ChoiceDelta`, and `ChatCompletionMessage`."""

    content: str | list[Raw] | None = None
    refusal: str | None = None
    tool_calls: list[ToolFragment] | None = None
    function_call: FunctionFragment | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    annotations: list[Raw] | None = None
    audio: AnswerAudio | None = None


class Choice(Struct):
    """`Choice`; `stop_reason` is vLLM's, `usage` Moonshot's, `error` OpenRouter's."""

    delta: Delta | None = None
    message: Delta | None = None
    index: int | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    usage: UsageCounts | None = None
    error: Raw = ABSENT


class Groq(Struct):
    """Groq's own member of its chunks."""

    usage: UsageCounts | None = None


class Chunk(Struct):
    """`ChatCompletionChunk`, and `ChatCompletion`."""

    id: str | int | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: UsageCounts | None = None
    error: Raw = ABSENT
    service_tier: str | None = None
    x_groq: Groq | None = None


class URLCitation(Struct):
    """`AnnotationURLCitation`."""

    url: str
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Annotation(Struct):
    """`Annotation`."""

    type: str = ""
    url_citation: URLCitation | None = None


ERROR_FINISH_REASONS = frozenset(
    {"error", "network_error", "insufficient_system_resource", "abort"}
)
"""Finish reasons that are errors, of OpenRouter, Mistral, GLM, DeepSeek, SGLang and vLLM."""

_STOP_FINISH_REASONS = frozenset({"stop", "eos", "eos_token", "COMPLETE", "end_turn", ""})
_CALL_FINISH_REASONS = frozenset({"tool_calls", "function_call", "tool_use"})
_STOP_OF_FINISH_REASON: dict[str, Stop] = {
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "model_context_window_exceeded",
    "content_filter": "refusal",
    "sensitive": "refusal",
    "safety": "refusal",
    "refusal": "refusal",
}

_KNOWN_FINISH_REASONS = _STOP_FINISH_REASONS | _CALL_FINISH_REASONS | _STOP_OF_FINISH_REASON.keys()

TRUNCATED_FINISH_REASONS = frozenset(_STOP_OF_FINISH_REASON)
"""Finish reasons after which the last tool call may be incomplete."""


class AnswerOutcome(Struct):
    """What an answer held when its finish reason came."""

    called: bool = False
    refused: bool = False
    matched: str | None = None  # the stop sequence that ended it


def read_stop(finish: str | None, outcome: AnswerOutcome, notes: LossReport) -> Stop:
    """The neutral word for a finish reason; many servers say `stop` whatever happened."""
    finish = finish or ""
    if finish in _STOP_OF_FINISH_REASON:
        return _STOP_OF_FINISH_REASON[finish]
    if finish not in _KNOWN_FINISH_REASONS:
        notes.note("finish_reason", "unknown_value")
    if outcome.called:
        return "tool_use"
    if outcome.refused:
        return "refusal"
    if outcome.matched is not None and finish not in _CALL_FINISH_REASONS:
        return "stop_sequence"
    return "end_turn"


def read_native_stop(finish: str | None) -> str | None:
    """The finish reason, where the neutral word does not say it."""
    return finish if finish and finish not in _KNOWN_FINISH_REASONS else None


FINISH_REASON_OF_STOP: dict[Stop, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "length",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
    "compaction": "stop",
}
"""Finish reasons by neutral word."""

DECLINED_TEXT = "The model declined to answer."


def parse_reasoning_detail(raw: Raw) -> ReasoningDetail:
    """A member of `reasoning_details`; msgspec.ValidationError where it is none."""
    return decode(raw, ReasoningDetail)


def pack_reasoning_detail(detail: ReasoningDetail) -> str:
    """What an opaque member must carry: its bare blob, or all of it but its text as JSON.

    OpenRouter refuses a blob whose `format` or `id` changed, so these travel with it.
    """
    blob = detail.signature if detail.type == "reasoning.text" else detail.data
    if not blob or blob.startswith(PREFIX) or (detail.format is None and detail.id is None):
        return blob or ""
    bare = msgspec.structs.replace(detail, text=None, summary=None, index=None)
    return msgspec.json.encode(bare).decode()


def write_reasoning_detail(kind: str, blob: str, text: str | None = None) -> dict[str, object]:
    """The member that `pack_reasoning_detail` took apart, or a new one around a bare blob."""
    found = ReasoningDetail()
    if blob.startswith("{"):
        with contextlib.suppress(msgspec.MsgspecError):
            found = msgspec.json.decode(blob, type=ReasoningDetail)
    if found.type:
        found.text = text
    elif kind == "reasoning.encrypted":
        found = ReasoningDetail(kind, data=blob)
    else:
        found = ReasoningDetail(kind, text, signature=blob or None)
    detail: dict[str, object] = msgspec.to_builtins(found)
    return detail
