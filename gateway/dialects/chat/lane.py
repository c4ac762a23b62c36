"""What must change although client and provider speak Chat; mostly nothing.

Some servers refuse an assistant turn with tool calls that says nothing of its reasoning, and some
one whose calls lost the signature they came with, as many clients lose it. A server tells the usage
of a stream only where it is asked to: the gateway counts, so it asks, and what comes of that alone
does not reach a client that did not.
"""

from dataclasses import replace
from functools import partial

import msgspec
from msgspec import Raw

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat.digest import only_usage
from gateway.dialects.chat.mended import CallsMended
from gateway.dialects.chat.signed import KeepingReader, digest_keeping, with_signatures
from gateway.dialects.common.signatures import Kept, signatures
from gateway.dialects.common.unsealed import unsealed
from gateway.lanes.relay import Relay
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import ABSENT, decode, present

_NO_REASONING = Raw(b'""')
_TRUE = Raw(b"true")
_NO_OPTIONS = Raw(b"{}")


def fitted(call: Call, capability: Capability, seal: Seal) -> Call:
    """The call as its upstream takes it; the call itself where nothing has to change."""
    call = unsealed(call, capability, seal)
    if capability.reasoning_out == "required_with_tools":
        call = _reasoned(call)
    if capability.thought_signatures != "none":
        call = _signed(call, required=capability.thought_signatures == "required")
    return _counted(call) if counts_alone(call, capability) else call


def relay(dialect: Dialect, call: Call, kept: Kept | None = None) -> Relay:
    """The way of one stream, its flaws mended; the signatures in it go to `kept`."""
    assert call.target is not None
    capability = call.target.capability
    edit = None
    if kept is not None or capability.mend_calls:
        edit = CallsMended(kept, mend=capability.mend_calls)
    unasked = only_usage if counts_alone(call, capability) else None
    return Relay(dialect, call.record, unasked, edit)


def counts_alone(call: Call, capability: Capability) -> bool:
    """Whether the usage of the stream is asked for by the gateway, and not by its client."""
    if not call.stream or not capability.stream_usage:
        return False
    asked = _stream_options(call)
    return asked is not None and bytes(asked.get("include_usage", ABSENT)) != b"true"


def _counted(call: Call) -> Call:
    options = (_stream_options(call) or {}) | {"include_usage": _TRUE}
    return call.with_field("stream_options", options)


def _stream_options(call: Call) -> dict[str, Raw] | None:
    """The client's options; None where they are none that a server could read."""
    raw = call.fields.get("stream_options", _NO_OPTIONS)
    if not present(raw):
        return {}
    try:
        return decode(raw, dict[str, Raw])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _signed(call: Call, *, required: bool) -> Call:
    """The call with the signatures that a client dropped; those of its answer will be kept."""
    kept = signatures(call)
    if "tools" in call.fields:  # else nothing will be called
        call = call.spoken(signed(call.dialect, kept), call.fields)
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        before = decode(raw, list[Raw])
        turns = [with_signatures(turn, kept, required=required) for turn in before]
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if all(new is old for new, old in zip(turns, before, strict=True)):
        return call
    return call.with_field("messages", turns)


def signed(chat: Dialect, kept: Kept) -> Dialect:
    """The Chat dialect for the answer to one call: what the server signs in it is kept."""
    return replace(
        chat,
        digest=partial(digest_keeping, kept),
        reader=partial(KeepingReader, kept),
        relay=partial(relay, kept=kept),
    )


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
