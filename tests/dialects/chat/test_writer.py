"""Chat streams written, to the byte."""

import msgspec
import pytest
from msgspec import Raw
from openai.lib.streaming._deltas import accumulate_delta

from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
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
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
    Usage,
)
from tests.dialects.chat.conversions import SEAL, conversion

HEAD = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"alias","choices":['


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dialects.chat.writer.unix_time", lambda: 7)


def write(events: list[Event], way: Conversion | None = None) -> list[str]:
    """The frames of the stream after the first, which tells the role."""
    writer = CHAT.writer(way or conversion())
    body = b"".join(
        writer.write(event) for event in [MessageStart("msg_1", "real"), *events]
    ).decode()
    assert body.endswith("\n\n")
    return body.split("\n\n")[1:-1]


def deltas(frames: list[str]) -> list[dict[str, object]]:
    """What each chunk adds."""
    out = []
    for frame in frames[:-1]:
        assert frame.startswith("data: " + HEAD), frame
        chunk = msgspec.json.decode(frame[6:])
        choice = chunk["choices"][0]
        assert (choice["index"], choice["logprobs"]) == (0, None)
        out.append(choice["delta"] | ({"FINISH": f} if (f := choice["finish_reason"]) else {}))
    assert frames[-1] == "data: [DONE]"
    return out


def ended(stop: str = "end_turn", **more: object) -> MessageEnd:
    return MessageEnd(Ending(stop, **more))  # type: ignore[arg-type]


def delta(json: str, finish: str = "null", usage: str = "") -> str:
    rest = f',"logprobs":null,"finish_reason":{finish}}}]{usage}}}'
    return f'data: {HEAD}{{"index":0,"delta":{json}{rest}'


def test_bytes_of_a_plain_stream() -> None:
    writer = CHAT.writer(conversion())
    events: list[Event] = [
        MessageStart("msg_1", "real"),
        TextStart(),
        TextDelta('a"\u2028é'),
        KeepAlive(),
        PartEnd(),
        ended(),
    ]
    assert b"".join(map(writer.write, events)).decode() == "\n\n".join(
        [
            delta('{"role":"assistant","content":""}'),
            delta('{"content":"a\\"\u2028é"}'),
            ": keep-alive",
            delta("{}", '"stop"'),
            "data: [DONE]",
            "",
        ]
    )


def test_case_3_and_usage_only_when_asked_for() -> None:
    way = conversion(Prompt("m", [], include_usage=True))
    usage = Usage(50, 10, 900, 50, 4)
    assert write([TextStart(), TextDelta("a"), PartEnd(), ended(usage=usage)], way) == [
        delta('{"content":"a"}', usage=',"usage":null'),
        delta("{}", '"stop"', ',"usage":null'),
        (
            f'data: {HEAD}],"usage":{{"prompt_tokens":1000,"completion_tokens":10,'
            '"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900,'
            '"cache_write_tokens":50},"completion_tokens_details":{"reasoning_tokens":4}}}'
        ),
        "data: [DONE]",
    ]


def test_missing_usage_is_estimated_and_noted() -> None:
    way = conversion(Prompt("m", [], include_usage=True))
    way.input_estimate = 30
    frames = write([TextStart(), TextDelta("a" * 9), PartEnd(), ended()], way)
    assert msgspec.json.decode(frames[-2][6:])["usage"]["total_tokens"] == 33
    assert way.notes.entries == ["usage:estimated"]


def test_tool_calls_are_counted_apart_and_told_once() -> None:
    frames = write([
        TextStart(), TextDelta("x"), PartEnd(),
        ToolStart("a", "f"), ArgumentsDelta('{"x"'), ArgumentsDelta(""), ArgumentsDelta(":1}"),
        PartEnd(),
        ToolStart("b", "g"), PartEnd(), ended("tool_use"),
    ])  # fmt: skip
    assert deltas(frames) == [
        {"content": "x"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function",
                         "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function",
                         "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {"FINISH": "tool_calls"},
    ]  # fmt: skip


def test_custom_calls() -> None:
    frames = write([ToolStart("a", "p", custom=True), ArgumentsDelta("x"), PartEnd(),
                    ended("tool_use")])  # fmt: skip
    assert deltas(frames) == [
        {"tool_calls": [{"index": 0, "id": "a", "type": "custom",
                         "custom": {"name": "p", "input": ""}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": "x"}}]},
        {"FINISH": "tool_calls"},
    ]  # fmt: skip


def test_legacy_functions_get_the_first_call_only() -> None:
    way = conversion(Prompt("m", [], legacy_functions=True))
    frames = write([ToolStart("a", "f"), ArgumentsDelta("{}"), PartEnd(),
                    ToolStart("b", "g"), ArgumentsDelta("{}"), PartEnd(),
                    ended("tool_use")], way)  # fmt: skip
    assert deltas(frames) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {"FINISH": "function_call"},
    ]
    assert way.notes.entries == ["tool_calls:only_the_first_told"]


def test_an_answer_tool_is_content() -> None:
    way = conversion()
    way.answer_tool = "json_output"
    frames = write([ToolStart("a", "json_output"), ArgumentsDelta('{"x":1}'), PartEnd(),
                    ended("tool_use")], way)  # fmt: skip
    assert deltas(frames) == [{"content": '{"x":1}'}, {"FINISH": "stop"}]


def test_reasoning_and_what_messages_minted_is_sealed() -> None:
    way = conversion()
    frames = write([
        ThinkingStart(), ThinkingDelta("a"), ThinkingDelta("b"), Signature("sig", "messages"),
        PartEnd(), RedactedThinking("blob", "messages"), RedactedThinking("own", "chat"),
        TextStart(), TextDelta("x"), PartEnd(), ended(),
    ], way)  # fmt: skip
    assert deltas(frames) == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "ab",
                                "signature": way.sealed("signature", "sig"),
                                "format": "anthropic-claude-v1", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.encrypted",
                                "data": way.sealed("redacted", "blob"),
                                "format": "anthropic-claude-v1", "index": 1}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "own", "index": 2}]},
        {"content": "x"},
        {"FINISH": "stop"},
    ]  # fmt: skip
    sealed = SEAL.unseal(way.sealed("signature", "sig"))
    assert sealed is not None
    assert (sealed.provider, sealed.model, sealed.data) == ("up", "real", "sig")


