"""A whole Chat answer for a client (`ChatCompletion`): the sum of what a stream would send."""

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.chat.answer_out import (
    make_answer_id,
    unix_time,
    write_stop_extras,
    write_usage_or_estimate,
)
from gateway.dialects.chat.deltas import DeltaWriter, JsonDelta, add_delta
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.neutral.events import Message, Part, ServerTool
from gateway.neutral.fold import part_events

_MEMBERS = (
    "role", "content", "refusal", "annotations", "reasoning_content", "reasoning_details",
    "extra_content", "function_call", "tool_calls",
)  # fmt: skip
"""The members of a message in the order in which they are written."""


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`ChatCompletion` for the client."""
    ending, writer = message.ending, DeltaWriter(conversion)
    answer_message = _sum_deltas(message, writer, conversion)
    choice: JsonDelta = {
        "index": 0, "message": answer_message, "logprobs": None,
        "finish_reason": writer.write_finish_reason(ending),
    }  # fmt: skip
    answer: JsonDelta = {
        "id": make_answer_id(message.id, "chatcmpl-"),
        "object": "chat.completion",
        "created": unix_time(),
        "model": conversion.alias or message.model,
        "choices": [choice | write_stop_extras(ending)],
        "usage": write_usage_or_estimate(ending.usage, writer.length, conversion),
    }
    if tier := SERVICE_TIERS.get(ending.service_tier or ""):
        answer["service_tier"] = tier
    return msgspec.json.encode(answer)


def _sum_deltas(message: Message, writer: DeltaWriter, conversion: Conversion) -> JsonDelta:
    """The message that the deltas of all parts make."""
    answer_message: JsonDelta = {"role": "assistant", "content": None, "refusal": None}
    for part in message.parts:
        events = list(part_events(part))
        if not events:
            writer.interrupted = True
            _note_lost(part, conversion)
        for event in events:
            add_delta(answer_message, writer.write(event))
    add_delta(answer_message, writer.write_refusal(message.ending))
    add_delta(answer_message, writer.write_last())
    for member in ("tool_calls", "annotations"):
        for item in answer_message.get(member, ()):
            del item["index"]  # it is a member of deltas only
    return {name: answer_message[name] for name in _MEMBERS if name in answer_message}


def _note_lost(part: Part, conversion: Conversion) -> None:
    # the text after a server tool's steps says what they found; a client would try to run them
    if not isinstance(part, ServerTool):
        conversion.notes.note(f"content.{type(part).__name__.lower()}", "unsupported_by_target")
