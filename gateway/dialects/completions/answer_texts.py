"""The visible text in a completion: `text` of each choice, whole and in a stream alike."""

from gateway.wire.text_slot import Json, TextSlot, objects_in, slots_in


def find_answer_texts(answer: Json) -> list[TextSlot]:
    """The texts of every choice of a `Completion`, each of which may be one piece of a stream."""
    return [
        slot
        for choice in objects_in(answer.get("choices"))
        for slot in slots_in([choice], "text", str(choice.get("index", 0)), is_piece=True)
    ]
