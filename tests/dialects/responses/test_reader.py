"""Responses streams read: each whole, byte by byte and at random cuts."""

import random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from openai.types.responses import ResponseError

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.common.names import sanitize_names
from gateway.dialects.responses import RESPONSES
from gateway.errors import BadAnswer, Cut, GatewayError, Refused as UpstreamRefused
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Ending,
    Event,
    Format,
    MessageEnd,
    MessageStart,
    PartEnd,
    Prompt,
    RedactedThinking,
    RefusalDelta,
    Signature,
    Text,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    Tool,
    ToolStart,
    Usage,
    WebSearch,
)
from gateway.neutral.fold import build_message
from gateway.wire.sse import Splitter
from tests.dialects.chat.conversions import conversion
from tests.dialects.chat.test_reader import check_order
from tests.dialects.messages.wires import joined
from tests.fakes.responses import (
    ResponsesScript,
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
    render_event,
)

BEGAN = MessageStart("resp_1", "m")
COUNTED = Usage(5, 7, 4, 1, 3)
DONE = MessageEnd(Ending("end_turn", usage=COUNTED))
CALLED = MessageEnd(Ending("tool_use", usage=COUNTED))
BETWEEN = ThinkingDelta("\n\n")


def run(pieces: list[bytes], way: Conversion) -> list[Event]:
    reader, splitter = RESPONSES.reader(way), Splitter()
    frames = [frame for piece in pieces for frame in splitter.feed(piece)] + splitter.finish()
    events = [event for frame in frames for event in reader.read(frame)]
    events += reader.finish()
    assert reader.ended
    assert reader.finish() == []
    return joined(events)


def read(made: ResponsesScript, way: Conversion | None = None) -> list[Event]:
    """The events, the same however the bytes arrive."""
    way = way or conversion()
    wire = made.stream_bytes
    whole = run([wire], way)
    single = [wire[at : at + 1] for at in range(len(wire))]
    assert run(single, msgspec.structs.replace(way)) == whole
    dice = random.Random(7)
    cuts = sorted(dice.randrange(len(wire)) for _ in range(20))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert run(pieces, msgspec.structs.replace(way)) == whole
    check_order(whole)
    return whole


def test_text() -> None:
    assert read(make_script(make_message("Grüße, 世界"))) == [
        BEGAN, TextStart(), TextDelta("Grüße, 世界"), PartEnd(), DONE,
    ]  # fmt: skip


def test_parts_of_a_message_are_texts_of_their_own() -> None:
    assert read(make_script(make_message("one", "two"), make_message("three"))) == [
        BEGAN, TextStart(), TextDelta("one"), PartEnd(), TextStart(), TextDelta("two"),
        PartEnd(), TextStart(), TextDelta("three"), PartEnd(), DONE,
    ]  # fmt: skip


def test_each_delta_goes_on_at_once() -> None:
    reader, splitter = RESPONSES.reader(conversion()), Splitter()
    counts = [
        len(reader.read(frame))
        for bytes_ in make_script(make_message("abcdefghi")).frames
        for frame in splitter.feed(bytes_)
    ]
    # created, in_progress, added, part added, three deltas, done x3, completed
    assert counts == [1, 0, 0, 0, 2, 1, 1, 0, 0, 1, 1]


def test_reasoning_text_and_parallel_calls() -> None:
    made = make_script(
        make_reasoning("why", "how", encrypted="gAAA"),
        make_message("so"),
        make_function_call("a", "f", '{"x":1.0}'),
        make_function_call("b", "g", ""),
        make_custom_call("c", "h", "free"),
    )
    assert read(made) == [
        BEGAN,
        ThinkingStart(), ThinkingDelta("why\n\nhow"), Signature("rs_1 gAAA", "responses"),
        PartEnd(),
        TextStart(), TextDelta("so"), PartEnd(),
        ToolStart("a", "f"), ArgumentsDelta('{"x":1.0}'), PartEnd(),
        ToolStart("b", "g"), PartEnd(),
        ToolStart("c", "h", custom=True), ArgumentsDelta("free"), PartEnd(),
        CALLED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "events"),
    [
        (make_reasoning(encrypted="gAAA"), [RedactedThinking("rs_1 gAAA", "responses")]),
        (make_reasoning(), []),
        (make_reasoning("because"), [ThinkingStart(), ThinkingDelta("because"), PartEnd()]),
        (make_reasoning(words=("a", "b")), [ThinkingStart(), ThinkingDelta("a\n\nb"), PartEnd()]),
        # what comes first is told, the same in other words is not
        (make_reasoning("why", words=("w",)), [ThinkingStart(), ThinkingDelta("why"), PartEnd()]),
        (make_web_search(), []),
        (make_message(), []),
    ],
)
def test_items(item: dict[str, Any], events: list[Event]) -> None:
    assert read(make_script(item)) == [BEGAN, *events, DONE]


