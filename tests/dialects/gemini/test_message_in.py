"""A whole Gemini answer in neutral form."""

import pytest

from gateway.dialects.common.signatures import GEMINI_CALL_SIGNATURE
from gateway.dialects.gemini import GEMINI
from gateway.errors import BadAnswer, Cut, Refused
from gateway.neutral.events import Ending, Message, Redacted, Text, Thinking, ToolCall, Usage
from tests.dialects.gemini.conversions import (
    Json,
    asked,
    call,
    conversion,
    encoded,
    event,
    parts,
    tools,
)


def test_a_whole_answer() -> None:
    told = event(
        {"text": "hm", "thought": True, "thoughtSignature": "Z"},
        {"text": "said"},
        call("f", {"x": 1}, "S", "c1"),
        call("g", {}, id="c2"),
        finish="STOP",
        usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    )
    message = GEMINI.read_message(encoded(told), conversion(asked(tools=tools("f", "g"))))
    assert message == Message(
        "r1",
        "gemini-real",
        [
            Thinking("hm", "Z", "gemini"),
            Text("said"),
            Redacted("S", GEMINI_CALL_SIGNATURE),
            ToolCall("c1", "f", '{"x":1}'),
            ToolCall("c2", "g", "{}"),
        ],
        Ending("tool_use", usage=Usage(5, 2)),
    )


def test_arguments_lose_the_white_space_of_a_pretty_answer_and_nothing_else() -> None:
    spelled = b'{\n  "a": 1.0,\n  "b": "x\\n  y", "c": 1e3\n}'
    told = encoded(event(call("f", {}), finish="STOP")).replace(b'"args":{}', b'"args":' + spelled)
    (made,) = GEMINI.read_message(told, conversion()).parts
    assert isinstance(made, ToolCall)
    assert made.arguments == '{"a":1.0,"b":"x\\n  y","c":1e3}'


def test_a_blocked_prompt_has_no_parts() -> None:
    told = {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "no"}}
    message = GEMINI.read_message(encoded(told), conversion())
    assert (message.parts, message.ending.stop, message.ending.explanation) == ([], "refusal", "no")


def test_what_is_no_answer() -> None:
    error = {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}
    with pytest.raises(Refused) as raised:
        parts(error)
    assert raised.value.status == 429
    told: Json
    for told in ({}, {"candidates": []}, {"candidates": 5}, {"promptFeedback": {}}):
        with pytest.raises(BadAnswer):
            parts(told)
    with pytest.raises(BadAnswer):
        GEMINI.read_message(b"<html>", conversion())
    with pytest.raises(Cut):  # it ends without a reason
        parts(event({"text": "x"}))
    with pytest.raises(Refused) as raised:
        parts(event(finish="MALFORMED_FUNCTION_CALL"))
    assert raised.value.status == 502