def test_case_39_a_refusal_keeps_its_words() -> None:
    said: list[Event] = [TextStart(), TextDelta("I"), PartEnd()]
    assert deltas(write([*said, ended("refusal", explanation="bio")])) == [
        {"content": "I"}, {"refusal": "bio"}, {"FINISH": "content_filter"}
    ]  # fmt: skip
    assert deltas(write([ended("refusal")])) == [
        {"refusal": "The model declined to answer."}, {"FINISH": "content_filter"}
    ]  # fmt: skip
    assert deltas(write([RefusalDelta("No."), ended("refusal", explanation="x")])) == [
        {"refusal": "No."}, {"FINISH": "content_filter"}
    ]  # fmt: skip


def test_annotations_come_once_with_spans_in_code_points() -> None:
    cited = CitationAdded(Citation(Raw(b"{}"), "https://x", "X", "q"))
    other = CitationAdded(Citation(Raw(b"{}")))
    way = conversion()
    frames = write([TextStart(), TextDelta("a😀"), PartEnd(),
                    TextStart(), TextDelta("bc"), cited, other, PartEnd(),
                    ended()], way)  # fmt: skip
    place = {"url": "https://x", "title": "X", "start_index": 2, "end_index": 4}
    note = {"index": 0, "type": "url_citation", "url_citation": place}
    assert deltas(frames)[-1] == {"annotations": [note], "FINISH": "stop"}
    assert way.notes.entries == ["citations:without_url_dropped"]


def test_texts_apart_get_a_blank_line_and_neighbours_none() -> None:
    frames = write([TextStart(), TextDelta("a"), PartEnd(), TextStart(), TextDelta("b"),
                    PartEnd(), ThinkingStart(), ThinkingDelta("t"), PartEnd(),
                    TextStart(), TextDelta("c"), PartEnd(), ended()])  # fmt: skip
    said = "".join(str(delta.get("content", "")) for delta in deltas(frames))
    assert said == "ab\n\nc"


FINISHES = [
    ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
    ("tool_use", "tool_calls"), ("pause_turn", "length"), ("refusal", "content_filter"),
    ("model_context_window_exceeded", "length"), ("compaction", "stop"),
]  # fmt: skip


@pytest.mark.parametrize(("stop", "finish"), FINISHES)
def test_finish_reasons(stop: str, finish: str) -> None:
    assert deltas(write([ended(stop)]))[-1] == {"FINISH": finish}


def test_extras_of_the_finish_chunk() -> None:
    assert write([ended("stop_sequence", stop_sequence="Z")])[0].endswith(
        '"finish_reason":"stop","stop_reason":"Z"}]}'
    )
    assert write([ended("pause_turn")])[0].endswith(
        '"finish_reason":"length","native_finish_reason":"pause_turn"}]}'
    )


def test_the_sdk_puts_the_stream_together() -> None:
    frames = write([
        ThinkingStart(), ThinkingDelta("a"), Signature("s", "messages"), PartEnd(),
        RedactedThinking("d", "messages"), TextStart(), TextDelta("x"), TextDelta("y"), PartEnd(),
        ToolStart("a", "f"), ArgumentsDelta('{"x"'), ArgumentsDelta(":1}"), PartEnd(),
        ToolStart("b", "g"), PartEnd(), ended("tool_use"),
    ])  # fmt: skip
    whole: dict[object, object] = {}
    for delta in deltas(frames):
        whole = accumulate_delta(whole, {k: v for k, v in delta.items() if k != "FINISH"})
    calls = whole["tool_calls"]
    assert isinstance(calls, list)
    assert whole["content"] == "xy"
    assert [(call["id"], call["function"]) for call in calls] == [
        ("a", {"name": "f", "arguments": '{"x":1}'}), ("b", {"name": "g", "arguments": "{}"})
    ]  # fmt: skip
    details = whole["reasoning_details"]
    assert isinstance(details, list)
    assert [detail["type"] for detail in details] == ["reasoning.text", "reasoning.encrypted"]