def test_a_refusal() -> None:
    ending = MessageEnd(Ending("refusal", usage=COUNTED))
    found = read(make_script(make_message("I", make_refusal("cannot"))))
    assert found[1:4] == [TextStart(), TextDelta("I"), PartEnd()]
    assert found[4:] == [RefusalDelta("can"), RefusalDelta("not"), ending]


def test_sources() -> None:
    told = make_citation("https://a", "A", 3, 5)
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    found = read(
        make_script(make_web_search(), make_message(make_text_part("so it is", told))), way
    )
    (came,) = [event for event in found if isinstance(event, CitationAdded)]
    assert (came.citation.url, came.citation.title, came.citation.cited_text) == (
        "https://a", "A", "it",
    )  # fmt: skip
    assert found[-3:] == [came, PartEnd(), DONE]
    unasked = read(make_script(make_message(make_text_part("so it is", told))), conversion())
    assert not any(isinstance(event, CitationAdded) for event in unasked)


def test_sources_that_come_with_the_whole_item_only() -> None:
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    told = make_citation("https://a", "A", 0, 1)
    made = ResponsesScript().add_start()
    at = made.open_item(make_message(make_text_part("ab", told)))
    made.add_event("response.output_text.delta", output_index=at, content_index=0, delta="ab")
    found = read(made.close_item(at).add_end(), way)
    assert [e.citation.cited_text for e in found if isinstance(e, CitationAdded)] == ["a"]


# --- what servers leave out -----------------------------------------------------------------------


def thin(*kept: str) -> ResponsesScript:
    """A stream of every kind of item, of which only these kinds of events are sent."""
    made = make_script(
        make_reasoning("why", encrypted="gAAA"), make_message("so", make_refusal("no")),
        make_function_call("a", "f", '{"x":1}'), make_custom_call("b", "g", "free"),
    )  # fmt: skip
    made.events = [event for event in made.events if event["type"].endswith(kept)]
    return made


FULL = read(thin(""))


@pytest.mark.parametrize(
    "kept",
    [
        ("item.added", "delta", "item.done", "completed"),
        ("item.added", "text.done", "refusal.done", "arguments.done", "input.done", "item.done",
         "completed"),
        ("item.added", "item.done", "completed"),
        ("item.done", "completed"),
        ("completed",),
        ("created", "completed"),
        ("item.added", ".done", "completed"),
    ],
)  # fmt: skip
def test_what_is_told_late_is_told_once(kept: tuple[str, ...]) -> None:
    found = read(thin(*kept))
    if "created" not in kept and kept != ("completed",):
        assert found[0] == MessageStart("", "real")
        found[0] = BEGAN
    refused = [event for event in found if isinstance(event, RefusalDelta)]
    assert "".join(event.text for event in refused) == "no"
    assert [e for e in found if e not in refused] == [
        e for e in FULL if not isinstance(e, RefusalDelta)
    ]


def test_deltas_alone_and_items_that_are_never_done() -> None:
    made = ResponsesScript().add_event(
        "response.output_text.delta", delta="Hi", output_index=0, content_index=0
    )
    made.add_event("response.completed", response=make_response())
    assert read(made) == [MessageStart("", "real"), TextStart(), TextDelta("Hi"), PartEnd(), DONE]


def test_a_name_that_comes_with_the_end() -> None:
    made = ResponsesScript().add_start()
    at = made.open_item(make_function_call("a", "", ""))
    for piece in ('{"x"', ":1}"):
        made.add_event("response.function_call_arguments.delta", output_index=at, delta=piece)
    made.close_item(at, make_function_call("a", "f", '{"x":1}')).add_end()
    assert read(made) == [
        BEGAN, ToolStart("a", "f"), ArgumentsDelta('{"x":1}'), PartEnd(), CALLED,
    ]  # fmt: skip


