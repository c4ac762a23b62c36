"""Streams for Gemini clients."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.common.signatures import CALL_SIGNATURE, GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.gemini import GEMINI
from gateway.dialects.gemini.signature_bundle import ReasoningBundle, parse_signature
from gateway.dialects.gemini.writer import PING
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
    Image,
    KeepAlive,
    Message,
    MessageEnd,
    MessageStart,
    Part,
    PartEnd,
    Redacted,
    RedactedThinking,
    Refusal,
    RefusalDelta,
    Signature,
    Text,
    TextDelta,
    TextStart,
    Thinking,
    ThinkingDelta,
    ThinkingStart,
    ToolCall,
    ToolStart,
    Usage,
)
from gateway.neutral.fold import message_events
from tests.dialects.gemini.sent import conversion, written
from tests.dialects.gemini.test_message_out import SEARCHED, SHOWN, whole

BEGAN = MessageStart("msg_1", "real")
END = MessageEnd(Ending("end_turn", usage=Usage(3, 2)))


def parts_of(answers: list[Any]) -> list[Any]:
    """The parts of all pieces, the empty one of the last left out."""
    found = [part for answer in answers for part in answer["candidates"][0]["content"]["parts"]]
    return [part for part in found if part != {"text": ""}]


def test_a_text_comes_in_pieces_and_the_counts_last() -> None:
    events: list[Event] = [
        BEGAN,
        TextStart(),
        TextDelta("Hel"),
        TextDelta('lo"\n'),
        PartEnd(),
        END,
    ]
    first, second, last = written(events)
    assert first == {
        "candidates": [
            {"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0},
        ],
        "modelVersion": "alias",
        "responseId": "msg_1",
    }
    assert parts_of([second]) == [{"text": 'lo"\n'}]
    assert last == {
        "candidates": [
            {
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "alias",
        "responseId": "msg_1",
    }


def test_a_call_comes_whole() -> None:
    events: list[Event] = [
        BEGAN, ToolStart("1", "f"), ArgumentsDelta('{"a": '), ArgumentsDelta("1.0}"), PartEnd(),
        ToolStart("2", "g"), PartEnd(), MessageEnd(Ending("tool_use")),
    ]  # fmt: skip
    writer = GEMINI.writer(conversion())
    out = [writer.write(event) for event in events]
    assert out[1] == out[2] == out[3] == b""
    assert b'{"functionCall":{"id":"1","name":"f","args":{"a": 1.0}}}' in out[4]
    assert b'{"functionCall":{"id":"2","name":"g","args":{}}}' in out[6]


def test_a_sign_of_life_is_a_blank_line() -> None:
    assert GEMINI.writer(conversion()).write(KeepAlive()) == PING == GEMINI.ping
    assert not PING.strip()


def test_an_answer_of_nothing_still_has_its_ending() -> None:
    (only,) = written([BEGAN, MessageEnd(Ending("refusal", explanation="bio"))])
    assert only["candidates"][0]["finishReason"] == "SAFETY"
    assert only["candidates"][0]["finishMessage"] == "bio"


def test_a_refusal_in_words() -> None:
    *_, text, last = written([BEGAN, RefusalDelta("no"), END])
    assert parts_of([text]) == [{"text": "no"}]
    assert last["candidates"][0]["finishReason"] == "SAFETY"


@pytest.mark.parametrize(("stop", "left"), [("max_tokens", 0), ("tool_use", 1)])
def test_half_a_call_waits_for_the_ending(stop: Any, left: int) -> None:
    crossed = conversion()
    events: list[Event] = [
        BEGAN, ToolStart("1", "f"), ArgumentsDelta('{"a":'), PartEnd(), MessageEnd(Ending(stop)),
    ]  # fmt: skip
    got = parts_of(written(events, crossed))
    args = {"_raw_arguments": '{"a":'}
    assert got == [{"functionCall": {"id": "1", "name": "f", "args": args}}][:left]


def test_thoughts_stay_hidden_unless_asked_for() -> None:
    events: list[Event] = [
        BEGAN, ThinkingStart(), ThinkingDelta("w"), ThinkingDelta("hy"),
        Signature("sig", "messages"), PartEnd(), TextStart(), TextDelta("so"),
        PartEnd(), END,
    ]  # fmt: skip
    assert parts_of(written(events)) == [{"text": "so"}]
    shown = parts_of(written(events, conversion(SHOWN)))
    assert shown[:2] == [{"text": "w", "thought": True}, {"text": "hy", "thought": True}]
    assert shown[2].keys() == {"text", "thought", "thoughtSignature"}


def test_the_first_call_carries_all_of_the_reasoning() -> None:
    crossed = conversion()
    events: list[Event] = [
        BEGAN, ThinkingStart(), ThinkingDelta("w"), ThinkingDelta("hy"),
        Signature("sig", "messages"), PartEnd(), RedactedThinking("hidden", "messages"),
        ToolStart("1", "f"), PartEnd(), ToolStart("2", "f"), PartEnd(), END,
    ]  # fmt: skip
    first, second = parts_of(written(events, crossed))
    assert parse_signature(first["thoughtSignature"]) == ReasoningBundle(
        [
            Thinking("why", crossed.sealed("signature", "sig"), "gemini"),
            Redacted(crossed.sealed("redacted", "hidden"), "gemini"),
        ]
    )
    assert "thoughtSignature" not in second


PARTS: list[list[Part]] = [
    [Text("a"), Text("b")],
    [Thinking("t", "s", "messages"), Text("x"), ToolCall("1", "f", '{"a":1}')],
    [Thinking("t"), Text("x"), Thinking("u"), ToolCall("1", "f", "")],
    [Thinking("t"), ToolCall("1", "f", ""), Thinking("u"), ToolCall("2", "f", "")],
    [Redacted("d", CALL_SIGNATURE), ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}")],
    [Thinking("t", "s", "gemini"), Redacted("d", GEMINI_CALL_SIGNATURE), ToolCall("1", "f", "{}")],
    [Text("a"), Redacted("d", TEXT_SIGNATURE)],
    [Refusal("no")],
    [ToolCall("1", "f", "[]")],
    [Text("é", citations=[Citation(Raw(b"{}"), "https://a", span=(0, 1))]), Text("b")],
    [],
]


@pytest.mark.parametrize("prompt", [SHOWN, SEARCHED], ids=["shown", "hidden"])
@pytest.mark.parametrize("parts", PARTS, ids=range(len(PARTS)))
def test_a_stream_says_what_the_whole_answer_says(parts: list[Part], prompt: Any) -> None:
    message = Message("msg_1", "real", parts, Ending("end_turn", usage=Usage(3, 2)))
    streamed = written(list(message_events(message)), conversion(prompt))
    at_once = whole(*parts, crossed=conversion(prompt))
    candidate = at_once["candidates"][0]
    assert parts_of(streamed) == candidate["content"].get("parts", [])
    last = streamed[-1]
    for name in ("finishReason", "finishMessage", "groundingMetadata"):
        assert last["candidates"][0].get(name) == candidate.get(name)
    for name in ("usageMetadata", "modelVersion", "responseId"):
        assert last[name] == at_once[name]


def test_the_tool_that_answers_is_text_as_it_comes() -> None:
    events: list[Event] = [
        BEGAN, ToolStart("1", "json_output"), ArgumentsDelta('{"a"'), ArgumentsDelta(":1}"),
        PartEnd(), MessageEnd(Ending("end_turn")),
    ]  # fmt: skip
    got = parts_of(written(events, conversion(answer_tool="json_output")))
    assert got == [{"text": '{"a"'}, {"text": ":1}"}]


def test_sources_come_with_the_ending() -> None:
    events: list[Event] = [
        BEGAN, TextStart(), TextDelta("é"), PartEnd(), TextStart(), TextDelta("b"),
        CitationAdded(Citation(Raw(b"{}"), "https://a", "A")), PartEnd(), END,
    ]  # fmt: skip
    last = written(events, conversion(SEARCHED))[-1]
    (support,) = last["candidates"][0]["groundingMetadata"]["groundingSupports"]
    assert support["segment"] == {"startIndex": 2, "endIndex": 3, "text": "b"}


def test_pictures_have_no_event() -> None:
    message = Message("i", "m", [Image("image/png", "AAAA")], Ending("end_turn"))
    assert parts_of(written(list(message_events(message)))) == []


def test_every_piece_has_a_part() -> None:
    """The official clients keep no answer in their history of which one piece has none."""
    events: list[Event] = [BEGAN, TextStart(), TextDelta("x"), PartEnd(), END]
    for answer in written(events):
        assert answer["candidates"][0]["content"]["parts"]
        assert msgspec.json.encode(answer)
