"""Changes to requests and streams where client and provider both speak Chat; mostly none.

Some servers refuse an assistant turn with tool calls and no reasoning, others refuse calls without
the signature they came with, which many clients drop. Usage in a stream is opt-in: the gateway
always asks for it, and removes the usage chunk where the client did not ask.
"""

from dataclasses import replace
from functools import partial

import msgspec
from msgspec import Raw

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat.digest import is_usage_only
from gateway.dialects.chat.repair import ToolCallRepair
from gateway.dialects.chat.thought_signatures import (
    SignatureRecordingReader,
    add_signatures,
    summarize_and_record,
)
from gateway.dialects.common.signatures import CallerSignatures, signatures_for_call
from gateway.dialects.common.strip_sealed import strip_sealed_reasoning
from gateway.lanes.relay import Relay
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import ABSENT, decode, present

_NO_REASONING = Raw(b'""')
_TRUE = Raw(b"true")
_NO_OPTIONS = Raw(b"{}")


def adapt_request(call: Call, capability: Capability, seal: Seal) -> Call:
    """The call as its upstream takes it; the call itself where nothing has to change."""
    call = strip_sealed_reasoning(call, capability, seal)
    if capability.reasoning_out == "required_with_tools":
        call = _fill_reasoning(call)
    if capability.thought_signatures != "none":
        call = _restore_signatures(call, capability)
    return _request_usage(call) if needs_usage_opt_in(call, capability) else call


def make_relay(dialect: Dialect, call: Call) -> Relay:
    """The relay of one stream: repairs known flaws of tool calls and records their signatures."""
    assert call.target is not None
    capability = call.target.capability
    kept = signatures_for_call(call) if _records_signatures(call, capability) else None
    edit = None
    if kept is not None or capability.mend_calls:
        edit = ToolCallRepair(kept, mend=capability.mend_calls)
    unasked = is_usage_only if needs_usage_opt_in(call, capability) else None
    return Relay(dialect, call.record, unasked, edit)


def needs_usage_opt_in(call: Call, capability: Capability) -> bool:
    """Whether the usage of the stream is asked for by the gateway, and not by its client."""
    if not call.stream or not capability.stream_usage:
        return False
    asked = _read_stream_options(call)
    return asked is not None and bytes(asked.get("include_usage", ABSENT)) != b"true"


def _request_usage(call: Call) -> Call:
    options = (_read_stream_options(call) or {}) | {"include_usage": _TRUE}
    return call.with_field("stream_options", options)


def _read_stream_options(call: Call) -> dict[str, Raw] | None:
    """The client's options; None where they are none that a server could read."""
    raw = call.fields.get("stream_options", _NO_OPTIONS)
    if not present(raw):
        return {}
    try:
        return decode(raw, dict[str, Raw])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _records_signatures(call: Call, capability: Capability) -> bool:
    """Whether the answer may hold signed tool calls; without tools there are no calls."""
    return capability.thought_signatures != "none" and "tools" in call.fields


def _restore_signatures(call: Call, capability: Capability) -> Call:
    """The call with the signatures that its client dropped; its answer's will be recorded."""
    kept = signatures_for_call(call)
    if _records_signatures(call, capability):
        call = call.in_dialect(make_recording_dialect(call.dialect, kept), call.fields)
    required = capability.thought_signatures == "required"
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        before = decode(raw, list[Raw])
        turns = [add_signatures(turn, kept, required=required) for turn in before]
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # not a valid conversation: the upstream reports the error
    if all(new is old for new, old in zip(turns, before, strict=True)):
        return call
    return call.with_field("messages", turns)


def make_recording_dialect(chat: Dialect, kept: CallerSignatures) -> Dialect:
    """The Chat dialect for the answer to one call: its reading records signatures."""
    return replace(
        chat,
        summarize=partial(summarize_and_record, kept),
        reader=partial(SignatureRecordingReader, kept),
    )


def _fill_reasoning(call: Call) -> Call:
    """The call with `reasoning_content`, if only "", in every assistant turn that calls tools."""
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        turns = [_fill_turn_reasoning(turn) for turn in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # not a valid conversation: the upstream reports the error
    return call.with_field("messages", turns)


def _fill_turn_reasoning(turn: Raw) -> Raw:
    if b'"tool_calls"' not in bytes(turn):
        return turn
    members = decode(turn, dict[str, Raw])
    if not present(members.get("tool_calls", ABSENT)) or "reasoning_content" in members:
        return turn
    return Raw(msgspec.json.encode(members | {"reasoning_content": _NO_REASONING}))