def test_a_call_without_name_is_dropped() -> None:
    way = conversion()
    assert read(make_script(make_function_call("a", "", "{}")), way) == [BEGAN, DONE]
    assert way.notes.entries == ["output.function_call:without_name_dropped"]


def test_an_item_of_the_same_place_ends_the_one_before() -> None:
    made = ResponsesScript().add_start()
    made.open_item(make_message("a"), 0)
    made.add_event("response.output_text.delta", output_index=0, content_index=0, delta="a")
    made.open_item(make_function_call("b", "f", "{}"), 0)
    made.close_item(0, make_function_call("b", "f", "{}")).add_end()
    assert read(made) == [
        BEGAN, TextStart(), TextDelta("a"), PartEnd(), ToolStart("b", "f"),
        ArgumentsDelta("{}"), PartEnd(), CALLED,
    ]  # fmt: skip


def test_done_is_no_event() -> None:
    made = make_script(make_message("a"))
    wire = made.stream_bytes + b"data: [DONE]\n\n"
    assert run([wire], conversion())[-1] == DONE
    with pytest.raises(Cut):
        run([b"data: [DONE]\n\n"], conversion())


def test_events_that_nobody_knows_say_nothing() -> None:
    made = ResponsesScript().add_start()
    made.add_event("response.brand_new", delta={"a": 1}).add_event("keepalive").add_event(
        "response.audio.delta"
    )
    at = made.open_item(make_message("a"))
    made.add_event("response.brand_new", delta=[1], output_index=at).close_item(at).add_end()
    assert read(made) == [BEGAN, TextStart(), TextDelta("a"), PartEnd(), DONE]


def test_an_event_without_a_type_says_nothing() -> None:
    made = ResponsesScript().add_start()
    at = made.open_item(make_message("a"))
    made.add_event("response.output_text.delta", output_index=at, content_index=0, delta="")
    odd = b'data: {"x":1}\n\n'
    tail = ResponsesScript()
    tail.output = made.output
    wire = made.stream_bytes + odd + tail.close_item(at).add_end().stream_bytes
    assert run([wire], conversion()) == [BEGAN, TextStart(), TextDelta("a"), PartEnd(), DONE]


# --- order ----------------------------------------------------------------------------------------


def test_items_that_interleave_are_put_in_order() -> None:
    made = ResponsesScript().add_start()
    first, second = (
        made.open_item(make_function_call("a", "f", "")),
        made.open_item(make_function_call("b", "g", "")),
    )
    third = made.open_item(make_message("hi"))
    name = "response.function_call_arguments.delta"
    made.add_event(name, output_index=first, delta='{"x":')
    made.add_event(name, output_index=second, delta='{"y":')
    made.add_event("response.output_text.delta", output_index=third, content_index=0, delta="hi")
    made.add_event(name, output_index=first, delta="1}")
    made.add_event(name, output_index=second, delta="2}")
    made.close_item(second, make_function_call("b", "g", '{"y":2}')).close_item(third).close_item(
        first, make_function_call("a", "f", '{"x":1}')
    )
    assert read(made.add_end()) == [
        BEGAN, ToolStart("a", "f"), ArgumentsDelta('{"x":1}'), PartEnd(),
        ToolStart("b", "g"), ArgumentsDelta('{"y":2}'), PartEnd(),
        TextStart(), TextDelta("hi"), PartEnd(), CALLED,
    ]  # fmt: skip


def test_items_that_are_never_done_end_with_the_response() -> None:
    made = ResponsesScript().add_start()
    first, second = (
        made.open_item(make_message("a")),
        made.open_item(make_function_call("b", "f", "{}")),
    )
    third = made.open_item(make_message("c"))
    made.add_event("response.output_text.delta", output_index=first, content_index=0, delta="a")
    made.add_event("response.output_text.delta", output_index=third, content_index=0, delta="c")
    made.close_item(second)  # the first and the last are not
    assert read(made.add_end()) == [
        BEGAN, TextStart(), TextDelta("a"), PartEnd(), ToolStart("b", "f"),
        ArgumentsDelta("{}"), PartEnd(), TextStart(), TextDelta("c"), PartEnd(), CALLED,
    ]  # fmt: skip


