"""The visible text in a Responses answer: `output_text` and `refusal`, whole and in a stream.

A stream tells each text several times: in deltas, in the events that end the text, its part and its
item, and in the whole response at the end (`ResponseTextDeltaEvent` ... `ResponseCompletedEvent`).
"""

from gateway.wire.text_slot import Json, TextSlot, object_at, objects_in, slots_in

_DELTAS = frozenset({"response.output_text.delta", "response.refusal.delta"})


def find_answer_texts(answer: Json) -> list[TextSlot]:
    """The texts of a `Response` or of one `ResponseStreamEvent`."""
    type = answer.get("type")  # the wire's word
    if type in _DELTAS:
        place = f"{answer.get('item_id')} {answer.get('content_index')} {type}"
        return slots_in([answer], "delta", place, is_piece=True)
    if type == "response.output_text.done":
        return slots_in([answer], "text")
    if type == "response.refusal.done":
        return slots_in([answer], "refusal")
    items = [object_at(answer, "item")]
    for response in (answer, object_at(answer, "response")):
        items += objects_in(response.get("output"))
    parts = [object_at(answer, "part")]
    for item in items:
        if item.get("type") == "message":
            parts += objects_in(item.get("content"))
    return [
        *slots_in((part for part in parts if part.get("type") == "output_text"), "text"),
        *slots_in((part for part in parts if part.get("type") == "refusal"), "refusal"),
    ]
