"""Chat streams read: each whole, byte by byte, at random cuts, and with each kind of line end."""

import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.dialects.common.names import sanitize_names
from gateway.errors import BadAnswer, Cut, GatewayError, Refused as UpstreamRefused
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Ending,
    Event,
    MessageEnd,
    MessageStart,
    PartEnd,
    Prompt,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    Tool,
    ToolStart,
    Usage,
    WebSearch,
)
from gateway.wire.sse import Splitter
from tests.dialects.chat.conversions import conversion

BEGAN = MessageStart("c1", "m")
DONE = "[DONE]"


def chunk(delta: object = None, finish: str | None = None, **more: object) -> str:
    choice = {"index": 0, "delta": delta if delta is not None else {}, "finish_reason": finish}
    return msgspec.json.encode({"id": "c1", "model": "m", "choices": [choice]} | more).decode()


def tool(index: int | None, id: str | None, name: str | None, arguments: object) -> object:
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call if index is None else {"index": index} | call]}


def usage_only(**counts: object) -> str:
    return msgspec.json.encode({"id": "c1", "model": "m", "choices": [], "usage": counts}).decode()


def wire(frames: Iterable[str], end: str = "\n") -> bytes:
    return "".join(f"data: {data}{end}{end}" for data in frames).encode()


def run(chunks: Iterable[bytes], way: Conversion) -> list[Event]:
    reader, splitter, events = CHAT.reader(way), Splitter(), []
    for piece in chunks:
        for frame in splitter.feed(piece):
            events += reader.read(frame)
    for frame in splitter.finish():
        events += reader.read(frame)
    events += reader.finish()
    assert reader.ended
    assert reader.finish() == []
    return events


def read(frames: list[str], way: Conversion | None = None) -> list[Event]:
    """The events, the same however the bytes arrive."""
    way = way or conversion()
    whole = run([wire(frames)], msgspec.structs.replace(way))
    for end in ("\n", "\r\n", "\r"):
        body = wire(frames, end)
        single = [body[at : at + 1] for at in range(len(body))]
        assert run(single, msgspec.structs.replace(way)) == whole
    check_order(whole)
    return whole


def check_order(events: list[Event]) -> None:
    """At most one part is open, every delta is inside its own, and Ended is last."""
    opened: type | None = None
    view = {TextDelta: TextStart, ThinkingDelta: ThinkingStart, ArgumentsDelta: ToolStart}
    assert isinstance(events[0], MessageStart)
    for event in events:
        if isinstance(event, TextStart | ThinkingStart | ToolStart):
            assert opened is None
            opened = type(event)
        elif isinstance(event, PartEnd):
            assert opened is not None
            opened = None
        elif type(event) in view:
            assert opened is view[type(event)]
    assert isinstance(events[-1], MessageEnd)
    assert opened is None


def ended(stop: str = "end_turn", **more: object) -> MessageEnd:
    return MessageEnd(Ending(stop, **more))  # type: ignore[arg-type]


def text(*pieces: str) -> list[Event]:
    return [TextStart(), *(TextDelta(piece) for piece in pieces), PartEnd()]


def called(id: str, name: str, *pieces: str, custom: bool = False) -> list[Event]:
    deltas = (ArgumentsDelta(piece) for piece in pieces)
    return [ToolStart(id, name, custom), *deltas, PartEnd()]


def thought(*pieces: str) -> list[Event]:
    return [ThinkingStart(), *(ThinkingDelta(piece) for piece in pieces), PartEnd()]


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")
CALLS = chunk({}, "tool_calls")

