"""A whole answer of a Responses upstream, read."""

from typing import Any

import msgspec
import pytest

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.common.names import sanitize_names
from gateway.dialects.responses import RESPONSES
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.neutral.events import (
    Ending,
    Format,
    Message,
    Part,
    Prompt,
    Redacted,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from tests.dialects.chat.conversions import conversion
from tests.fakes.responses import (
    USAGE,
    make_citation,
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_text_part,
    make_web_search,
)

COUNTED = Usage(5, 7, 4, 1, 3)


def read(*output: dict[str, Any], way: Conversion | None = None, **more: Any) -> Message:
    body = msgspec.json.encode(make_response(*output, **more))
    return RESPONSES.read_message(body, way or conversion())


def parts(*output: dict[str, Any], way: Conversion | None = None, **more: Any) -> list[Part]:
    return read(*output, way=way, **more).parts


def test_a_whole_answer() -> None:
    found = read(
        make_reasoning("why", "how", encrypted="gAAA"),
        make_message("Hé", "llo"),
        make_function_call("c1", "f", '{"x":1}'),
    )
    assert found == Message(
        "resp_1", "m",
        [
            Thinking("why\n\nhow", "rs_1 gAAA", "responses"), Text("Hé"), Text("llo"),
            ToolCall("c1", "f", '{"x":1}'),
        ],
        Ending("tool_use", usage=COUNTED),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (make_reasoning(encrypted="gAAA"), Redacted("rs_1 gAAA", "responses")),
        (make_reasoning(encrypted="gAAA", id=""), Redacted("gAAA", "responses")),
        (make_reasoning("why"), Thinking("why")),
        (make_reasoning(words=("a", "b")), Thinking("a\n\nb")),
        (make_reasoning("why", words=("a",)), Thinking("why")),
        (make_reasoning("", words=("a",)), Thinking("a")),
        (make_reasoning(), None),
        (make_message(), None),
        (make_message(""), None),
        (make_message(make_refusal("no")), Refusal("no")),
        (make_web_search(), None),
        (make_custom_call("c", "g", "free"), ToolCall("c", "g", "free", custom=True)),
        (make_function_call("c", "f", ""), ToolCall("c", "f", "")),
        (make_function_call("c", "f", " null"), ToolCall("c", "f", "")),
        (make_function_call("c", "f", "{", status="incomplete"), None),
    ],
)
def test_items(item: dict[str, Any], part: Part | None) -> None:
    assert parts(item) == ([part] if part is not None else [])


def test_broken_arguments_are_an_error_as_in_a_stream() -> None:
    with pytest.raises(BadAnswer, match="invalid tool arguments"):
        read(make_function_call("c", "f", "{"))


@pytest.mark.parametrize(
    ("more", "item", "ending"),
    [
        ({}, make_message("a"), Ending("end_turn")),
        ({"status": None}, make_message("a"), Ending("end_turn")),
        ({}, make_function_call("c", "f", "{}"), Ending("tool_use")),
        ({}, make_message(make_refusal("no")), Ending("refusal")),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            make_function_call("c", "f", "{}"),
            Ending("max_tokens"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            make_message("a"),
            Ending("refusal"),
        ),
        (
            {"status": "incomplete", "incomplete_details": None},
            make_message("a"),
            Ending("max_tokens"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
            make_message("a"),
            Ending("max_tokens", native="steered"),
        ),
        (
            {"service_tier": "priority"},
            make_message("a"),
            Ending("end_turn", service_tier="priority"),
        ),
    ],
)
def test_endings(more: dict[str, Any], item: dict[str, Any], ending: Ending) -> None:
    ending.usage = COUNTED
    assert read(item, **more).ending == ending


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (None, None),
        ({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}, Usage(5, 2)),
        (USAGE | {"input_tokens_details": None, "output_tokens_details": None}, Usage(10, 7)),
    ],
)
def test_counts(counts: object, usage: Usage | None) -> None:
    assert read(make_message("a"), usage=counts).ending.usage == usage


def test_names_are_restored() -> None:
    way = conversion()
    way.names = sanitize_names(["foo/bar"], "^[a-z_]+$", 64)
    assert parts(make_function_call("c", "foo_bar", "{}"), way=way) == [
        ToolCall("c", "foo/bar", "{}")
    ]


def test_a_tool_of_free_text_is_unwrapped() -> None:
    way = conversion(Prompt("m", [], tools=[Tool("p", custom=True)]))
    found = parts(
        make_function_call("c", "p", '{"input":"free"}'),
        make_function_call("d", "p", "free"),
        way=way,
    )
    assert found == [
        ToolCall("c", "p", "free", custom=True),
        ToolCall("d", "p", "free", custom=True),
    ]


