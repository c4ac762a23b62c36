"""The visible text in a Chat answer: `message.content` when whole, `delta.content` in a stream."""

from gateway.wire.text_slot import Json, TextSlot, object_at, objects_in, slots_in


def find_answer_texts(answer: Json) -> list[TextSlot]:
    """The texts of every choice of a `ChatCompletion` or a `ChatCompletionChunk`."""
    found: list[TextSlot] = []
    for choice in objects_in(answer.get("choices")):
        part = str(choice.get("index", 0))
        for name, is_piece in (("delta", True), ("message", False)):
            said = object_at(choice, name)
            pieces = [said, *objects_in(said.get("content"))]
            found += slots_in(pieces[:1], "content", part, is_piece=is_piece)
            found += slots_in(pieces[1:], "text", part, is_piece=is_piece)
            found += slots_in([said], "refusal", f"{part} refusal", is_piece=is_piece)
    return found