STREAMS: dict[str, tuple[list[str], list[Event]]] = {
    "plain text": (
        [ROLE, chunk({"content": "Hel"}), chunk({"content": "lo"}), STOP, DONE],
        [*text("Hel", "lo"), ended()],
    ),
    "case 1: interleaved parallel fragments": (
        [
            chunk(tool(0, "c0", "f", '{"x":')),
            chunk(tool(1, "c1", "g", '{"y":')),
            chunk(tool(0, None, None, "1}")),
            chunk(tool(1, None, None, "2}")),
            CALLS,
            DONE,
        ],
        [*called("c0", "f", '{"x":', "1}"), *called("c1", "g", '{"y":', "2}"), ended("tool_use")],
    ),
    "case 8: tools only": (
        [ROLE, chunk(tool(0, "c0", "f", "")), chunk(tool(0, None, None, "{}")), CALLS, DONE],
        [*called("c0", "f", "{}"), ended("tool_use")],
    ),
    "case 9: id, name and role in every chunk": (
        [
            chunk({"role": "assistant"} | tool(0, "c0", "get_weather", piece))  # type: ignore[operator]
            for piece in ('{"a"', ":", "1}")
        ]
        + [CALLS, DONE],
        [*called("c0", "get_weather", '{"a"', ":", "1}"), ended("tool_use")],
    ),
    "case 10: every call at index 0": (
        [chunk(tool(0, "a", "f", "{}")), chunk(tool(0, "b", "g", "{}")), CALLS, DONE],
        [*called("a", "f", "{}"), *called("b", "g", "{}"), ended("tool_use")],
    ),
    "case 11: stop with calls": (
        [chunk(tool(0, "a", "f", "{}")), STOP, DONE],
        [*called("a", "f", "{}"), ended("tool_use")],
    ),
    "case 17: the same reasoning twice": (
        [
            chunk({
                "reasoning": "x",
                "reasoning_details": [{"type": "reasoning.text", "text": "x"}],
            }),
            STOP,
            DONE,
        ],
        [*thought("x"), ended()],
    ),
    "case 18: the renamed field": (
        [chunk({"reasoning": "hmm"}), chunk({"content": "ok"}), STOP, DONE],
        [*thought("hmm"), *text("ok"), ended()],
    ),
    "case 19: counts after the finish reason": (
        [
            chunk({"content": "a"}),
            STOP,
            usage_only(prompt_tokens=5, completion_tokens=2, total_tokens=7),
            DONE,
        ],
        [*text("a"), ended(usage=Usage(5, 2))],
    ),
    "case 20: all in one chunk": (
        [chunk({"content": "a", **tool(0, "c", "f", "{}")}, "tool_calls"), DONE],  # type: ignore[dict-item]
        [*text("a"), *called("c", "f", "{}"), ended("tool_use")],
    ),
    "case 29: a signature in two pieces": (
        [
            chunk({"reasoning_details": [
                {"type": "reasoning.text", "text": "t", "index": 0}]}),
            chunk({"reasoning_details": [
                {"type": "reasoning.text", "signature": "ab", "index": 0}]}),
            chunk({"reasoning_details": [
                {"type": "reasoning.text", "signature": "cd", "index": 0}]}),
            chunk({"content": "x"}),
            STOP,
            DONE,
        ],
        [
            ThinkingStart(), ThinkingDelta("t"), Signature("abcd", "chat"), PartEnd(),
            *text("x"), ended(),
        ],
    ),
    "two signed parts": (
        [
            chunk({"reasoning_details": [
                {"type": "reasoning.text", "text": "a", "signature": "s0", "index": 0},
                {"type": "reasoning.text", "text": "b", "signature": "s1", "index": 1}]}),
            STOP,
            DONE,
        ],
        [
            ThinkingStart(), ThinkingDelta("a"), Signature("s0", "chat"), PartEnd(),
            ThinkingStart(), ThinkingDelta("b"), Signature("s1", "chat"), PartEnd(), ended(),
        ],
    ),
    "a detail's format travels with its blob": (
        [
            chunk({"reasoning_details": [
                {"type": "reasoning.encrypted", "data": "d", "format": "f", "index": 0}]}),
            STOP,
            DONE,
        ],
        [
            RedactedThinking('{"type":"reasoning.encrypted","data":"d","format":"f"}', "chat"),
            ended(),
        ],
    ),
    "hidden reasoning": (
        [
            chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]}),
            STOP,
            DONE,
        ],
        [RedactedThinking("d", "chat"), ended()],
    ),
    "thinking blocks": (
        [
            chunk({"reasoning_content": "a", "thinking_blocks": [
                {"type": "thinking", "thinking": "a", "signature": "s"}]}),
            STOP,
            DONE,
        ],
        [
            ThinkingStart(), ThinkingDelta("a"), Signature("s", "chat"), PartEnd(), ended(),
        ],
    ),
    "reasoning told twice, as this gateway writes it": (
        [
            chunk({"reasoning_content": "a"}),
            chunk({"reasoning_content": "b"}),
            chunk({"reasoning_details": [
                {"type": "reasoning.text", "text": "ab", "signature": "s", "index": 0}]}),
            STOP,
            DONE,
        ],
        [
            ThinkingStart(), ThinkingDelta("a"), ThinkingDelta("b"), Signature("s", "chat"),
            PartEnd(), ended(),
        ],
    ),
    "a content list": (
        [
            chunk({"content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "ok"}]}),
            STOP,
            DONE,
        ],
        [*thought("hm"), *text("ok"), ended()],
    ),
    "a refusal": (
        [chunk({"content": "I"}), chunk({"refusal": "No."}), STOP, DONE],
        [*text("I"), RefusalDelta("No."), ended("refusal")],
    ),
    "text and a refusal in one chunk": (
        [chunk({"content": "I", "refusal": "No."}), STOP, DONE],
        [*text("I"), RefusalDelta("No."), ended("refusal")],
    ),
    "a cut call in the chunk that says so": (
        [chunk({"content": "a", **tool(0, "c", "f", '{"x')}, "length"), DONE],  # type: ignore[dict-item]
        [*text("a"), ended("max_tokens")],
    ),
    "a name in pieces": (
        [
            chunk(tool(0, "a", "get_", None)),
            chunk(tool(0, None, "weather", "")),
            chunk(tool(0, None, None, "{}")),
            CALLS,
            DONE,
        ],
        [*called("a", "get_weather", "{}"), ended("tool_use")],
    ),
    "whole arguments again": (
        [
            chunk(tool(0, "a", "f", '{"x":1}')),
            chunk(tool(0, "a", "f", '{"x":1}')),
            chunk(tool(0, None, None, " \n")),
            CALLS,
            DONE,
        ],
        [*called("a", "f", '{"x":1}'), ended("tool_use")],
    ),
    "no arguments": (
        [chunk(tool(0, "a", "f", "")), CALLS, DONE],
        [*called("a", "f"), ended("tool_use")],
    ),
    "arguments that are null": (
        [chunk(tool(0, "a", "f", "null")), CALLS, DONE],
        [*called("a", "f"), ended("tool_use")],
    ),
    "arguments as an object": (
        [chunk(tool(0, "a", "f", {"x": 1.0})), CALLS, DONE],
        [*called("a", "f", '{"x":1.0}'), ended("tool_use")],
    ),
    "no index": (
        [
            chunk(tool(None, "a", "f", '{"x"')),
            chunk(tool(None, None, None, ":1}")),
            chunk(tool(None, "b", "g", "{}")),
            CALLS,
            DONE,
        ],
        [*called("a", "f", '{"x"', ":1}"), *called("b", "g", "{}"), ended("tool_use")],
    ),
    "indices as strings": (
        [chunk({"tool_calls": [
            {"index": "0", "id": 7, "function": {"name": "f", "arguments": "{}"}}]}), CALLS, DONE],
        [*called("7", "f", "{}"), ended("tool_use")],
    ),
    "a call and its order: braces in strings": (
        [
            chunk(tool(0, "a", "f", '{"x":"}\\')),
            chunk(tool(1, "b", "g", "{}")),
            chunk(tool(0, None, None, '"{"}')),
            CALLS,
            DONE,
        ],
        [*called("a", "f", '{"x":"}\\', '"{"}'), *called("b", "g", "{}"), ended("tool_use")],
    ),
    "legacy function call": (
        [
            chunk({"function_call": {"name": "f", "arguments": ""}}),
            chunk({"function_call": {"arguments": "{}"}}),
            chunk({}, "function_call"),
            DONE,
        ],
        [ToolStart("?", "f"), ArgumentsDelta("{}"), PartEnd(), ended("tool_use")],
    ),
    "line breaks around calls": (
        [
            chunk({"content": "\n\n"}),
            chunk(tool(0, "a", "f", "{}")),
            chunk({"content": "\n\n"}),
            chunk(tool(1, "b", "g", "{}")),
            chunk({"content": "\n"}),
            CALLS,
            DONE,
        ],
        [*called("a", "f", "{}"), *called("b", "g", "{}"), ended("tool_use")],
    ),
    "leading space is kept when text follows": (
        [chunk({"content": "\n"}), chunk({"content": " "}), chunk({"content": "x"}), STOP, DONE],
        [*text("\n x"), ended()],
    ),
    "nothing but space": ([chunk({"content": " "}), STOP, DONE], [*text(" "), ended()]),
    "text in the middle of a call": (
        [
            chunk(tool(0, "a", "f", '{"x"')),
            chunk({"content": "wait"}),
            chunk(tool(0, None, None, ":1}")),
            CALLS,
            DONE,
        ],
        [*called("a", "f", '{"x"', ":1}"), *text("wait"), ended("tool_use")],
    ),
    "text after a whole call": (
        [chunk(tool(0, "a", "f", "{}")), chunk({"content": "so"}), CALLS, DONE],
        [*called("a", "f", "{}"), *text("so"), ended("tool_use")],
    ),
    "reasoning after a whole call": (
        [chunk(tool(0, "a", "f", "{}")), chunk({"reasoning": "so"}), CALLS, DONE],
        [*called("a", "f", "{}"), *thought("so"), ended("tool_use")],
    ),
    "cut by the token limit before the call opened": (
        [chunk(tool(0, "a", "f", '{"x":1}')), chunk(tool(1, "b", "g", '{"y')),
         chunk({}, "length"), DONE],
        [*called("a", "f", '{"x":1}'), ToolStart("b", "g"), ArgumentsDelta('{"y'), PartEnd(),
         ended("max_tokens")],
    ),
    "a cut call that never opened is not told": (
        [chunk(tool(0, "a", "f", '{"x')), chunk(tool(1, "b", "g", '{"y')),
         chunk({}, "length"), DONE],
        [ToolStart("a", "f"), ArgumentsDelta('{"x'), PartEnd(), ended("max_tokens")],
    ),
    "counts grow and replace each other": (
        [
            chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
            chunk({"content": "b"}, usage={"prompt_tokens": 3, "completion_tokens": 2}),
            STOP,
            DONE,
        ],
        [*text("a", "b"), ended(usage=Usage(3, 2))],
    ),
    "counts of Groq": (
        [chunk({"content": "a"}, "stop", x_groq={"usage": {"prompt_tokens": 3}}), DONE],
        [*text("a"), ended(usage=Usage(3, 0))],
    ),
    "Azure's first chunk": (
        ['{"choices":[],"prompt_filter_results":[{}]}', chunk({"content": "a"}), STOP, DONE],
        [*text("a"), ended()],
    ),
    "an end without [DONE]": ([chunk({"content": "a"}), STOP], [*text("a"), ended()]),
    "an end without a finish reason": ([chunk({"content": "a"}), DONE], [*text("a"), ended()]),
    "xAI: an empty finish reason": (
        [chunk(tool(0, "a", "f", "{}"), ""), DONE],
        [*called("a", "f", "{}"), ended("tool_use")],
    ),
    "an empty answer": ([ROLE, STOP, DONE], [ended()]),
    "a whole message in a chunk": (
        ['{"id":"c1","model":"m","choices":[{"message":{"content":"a"}}]}', STOP, DONE],
        [*text("a"), ended()],
    ),
    "other choices are not told": (
        [chunk({"content": "a"}), '{"choices":[{"index":1,"delta":{"content":"z"}}]}', STOP, DONE],
        [*text("a"), ended()],
    ),
    "case 31: a line separator inside a string": (
        ['{"id":"c1","model":"m","choices":[{"delta":{"content":"a\u2028b"}}]}', DONE],
        [*text("a\u2028b"), ended()],
    ),
    "a lone surrogate": (
        ['{"id":"c1","model":"m","choices":[{"delta":{"content":"a\\ud83d"}}]}', DONE],
        [*text("a\ufffd"), ended()],
    ),
    "error that is null": (
        [chunk({"content": "a"}, error=None), STOP, DONE],
        [*text("a"), ended()],
    ),
    "a tier": (
        [chunk({"content": "a"}, service_tier="priority"), STOP, DONE],
        [*text("a"), ended(service_tier="priority")],
    ),
    "what follows the end is ignored": (
        [chunk({"content": "a"}), STOP, DONE, chunk({"content": "b"}), DONE],
        [*text("a"), ended()],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_streams(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dialects.chat.calls.make_call_id", lambda: "?")
    frames, expected = STREAMS[name]
    assert read(frames) == [BEGAN, *expected]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(STREAMS)), st.sampled_from(["\n", "\r\n"]), st.data())
def test_random_cuts_change_nothing(name: str, end: str, data: st.DataObject) -> None:
    body = wire(STREAMS[name][0], end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.dialects.chat.calls.make_call_id", lambda: "?")
        assert run(pieces, conversion()) == [BEGAN, *STREAMS[name][1]]


def test_case_31_bom_mixed_line_ends_and_no_last_newline() -> None:
    body = b"\xef\xbb\xbfdata: " + chunk({"content": "a\u2028b"}).encode() + b"\r\n\r\ndata: [DONE]"
    for size in range(1, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        assert run(pieces, conversion()) == [BEGAN, *text("a\u2028b"), ended()]


FINISHES = [
    ("stop", "end_turn", None), ("eos", "end_turn", None), ("eos_token", "end_turn", None),
    ("COMPLETE", "end_turn", None), ("end_turn", "end_turn", None),
    ("tool_calls", "end_turn", None), ("function_call", "end_turn", None),
    ("tool_use", "end_turn", None), ("length", "max_tokens", None),
    ("max_tokens", "max_tokens", None), ("model_length", "model_context_window_exceeded", None),
    ("content_filter", "refusal", None), ("sensitive", "refusal", None),
    ("safety", "refusal", None), ("refusal", "refusal", None),
    ("novel", "end_turn", "novel"),
]  # fmt: skip


@pytest.mark.parametrize(("finish", "stop", "native"), FINISHES)
def test_finish_reasons(finish: str, stop: str, native: str | None) -> None:
    way = conversion()
    events = read([chunk({"content": "a"}), chunk({}, finish), DONE], way)
    assert events == [BEGAN, *text("a"), ended(stop, native=native)]
    assert way.notes.entries == (["finish_reason:unknown_value"] if native else [])


@pytest.mark.parametrize(
    ("finish", "status"),
    [("error", 502), ("network_error", 502), ("insufficient_system_resource", 503), ("abort", 502)],
)
def test_finish_reasons_that_are_errors(finish: str, status: int) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        read([chunk({"content": "a"}), chunk({}, finish), DONE])
    assert raised.value.status == status


ERRORS: list[tuple[str, int, str, object]] = [
    ('{"error":{"code":502,"message":"boom"},"choices":[{"finish_reason":"error"}]}',
     502, "boom", 502),
    ('{"error":{"message":"slow","type":"rate_limit_error","code":"rate_limit_exceeded"}}',
     429, "slow", "rate_limit_exceeded"),
    ('{"error":"plain"}', 502, "plain", None),
    ('{"object":"error","message":"gone","code":404}', 404, "gone", 404),
    ('[{"error":{"code":429,"message":"gem","status":"RESOURCE_EXHAUSTED"}}]', 429, "gem", 429),
    ('{"choices":[{"index":0,"delta":{},"error":{"code":503,"message":"in choice"}}]}',
     503, "in choice", 503),
    ('{"base_resp":{"status_code":1002,"status_msg":"mm"}}', 502, "mm", 1002),
    ('{"success":false,"code":500,"msg":"glm"}', 500, "glm", 500),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "message", "code"), ERRORS)
def test_errors_inside_a_stream(data: str, status: int, message: str, code: object) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        read([chunk({"content": "a"}), data])
    error = raised.value
    assert (error.status, error.message, error.code) == (status, message, code)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [ROLE],
        [chunk({"content": "Hel"})],
        [chunk(tool(0, "a", "f", '{"x'))],
        [chunk({"content": "a"}, "")],
    ],
)
def test_case_2_a_stream_cut_short_is_never_an_ending(frames: list[str]) -> None:
    with pytest.raises(Cut):
        read(frames)


@pytest.mark.parametrize(
    "frames",
    [
        [chunk(tool(0, "a", "f", '{"x')), CALLS, DONE],
        [chunk(tool(0, "a", "f", '{"x')), STOP, DONE],
        [chunk(tool(0, "a", "f", '{"x')), DONE],
        [chunk(tool(0, "a", "f", "[1]")), CALLS, DONE],
        [chunk(tool(0, "a", "f", "{}}")), CALLS, DONE],
        [chunk(tool(0, "a", "f", "{x}")), chunk(tool(1, "b", "g", "{}")), CALLS, DONE],
    ],
)
def test_broken_arguments_are_an_error(frames: list[str]) -> None:
    with pytest.raises(BadAnswer, match=r"^upstream produced invalid tool arguments$"):
        read(frames)


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "hello",
        "[]",
        "1",
        '{"choices":{}}',
        '{"choices":[{"delta":{"content":1}}]}',
        '{"choices":[{"delta":{"reasoning_details":[{"type":1}]}}]}',
        '{"choices":[{"delta":{"content":[{"type":"text"}]}}]}',
        '{"a":' * 5000,
        DONE,
    ],
)
def test_nonsense_is_a_bad_answer(data: str) -> None:
    with pytest.raises(BadAnswer):
        run([wire([data])], conversion())