def test_an_item_is_done_once() -> None:
    made = make_script(make_message("a"))
    made.events.insert(-1, made.events[-2])
    assert read(made) == [BEGAN, TextStart(), TextDelta("a"), PartEnd(), DONE]


def test_an_item_that_waits_is_done_once() -> None:
    made = ResponsesScript().add_start()
    first, second = (
        made.open_item(make_function_call("a", "f", "{}")),
        made.open_item(make_message("b")),
    )
    made.close_item(second).close_item(second).close_item(first).add_end()
    assert read(made) == [
        BEGAN, ToolStart("a", "f"), ArgumentsDelta("{}"), PartEnd(), TextStart(),
        TextDelta("b"), PartEnd(), CALLED,
    ]  # fmt: skip


def test_text_goes_on_while_a_later_item_waits() -> None:
    made = ResponsesScript().add_start()
    first, second = (
        made.open_item(make_message("ab")),
        made.open_item(make_function_call("a", "f", "{}")),
    )
    for piece in ("a", "b"):
        made.add_event(
            "response.output_text.delta", output_index=first, content_index=0, delta=piece
        )
        made.add_event("response.function_call_arguments.delta", output_index=second, delta="{"[:0])
    made.close_item(second).close_item(first).add_end()
    assert read(made) == [
        BEGAN, TextStart(), TextDelta("ab"), PartEnd(), ToolStart("a", "f"),
        ArgumentsDelta("{}"), PartEnd(), CALLED,
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_interleaving_says_what_the_whole_answer_says(data: st.DataObject) -> None:
    items = [
        make_reasoning("why", "how", encrypted="g"),
        make_message("Hello", "you"),
        make_function_call("a", "f", '{"x":1}'),
        make_function_call("b", "g", ""),
        make_custom_call("c", "h", "free"),
        make_web_search(),
        make_message("bye"),
    ]
    streams: list[list[dict[str, Any]]] = []
    for at, item in enumerate(items):
        single = ResponsesScript()
        single.output = [{}] * at
        single.add_item(item)
        streams.append(single.events)
    # every item begins in the order of the output, as places in it are given
    made = ResponsesScript().add_start()
    for events in streams:
        made.events.append(events.pop(0))
    while any(streams):
        chosen = data.draw(st.sampled_from([events for events in streams if events]))
        made.events.append(chosen.pop(0))
    made.output = items
    found = run([made.add_end().stream_bytes], conversion())
    check_order(found)
    body = msgspec.json.encode(make_response(*items))
    assert build_message(found) == RESPONSES.read_message(body, conversion())


# --- names, custom tools, documents, stops --------------------------------------------------------


def test_names_are_restored() -> None:
    way = conversion()
    way.names = sanitize_names(["foo/bar"], "^[a-z_]+$", 64)
    assert ToolStart("a", "foo/bar") in read(
        make_script(make_function_call("a", "foo_bar", "{}")), way
    )


def test_a_tool_of_free_text_that_went_as_a_function() -> None:
    way = conversion(Prompt("m", [], tools=[Tool("p", custom=True)]))
    made = make_script(
        make_function_call("a", "p", '{"input":"free"}'), make_function_call("b", "p", "bare")
    )
    assert read(made, way) == [
        BEGAN, ToolStart("a", "p", custom=True), ArgumentsDelta("free"), PartEnd(),
        ToolStart("b", "p", custom=True), ArgumentsDelta("bare"), PartEnd(), CALLED,
    ]  # fmt: skip


def test_only_the_document_is_told_where_the_shape_is_fixed() -> None:
    way = conversion(Prompt("m", [], format=Format("json_object")))
    made = make_script(
        make_message("I will", phase="commentary"), make_message("{}"), make_message("And so on")
    )
    assert read(made, way) == [BEGAN, TextStart(), TextDelta("{}"), PartEnd(), DONE]
    assert way.notes.entries == ["output.message:beside_the_document_dropped"]


def stopping(*stops: str) -> Conversion:
    way = conversion(capability=Capability())
    way.local_stops = stops
    return way


def test_a_stop_sequence_cuts_the_answer() -> None:
    reader, splitter = RESPONSES.reader(stopping("END")), Splitter()
    made = make_script(make_message("a END b"), make_function_call("c", "f", "{}"))
    events = [e for frame in splitter.feed(made.stream_bytes) for e in reader.read(frame)]
    assert joined(events) == [
        BEGAN, TextStart(), TextDelta("a "), PartEnd(), MessageEnd(Ending("stop_sequence", "END")),
    ]  # fmt: skip
    assert reader.cut
    assert reader.ended
    assert reader.finish() == []


def test_a_stop_sequence_in_a_response_that_comes_at_once() -> None:
    made = ResponsesScript()
    made.output = [make_message("a END b")]
    assert run([made.add_end().stream_bytes], stopping("END"))[-2:] == [
        PartEnd(), MessageEnd(Ending("stop_sequence", "END", usage=COUNTED)),
    ]  # fmt: skip


def test_what_only_looks_like_a_stop_sequence_is_told() -> None:
    assert read(make_script(make_message("a EN", "D b")), stopping("END")) == [
        BEGAN, TextStart(), TextDelta("a EN"), PartEnd(), TextStart(), TextDelta("D b"),
        PartEnd(), DONE,
    ]  # fmt: skip


def test_stop_sequences_mean_nothing_in_arguments() -> None:
    found = read(make_script(make_function_call("a", "f", '{"x":"END"}')), stopping("END"))
    assert ArgumentsDelta('{"x":"END"}') in found


def test_a_stop_sequence_in_an_item_that_had_to_wait() -> None:
    made = ResponsesScript().add_start()
    first = made.open_item(make_function_call("a", "f", "{}"))
    second = made.open_item(make_message("x END y"))
    delta = {"output_index": second, "content_index": 0}
    made.add_event("response.output_text.delta", delta="x END y", **delta)
    made.close_item(second).close_item(first).add_end()
    found = run([made.stream_bytes], stopping("END"))
    assert found[-3:] == [TextDelta("x "), PartEnd(), MessageEnd(Ending("stop_sequence", "END"))]


# --- endings and faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "more", "ending"),
    [
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}},
         Ending("max_tokens")),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, Ending("refusal")),
        ("completed", {"service_tier": "priority"}, Ending("end_turn", service_tier="priority")),
    ],
)  # fmt: skip
def test_endings(status: str, more: dict[str, Any], ending: Ending) -> None:
    ending.usage = COUNTED
    assert read(make_script(make_message("a"), status=status, **more))[-1] == MessageEnd(ending)


