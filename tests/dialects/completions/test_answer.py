from typing import Any

import msgspec
import pytest
from openai.types import Completion

from gateway.dialects.completions import COMPLETIONS
from gateway.errors import BadAnswer, GatewayError
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tests.dialects.completions.house import USAGE, conversion, whole


def written(message: Message, **body: object) -> Any:
    """An answer as the official type reads it."""
    way = conversion(**body)
    found = msgspec.json.decode(COMPLETIONS.write_message(message, way))
    Completion.model_validate(found, strict=True)
    return found | {"notes": way.notes.entries}


def said(*parts: Part, stop: Stop = "end_turn", id: str = "msg_01") -> Message:
    return Message(id, "up", list(parts), Ending(stop, usage=Usage(5, 7)))


def test_an_answers_text_is_the_completion() -> None:
    found = written(said(Text(" a time")))
    assert found.pop("created") > 1_700_000_000
    details = {"cached_tokens": 0, "cache_write_tokens": 0}
    assert found == {
        "id": "cmpl-01", "object": "text_completion", "model": "alias",
        "choices": [{"text": " a time", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE | {"prompt_tokens_details": details}, "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
        ("refusal", "content_filter"), ("tool_use", "stop"), ("pause_turn", "length"),
    ],
)  # fmt: skip
def test_every_stop_has_a_word_of_this_dialect(stop: Stop, finish: str) -> None:
    assert written(said(Text("x"), stop=stop))["choices"][0]["finish_reason"] == finish


def test_what_has_no_place_is_noted_and_texts_stay_apart() -> None:
    parts = (Thinking("hm"), Text("a"), Thinking("hm"), Text("b"), Text("c"), ToolCall("1", "f"))
    found = written(said(*parts))
    assert found["choices"][0]["text"] == "a\n\nbc"
    assert found["notes"] == [
        "thinking:no_place_in_a_completion", "tool:no_place_in_a_completion",
    ]  # fmt: skip


def test_a_refusals_words_are_text() -> None:
    found = written(said(Refusal("I will not."), stop="refusal"))
    assert found["choices"][0]["text"] == "I will not."


@pytest.mark.parametrize(
    ("id", "given"), [("cmpl-9", "cmpl-9"), ("chatcmpl-9", "cmpl-9"), ("resp_9", "cmpl-9")]
)
def test_an_id_is_kept_under_this_dialects_prefix(id: str, given: str) -> None:
    assert written(said(Text("x"), id=id))["id"] == given
    assert len(written(said(Text("x"), id=""))["id"]) > 10


def test_an_upstreams_answer_is_read() -> None:
    way = conversion()
    body = msgspec.json.encode(whole(finish="length"))
    found = COMPLETIONS.read_message(body, way)
    assert found == Message(
        "cmpl-1", "up", [Text(" a time")], Ending("max_tokens", usage=Usage(5, 7))
    )
    assert way.notes.entries == []


def test_of_several_choices_the_first_is_told() -> None:
    choices = [{"text": "b", "index": 1}, {"text": "a", "index": 0}]
    way = conversion()
    found = COMPLETIONS.read_message(msgspec.json.encode(whole(choices=choices, usage=None)), way)
    assert found.parts == [Text("a")]
    assert found.ending.usage is None
    assert way.notes.entries == ["choices:only_the_first_told"]


def test_an_empty_completion_is_an_answer() -> None:
    found = COMPLETIONS.read_message(msgspec.json.encode(whole("")), conversion())
    assert found.parts == []


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b"<html>", b"[1]", b'{"choices":7}'])
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        COMPLETIONS.read_message(body, conversion())


def test_an_error_in_a_200_is_raised() -> None:
    body = b'{"error":{"message":"slow","code":429}}'
    with pytest.raises(GatewayError) as caught:
        COMPLETIONS.read_message(body, conversion())
    assert caught.value.status == 429
    assert COMPLETIONS.summarize(body).error is not None