def test_text_that_waits_too_long_for_a_call_is_a_bad_answer() -> None:
    frames = [chunk(tool(0, "a", "f", '{"x'))] + [chunk({"content": "y" * 1000})] * 70
    with pytest.raises(BadAnswer):
        run([wire(frames)], conversion())


def test_case_32_stop_sequences_enforced_here() -> None:
    frames = [chunk({"content": piece}) for piece in ("x ", "E", "N", "D y")] + [STOP, DONE]
    way = conversion(Prompt("m", [], stop=["A", "B", "C", "D", "END"]))
    way.local_stops = ("END",)
    assert read(frames, way) == [
        BEGAN, *text("x "), ended("stop_sequence", stop_sequence="END")
    ]  # fmt: skip


def test_nothing_follows_a_stop_sequence_not_even_a_call_in_the_same_chunk() -> None:
    way = conversion(Prompt("m", [], stop=["END"]))
    way.local_stops = ("END",)
    both = {"content": "x END", "refusal": "No."} | tool(0, "a", "f", "{}")  # type: ignore[operator]
    assert read([chunk(both, "tool_calls"), DONE], way) == [
        BEGAN, *text("x "), ended("stop_sequence", stop_sequence="END")
    ]  # fmt: skip


def test_nothing_follows_a_stop_sequence_in_text_that_waited_for_a_call() -> None:
    way = conversion(Prompt("m", [], stop=["END"]))
    way.local_stops = ("END",)
    frames = [
        chunk(tool(0, "a", "f", '{"x"')), chunk({"content": "x END"}), chunk({"content": "y"}),
        chunk(tool(0, None, None, ":1}")), CALLS, DONE,
    ]  # fmt: skip
    assert read(frames, way) == [
        BEGAN, *called("a", "f", '{"x"', ":1}"), *text("x "),
        ended("stop_sequence", stop_sequence="END"),
    ]  # fmt: skip