def test_the_status_counts_more_than_the_events_name() -> None:
    made = make_script(make_message("a"))
    made.events[-1]["response"] |= {
        "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
    }  # fmt: skip
    assert read(made)[-1] == MessageEnd(Ending("max_tokens", usage=COUNTED))


def test_a_call_that_the_limit_cut() -> None:
    made = ResponsesScript().add_start()
    at = made.open_item(make_function_call("a", "f", ""))
    made.add_event("response.function_call_arguments.delta", output_index=at, delta='{"x":')
    cut = make_function_call("a", "f", '{"x":', status="incomplete")
    limit = {"incomplete_details": {"reason": "max_output_tokens"}}
    ending = MessageEnd(Ending("max_tokens", usage=COUNTED))
    told = [BEGAN, ToolStart("a", "f"), ArgumentsDelta('{"x":'), PartEnd(), ending]
    never_done = ResponsesScript()
    never_done.events = list(made.events)
    assert read(made.close_item(at, cut).add_end("incomplete", **limit)) == told
    assert read(never_done.add_end("incomplete", **limit)) == told


def test_arguments_that_are_no_object_are_a_fault() -> None:
    with pytest.raises(BadAnswer, match="invalid tool arguments"):
        read(make_script(make_function_call("a", "f", '{"x":')))


