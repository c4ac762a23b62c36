"""The visible text in a Messages answer: text blocks when whole, `text_delta` in a stream."""

from gateway.wire.text_slot import Json, TextSlot, object_at, objects_in, slots_in


def find_answer_texts(answer: Json) -> list[TextSlot]:
    """The texts of a `Message` or of one `RawMessageStreamEvent`."""
    part = str(answer.get("index", 0))
    match answer.get("type"):
        case "content_block_delta":
            delta = object_at(answer, "delta")
            return slots_in([delta], "text", part, is_piece=True)
        case "content_block_start":
            block = object_at(answer, "content_block")
            return slots_in([block], "text", part, is_piece=True)
        case _:
            return slots_in(objects_in(answer.get("content")), "text")
