"""The visible text in a Gemini answer: the text parts that are no thoughts."""

from gateway.wire.text_slot import Json, TextSlot, object_at, objects_in, slots_in


def find_answer_texts(answer: Json) -> list[TextSlot]:
    """The texts of a `GenerateContentResponse`; each event of a stream is one, with pieces."""
    return [
        slot
        for candidate in objects_in(answer.get("candidates"))
        for part in objects_in(object_at(candidate, "content").get("parts"))
        if part.get("thought") is not True
        for slot in slots_in([part], "text", str(candidate.get("index", 0)), is_piece=True)
    ]
