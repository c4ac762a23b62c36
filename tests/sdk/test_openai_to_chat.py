"""The OpenAI client and a Chat upstream: bytes pass as they are, only the model's name changes."""

import base64

import msgspec
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    CHAT_USAGE,
    PDF,
    PNG,
    argued,
    begun,
    call,
    chat,
    chat_stream,
)
from tests.sdk.stage import SdkGateway

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def test_a_plain_answer_arrives_as_the_upstream_gave_it(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat("Hello")))
    answer = openai.chat.completions.create(
        model="chat:real", messages=ASK, temperature=0.5, max_completion_tokens=20, seed=7
    )
    assert answer.model_dump(exclude_unset=True) == chat("Hello")
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
        "messages": ASK,
        "temperature": 0.5,
        "max_completion_tokens": 20,
        "seed": 7,
    }


def test_an_alias_is_sent_as_the_upstreams_name(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    answer = openai.chat.completions.create(model="nickname", messages=ASK)
    assert stage.body() == {"model": "real-name", "messages": ASK}
    assert answer.model == "upstream-model"


def test_a_stream_is_read_chunk_by_chunk(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(chat_stream({"content": "Hel"}, {"content": "lo"})))
    with openai.chat.completions.create(model="chat:real", messages=ASK, stream=True) as stream:
        chunks = list(stream)
    told = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert told == ["", "Hel", "lo", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [
        None, None, None, "stop",
    ]  # fmt: skip
    assert stage.body() == {
        "model": "real", "messages": ASK, "stream": True,
        "stream_options": {"include_usage": True},  # the gateway counts
    }  # fmt: skip


def test_the_stream_helper_gathers_the_answer(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(chat_stream({"content": "Hel"}, {"content": "lo"})))
    with openai.chat.completions.stream(
        model="chat:real", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == CHAT_USAGE
    assert stage.body() == {
        "model": "real",
        "messages": ASK,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_tool_call_and_the_tools_it_came_from(stage: SdkGateway, openai: OpenAI) -> None:
    called = call("call_1", "get_weather", '{"city": "Oslo"}')
    stage.play(Json(chat(None, finish="tool_calls", tool_calls=[called])))
    answer = openai.chat.completions.create(
        model="chat:real", messages=ASK, tools=[WEATHER], tool_choice="required"
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls or []
    assert [one.model_dump() for one in calls] == [called]
    assert stage.body() == {
        "model": "real",
        "messages": ASK,
        "tools": [WEATHER],
        "tool_choice": "required",
    }


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
    ],
    ids=["in turn", "interleaved"],
)
def test_streamed_parallel_calls_are_gathered(
    stage: SdkGateway, openai: OpenAI, deltas: list[dict[str, object]]
) -> None:
    stage.play(SSE(chat_stream(*deltas, finish="tool_calls")))
    with openai.chat.completions.stream(model="chat:real", messages=ASK) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [(one.id, one.function.name, one.function.arguments) for one in calls] == [
        ("call_1", "get_weather", '{"city":"Oslo"}'),
        ("call_2", "get_weather", '{"city":"Rome"}'),
    ]


def test_a_conversation_with_tool_results_is_sent_byte_for_byte(
    stage: SdkGateway, openai: OpenAI
) -> None:
    stage.play(Json(chat()))
    turns: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "3 °C"},
    ]
    openai.chat.completions.create(model="chat:real", messages=turns, tools=[WEATHER])
    assert stage.body() == {"model": "real", "messages": turns, "tools": [WEATHER]}
    assert "3 °C".encode() in stage.received().body


def test_pictures_and_documents_are_sent_as_they_are(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    turns: list[ChatCompletionMessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": f"data:application/pdf;base64,{PDF}",
                    },
                },
            ],
        }
    ]
    openai.chat.completions.create(model="chat:real", messages=turns)
    assert stage.body() == {"model": "real", "messages": turns}


def test_reasoning_members_pass_both_ways(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat("4", reasoning_content="2 and 2")))
    answer = openai.chat.completions.create(
        model="chat:real", messages=ASK, reasoning_effort="high", extra_body={"thinking": {"a": 1}}
    )
    assert answer.choices[0].message.model_dump()["reasoning_content"] == "2 and 2"
    assert stage.body() == {
        "model": "real",
        "messages": ASK,
        "reasoning_effort": "high",
        "thinking": {"a": 1},
    }


