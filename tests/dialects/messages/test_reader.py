"""Reading a Messages stream: whole, byte by byte, at random cuts, with LF and CRLF."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialect import Conversion, ToolNames
from gateway.dialects.messages import MESSAGES
from gateway.errors import BadAnswer, Cut, Refused
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    Prompt,
    RedactedThinking,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    Tool,
    ToolStart,
    Usage,
)
from tests.dialects.messages.wires import conversion, events_of, in_pieces, sse

BEGUN = MessageStart("msg_1", "claude", Usage(25, 1, 0, 0))
MESSAGE_START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": None},
    },
}
STOP = {"type": "message_stop"}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, type_: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": type_, **members},
    }


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str | None = "end_turn", **members: Any) -> dict[str, Any]:
    usage = members.pop("usage", {"output_tokens": 7})
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None, **members},
        "usage": usage,
    }


def text(index: int, words: str) -> list[dict[str, Any]]:
    return [
        start(index, type="text", text=""),
        delta(index, "text_delta", text=words),
        stop(index),
    ]


def tool(index: int, id_: str, name: str, *pieces: str) -> list[dict[str, Any]]:
    return [
        start(index, type="tool_use", id=id_, name=name, input={}),
        *(delta(index, "input_json_delta", partial_json=piece) for piece in pieces),
        stop(index),
    ]


USAGE = Usage(25, 7, 0, 0)
DONE = MessageEnd(Ending("end_turn", usage=USAGE))
CALLED = MessageEnd(Ending("tool_use", usage=USAGE))
CITATION = {"type": "web_search_result_location", "url": "https://x", "title": "T"}
CUSTOM: dict[str, Any] = {
    "prompt": Prompt("m", [], tools=[Tool("foo/bar", custom=True)]),
    "names": ToolNames({"foo/bar": "foo_bar"}),
}

CASES: dict[str, tuple[list[dict[str, Any]], list[Event], dict[str, Any]]] = {
    "text": (
        [MESSAGE_START, {"type": "ping"}, *text(0, "a\u2028b\r\n\u00e9"), ended(), STOP],
        [BEGUN, KeepAlive(), TextStart(), TextDelta("a\u2028b\r\n\u00e9"), PartEnd(), DONE],
        {},
    ),
    "nothing": ([MESSAGE_START, ended(), STOP], [BEGUN, DONE], {}),
    "thinking, its signature in two pieces": (
        [
            MESSAGE_START,
            start(0, type="thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="h"),
            delta(0, "thinking_delta", thinking="m"),
            delta(0, "signature_delta", signature="AB"),
            delta(0, "signature_delta", signature="CD"),
            stop(0),
            start(1, type="redacted_thinking", data="xx"),
            stop(1),
            *text(2, "t"),
            ended(),
            STOP,
        ],
        [
            BEGUN,
            ThinkingStart(),
            ThinkingDelta("hm"),
            Signature("ABCD", "messages"),
            PartEnd(),
            RedactedThinking("xx", "messages"),
            TextStart(),
            TextDelta("t"),
            PartEnd(),
            DONE,
        ],
        {},
    ),
    "tools": (
        [
            MESSAGE_START,
            *tool(0, "a", "f", "", '{"x":', "1}"),
            *tool(1, "b", "g"),
            ended("tool_use"),
            STOP,
        ],
        [
            BEGUN,
            ToolStart("a", "f"),
            ArgumentsDelta('{"x":1}'),
            PartEnd(),
            ToolStart("b", "g"),
            ArgumentsDelta("{}"),
            PartEnd(),
            CALLED,
        ],
        {},
    ),
    "a whole input in the start, an end that forgets the call": (
        [
            MESSAGE_START,
            start(0, type="tool_use", id="a", name="f", input={"x": 1}),
            stop(0),
            ended("end_turn"),
            STOP,
        ],
        [BEGUN, ToolStart("a", "f"), ArgumentsDelta('{"x":1}'), PartEnd(), CALLED],
        {},
    ),
    "a custom tool": (
        [
            MESSAGE_START,
            *tool(0, "a", "foo_bar", '{"inp', 'ut":"free\\n', 'text"}'),
            ended("tool_use"),
            STOP,
        ],
        [
            BEGUN,
            ToolStart("a", "foo/bar", custom=True),
            ArgumentsDelta("free\ntext"),
            PartEnd(),
            CALLED,
        ],
        CUSTOM,
    ),
    "an answer through a tool": (
        [MESSAGE_START, *tool(0, "a", "json_output", '{"k"', ":1}"), ended("tool_use"), STOP],
        [BEGUN, TextStart(), TextDelta('{"k":1}'), PartEnd(), DONE],
        {"answer_tool": "json_output"},
    ),
    "tools that the upstream ran": (
        [
            MESSAGE_START,
            *text(0, "a"),
            start(1, type="server_tool_use", id="s", name="web_search", input={}),
            delta(1, "input_json_delta", partial_json='{"query":"q"}'),
            stop(1),
            start(2, type="web_search_tool_result", tool_use_id="s", content=[]),
            stop(2),
            start(3, type="text", text="", citations=[]),
            delta(3, "citations_delta", citation=CITATION),
            delta(3, "text_delta", text="b"),
            stop(3),
            ended("pause_turn"),
            STOP,
        ],
        [
            BEGUN,
            TextStart(),
            TextDelta("a"),
            PartEnd(),
            TextStart(),
            CitationAdded(
                Citation(
                    Raw(b'{"type":"web_search_result_location","url":"https://x","title":"T"}'),
                    "https://x",
                    "T",
                )
            ),
            TextDelta("b"),
            PartEnd(),
            MessageEnd(Ending("pause_turn", usage=USAGE, native="pause_turn")),
        ],
        {},
    ),
    "interleaved blocks": (
        [
            MESSAGE_START,
            start(0, type="tool_use", id="a", name="f", input={}),
            start(1, type="tool_use", id="b", name="g", input={}),
            delta(0, "input_json_delta", partial_json='{"x":'),
            delta(1, "input_json_delta", partial_json='{"y":'),
            delta(0, "input_json_delta", partial_json="1}"),
            delta(1, "input_json_delta", partial_json="2}"),
            stop(1),
            *text(2, "t"),
            stop(0),
            ended("tool_use"),
            STOP,
        ],
        [
            BEGUN,
            ToolStart("a", "f"),
            ArgumentsDelta('{"x":1}'),
            PartEnd(),
            ToolStart("b", "g"),
            ArgumentsDelta('{"y":2}'),
            PartEnd(),
            TextStart(),
            TextDelta("t"),
            PartEnd(),
            CALLED,
        ],
        {},
    ),
    "a refusal": (
        [
            MESSAGE_START,
            *text(0, "I"),
            ended("refusal", stop_details={"type": "refusal", "explanation": "bio"}),
            STOP,
        ],
        [
            BEGUN,
            TextStart(),
            TextDelta("I"),
            PartEnd(),
            MessageEnd(Ending("refusal", explanation="bio", usage=USAGE)),
        ],
        {},
    ),
    "usage told at the end": (
        [
            MESSAGE_START,
            ended(
                "stop_sequence",
                stop_sequence="X",
                usage={
                    "input_tokens": 50,
                    "cache_read_input_tokens": 900,
                    "cache_creation_input_tokens": 5,
                    "output_tokens": 10,
                    "output_tokens_details": {"thinking_tokens": 3},
                    "service_tier": "priority",
                },
            ),
            STOP,
        ],
        [
            BEGUN,
            MessageEnd(
                Ending(
                    "stop_sequence", "X", usage=Usage(50, 10, 900, 5, 3), service_tier="priority"
                )
            ),
        ],
        {},
    ),
    "no message_stop, no block stop, words in the start": (
        [MESSAGE_START, start(0, type="text", text="a"), delta(0, "text_delta", text="b"), ended()],
        [BEGUN, TextStart(), TextDelta("ab"), PartEnd(), DONE],
        {},
    ),
    "no message_start": (
        [*text(0, "a"), ended(usage=None), STOP],
        [
            MessageStart("", "upstream-model"),
            TextStart(),
            TextDelta("a"),
            PartEnd(),
            MessageEnd(Ending("end_turn")),
        ],
        {},
    ),
    "a server that gives every block one index and no stop": (
        [
            MESSAGE_START,
            *text(0, "a")[:2],
            start(0, type="tool_use", id="a", name="f", input={}),
            ended("tool_use"),
            STOP,
        ],
        [
            BEGUN,
            TextStart(),
            TextDelta("a"),
            PartEnd(),
            ToolStart("a", "f"),
            ArgumentsDelta("{}"),
            PartEnd(),
            CALLED,
        ],
        {},
    ),
    "an empty text": (
        [MESSAGE_START, *text(0, "")[::2], *text(1, ""), *text(2, "a"), ended(), STOP],
        [BEGUN, TextStart(), TextDelta("a"), PartEnd(), DONE],
        {},
    ),
    "an empty answer through a tool": (
        [MESSAGE_START, *tool(0, "a", "json_output"), ended("tool_use"), STOP],
        [BEGUN, TextStart(), TextDelta("{}"), PartEnd(), DONE],
        {"answer_tool": "json_output"},
    ),
    "unknown things and stray deltas": (
        [
            MESSAGE_START,
            {"type": "brand_new", "index": 0},
            start(0, type="brand_new_block"),
            delta(0, "brand_new_delta", text="x"),
            stop(0),
            delta(7, "text_delta", text="x"),
            stop(7),
            *text(1, "a"),
            ended(),
            STOP,
            {"type": "ping"},
        ],
        [BEGUN, TextStart(), TextDelta("a"), PartEnd(), DONE],
        {},
    ),
}


def crossed(members: dict[str, Any]) -> Conversion:
    return conversion(**members)


@pytest.mark.parametrize("crlf", [False, True])
@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("name", CASES)
def test_a_stream_whole_and_byte_by_byte(name: str, size: int, *, crlf: bool) -> None:
    events, expected, members = CASES[name]
    wire = sse(*events)
    wire = wire.replace(b"\n", b"\r\n") if crlf else wire
    chunks = [wire[at : at + 1] for at in range(len(wire))] if size else [wire]
    reader = MESSAGES.reader(crossed(members))
    assert events_of(reader, chunks) == expected
    assert reader.ended


@given(data=st.data(), name=st.sampled_from(sorted(CASES)), crlf=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_stream_at_random_cuts(data: st.DataObject, name: str, *, crlf: bool) -> None:
    events, expected, members = CASES[name]
    wire = sse(*events)
    wire = wire.replace(b"\n", b"\r\n") if crlf else wire
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12))
    assert events_of(MESSAGES.reader(crossed(members)), in_pieces(wire, cuts)) == expected


def test_no_event_lines_and_no_last_blank_line() -> None:
    wire = sse(MESSAGE_START, *text(0, "a"), ended(), STOP)
    bare = b"\n".join(line for line in wire.split(b"\n") if not line.startswith(b"event:"))
    got = events_of(MESSAGES.reader(conversion()), [b"\xef\xbb\xbf" + bare.rstrip(b"\n")])
    assert got == [BEGUN, TextStart(), TextDelta("a"), PartEnd(), DONE]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [MESSAGE_START],
        [MESSAGE_START, start(0, type="text", text=""), delta(0, "text_delta", text="Hel")],
        [MESSAGE_START, *tool(0, "a", "f", '{"x":')[:2]],
        [MESSAGE_START, *text(0, "a")],
        [MESSAGE_START, *text(0, "a"), STOP],
        [MESSAGE_START, *text(0, "a"), ended(None)],
    ],
)
def test_a_cut_stream_never_ends_politely(events: list[dict[str, Any]]) -> None:
    with pytest.raises(Cut):
        events_of(MESSAGES.reader(conversion()), [sse(*events)])


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ({"type": "overloaded_error", "message": "m"}, 529, "overloaded_error"),
        ({"type": "rate_limit_error", "message": "m"}, 429, "rate_limit_error"),
        ({"type": "invalid_request_error", "message": "m"}, 400, "invalid_request_error"),
        ({"type": "timeout_error", "message": "m"}, 504, "timeout_error"),
        ({"type": "brand_new", "message": "m"}, 500, "api_error"),
    ],
)
def test_an_error_event_is_raised(error: dict[str, str], status: int, kind: str) -> None:
    wire = sse(MESSAGE_START, {"type": "error", "error": error})
    with pytest.raises(Refused) as caught:
        events_of(MESSAGES.reader(conversion()), [wire])
    assert (caught.value.status, caught.value.kind, caught.value.message) == (status, kind, "m")


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"type":"content_block_start","index":0}', b'{"type":3}', b"[DONE]"]
)
def test_nonsense_is_a_bad_answer(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        events_of(MESSAGES.reader(conversion()), [b"data: " + data + b"\n\n"])


@pytest.mark.parametrize("input_", ['{"x":', "[1]", '"x"', "{}{}"])
def test_broken_arguments_are_an_error_unless_they_were_cut(input_: str) -> None:
    events = [MESSAGE_START, *tool(0, "a", "f", input_)]
    for reason in ("tool_use", "end_turn"):
        with pytest.raises(BadAnswer, match="invalid tool arguments"):
            events_of(MESSAGES.reader(conversion()), [sse(*events, ended(reason), STOP)])
    got = events_of(MESSAGES.reader(conversion()), [sse(*events, ended("max_tokens"), STOP)])
    assert got[1:4] == [ToolStart("a", "f"), ArgumentsDelta(input_), PartEnd()]


def test_an_input_that_is_null_is_empty() -> None:
    events = [MESSAGE_START, start(0, type="tool_use", id="a", name="f", input=None), stop(0)]
    got = events_of(MESSAGES.reader(conversion()), [sse(*events, ended("tool_use"), STOP)])
    assert got[2] == ArgumentsDelta("{}")


def test_a_lone_surrogate_in_a_delta_is_mended() -> None:
    wire = sse(MESSAGE_START, *text(0, "X"), ended(), STOP).replace(b'"X"', b'"a\\ud83d"')
    got = events_of(MESSAGES.reader(conversion()), [wire])
    assert got[2] == TextDelta("a\ufffd")


def test_an_unknown_block_is_noted() -> None:
    conversion_ = conversion()
    events_of(MESSAGES.reader(conversion_), [sse(*CASES["unknown things and stray deltas"][0])])
    assert conversion_.notes.entries == ["content.brand_new_block:unknown_block"]
