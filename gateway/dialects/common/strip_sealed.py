"""Removes sealed reasoning from Chat and Messages requests that stay in their dialect.

It came from a provider of another dialect, so this provider would refuse it.
"""

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialects.common.extra_content import read_signature
from gateway.neutral.seal import PREFIX, Seal, sealed_in
from gateway.wire.raw_json import ABSENT, decode


def strip_sealed_reasoning(call: Call, _capability: Capability, _seal: Seal) -> Call:
    """The call without sealed reasoning, which another upstream made."""
    if call.body and not sealed_in(call.body):
        return call  # searching a member would copy it
    raw = call.fields.get("messages")
    if raw is None or not sealed_in(bytes(raw)):
        return call
    try:
        pruned = [_strip_message(message) for message in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # invalid messages: the upstream reports the error
    kept = Raw(msgspec.json.encode([message for message in pruned if message is not None]))
    if bytes(kept) == bytes(raw):
        return call
    call.record.warnings = ["messages:foreign_reasoning_dropped"]
    return call.with_field("messages", kept)


def _strip_message(message: Raw) -> Raw | None:
    """A message without its sealed parts; None if it has no others."""
    if not sealed_in(bytes(message)):
        return message
    members = decode(message, dict[str, Raw])
    _strip_signatures(members)
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


def _strip_signatures(members: dict[str, Raw]) -> None:
    """Removes sealed signatures from a Chat message and its tool calls."""
    if read_signature(members.get("extra_content", ABSENT)).startswith(PREFIX):
        del members["extra_content"]
    calls = members.get("tool_calls", ABSENT)
    if sealed_in(bytes(calls)):
        opened = decode(calls, list[dict[str, Raw]])
        for call in opened:
            _strip_signatures(call)
        members["tool_calls"] = Raw(msgspec.json.encode(opened))


class _SealedBlob(Struct):
    """The members of a part that may be sealed."""

    signature: str | None = None
    data: str | None = None


def _is_sealed(part: Raw) -> bool:
    try:
        blob = decode(part, _SealedBlob)
    except msgspec.ValidationError:
        return False
    return any(text and text.startswith(PREFIX) for text in (blob.signature, blob.data))
