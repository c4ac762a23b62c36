"""The fake says what the official types allow."""

import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.fakes.responses import (
    call,
    citation,
    free_call,
    message,
    reasoning,
    refusal,
    response,
    script,
    search,
    text_part,
)

ITEMS = (
    reasoning("why", "how", encrypted="gAAA"),
    reasoning(words=("hm",), id="rs_2"),
    search(),
    message(text_part("so it is", citation("https://a", "A", 0, 2)), refusal("no")),
    call("c1", "f", '{"x":1}'),
    free_call("c2", "g", "free"),
)


def test_events_and_answers_are_as_the_official_types_have_them() -> None:
    made = script(*ITEMS)
    events: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    for event in made.events:
        assert events.validate_python(event).type == event["type"]
    assert [event["sequence_number"] for event in made.events] == list(range(len(made.events)))
    whole = TypeAdapter(Response).validate_json(msgspec.json.encode(response(*ITEMS)))
    assert [item.type for item in whole.output] == [item["type"] for item in ITEMS]
