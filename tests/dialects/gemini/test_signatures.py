"""Signatures on their way through clients of Chat and Messages, and back to Gemini."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from openai.lib.streaming._deltas import accumulate_delta

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
    sealed_kind,
)
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import Citation, Message, Reasoning, Text, WebSearch
from gateway.neutral.fold import message_events
from gateway.wire.sse import Splitter
from tests.dialects.gemini.conversions import (
    Json,
    asked,
    call,
    conversion,
    encoded,
    event,
    said,
    tools,
    written,
)

ANSWER = event(
    {"text": "hm", "thought": True, "thoughtSignature": "THOUGHT"},
    {"text": "said", "thoughtSignature": "TEXT"},
    call("f", {"x": 1}, "FIRST", "c1"),
    call("g", {}, "", "c2"),
    {"text": "", "thoughtSignature": "LAST"},
    finish="STOP",
)
both = pytest.mark.parametrize("client", [CHAT, MESSAGES], ids=lambda each: each.name)


def answered(told: Json = ANSWER, model: str = "gemini-3-pro-preview") -> tuple[Message, Any]:
    """An answer, and the way on which it came."""
    way = conversion(
        asked(tools=tools("f", "g"), reasoning=Reasoning("adaptive"), stream=True), model
    )
    return GEMINI.read_message(encoded(told), way), way


def streamed(dialect: Dialect, message: Message, way: Any) -> list[Json]:
    """The events of the answer as that client's stream."""
    writer = dialect.writer(way)
    frames = Splitter().feed(b"".join(writer.write(each) for each in message_events(message)))
    return [msgspec.json.decode(frame.data) for frame in frames if frame.data != b"[DONE]"]


def turn(dialect: Dialect, message: Message, way: Any, *, stream: bool) -> Json:
    """The answer as a client keeps it and sends it back."""
    if not stream:
        whole = msgspec.json.decode(dialect.write_message(message, way))
        if dialect is CHAT:
            return whole["choices"][0]["message"]  # type: ignore[no-any-return]
        return {"role": "assistant", "content": whole["content"]}
    if dialect is CHAT:
        kept: Any = {}
        for chunk in streamed(dialect, message, way):
            kept = accumulate_delta(kept, chunk["choices"][0]["delta"])
        return dict(kept)
    blocks: list[Json] = []
    for each in streamed(dialect, message, way):
        match each["type"]:
            case "content_block_start":
                blocks.append(each["content_block"])
            case "content_block_delta":
                _grow(blocks[-1], each["delta"])
    for block in blocks:
        if isinstance(block.get("input"), str):
            block["input"] = msgspec.json.decode(block["input"])
    return {"role": "assistant", "content": blocks}


def _grow(block: Json, delta: Json) -> None:
    if delta["type"] == "input_json_delta":
        before = block["input"] if isinstance(block["input"], str) else ""
        block["input"] = before + delta["partial_json"]
    elif delta["type"] == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        kind = delta["type"].removesuffix("_delta")
        block[kind] += delta[kind]


