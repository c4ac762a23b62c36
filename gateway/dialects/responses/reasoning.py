"""Reasoning items on their way through a client of another dialect.

An item's encrypted content is bound to the item's id: the API refuses it under another one. So
both travel in one blob, the id first; an upstream that gives no id gets none back.
"""

import hashlib

from gateway.dialect import Block, Crossing
from gateway.dialects.common.effort import effort_of, openrouter
from gateway.dialects.responses.wire import NAME
from gateway.neutral.events import Reasoning, Redacted, Thinking
from gateway.neutral.seal import PREFIX

_KINDS = ("signature", "redacted")
_BETWEEN = " "
"""Stands in no id and in no base64."""


def carried(id: str, encrypted: str) -> str:
    """What a client has to carry of a reasoning item."""
    return f"{id}{_BETWEEN}{encrypted}" if id else encrypted


def parted(blob: str) -> tuple[str, str]:
    """The id, or "", and the encrypted content that `carried` put together."""
    id, between, encrypted = blob.partition(_BETWEEN)
    return (id, encrypted) if between else ("", blob)


def replayed(part: Thinking | Redacted, crossing: Crossing) -> Block | None:
    """The `reasoning` item that the upstream takes back, or None where nothing of it is left."""
    blob = _minted(part, crossing)
    text = part.text if isinstance(part, Thinking) else ""
    if blob:
        id, encrypted = parted(blob)
        item: Block = {"type": "reasoning"} | ({"id": id} if id else {})
        summary = [{"type": "summary_text", "text": text}] if text else []
        return item | {"summary": summary, "encrypted_content": encrypted}
    if text and crossing.capability.reasoning_out != "none":
        id = "rs_" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
        words = [{"type": "reasoning_text", "text": text}]
        return {"type": "reasoning", "id": id, "summary": [], "content": words}
    crossing.notes.note("messages.thinking", "foreign_reasoning_dropped")
    return None


def _minted(part: Thinking | Redacted, crossing: Crossing) -> str | None:
    """The upstream's own blob, where it minted what the client replays."""
    blob = part.signature if isinstance(part, Thinking) else part.data
    if blob and blob.startswith(PREFIX):
        sealed = crossing.unsealed(blob)
        return sealed.data if sealed is not None and sealed.kind in _KINDS else None
    return blob if part.origin == NAME else None


def write_reasoning(crossing: Crossing) -> Block:
    """The `reasoning` member; none where the client leaves it to the model."""
    reasoning = crossing.prompt.reasoning
    if reasoning is None:
        return {}
    off = reasoning.mode in ("disabled", "between_tools") or (
        reasoning.mode is None and reasoning.effort == "none"
    )
    said = _level(reasoning, off, crossing)
    if said is not None and not off and _shown(reasoning):
        if crossing.capability.reasoning_summary:
            said["summary"] = "auto"
        else:
            crossing.notes.note("reasoning.summary", "unsupported_by_target")
    return {"reasoning": said} if said else {}


def _shown(reasoning: Reasoning) -> bool:
    """Whether the client wants to read the reasoning; an effort alone does not say so."""
    if reasoning.display is None:
        return reasoning.mode in ("enabled", "adaptive")
    return reasoning.display != "omitted"


def _level(reasoning: Reasoning, off: bool, crossing: Crossing) -> Block | None:
    """How hard to think, in the model's levels; None where the model has no such thing."""
    if crossing.capability.effort_form == "openrouter":
        said: Block = openrouter(reasoning, off).get("reasoning", {})
        said.pop("exclude", None)  # a Chat word: here no summary comes unasked
        return said
    effort = effort_of(reasoning, off, crossing)
    if effort is not None or crossing.capability.effort:
        return {"effort": effort} if effort is not None else {}
    if off:
        crossing.notes.note("thinking", "unsupported_by_target")
    elif reasoning.mode is not None or reasoning.effort is not None:
        crossing.notes.drop("thinking" if reasoning.mode else "reasoning_effort")
    return None
