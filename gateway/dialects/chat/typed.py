"""Messages and their parts read in one pass over the body; lists of raw members cost one each.

Only the usual parts and members are here. A message that holds another one, or a fault, is read
again by way of raw members: that way names faults as they are named everywhere, and tells of
members that nobody knows.
"""

from msgspec import Raw, Struct

from gateway.dialects.chat.wire import (
    AudioId,
    AudioPart,
    CacheControl,
    FilePart,
    FunctionCall,
    ImagePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallParam,
)
from gateway.wire import ABSENT


class Text(TextPart, tag="text"):
    """`TextPart` that says its type."""


class Image(ImagePart, tag="image_url"):
    """`ImagePart` that says its type."""


class Audio(AudioPart, tag="input_audio"):
    """`AudioPart` that says its type."""


class File(FilePart, tag="file"):
    """`FilePart` that says its type."""


class Refusal(RefusalPart, tag="refusal"):
    """`RefusalPart` that says its type."""


class Thinking(ThinkingPart, tag="thinking"):
    """`ThinkingPart` that says its type."""


Part = Text | Image | Audio | File | Refusal | Thinking
Item = Part | Raw
"""A part that was read already, or its own bytes."""


class Message(Struct, forbid_unknown_fields=True):
    """`MessageParam`, its parts read as well; the last members say nothing to a model."""

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCallParam] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: AudioId | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    thinking_blocks: list[Raw] | None = None
    cache_control: CacheControl | None = None
    weight: Raw = ABSENT
    parsed: Raw = ABSENT
    annotations: Raw = ABSENT
    index: Raw = ABSENT
    prefix: Raw = ABSENT
    partial: Raw = ABSENT
    provider_specific_fields: Raw = ABSENT
    logprobs: Raw = ABSENT
    images: Raw = ABSENT
    extra_content: Raw = ABSENT
