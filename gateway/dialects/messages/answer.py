"""Members of an answer, whole or streamed: ids, stop reasons, usage, citations, signatures."""

import hashlib
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.signatures import sealed_kind
from gateway.dialects.messages.usage import write_usage
from gateway.dialects.messages.wire import CitationBlock, StopDetails
from gateway.neutral.events import Citation, Ending, Stop, Usage
from gateway.wire.raw_json import decode

ORIGIN = "messages"
_STOP_OF_REASON: dict[str, Stop] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "pause_turn": "pause_turn",
    "refusal": "refusal",
    "model_context_window_exceeded": "model_context_window_exceeded",
    "compaction": "compaction",
}
_LOSSY_STOPS = frozenset({"pause_turn", "model_context_window_exceeded", "compaction"})
_TIERS_IN = {"standard": "default", "priority": "priority"}
_TIERS_OUT = {"default": "standard", "priority": "priority"}


def read_stop(
    reason: str, sequence: str | None, details: StopDetails | None, *, called: bool, answered: bool
) -> Ending:
    """Stop reason and its details; usage is left out.

    `called`: the answer calls a tool of the client. `answered`: a forced tool call is the answer.
    """
    stop: Stop = _STOP_OF_REASON.get(reason, "end_turn")
    if answered and stop == "tool_use":
        stop = "end_turn"
    elif called and stop == "end_turn":
        stop = "tool_use"  # compatible servers end so; an agent would stop without it
    return Ending(
        stop,
        sequence if stop == "stop_sequence" else None,
        details.explanation if details is not None and stop == "refusal" else None,
        native=reason if reason in _LOSSY_STOPS or reason not in _STOP_OF_REASON else None,
    )


def read_service_tier(tier: str | None) -> str | None:
    """The neutral name of a service tier; None where it has none."""
    return _TIERS_IN.get(tier or "")


def write_service_tier(tier: str | None) -> dict[str, str]:
    """The `service_tier` member of usage; empty where the tier has no Messages name."""
    found = _TIERS_OUT.get(tier or "")
    return {"service_tier": found} if found else {}


def write_stop(ending: Ending) -> dict[str, Any]:
    """`stop_reason`, `stop_sequence` and, for a refusal, `stop_details` (`RefusalStopDetails`)."""
    members: dict[str, Any] = {
        "stop_reason": ending.stop,
        "stop_sequence": ending.stop_sequence if ending.stop == "stop_sequence" else None,
    }
    if ending.stop == "refusal":
        members["stop_details"] = {
            "type": "refusal",
            "category": None,
            "explanation": ending.explanation,
        }
    return members


def write_message_start(id: str, usage: Usage | None, conversion: Conversion) -> Block:
    """`RawMessageStartEvent`: the message before it has content."""
    return {"type": "message_start", "message": write_empty_message(id, usage, conversion)}


def write_empty_message(id: str, usage: Usage | None, conversion: Conversion) -> Block:
    """`Message` without content and without a stop reason."""
    return {
        "id": make_message_id(id),
        "type": "message",
        "role": "assistant",
        "model": conversion.alias,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": write_usage(_estimate_usage(usage, conversion)),
    }


def write_message_delta(ending: Ending, conversion: Conversion) -> Block:
    """`RawMessageDeltaEvent`: the stop reason and the final usage."""
    usage = write_usage(_estimate_usage(ending.usage, conversion))
    usage |= write_service_tier(ending.service_tier)
    return {"type": "message_delta", "delta": write_stop(ending), "usage": usage}


def make_message_id(id: str) -> str:
    """The answer's id with the prefix `msg_`; an id of another form is hashed."""
    return id if id.startswith("msg_") else "msg_" + short_hash(id)


def make_tool_use_id(id: str, answer: str, index: int) -> str:
    """The call's id, or one made from its index in the answer where the upstream gave none."""
    return id or "toolu_" + short_hash(f"{answer}/{index}")


def short_hash(text: str) -> str:
    """A hash of the text, 24 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def write_signature(own: str | None, origin: str, text: str, conversion: Conversion) -> str:
    """The signature of a `ThinkingBlock`, never empty: clients replay it with the text.

    A missing one is a seal over the hash of the text; one of another dialect is sealed.
    """
    if own is None:
        return conversion.sealed(
            "text", hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        )
    return own if origin == ORIGIN else conversion.sealed("signature", own)


def write_redacted_data(data: str, origin: str, conversion: Conversion) -> str:
    """The data of a `RedactedThinkingBlock`, sealed unless a Messages upstream made it."""
    if origin == ORIGIN:
        return data
    return conversion.sealed(sealed_kind(origin), data)


def read_citation(raw: Raw) -> Citation:
    """A member of `TextCitation`; of an unknown shape only the raw bytes are kept."""
    try:
        block = decode(raw, CitationBlock)
    except msgspec.ValidationError:
        return Citation(raw)
    return Citation(raw, block.url, block.title or block.document_title, block.cited_text)


def write_citation(citation: Citation, conversion: Conversion) -> dict[str, Any] | None:
    """A `CitationsWebSearchResultLocation`; None, with a note, if no search was asked for."""
    if conversion.prompt.web_search is None or citation.url is None:
        conversion.notes.note("citations", "unsupported_by_client")
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.cited_text or "",
        "encrypted_index": "",
    }


def _estimate_usage(usage: Usage | None, conversion: Conversion) -> Usage:
    """The usage, or an estimate of the input tokens where the upstream has not sent any."""
    return usage if usage is not None else Usage(input=conversion.input_estimate)