ERROR = {"code": "rate_limit_exceeded", "message": "slow down"}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "sequence_number": 3, "param": None, **ERROR},
        {"type": "error", "error": ERROR},
        {"error": ERROR},
        {"type": "response.failed", "response": make_response(status="failed", error=ERROR)},
        {"type": "response.completed", "response": make_response(status="failed", error=ERROR)},
    ],
)
@pytest.mark.parametrize("said", [True, False], ids=["late", "early"])
def test_errors_in_the_stream(event: dict[str, Any], said: bool) -> None:
    made = ResponsesScript().add_start()
    if said:
        made.add_item(make_message("Hel"))
    wire = made.stream_bytes + render_event({"type": ""} | event)
    with pytest.raises(UpstreamRefused, match="slow down") as caught:
        run([wire], conversion())
    assert caught.value.status == 429


def codes() -> list[str]:
    return list(get_args(ResponseError.model_fields["code"].annotation))


@pytest.mark.parametrize("code", codes())
def test_the_faults_of_a_prompt_are_the_clients_own(code: str) -> None:
    error = {"code": code, "message": "no"}
    event = {"type": "response.failed", "response": make_response(status="failed", error=error)}
    with pytest.raises(UpstreamRefused, match="no") as caught:
        run([ResponsesScript().add_start().stream_bytes + render_event(event)], conversion())
    others = {"server_error": 502, "vector_store_timeout": 502, "rate_limit_exceeded": 429}
    assert caught.value.status == others.get(code, 400)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "response.failed", "response": make_response(status="failed")}, UpstreamRefused),
        ({"type": "response.completed", "response": make_response(status="cancelled")}, BadAnswer),
        ({"type": "response.output_item.added", "item": 3}, BadAnswer),
        ({"type": "response.output_item.added", "item": {"type": "message", "content": 3}},
         BadAnswer),
        ({"type": "response.output_text.delta", "delta": 3}, BadAnswer),
        ({"type": "response.completed", "response": {"output": 3}}, BadAnswer),
    ],
)  # fmt: skip
def test_nonsense_is_a_fault(event: dict[str, Any], kind: type[GatewayError]) -> None:
    with pytest.raises(kind):
        run([ResponsesScript().add_start().stream_bytes + render_event(event)], conversion())


@pytest.mark.parametrize("data", [b"{", b"<html>", b"[1]", b"null", b'"x"'])
def test_what_is_no_event_is_a_fault(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        run([b"data: " + data + b"\n\n"], conversion())


def test_a_stream_that_ends_too_early_is_cut() -> None:
    frames = make_script(make_message("Hello"), make_function_call("a", "f", '{"x":1}')).frames
    for kept in range(len(frames)):
        with pytest.raises(Cut):
            run(frames[:kept], conversion())


def test_a_lone_surrogate_becomes_a_mark() -> None:
    made = ResponsesScript().add_start()
    at = made.open_item(make_message("a"))
    wire = made.stream_bytes.replace(b"zz", b"")
    said = {"type": "response.output_text.delta", "delta": "X", "output_index": at}
    odd = render_event(said | {"content_index": 0}).replace(b'"X"', b'"\\ud83d"')
    tail = render_event(
        {"type": "response.completed", "response": make_response(make_message("a"))}
    )
    assert run([wire + odd + tail], conversion())[1:3] == [TextStart(), TextDelta("\ufffd")]


def test_nothing_is_read_after_the_end() -> None:
    reader, splitter = RESPONSES.reader(conversion()), Splitter()
    made = make_script(make_message("a"))
    for frame in splitter.feed(made.stream_bytes):
        reader.read(frame)
    assert [reader.read(frame) for frame in splitter.feed(made.stream_bytes)] == [[]] * len(
        made.events
    )


def test_streams_and_whole_answers_agree() -> None:
    items = (
        make_reasoning("w", encrypted="g"),
        make_message("a", "b"),
        make_function_call("c", "f", '{"x":1}'),
    )
    body = msgspec.json.encode(make_response(*items))
    assert build_message(read(make_script(*items))) == RESPONSES.read_message(body, conversion())
    assert Text("a") in RESPONSES.read_message(body, conversion()).parts


def test_an_item_that_waited_for_one_that_never_ended_is_told_once() -> None:
    made = ResponsesScript().add_start()
    made.open_item(make_reasoning("Hm."))
    made.add_item(make_function_call("call_1", "f", "{}"))
    assert read(made.add_end()) == [
        BEGAN, ToolStart("call_1", "f"), ArgumentsDelta("{}"), PartEnd(), CALLED,
    ]  # fmt: skip
