"""The fake says what the official types allow."""

import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.fakes.responses import (
    make_citation,
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
    make_text_part,
    make_web_search,
)

ITEMS = (
    make_reasoning("why", "how", encrypted="gAAA"),
    make_reasoning(words=("hm",), id="rs_2"),
    make_web_search(),
    make_message(
        make_text_part("so it is", make_citation("https://a", "A", 0, 2)), make_refusal("no")
    ),
    make_function_call("c1", "f", '{"x":1}'),
    make_custom_call("c2", "g", "free"),
)


def test_events_and_answers_are_as_the_official_types_have_them() -> None:
    made = make_script(*ITEMS)
    events: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    for event in made.events:
        assert events.validate_python(event).type == event["type"]
    assert [event["sequence_number"] for event in made.events] == list(range(len(made.events)))
    whole = TypeAdapter(Response).validate_json(msgspec.json.encode(make_response(*ITEMS)))
    assert [item.type for item in whole.output] == [item["type"] for item in ITEMS]