def test_a_stop_sequence_that_only_seemed_to_come_is_text() -> None:
    way = conversion(Prompt("m", [], stop=["END"]))
    way.local_stops = ("END",)
    frames = [chunk({"content": "x EN"}), chunk(tool(0, "a", "f", "{}")), CALLS, DONE]
    assert read(frames, way) == [
        BEGAN, *text("x ", "EN"), *called("a", "f", "{}"), ended("tool_use")
    ]  # fmt: skip
    assert read([chunk({"content": "EN"}), STOP, DONE], way) == [BEGAN, *text("EN"), ended()]


def test_a_stop_sequence_that_is_all_of_the_text_leaves_no_part() -> None:
    way = conversion(Prompt("m", [], stop=["END"]))
    way.local_stops = ("END",)
    assert read([chunk({"content": "END"}), STOP, DONE], way) == [
        BEGAN, ended("stop_sequence", stop_sequence="END")
    ]  # fmt: skip


def test_stop_sequences_do_not_look_into_reasoning_or_arguments() -> None:
    way = conversion(Prompt("m", [], stop=["END"]))
    way.local_stops = ("END",)
    frames = [chunk({"reasoning": "END"}), chunk(tool(0, "a", "f", '{"END":1}')), CALLS, DONE]
    assert read(frames, way) == [
        BEGAN, *thought("END"), *called("a", "f", '{"END":1}'), ended("tool_use")
    ]  # fmt: skip


