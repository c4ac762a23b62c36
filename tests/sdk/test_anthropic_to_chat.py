"""The Anthropic client and a Chat upstream: every request and answer is converted."""

from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from gateway.neutral.seal import PREFIX
from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    DONE,
    MESSAGES_USAGE,
    PDF,
    PNG,
    ROLE,
    argued,
    begun,
    call,
    chat,
    chat_stream,
    chunk,
    message,
    text,
    use,
)
from tests.sdk.stage import SdkGateway

ASK: list[MessageParam] = [{"role": "user", "content": "hello"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": SCHEMA,
}
WEATHER_TOLD = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": SCHEMA,
    },
}
OSLO = use("call_1", "get_weather", {"city": "Oslo"})
ROME = use("call_2", "get_weather", {"city": "Rome"})


def test_a_plain_answer_is_a_message(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Hello")))
    answer = anthropic.messages.create(
        model="chat:real",
        max_tokens=64,
        messages=ASK,
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
        extra_body={"temperature": 0.5},
        extra_headers={"anthropic-version": "2023-06-01"},
    )
    told = answer.model_dump(exclude_unset=True)
    assert told.pop("id").startswith("msg_")
    assert told == {
        "type": "message",
        "role": "assistant",
        "model": "chat:real",
        "content": [text("Hello")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }
    assert stage.head() == (
        "POST",
        "/chat/v1/chat/completions",
        {
            b"accept-encoding": b"identity",
            b"authorization": b"Bearer upstream-key-chat",
            b"content-type": b"application/json",
        },
    )
    assert stage.body() == {
        "model": "real",
        "messages": [
            {"role": "system", "content": "Be brief.\n\nBe kind."},
            {"role": "user", "content": "hello"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "stop": ["END"],
        "user": "u1",
    }


def test_an_alias_is_the_model_of_the_answer(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Hello")))
    answer = anthropic.messages.create(model="nickname", max_tokens=64, messages=ASK)
    assert stage.body()["model"] == "real-name"
    assert answer.model == "nickname"


def test_a_stream_is_read_event_by_event(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(SSE(chat_stream({"content": "Hel"}, {"content": "lo"})))
    with anthropic.messages.create(
        model="chat:real", max_tokens=64, messages=ASK, stream=True
    ) as stream:
        kinds = [one.type for one in stream]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert stage.body() == {
        "model": "real",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_stream_helper_gathers_the_answer(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(SSE(chat_stream({"content": "Hel"}, {"content": "lo"})))
    with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
        assert list(stream.text_stream) == ["Hel", "lo"]
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("Hello")]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.model_dump(exclude_unset=True) == MESSAGES_USAGE


def test_a_tool_call_and_the_tools_it_came_from(stage: SdkGateway, anthropic: Anthropic) -> None:
    called = call("call_1", "get_weather", '{"city": "Oslo"}')
    stage.play(Json(chat(None, finish="tool_calls", tool_calls=[called])))
    answer = anthropic.messages.create(
        model="chat:real",
        max_tokens=64,
        messages=ASK,
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
    )
    assert answer.to_dict()["content"] == [OSLO]
    assert answer.stop_reason == "tool_use"
    assert stage.body() == {
        "model": "real",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 64,
        "tools": [WEATHER_TOLD],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": False,
    }


def test_parallel_calls_keep_their_order(stage: SdkGateway, anthropic: Anthropic) -> None:
    calls = [
        call("call_1", "get_weather", '{"city":"Oslo"}'),
        call("call_2", "get_weather", '{"city":"Rome"}'),
    ]
    stage.play(Json(chat("Let me see.", finish="stop", tool_calls=calls)))
    answer = anthropic.messages.create(model="chat:real", max_tokens=64, messages=ASK)
    assert answer.to_dict()["content"] == [text("Let me see."), OSLO, ROME]
    assert answer.stop_reason == "tool_use"


@pytest.mark.parametrize(
    "deltas",
    [
        [
            begun(0, "call_1", "get_weather"),
            argued(0, '{"city":'),
            argued(0, '"Oslo"}'),
            begun(1, "call_2", "get_weather"),
            argued(1, '{"city":"Rome"}'),
        ],
        [
            begun(0, "call_1", "get_weather", '{"city":'),
            begun(1, "call_2", "get_weather", '{"city":'),
            argued(0, '"Oslo"}'),
            argued(1, '"Rome"}'),
        ],
        [
            begun(0, "call_1", "get_weather", '{"city":"Oslo"}'),
            begun(0, "call_2", "get_weather", '{"city":"Rome"}'),
        ],
    ],
    ids=["in turn", "interleaved", "all on one index"],
)
def test_streamed_parallel_calls_are_gathered(
    stage: SdkGateway, anthropic: Anthropic, deltas: list[dict[str, object]]
) -> None:
    stage.play(SSE(chat_stream(*deltas, finish="tool_calls")))
    with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
        open_blocks = 0
        for one in stream:
            open_blocks += one.type == "content_block_start"
            open_blocks -= one.type == "content_block_stop"
            assert open_blocks in (0, 1)
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [OSLO, ROME]
    assert answer.stop_reason == "tool_use"


def test_tool_results_become_tool_messages(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Cold.")))
    anthropic.messages.create(
        model="chat:real",
        max_tokens=64,
        tools=[WEATHER],
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "get_weather",
                        "input": {"n": 1.0},
                    },
                    {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [
                            {"type": "text", "text": "3 °C"},
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": PNG,
                                },
                            },
                        ],
                    },
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "content": "ENOENT",
                        "is_error": True,
                    },
                    {"type": "text", "text": "So?"},
                ],
            },
        ],
    )
    assert stage.body() == {
        "model": "real",
        "messages": [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    call("toolu_1", "get_weather", '{"n":1.0}'),
                    call("toolu_2", "get_weather", "{}"),
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "toolu_1",
                "content": "3 °C\n[image 1 attached in the next user message]",
            },
            {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: ENOENT"},
            {
                "role": "user",
                "content": [
                    text("Output of tool call toolu_1:"),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    text("So?"),
                ],
            },
        ],
        "tools": [WEATHER_TOLD],
        "max_tokens": 64,
    }


def test_names_that_the_upstream_refuses_come_back_as_they_were(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(chat(None, tool_calls=[call("call_1", "foo_bar_2", "{}")])))
    tools: list[ToolParam] = [
        {"name": "foo/bar", "input_schema": {"type": "object"}},
        {"name": "foo_bar", "input_schema": {"type": "object"}},
    ]
    answer = anthropic.messages.create(model="chat:real", max_tokens=64, messages=ASK, tools=tools)
    assert answer.to_dict()["content"] == [use("call_1", "foo/bar", {})]
    assert [tool["function"]["name"] for tool in stage.body()["tools"]] == ["foo_bar_2", "foo_bar"]


def test_pictures_and_documents_become_parts(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Seen.")))
    anthropic.messages.create(
        model="chat:real",
        max_tokens=64,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look."},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                    {
                        "type": "image",
                        "source": {"type": "url", "url": "https://example.com/a.png"},
                    },
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "title": "a.pdf",
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                        "title": "T",
                        "context": "C",
                    },
                ],
            }
        ],
    )
    assert stage.body()["messages"] == [
        {
            "role": "user",
            "content": [
                text("Look."),
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": f"data:application/pdf;base64,{PDF}",
                    },
                },
                text('<document title="T" context="C">\nwords\n</document>'),
            ],
        }
    ]


