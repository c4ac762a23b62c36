"""What must change although client and provider speak the same dialect; mostly nothing.

Reasoning that this gateway sealed came from a provider of another dialect: its own API would refuse
it. Some servers refuse an assistant turn with tool calls that says nothing of its reasoning.
"""

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call
from gateway.capability import Capability
from gateway.seal import PREFIX
from gateway.wire import ABSENT, decode, present

_SEALED = PREFIX.encode()


_NO_REASONING = Raw(b'""')


def fitted(call: Call, capability: Capability) -> Call:
    """The call as its upstream takes it; the call itself where nothing has to change."""
    call = _unsealed(call)
    if capability.reasoning_out == "required_with_tools" and call.dialect.name == "chat":
        return _reasoned(call)
    return call


def _reasoned(call: Call) -> Call:
    """The call with `reasoning_content`, if only "", in every assistant turn that calls tools."""
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        turns = [_with_reasoning(turn) for turn in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # no conversation of ours: the upstream says what is wrong with it
    return call.with_field("messages", turns)


def _with_reasoning(turn: Raw) -> Raw:
    if b'"tool_calls"' not in bytes(turn):
        return turn
    members = decode(turn, dict[str, Raw])
    if not present(members.get("tool_calls", ABSENT)) or "reasoning_content" in members:
        return turn
    return Raw(msgspec.json.encode(members | {"reasoning_content": _NO_REASONING}))


class _Blob(Struct):
    """What a part may carry that only its own upstream takes back."""

    signature: str | None = None
    data: str | None = None


def _unsealed(call: Call) -> Call:
    """The call without sealed reasoning: where dialects agree, some other upstream minted it."""
    raw = call.fields.get("messages")
    if raw is None or _SEALED not in bytes(raw):
        return call
    try:
        pruned = [_pruned(message) for message in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # no conversation of ours: the upstream says what is wrong with it
    kept = Raw(msgspec.json.encode([message for message in pruned if message is not None]))
    if bytes(kept) == bytes(raw):
        return call
    call.record.warnings = ["messages:foreign_reasoning_dropped"]
    return call.with_field("messages", kept)


def _pruned(message: Raw) -> Raw | None:
    """A message without the sealed parts of it; None where nothing else is in it."""
    if _SEALED not in bytes(message):
        return message
    members = decode(message, dict[str, Raw])
    for name in ("content", "reasoning_details"):
        if not bytes(members.get(name, ABSENT)).startswith(b"["):
            continue
        parts = decode(members[name], list[Raw])
        kept = [part for part in parts if not _is_sealed(part)]
        if kept or not parts:
            members[name] = Raw(msgspec.json.encode(kept))
        elif name == "content":
            return None
        else:
            del members[name]
    return Raw(msgspec.json.encode(members))


def _is_sealed(part: Raw) -> bool:
    try:
        blob = decode(part, _Blob)
    except msgspec.ValidationError:
        return False
    return any(text and text.startswith(PREFIX) for text in (blob.signature, blob.data))