def test_the_stop_sequence_that_vllm_names() -> None:
    data = '{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"Z"}]}'
    way = conversion(Prompt("m", [], stop=["Z"]))
    assert read([chunk({"content": "a"}), data, DONE], way) == [
        BEGAN, *text("a"), ended("stop_sequence", stop_sequence="Z")
    ]  # fmt: skip
    assert read([chunk({"content": "a"}), data, DONE]) == [BEGAN, *text("a"), ended()]


def test_case_25_names_are_restored() -> None:
    way = conversion()
    way.names = sanitize_names(["foo_bar", "foo/bar"], "^[a-zA-Z0-9_-]{1,64}$", 64)
    frames = [chunk(tool(0, "a", "foo_bar_2", "{}")), chunk(tool(1, "b", "foo_bar", "{}"))]
    assert read([*frames, CALLS, DONE], way) == [
        BEGAN, *called("a", "foo/bar", "{}"), *called("b", "foo_bar", "{}"), ended("tool_use")
    ]  # fmt: skip


def test_think_tags_are_reasoning_only_where_the_capability_says_so() -> None:
    pieces = ["<thi", "nk>\nhm", " </", "b></thi", "nk>", "\n\n", "a <think>"]
    frames = [chunk({"content": piece}) for piece in pieces] + [STOP, DONE]
    events = read(frames, conversion(capability=Capability(think_tags=True)))
    said = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    told = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert (said, told) == ("hm </b>", "a <think>")
    told = "".join(event.text for event in read(frames) if isinstance(event, TextDelta))
    assert told == "".join(pieces)


