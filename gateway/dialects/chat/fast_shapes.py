"""Messages and their parts read in one pass over the body; lists of raw members cost one each.

Only the usual parts and members are here. A message with any other one, or with an error, is read
again member by member: that way reports errors as elsewhere, and unknown members as dropped.
"""

from msgspec import Raw

from gateway.dialects.chat.wire import (
    AudioPart,
    FilePart,
    ImagePart,
    MessageParam,
    RefusalPart,
    TextPart,
    ThinkingPart,
)
from gateway.wire.raw_json import ABSENT


class TextShape(TextPart, tag="text"):
    """`TextPart` that says its type."""


class ImageShape(ImagePart, tag="image_url"):
    """`ImagePart` that says its type."""


class AudioShape(AudioPart, tag="input_audio"):
    """`AudioPart` that says its type."""


class FileShape(FilePart, tag="file"):
    """`FilePart` that says its type."""


class RefusalShape(RefusalPart, tag="refusal"):
    """`RefusalPart` that says its type."""


class ThinkingShape(ThinkingPart, tag="thinking"):
    """`ThinkingPart` that says its type."""


PartShape = TextShape | ImageShape | AudioShape | FileShape | RefusalShape | ThinkingShape
PartItem = PartShape | Raw
"""A part that was read already, or its own bytes."""


class MessageShape(MessageParam, forbid_unknown_fields=True):
    """`MessageParam`, its parts read as well; the last members say nothing to a model."""

    content: str | list[PartShape] | None = None  # type: ignore[assignment]  # what a Raw one is read as
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