DETAILS = [
    {"type": "reasoning.text", "text": "2 and 2", "signature": "U2lnbmVk", "format": "x-v1"},
    {"type": "reasoning.encrypted", "data": "SGlkZGVu", "id": "r1", "format": "x-v1"},
]


def reasoning_of(
    stage: SdkGateway, anthropic: Anthropic, model: str, *, streamed: bool
) -> list[Any]:
    """The blocks of an answer with reasoning of that model."""
    calls = [call("call_1", "get_weather", '{"city":"Oslo"}')]
    indexed = [{"index": at} | detail for at, detail in enumerate(DETAILS)]
    if streamed:
        deltas = [{"reasoning_details": [detail]} for detail in indexed]
        stage.play(SSE(chat_stream(*deltas, begun(0, "call_1", "get_weather", '{"city":"Oslo"}'))))
        with anthropic.messages.stream(model=model, max_tokens=64, messages=ASK) as stream:
            blocks: list[Any] = [*stream.get_final_message().content]
    else:
        stage.play(Json(chat(None, reasoning_details=indexed, tool_calls=calls)))
        blocks = [*anthropic.messages.create(model=model, max_tokens=64, messages=ASK).content]
    told = [block.to_dict() for block in blocks]
    assert [block["type"] for block in told] == ["thinking", "redacted_thinking", "tool_use"]
    assert told[0]["thinking"] == "2 and 2"
    assert str(told[0]["signature"]).startswith(PREFIX)
    assert str(told[1]["data"]).startswith(PREFIX)
    return blocks