def test_annotations_quote_the_text_for_a_client_that_searched() -> None:
    note = {
        "type": "url_citation",
        "url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 2},
    }
    frames = [chunk({"content": "abc"}), chunk({"annotations": [note]}), STOP, DONE]
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    came = read(frames, way)[3]
    assert isinstance(came, CitationAdded)
    found = came.citation
    assert (found.url, found.title, found.cited_text) == ("https://x", "X", "ab")
    other = conversion()
    assert read(frames, other) == [BEGAN, *text("abc"), ended()]
    assert other.notes.entries == ["annotations:not_asked_for"]


def test_custom_tools_sent_as_functions_come_back_as_text() -> None:
    way = conversion(Prompt("m", [], tools=[Tool("patch", custom=True)]))
    frames = [
        chunk(tool(0, "a", "patch", '{"inp')), chunk(tool(0, None, None, 'ut":"x\\ny"}')),
        CALLS, DONE,
    ]  # fmt: skip
    assert read(frames, way) == [
        BEGAN, *called("a", "patch", "x\ny", custom=True), ended("tool_use")
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", ['{"code":"x"}', "print(1)"])
def test_all_input_of_a_custom_tool_is_kept(arguments: str) -> None:
    way = conversion(Prompt("m", [], tools=[Tool("p", custom=True)]))
    frames = [chunk(tool(0, "a", "p", arguments[:4])), chunk(tool(0, None, None, arguments[4:]))]
    assert read([*frames, CALLS, DONE], way) == [
        BEGAN, *called("a", "p", arguments, custom=True), ended("tool_use")
    ]  # fmt: skip


def test_custom_tools_of_the_upstream() -> None:
    fragment = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": "{x"}}
    assert read([chunk({"tool_calls": [fragment]}), CALLS, DONE]) == [
        BEGAN, *called("a", "p", "{x", custom=True), ended("tool_use")
    ]  # fmt: skip


def test_calls_without_an_id_get_one_and_ids_are_never_shared() -> None:
    frames = [chunk(tool(0, None, "f", "{}")), chunk(tool(1, "a", "g", "{}")),
              chunk(tool(2, "a", "h", "{}")), CALLS, DONE]  # fmt: skip
    events = run([wire(frames)], conversion())
    ids = [event.id for event in events if isinstance(event, ToolStart)]
    assert re.fullmatch(r"call_[0-9a-f]{24}", ids[0])
    assert ids[1] == "a"
    assert len(set(ids)) == 3


def test_reader_raises_nothing_else() -> None:
    for cut in range(0, 60, 3):
        body = chunk(tool(0, "a", "f", '{"x":1}'))[:cut]
        with pytest.raises(GatewayError):
            run([wire([body])], conversion())
