"""A whole answer for a Gemini client (`GenerateContentResponse`): the sum of its stream."""

import msgspec

from gateway.dialect import Block, Conversion
from gateway.dialects.gemini.part_writer import PartWriter
from gateway.neutral.events import Image, Message, Part, ServerTool
from gateway.neutral.fold import part_events


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`GenerateContentResponse` for the client."""
    writer = PartWriter(conversion)
    parts: list[Block] = []
    for part in message.parts:
        events = list(part_events(part))
        for event in events:
            parts += writer.write(event)
        if not events:
            parts += _write_other_part(part, conversion)
    parts += writer.end_call(message.ending)
    content: Block = {"parts": parts} if parts else {}
    answer = writer.write_last(content | {"role": "model"}, message.ending)
    return msgspec.json.encode(answer | {"responseId": message.id})


def _write_other_part(part: Part, conversion: Conversion) -> list[Block]:
    """The part of an image, which has no event; other parts without events are left out."""
    if isinstance(part, Image) and part.data is not None:
        return [{"inlineData": {"mimeType": part.media_type or "image/png", "data": part.data}}]
    # the text after a server tool's steps says what they found; a client would try to run them
    if not isinstance(part, ServerTool):
        conversion.notes.note(f"parts.{type(part).__name__.lower()}", "unsupported_by_client")
    return []