def replayed(stage: SdkGateway, anthropic: Anthropic, model: str, blocks: list[Any]) -> Any:
    """What an upstream gets for these blocks, replayed to that model."""
    stage.play(Json(chat("Cold.")))
    anthropic.messages.create(
        model=model,
        max_tokens=64,
        messages=[
            *ASK,
            {"role": "assistant", "content": blocks},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "3"}],
            },
        ],
    )
    return stage.body()["messages"][1]


SAID = {
    "role": "assistant",
    "content": None,
    "tool_calls": [call("call_1", "get_weather", '{"city":"Oslo"}')],
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_sealed_reasoning_comes_back_to_the_model_that_minted_it(
    stage: SdkGateway, anthropic: Anthropic, streamed: bool
) -> None:
    blocks = reasoning_of(stage, anthropic, "details:some/model", streamed=streamed)
    sent = replayed(stage, anthropic, "details:some/model", blocks)
    assert sent == SAID | {"reasoning_details": DETAILS}


@pytest.mark.parametrize("other", ["chat-other:some/model", "details:other/model"], ids=str)
def test_sealed_reasoning_is_kept_from_others(
    stage: SdkGateway, anthropic: Anthropic, other: str
) -> None:
    blocks = reasoning_of(stage, anthropic, "details:some/model", streamed=False)
    assert replayed(stage, anthropic, other, blocks) == SAID


def test_sealed_chat_reasoning_is_kept_from_a_messages_upstream(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    blocks = reasoning_of(stage, anthropic, "details:some/model", streamed=False)
    stage.play(Json(message(text("Cold."))))
    anthropic.messages.create(
        model="messages:claude-opus-4-8",
        max_tokens=64,
        messages=[*ASK, {"role": "assistant", "content": blocks}],
    )
    assert [block["type"] for block in stage.body()["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_plain_reasoning_is_a_thinking_block(
    stage: SdkGateway, anthropic: Anthropic, member: str
) -> None:
    stage.play(
        Json(chat("4", **{member: "2 and 2"})),
        SSE(chat_stream({member: "2 and"}, {member: " 2"}, {"content": "4"})),
    )
    whole = anthropic.messages.create(model="chat:real", max_tokens=64, messages=ASK)
    with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        first, second = answer.content
        assert (first.type, second.type) == ("thinking", "text")
        assert first.to_dict()["thinking"] == "2 and 2"
        assert str(first.to_dict()["signature"]).startswith(PREFIX)


def test_a_budget_is_an_effort_where_the_upstream_knows_only_that(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(chat("4")))
    anthropic.messages.create(
        model="details:some/model",
        max_tokens=4096,
        messages=ASK,
        thinking={"type": "enabled", "budget_tokens": 2048},
    )
    assert stage.body()["reasoning"] == {"max_tokens": 2048}
    anthropic.messages.create(
        model="openai:gpt-5",
        max_tokens=4096,
        messages=ASK,
        thinking={"type": "enabled", "budget_tokens": 2048},
    )
    assert b'"reasoning_effort":"medium"' in stage.requests[1].body


class Place(BaseModel):
    """What the model is asked for."""

    city: str
    people: int


def test_a_schema_is_the_format_of_the_answer(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat('{"city":"Oslo","people":717710}')))
    answer = anthropic.messages.parse(
        model="chat:real", max_tokens=64, messages=ASK, output_format=Place
    )
    assert answer.parsed_output == Place(city="Oslo", people=717710)
    assert stage.body()["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "output",
            "schema": {
                "type": "object",
                "title": "Place",
                "description": "What the model is asked for.",
                "properties": {
                    "city": {"type": "string", "title": "City"},
                    "people": {"type": "integer", "title": "People"},
                },
                "additionalProperties": False,
                "required": ["city", "people"],
            },
            "strict": True,
        },
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_refusal_is_a_stop_reason_and_its_words(
    stage: SdkGateway, anthropic: Anthropic, streamed: bool
) -> None:
    if streamed:
        stage.play(SSE(chat_stream({"refusal": "I will"}, {"refusal": " not."})))
        with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
            answer: Any = stream.get_final_message()
    else:
        stage.play(Json(chat(None, refusal="I will not.")))
        answer = anthropic.messages.create(model="chat:real", max_tokens=64, messages=ASK)
    assert answer.to_dict()["content"] == [text("I will not.")]
    assert answer.stop_reason == "refusal"
    assert answer.stop_details.type == "refusal"


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("tool_calls", "end_turn"),
        ("eos", "end_turn"),
        ("model_length", "model_context_window_exceeded"),
    ],
)
def test_finish_reasons_are_stop_reasons(
    stage: SdkGateway, anthropic: Anthropic, finish: str, stop: str
) -> None:
    stage.play(
        Json(chat("Hello", finish=finish)), SSE(chat_stream({"content": "Hello"}, finish=finish))
    )
    answer = anthropic.messages.create(model="chat:real", max_tokens=64, messages=ASK)
    assert answer.stop_reason == stop
    with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
        assert stream.get_final_message().stop_reason == stop