def test_streamed_reasoning_members_pass(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(chat_stream({"reasoning_content": "2 and 2"}, {"content": "4"})))
    with openai.chat.completions.create(model="chat:real", messages=ASK, stream=True) as stream:
        deltas = [chunk.choices[0].delta.model_dump() for chunk in stream if chunk.choices]
    assert [delta.get("reasoning_content") for delta in deltas] == [None, "2 and 2", None, None]


class Place(BaseModel):
    """What the model is asked for."""

    city: str
    people: int


def test_a_schema_is_parsed_into_its_type(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat('{"city":"Oslo","people":717710}')))
    answer = openai.chat.completions.parse(model="chat:real", messages=ASK, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Oslo", people=717710)
    assert stage.body()["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "Place",
            "schema": {
                "description": "What the model is asked for.",
                "properties": {
                    "city": {"title": "City", "type": "string"},
                    "people": {"title": "People", "type": "integer"},
                },
                "required": ["city", "people"],
                "title": "Place",
                "type": "object",
                "additionalProperties": False,
            },
            "strict": True,
        },
    }


def test_usage_arrives_with_all_its_details(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    answer = openai.chat.completions.create(model="chat:real", messages=ASK)
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == CHAT_USAGE


def test_a_refusal_arrives_in_its_own_member(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat(None, refusal="I will not.")))
    answer = openai.chat.completions.create(model="chat:real", messages=ASK)
    assert answer.choices[0].message.refusal == "I will not."
    assert answer.choices[0].message.content is None


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls", "content_filter"])
def test_finish_reasons_pass(stage: SdkGateway, openai: OpenAI, finish: str) -> None:
    stage.play(Json(chat("Hello", finish=finish)))
    answer = openai.chat.completions.create(model="chat:real", messages=ASK)
    assert answer.choices[0].finish_reason == finish


def test_several_choices_pass(stage: SdkGateway, openai: OpenAI) -> None:
    two = chat("Hello")
    two["choices"] = [two["choices"][0], two["choices"][0] | {"index": 1}]
    stage.play(Json(two))
    answer = openai.chat.completions.create(model="chat:real", messages=ASK, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert stage.body()["n"] == 2


def test_a_whole_answer_to_a_stream_is_told_as_a_stream(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat("Hello")))
    with openai.chat.completions.stream(model="chat:real", messages=ASK) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"


def test_the_clients_own_headers_end_at_the_gateway(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    openai.chat.completions.create(
        model="chat:real",
        messages=ASK,
        extra_headers={"cookie": "a=b", "x-forwarded-for": "10.0.0.1", "openai-beta": "x=v1"},
    )
    assert stage.head()[2].keys() == {b"accept-encoding", b"authorization", b"content-type"}


def test_a_client_that_sends_api_key_is_known(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    openai.chat.completions.create(
        model="chat:real",
        messages=ASK,
        extra_headers={"authorization": "", "api-key": stage.key},
    )
    assert stage.received().get_header(b"authorization") == b"Bearer upstream-key-chat"
    assert stage.received().get_header(b"api-key") is None


def test_the_gateway_answers_below_v1_and_without_it(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    bare = openai.with_options(base_url=stage.url)
    answer = bare.chat.completions.create(model="chat:real", messages=ASK)
    assert answer.choices[0].message.content == "Hello"


def test_bytes_beyond_ascii_and_escapes_reach_the_client(stage: SdkGateway, openai: OpenAI) -> None:
    words = 'naïve 😀 \u2028 \\u0041 "quoted" \x7f'
    stage.play(SSE(chat_stream({"content": words[:8]}, {"content": words[8:]})))
    with openai.chat.completions.stream(
        model="chat:real", messages=[{"role": "user", "content": words}]
    ) as stream:
        assert stream.get_final_completion().choices[0].message.content == words
    assert stage.body()["messages"] == [{"role": "user", "content": words}]


def test_a_picture_of_some_megabytes_passes(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    data = base64.b64encode(bytes(3_000_000)).decode()
    url = f"data:image/png;base64,{data}"
    openai.chat.completions.create(
        model="chat:real",
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
    )
    sent = msgspec.json.decode(stage.received().body)
    assert sent["messages"][0]["content"][0]["image_url"]["url"] == url