def replayed(dialect: Dialect, kept: Json, model: str) -> list[Json]:
    """The parts of the model's turn when the client calls again."""
    body = {"model": "m", "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi"}, kept]}  # fmt: skip
    fields = {name: Raw(encoded(value)) for name, value in body.items()}
    way = conversion(model=model)
    way.prompt = dialect.read_prompt(fields, way.notes)
    parts: list[Json] = written(way)["contents"][1]["parts"]
    return parts


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_messages_client_brings_every_part_back_as_it_came(stream: bool) -> None:
    message, way = answered()
    kept = turn(MESSAGES, message, way, stream=stream)
    assert [block["type"] for block in kept["content"]] == [
        "thinking", "text", "redacted_thinking", "redacted_thinking", "tool_use", "tool_use",
        "redacted_thinking",
    ]  # fmt: skip
    assert "FIRST" not in encoded(kept).decode()
    assert replayed(MESSAGES, kept, way.model) == ANSWER["candidates"][0]["content"]["parts"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_chat_client_brings_back_what_its_messages_have_room_for(stream: bool) -> None:
    message, way = answered()
    kept = turn(CHAT, message, way, stream=stream)
    assert kept["content"] == "said"
    assert [bool(made.get("extra_content")) for made in kept["tool_calls"]] == [True, False]
    assert "FIRST" not in encoded(kept).decode()
    thought, spoken, first, second, _ = ANSWER["candidates"][0]["content"]["parts"]
    found = replayed(CHAT, kept, way.model)
    # one signature of a text has room in a message: the last
    spoken = {"text": "said"}
    assert found == [thought, spoken, {"text": "", "thoughtSignature": "LAST"}, first, second]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_responses_client_brings_back_those_of_thoughts_and_calls(stream: bool) -> None:
    message, way = answered()
    if stream:
        output = streamed(RESPONSES, message, way)[-1]["response"]["output"]
    else:
        output = msgspec.json.decode(RESPONSES.write_message(message, way))["output"]
    kinds = ["reasoning", "message", "reasoning", "function_call", "function_call"]
    assert [item["type"] for item in output] == kinds
    body = {"model": "m", "input": [{"role": "user", "content": "hi"}, *output]}
    fields = {name: Raw(encoded(value)) for name, value in body.items()}
    again = conversion(model=way.model)
    again.prompt = RESPONSES.read_prompt(fields, again.notes)
    thought, _, first, second, _ = ANSWER["candidates"][0]["content"]["parts"]
    parts = written(again)["contents"][1]["parts"]
    assert parts == [thought, {"text": "said"}, first, second]
    assert again.notes.entries == []


@both
def test_another_model_gets_none_of_them(client: Dialect) -> None:
    message, way = answered()
    kept = turn(client, message, way, stream=False)
    parts = replayed(client, kept, "gemini-3-flash-preview")
    assert [part.get("thoughtSignature") for part in parts] == [None, SKIP_SIGNATURE, None]


@both
def test_a_client_cannot_make_one_up(client: Dialect) -> None:
    message, way = answered()
    kept = encoded(turn(client, message, way, stream=False))
    forged = msgspec.json.decode(kept.replace(b"~gw01.", b"~gw01.A"))
    parts = replayed(client, forged, way.model)
    assert [part.get("thoughtSignature") for part in parts] == [None, SKIP_SIGNATURE, None]


def test_kinds() -> None:
    kinds = {
        origin: sealed_kind(origin)
        for origin in (
            CALL_SIGNATURE,
            GEMINI_CALL_SIGNATURE,
            TEXT_SIGNATURE,
            LONE_SIGNATURE,
            "chat",
            "",
        )
    }
    assert kinds == {
        CALL_SIGNATURE: CALL_SIGNATURE,
        GEMINI_CALL_SIGNATURE: CALL_SIGNATURE,
        TEXT_SIGNATURE: TEXT_SIGNATURE,
        LONE_SIGNATURE: LONE_SIGNATURE,
        "chat": "redacted",
        "": "redacted",
    }


def test_a_chat_client_is_told_where_sources_begin_and_end() -> None:
    way = conversion(asked(said("hi"), web_search=WebSearch(), stream=True))
    message, _ = answered(event({"text": "x"}, finish="STOP"))
    cited = Citation(Raw(b"{}"), "https://a.example", "A", "b", (1, 2))
    message.parts = [Text("one", citations=[]), Text("abc", citations=[cited])]
    whole = msgspec.json.decode(CHAT.write_message(message, way))
    (note,) = whole["choices"][0]["message"]["annotations"]
    place = {"url": "https://a.example", "title": "A", "start_index": 4, "end_index": 5}
    assert note["url_citation"] == place
    last = streamed(CHAT, message, way)[-1]["choices"][0]["delta"]
    assert last["annotations"][0]["url_citation"] == place
