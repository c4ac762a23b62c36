"""Reasoning items on their way through a client of another dialect.

An item's encrypted content is bound to the item's id: the API refuses it under another one. So
both travel in one blob, the id first; an upstream that gives no id gets none back.
"""

import hashlib

from gateway.dialect import Block, Conversion
from gateway.dialects.common.effort import choose_effort, write_openrouter_reasoning
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.neutral.events import Reasoning, Redacted, Thinking
from gateway.neutral.seal import PREFIX

_SEALED_KINDS = ("signature", "redacted")
_SEPARATOR = " "
"""Stands in no id and in no base64."""


def pack_reasoning(id: str, encrypted: str) -> str:
    """What a client has to carry of a reasoning item."""
    return f"{id}{_SEPARATOR}{encrypted}" if id else encrypted


def unpack_reasoning(blob: str) -> tuple[str, str]:
    """The id, or "", and the encrypted content that `pack_reasoning` joined."""
    id, between, encrypted = blob.partition(_SEPARATOR)
    return (id, encrypted) if between else ("", blob)


def write_replayed_reasoning(part: Thinking | Redacted, conversion: Conversion) -> Block | None:
    """The `reasoning` item that the upstream takes back, or None where it can use none of it."""
    blob = _find_native_blob(part, conversion)
    text = part.text if isinstance(part, Thinking) else ""
    if blob:
        id, encrypted = unpack_reasoning(blob)
        item: Block = {"type": "reasoning"} | ({"id": id} if id else {})
        summary = [{"type": "summary_text", "text": text}] if text else []
        return item | {"summary": summary, "encrypted_content": encrypted}
    if text and conversion.capability.reasoning_out != "none":
        id = "rs_" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
        content = [{"type": "reasoning_text", "text": text}]
        return {"type": "reasoning", "id": id, "summary": [], "content": content}
    conversion.notes.note("messages.thinking", "foreign_reasoning_dropped")
    return None


def _find_native_blob(part: Thinking | Redacted, conversion: Conversion) -> str | None:
    """The upstream's own blob, where it minted what the client replays."""
    blob = part.signature if isinstance(part, Thinking) else part.data
    if blob and blob.startswith(PREFIX):
        sealed = conversion.unsealed(blob)
        return sealed.data if sealed is not None and sealed.kind in _SEALED_KINDS else None
    return blob if part.origin == DIALECT_NAME else None


def write_reasoning(conversion: Conversion) -> Block:
    """The `reasoning` member; none where the client leaves it to the model."""
    reasoning = conversion.prompt.reasoning
    if reasoning is None:
        return {}
    off = reasoning.mode in ("disabled", "between_tools") or (
        reasoning.mode is None and reasoning.effort == "none"
    )
    member = _write_effort(reasoning, off, conversion)
    if member is not None and not off and _should_summarize(reasoning):
        if conversion.capability.reasoning_summary:
            member["summary"] = "auto"
        else:
            conversion.notes.note("reasoning.summary", "unsupported_by_target")
    return {"reasoning": member} if member else {}


def _should_summarize(reasoning: Reasoning) -> bool:
    """Whether the client wants to read the reasoning; an effort alone does not ask for it."""
    if reasoning.display is None:
        return reasoning.mode in ("enabled", "adaptive")
    return reasoning.display != "omitted"


def _write_effort(reasoning: Reasoning, off: bool, conversion: Conversion) -> Block | None:
    """How hard to think, in the model's levels; None where the model has no such thing."""
    if conversion.capability.effort_form == "openrouter":
        member: Block = write_openrouter_reasoning(reasoning, off).get("reasoning", {})
        member.pop("exclude", None)  # of Chat only: here a summary has to be asked for
        return member
    effort = choose_effort(reasoning, off, conversion)
    if effort is not None or conversion.capability.effort:
        return {"effort": effort} if effort is not None else {}
    if off:
        conversion.notes.note("thinking", "unsupported_by_target")
    elif reasoning.mode is not None or reasoning.effort is not None:
        conversion.notes.drop("thinking" if reasoning.mode else "reasoning_effort")
    return None
