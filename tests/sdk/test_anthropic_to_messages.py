"""The Anthropic client and a Messages upstream: bytes pass, only the model's name changes."""

from typing import Any, cast

import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    MESSAGES_USAGE,
    PDF,
    PNG,
    START,
    block_start,
    block_stop,
    delta,
    ending,
    event,
    message,
    message_stream,
    text,
    thought,
    use,
)
from tests.sdk.stage import SdkGateway

ASK: list[MessageParam] = [{"role": "user", "content": "hello"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_a_plain_answer_arrives_as_the_upstream_gave_it(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = anthropic.messages.create(
        model="messages:real",
        max_tokens=64,
        messages=ASK,
        system="Be brief.",
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
    )
    assert answer.model_dump(exclude_unset=True) == message(text("Hello"))
    assert stage.head() == (
        "POST",
        "/messages/v1/messages",
        {
            b"accept-encoding": b"identity",
            b"anthropic-version": b"2026-10-21",
            b"authorization": b"Bearer upstream-key-messages",
            b"content-type": b"application/json",
        },
    )
    assert stage.body() == {
        "model": "real",
        "max_tokens": 64,
        "messages": ASK,
        "system": "Be brief.",
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
    }


def test_an_alias_is_sent_as_the_upstreams_name(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = anthropic.messages.create(model="shorthand", max_tokens=64, messages=ASK)
    assert stage.body() == {"model": "real-name", "max_tokens": 64, "messages": ASK}
    assert answer.model == "upstream-model"


def test_a_stream_is_read_event_by_event(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(SSE(message_stream(text("Hello!"))))
    with anthropic.messages.create(
        model="messages:real", max_tokens=64, messages=ASK, stream=True
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
        "max_tokens": 64,
        "messages": ASK,
        "stream": True,
    }


def test_the_stream_helper_gathers_the_answer(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(SSE(message_stream(text("Hello"))))
    with anthropic.messages.stream(model="messages:real", max_tokens=64, messages=ASK) as stream:
        assert "".join(stream.text_stream) == "Hello"
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("Hello")]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.model_dump(exclude_unset=True) == MESSAGES_USAGE


def test_a_tool_call_and_the_tools_it_came_from(stage: SdkGateway, anthropic: Anthropic) -> None:
    called = use("toolu_1", "get_weather", {"city": "Oslo"})
    stage.play(Json(message(called, stop="tool_use")))
    answer = anthropic.messages.create(
        model="messages:real",
        max_tokens=64,
        messages=ASK,
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    assert answer.to_dict()["content"] == [called]
    assert answer.stop_reason == "tool_use"
    assert stage.body() == {
        "model": "real",
        "max_tokens": 64,
        "messages": ASK,
        "tools": [WEATHER],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }


def test_streamed_parallel_calls_are_gathered(stage: SdkGateway, anthropic: Anthropic) -> None:
    oslo = use("toolu_1", "get_weather", {"city": "Oslo"})
    rome = use("toolu_2", "get_weather", {"city": "Rome"})
    stage.play(SSE(message_stream(text("Let me see."), oslo, rome, stop="tool_use")))
    with anthropic.messages.stream(model="messages:real", max_tokens=64, messages=ASK) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("Let me see."), oslo, rome]


def test_blocks_that_interleave_are_gathered(stage: SdkGateway, anthropic: Anthropic) -> None:
    frames = [
        START,
        block_start(0, use("toolu_1", "get_weather", {})),
        block_start(1, use("toolu_2", "get_weather", {})),
        delta(0, "input_json_delta", partial_json='{"city":'),
        delta(1, "input_json_delta", partial_json='{"city":'),
        delta(0, "input_json_delta", partial_json='"Oslo"}'),
        delta(1, "input_json_delta", partial_json='"Rome"}'),
        block_stop(0),
        block_stop(1),
        *ending("tool_use"),
    ]
    stage.play(SSE(frames))
    with anthropic.messages.stream(model="messages:real", max_tokens=64, messages=ASK) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [
        use("toolu_1", "get_weather", {"city": "Oslo"}),
        use("toolu_2", "get_weather", {"city": "Rome"}),
    ]


def test_a_conversation_with_tool_results_is_sent_as_it_is(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(message(text("Cold."))))
    turns: list[MessageParam] = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"n": 1.0}}
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
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                        },
                    ],
                    "is_error": True,
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                }
            ],
        },
    ]
    anthropic.messages.create(model="messages:real", max_tokens=64, messages=turns, tools=[WEATHER])
    assert stage.body() == {
        "model": "real",
        "max_tokens": 64,
        "messages": turns,
        "tools": [WEATHER],
    }
    assert b'"n":1.0' in stage.received().body