def test_a_call_without_name_or_id() -> None:
    way = conversion()
    nameless, anonymous = (
        make_function_call("c", "", "{}"),
        make_function_call("", "f", "{}", id=None),
    )
    (found,) = parts(nameless, anonymous, way=way)
    assert isinstance(found, ToolCall)
    assert found.id.startswith("call_")
    assert way.notes.entries == ["output.function_call:without_name_dropped"]


@pytest.mark.parametrize(
    ("asked", "notes"), [(WebSearch(), []), (None, ["annotations:not_asked_for"])]
)
def test_sources(asked: WebSearch | None, notes: list[str]) -> None:
    way = conversion(Prompt("m", [], web_search=asked), Capability())
    told = make_citation("https://a", "A", 3, 5)
    (found,) = parts(make_message(make_text_part("so it is", told)), way=way)
    assert isinstance(found, Text)
    assert [(c.url, c.title, c.cited_text, c.span) for c in found.citations] == (
        [("https://a", "A", "it", (3, 5))] if asked else []
    )
    assert way.notes.entries == notes


def test_a_source_without_address_is_told() -> None:
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    file = {"type": "file_citation", "file_id": "f", "filename": "n", "index": 0}
    assert parts(make_message(make_text_part("a", file)), way=way) == [Text("a")]
    assert way.notes.entries == ["annotations:without_url_dropped"]


@pytest.mark.parametrize("place", [{}, {"start_index": 0, "end_index": 9}, {"start_index": -1}])
def test_a_source_that_says_not_what_it_backs(place: dict[str, int]) -> None:
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    told = {"type": "url_citation", "url": "https://a", "title": "A"} | place
    (found,) = parts(make_message(make_text_part("a", told)), way=way)
    assert isinstance(found, Text)
    assert [(c.url, c.cited_text, c.span) for c in found.citations] == [("https://a", None, None)]


def test_items_that_have_no_neutral_form_are_told() -> None:
    way = conversion()
    picture = {"id": "ig", "type": "image_generation_call", "status": "completed", "result": "AA"}
    assert parts(picture, make_web_search(), {"type": ""}, make_message("a"), way=way) == [
        Text("a")
    ]
    assert way.notes.entries == [
        "output.image_generation_call:unsupported_by_client", "output.item:unsupported_by_client",
    ]  # fmt: skip


def test_only_the_document_is_told_where_the_shape_is_fixed() -> None:
    way = conversion(Prompt("m", [], format=Format("json_object")))
    said = make_message("I will", phase="commentary"), make_message("{}"), make_message("And so on")
    assert parts(*said, way=way) == [Text("{}")]
    assert way.notes.entries == ["output.message:beside_the_document_dropped"]
    assert len(parts(*said)) == 3


def test_a_stop_sequence_ends_the_answer() -> None:
    way = conversion(capability=Capability())
    way.local_stops = ("END",)
    found = read(make_message("a END b"), make_function_call("c", "f", "{}"), way=way)
    assert found.parts == [Text("a ")]
    assert (found.ending.stop, found.ending.stop_sequence) == ("stop_sequence", "END")
    assert found.ending.usage == COUNTED


def test_a_stop_sequence_at_the_start_leaves_no_empty_text() -> None:
    way = conversion(capability=Capability())
    way.local_stops = ("END",)
    assert read(make_message("END b"), way=way).parts == []


def test_a_source_that_cannot_be_read_is_a_fault_of_the_upstream() -> None:
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    with pytest.raises(BadAnswer, match="cannot be read"):
        read(make_message(make_text_part("a", {"type": "url_citation", "url": 3})), way=way)


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (
            make_response(status="failed", error={"code": "server_error", "message": "boom"}),
            Refused,
            502,
            "boom",
        ),
        (
            make_response(
                status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}
            ),
            Refused,
            429,
            "slow",
        ),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, Refused, 400, "no"),
        (make_response(status="in_progress"), BadAnswer, 502, "in_progress"),
        (make_response(status="cancelled"), BadAnswer, 502, "cancelled"),
        ({"object": "list"}, BadAnswer, 502, "no response"),
        (make_response(make_message(3)), BadAnswer, 502, "cannot be read"),  # type: ignore[arg-type]
    ],
)
def test_errors_in_a_200(
    body: dict[str, Any], kind: type[GatewayError], status: int, words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        RESPONSES.read_message(msgspec.json.encode(body), conversion())
    assert caught.value.status == status


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"output":'])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        RESPONSES.read_message(body, conversion())
