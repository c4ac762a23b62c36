"""Whole answers for Gemini clients."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.signatures import CALL_SIGNATURE, GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.gemini import GEMINI
from gateway.dialects.gemini.signature_bundle import (
    ReasoningBundle,
    encode_signature,
    parse_signature,
)
from gateway.neutral.events import (
    Citation,
    Ending,
    Image,
    Message,
    Opaque,
    Part,
    Prompt,
    Reasoning,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    Usage,
    WebSearch,
)
from tests.dialects.gemini.sent import conversion

SHOWN = Prompt("alias", [], reasoning=Reasoning("adaptive", display="summarized"))
SEARCHED = Prompt("alias", [], web_search=WebSearch())


def whole(
    *parts: Part, ending: Ending | None = None, crossed: Conversion | None = None
) -> dict[str, Any]:
    """The answer as the client reads it."""
    message = Message("msg_1", "real", list(parts), ending or Ending("end_turn", usage=Usage(3, 2)))
    body = GEMINI.write_message(message, crossed or conversion())
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


def parts_of(*parts: Part, **more: Any) -> Any:
    return whole(*parts, **more)["candidates"][0]["content"]["parts"]


def test_a_text() -> None:
    assert whole(Text("Hello")) == {
        "candidates": [
            {
                "content": {"parts": [{"text": "Hello"}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 2,
            "totalTokenCount": 5,
        },
        "modelVersion": "alias",
        "responseId": "msg_1",
    }


def test_calls_keep_their_ids_and_the_bytes_of_their_arguments() -> None:
    message = Message(
        "i", "m", [ToolCall("1", "f", '{"b": 1.0}'), ToolCall("2", "g", "")], Ending("tool_use")
    )
    body = GEMINI.write_message(message, conversion())
    assert b'{"functionCall":{"id":"1","name":"f","args":{"b": 1.0}}}' in body
    assert b'{"functionCall":{"id":"2","name":"g","args":{}}}' in body
    assert b'"finishReason":"STOP"' in body


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending("stop_sequence", "END"), {"finishReason": "STOP"}),
        (Ending("max_tokens"), {"finishReason": "MAX_TOKENS"}),
        (
            Ending("model_context_window_exceeded"),
            {"finishReason": "MAX_TOKENS", "finishMessage": "model_context_window_exceeded"},
        ),
        (Ending("pause_turn"), {"finishReason": "MAX_TOKENS", "finishMessage": "pause_turn"}),
        (
            Ending("refusal"),
            {"finishReason": "SAFETY", "finishMessage": "The model declined to answer."},
        ),
        (
            Ending("refusal", explanation="bio", native="BLOCKLIST"),
            {"finishReason": "BLOCKLIST", "finishMessage": "bio"},
        ),
    ],
)
def test_why_it_ended(ending: Ending, said: dict[str, str]) -> None:
    (candidate,) = whole(Text("x"), ending=ending)["candidates"]
    assert {name: candidate[name] for name in candidate if name.startswith("finish")} == said


def test_an_answer_of_nothing_has_no_parts() -> None:
    assert whole()["candidates"][0]["content"] == {"role": "model"}


def test_words_of_refusal_are_text() -> None:
    (candidate,) = whole(Refusal("I cannot"))["candidates"]
    assert candidate["content"]["parts"] == [{"text": "I cannot"}]
    assert candidate["finishReason"] == "SAFETY"


def test_counts() -> None:
    usage = Usage(50, 30, cache_read=900, cache_write=50, reasoning=20)
    assert whole(ending=Ending("end_turn", usage=usage))["usageMetadata"] == {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 10,
        "totalTokenCount": 1030,
        "thoughtsTokenCount": 20,
        "cachedContentTokenCount": 900,
    }


def test_counts_that_nobody_told_are_estimated() -> None:
    crossed = conversion(input_estimate=7)
    got = whole(Text("x" * 9), ending=Ending("end_turn"), crossed=crossed)["usageMetadata"]
    assert got == {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    assert crossed.notes.entries == ["usageMetadata:estimated"]


def test_thoughts_are_shown_to_who_asked_for_them() -> None:
    parts: list[Part] = [Thinking("why", "sig", "messages"), Text("so")]
    assert parts_of(*parts) == [{"text": "so"}]
    crossed = conversion(SHOWN)
    shown = parts_of(*parts, crossed=crossed)
    assert shown[0] == {"text": "why", "thought": True}
    assert shown[1] == {
        "text": "",
        "thought": True,
        "thoughtSignature": encode_signature(crossed.sealed("signature", "sig")),
    }
    assert shown[2:] == [{"text": "so"}]


def test_the_first_call_carries_the_reasoning_before_it() -> None:
    crossed = conversion()
    got = parts_of(
        Thinking("why", "sig", "messages"),
        Redacted("data", "messages"),
        ToolCall("1", "f", "{}"),
        ToolCall("2", "g", "{}"),
        crossed=crossed,
    )
    assert parse_signature(got[0]["thoughtSignature"]) == ReasoningBundle(
        [
            Thinking("why", crossed.sealed("signature", "sig"), "gemini"),
            Redacted(crossed.sealed("redacted", "data"), "gemini"),
        ]
    )
    assert "thoughtSignature" not in got[1]


def test_a_signed_call_carries_its_signature_sealed() -> None:
    crossed = conversion()
    (got,) = parts_of(Redacted("sig", CALL_SIGNATURE), ToolCall("1", "f", "{}"), crossed=crossed)
    assert got["thoughtSignature"] == encode_signature(crossed.sealed(CALL_SIGNATURE, "sig"))


def test_googles_own_signatures_go_back_as_they_came() -> None:
    crossed = conversion(SHOWN)
    got = parts_of(
        Thinking("why", "s1", "gemini"),
        Text("so"),
        Redacted("s2", TEXT_SIGNATURE),
        Redacted("s3", GEMINI_CALL_SIGNATURE),
        ToolCall("1", "f", "{}"),
        crossed=crossed,
    )
    assert [part.get("thoughtSignature") for part in got] == [None, "s1", None, "s2", "s3"]


def test_thoughts_of_nothing_are_not_carried() -> None:
    (got,) = parts_of(Thinking("", None), ToolCall("1", "f", "{}"), crossed=conversion(SHOWN))
    assert "thoughtSignature" not in got


def test_a_call_that_was_cut_is_left_out() -> None:
    crossed = conversion()
    got = whole(
        Text("x"), ToolCall("1", "f", '{"a":'), ending=Ending("max_tokens"), crossed=crossed
    )
    assert got["candidates"][0]["content"]["parts"] == [{"text": "x"}]
    assert "functionCall:cut_call_left_out" in crossed.notes.entries


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    crossed = conversion()
    (got,) = parts_of(ToolCall("", "f", "[1]"), crossed=crossed)
    assert got == {"functionCall": {"name": "f", "args": {"_raw_arguments": "[1]"}}}
    assert crossed.notes.entries == ["functionCall.args:invalid_json_kept_as_text"]


def test_the_tool_that_answers_is_text() -> None:
    assert parts_of(
        ToolCall("1", "json_output", '{"a":1}'), crossed=conversion(answer_tool="json_output")
    ) == [{"text": '{"a":1}'}]


def test_sources_are_told_in_bytes() -> None:
    cited = Citation(Raw(b"{}"), "https://a", "A", span=(1, 3))
    whole_text = Citation(Raw(b"{}"), "https://b")
    again = Citation(Raw(b"{}"), "https://a", "A")
    got = whole(
        Text("über"),
        Text("näh", citations=[cited, whole_text, again]),
        crossed=conversion(SEARCHED),
    )
    assert got["candidates"][0]["groundingMetadata"] == {
        "groundingChunks": [
            {"web": {"uri": "https://a", "title": "A"}},
            {"web": {"uri": "https://b", "title": "https://b"}},
        ],
        "groundingSupports": [
            {
                "segment": {"startIndex": 6, "endIndex": 9, "text": "äh"},
                "groundingChunkIndices": [0],
            },
            {
                "segment": {"startIndex": 5, "endIndex": 9, "text": "näh"},
                "groundingChunkIndices": [1, 0],
            },
        ],
    }


def test_sources_that_nobody_asked_for_are_noted() -> None:
    crossed = conversion()
    got = whole(Text("x", citations=[Citation(Raw(b"{}"), "https://a")]), crossed=crossed)
    assert "groundingMetadata" not in got["candidates"][0]
    assert crossed.notes.entries == ["citations:unsupported_by_client"]


def test_other_parts() -> None:
    crossed = conversion()
    got = parts_of(
        Image("image/png", "AAAA"),
        ServerTool("ran", "server_tool_use", Raw(b"{}")),
        Opaque("new", Raw(b"{}"), "chat"),
        crossed=crossed,
    )
    assert got == [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
    assert crossed.notes.entries == ["parts.opaque:unsupported_by_client"]