def test_pictures_and_documents_are_sent_as_they_are(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(message(text("Seen."))))
    turns: list[MessageParam] = [
        {
            "role": "user",
            "content": [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                },
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                    "title": "A",
                    "citations": {"enabled": True},
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                },
            ],
        }
    ]
    anthropic.messages.create(model="messages:real", max_tokens=64, messages=turns)
    assert stage.body()["messages"] == turns


def test_thinking_passes_both_ways_with_its_signature(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    hidden = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
    stage.play(SSE(message_stream(thought("2 and 2", "c2ln"), hidden, text("4!"))))
    with anthropic.messages.stream(
        model="messages:real",
        max_tokens=4096,
        messages=ASK,
        thinking={"type": "enabled", "budget_tokens": 2048},
    ) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [thought("2 and 2", "c2ln"), hidden, text("4!")]
    assert stage.body()["thinking"] == {"type": "enabled", "budget_tokens": 2048}

    stage.play(Json(message(text("Yes."))))
    again: list[MessageParam] = [*ASK, {"role": "assistant", "content": answer.content}, *ASK]
    anthropic.messages.create(model="messages:real", max_tokens=4096, messages=again)
    assert stage.body()["messages"][1]["content"] == [
        thought("2 and 2", "c2ln"),
        hidden,
        text("4!"),
    ]


class Place(BaseModel):
    """What the model is asked for."""

    city: str
    people: int


def test_a_schema_is_parsed_into_its_type(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(message(text('{"city":"Oslo","people":717710}'))))
    answer = anthropic.messages.parse(
        model="messages:real", max_tokens=64, messages=ASK, output_format=Place
    )
    assert answer.parsed_output == Place(city="Oslo", people=717710)
    asked = stage.body()["output_config"]["format"]
    assert asked["type"] == "json_schema"
    assert asked["schema"]["required"] == ["city", "people"]


def test_usage_arrives_with_all_its_details(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = anthropic.messages.create(model="messages:real", max_tokens=64, messages=ASK)
    assert answer.usage.model_dump(exclude_unset=True) == MESSAGES_USAGE


def test_a_refusal_arrives_with_its_details(stage: SdkGateway, anthropic: Anthropic) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Dangerous."}
    stage.play(Json(message(stop="refusal", stop_details=details)))
    answer = anthropic.messages.create(model="messages:real", max_tokens=64, messages=ASK)
    assert answer.stop_reason == "refusal"
    assert answer.to_dict()["stop_details"] == details


@pytest.mark.parametrize(
    "stop",
    ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"],
)
def test_stop_reasons_pass(stage: SdkGateway, anthropic: Anthropic, stop: str) -> None:
    stage.play(Json(message(text("Hello"), stop=stop)))
    answer = anthropic.messages.create(model="messages:real", max_tokens=64, messages=ASK)
    assert answer.stop_reason == stop


def test_a_whole_answer_to_a_stream_is_told_as_a_stream(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    stage.play(Json(message(text("Hello"))))
    with anthropic.messages.stream(model="messages:real", max_tokens=64, messages=ASK) as stream:
        answer = stream.get_final_message()
    assert answer.to_dict()["content"] == [text("Hello")]
    assert answer.usage.output_tokens == 30


def test_unknown_events_and_blocks_reach_the_client(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    new = {"type": "brand_new", "x": 1.0}
    frames = message_stream(new, text("Hello"))
    stage.play(SSE([frames[0], event("brand_new_event", x=1), *frames[1:]]))
    with anthropic.messages.stream(model="messages:real", max_tokens=64, messages=ASK) as stream:
        answer = stream.get_final_message()
    blocks = cast(list[Any], answer.content)
    assert [(block.type, block.to_dict().get("x")) for block in blocks[1:]] == [("text", None)]
    assert (blocks[0].type, blocks[0].x) == ("brand_new", 1.0)


def test_a_client_that_sends_x_api_key_is_known(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(message(text("Hello"))))
    anthropic.messages.create(
        model="messages:real",
        max_tokens=64,
        messages=ASK,
        extra_headers={"authorization": "", "x-api-key": stage.key},
    )
    assert stage.received().get_header(b"x-api-key") is None
    assert stage.received().get_header(b"authorization") == b"Bearer upstream-key-messages"


def test_the_beta_client_is_answered_as_well(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = anthropic.beta.messages.create(
        model="messages:real", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
    )
    assert answer.to_dict()["content"] == [text("Hello")]
    assert stage.received().path == "/messages/v1/messages"