def test_more_stops_than_the_upstream_takes_end_the_answer(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    frames = [ROLE, chunk({"content": "x E"}), chunk({"content": "ND y"}), chunk({}, "stop"), DONE]
    stage.play(SSE(frames))
    with anthropic.messages.stream(
        model="chat:real", max_tokens=64, messages=ASK, stop_sequences=["A", "B", "C", "D", "END"]
    ) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("x ")]
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    assert stage.body()["stop"] == ["A", "B", "C", "D"]


def test_what_was_lost_stands_in_a_header(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Hello")))
    raw = anthropic.messages.with_raw_response.create(
        model="chat:real",
        max_tokens=64,
        messages=ASK,
        extra_body={"top_k": 5, "brand_new": 1},
        extra_headers={"anthropic-version": "2023-06-01"},
    )
    warnings = raw.headers["x-gateway-warnings"].split(", ")
    assert sorted(warnings) == ["brand_new:unknown", "top_k:unsupported_by_target"]
    assert raw.headers["x-gateway-provider"] == "chat"
    assert stage.body().keys() == {"model", "messages", "max_tokens"}


def test_a_stream_tells_in_its_headers_what_was_lost(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(SSE(chat_stream({"content": "Hello"})))
    with anthropic.messages.stream(
        model="chat:real", max_tokens=64, messages=ASK, extra_body={"brand_new": 1}
    ) as stream:
        stream.until_done()
        assert stream.response.headers["x-gateway-warnings"] == "brand_new:unknown"


def test_a_call_that_only_warms_a_cache_is_refused(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(chat("Hello")))
    with pytest.raises(BadRequestError):
        anthropic.messages.create(model="chat:real", max_tokens=0, messages=ASK)
    assert stage.requests == []


def test_a_whole_answer_to_a_stream_is_told_as_a_stream(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    calls = [call("call_1", "get_weather", '{"city":"Oslo"}')]
    stage.play(Json(chat("Hello", finish="tool_calls", tool_calls=calls)))
    with anthropic.messages.stream(model="chat:real", max_tokens=64, messages=ASK) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("Hello"), OSLO]
    assert answer.usage.model_dump(exclude_unset=True) == MESSAGES_USAGE
