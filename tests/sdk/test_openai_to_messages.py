"""The OpenAI client and a Messages upstream: every request and answer is converted."""

from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.chat import (
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from gateway.neutral.seal import PREFIX
from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    CHAT_USAGE,
    PDF,
    PNG,
    START,
    block_start,
    block_stop,
    chat,
    delta,
    ending,
    message,
    message_stream,
    text,
    thought,
    use,
)
from tests.sdk.stage import SdkGateway

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": SCHEMA,
    },
}
WEATHER_TOLD = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": SCHEMA,
}
OSLO = use("toolu_1", "get_weather", {"city": "Oslo"})
ROME = use("toolu_2", "get_weather", {"city": "Rome"})


def called(answer: Any) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call in the first choice."""
    calls: list[ChatCompletionMessageFunctionToolCall]
    calls = answer.choices[0].message.tool_calls or []
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


def test_a_plain_answer_is_a_completion(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = openai.chat.completions.create(
        model="messages:claude-sonnet-4-5",
        messages=[{"role": "system", "content": "Be brief."}, *ASK],
        max_completion_tokens=20,
        temperature=0.5,
        stop="END",
        user="u1",
    )
    told = answer.model_dump(exclude_unset=True)
    assert told.pop("created") > 1_700_000_000
    assert told == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "messages:claude-sonnet-4-5",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": CHAT_USAGE,
    }
    assert stage.head() == (
        "POST",
        "/messages/v1/messages",
        {
            b"accept-encoding": b"identity",
            b"anthropic-version": b"2023-06-01",
            b"authorization": b"Bearer upstream-key-messages",
            b"content-type": b"application/json",
        },
    )
    assert stage.body() == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 20,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
    }


def test_an_answer_without_a_limit_may_be_long(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"))))
    openai.chat.completions.create(model="messages:claude-opus-4-8", messages=ASK)
    assert stage.body() == {
        "model": "claude-opus-4-8",
        "max_tokens": 32000,
        "messages": [{"role": "user", "content": "hello"}],
    }


def test_an_alias_is_the_model_of_the_answer(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"))))
    answer = openai.chat.completions.create(model="shorthand", messages=ASK)
    assert stage.body()["model"] == "real-name"
    assert answer.model == "shorthand"


def test_a_stream_is_read_chunk_by_chunk(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(message_stream(text("Hello!"))))
    with openai.chat.completions.create(
        model="messages:claude-opus-4-8", messages=ASK, stream=True
    ) as stream:
        chunks = list(stream)
    assert [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo!"},
        {},
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert {(chunk.id, chunk.model) for chunk in chunks} == {
        ("chatcmpl-1", "messages:claude-opus-4-8")
    }
    assert stage.body() == {
        "model": "claude-opus-4-8",
        "max_tokens": 32000,
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
    }


def test_the_stream_helper_gathers_the_answer(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(message_stream(text("Hello"))))
    with openai.chat.completions.stream(
        model="messages:claude-opus-4-8", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == CHAT_USAGE


def test_a_tool_call_and_the_tools_it_came_from(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(OSLO, stop="tool_use")))
    answer = openai.chat.completions.create(
        model="messages:claude-sonnet-4-5",
        messages=ASK,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
        max_tokens=64,
    )
    assert called(answer) == [("toolu_1", "get_weather", '{"city":"Oslo"}')]
    assert answer.choices[0].message.content is None
    assert answer.choices[0].finish_reason == "tool_calls"
    assert stage.body() == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hello"}],
        "tools": [WEATHER_TOLD],
        "tool_choice": {
            "type": "tool",
            "name": "get_weather",
            "disable_parallel_tool_use": True,
        },
    }


def test_parallel_calls_keep_their_order(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Let me see."), OSLO, ROME, stop="tool_use")))
    answer = openai.chat.completions.create(
        model="messages:claude-opus-4-8", messages=ASK, tools=[WEATHER]
    )
    assert answer.choices[0].message.content == "Let me see."
    assert called(answer) == [
        ("toolu_1", "get_weather", '{"city":"Oslo"}'),
        ("toolu_2", "get_weather", '{"city":"Rome"}'),
    ]


INTERLEAVED = [
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


@pytest.mark.parametrize(
    "frames",
    [message_stream(OSLO, ROME, stop="tool_use"), INTERLEAVED],
    ids=["in turn", "interleaved"],
)
def test_streamed_parallel_calls_are_gathered(
    stage: SdkGateway, openai: OpenAI, frames: list[bytes]
) -> None:
    stage.play(SSE(frames))
    with openai.chat.completions.stream(
        model="messages:claude-opus-4-8", messages=ASK, tools=[WEATHER]
    ) as stream:
        answer = stream.get_final_completion()
    assert called(answer) == [
        ("toolu_1", "get_weather", '{"city":"Oslo"}'),
        ("toolu_2", "get_weather", '{"city":"Rome"}'),
    ]
    assert answer.choices[0].finish_reason == "tool_calls"


def test_a_streamed_call_without_arguments_has_an_empty_object(
    stage: SdkGateway, openai: OpenAI
) -> None:
    frames = [START, block_start(0, use("toolu_1", "now", {})), block_stop(0)]
    stage.play(SSE([*frames, *ending("tool_use")]))
    with openai.chat.completions.stream(model="messages:claude-opus-4-8", messages=ASK) as stream:
        assert called(stream.get_final_completion()) == [("toolu_1", "now", "{}")]


def test_tool_results_become_one_user_turn(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Cold."))))
    openai.chat.completions.create(
        model="messages:claude-opus-4-8",
        max_tokens=64,
        tools=[WEATHER],
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {
                        "id": "toolu_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                    },
                    {
                        "id": "functions.get_weather:1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": ""},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "3 °C"},
            {"role": "tool", "tool_call_id": "functions.get_weather:1", "content": "9 °C"},
            {"role": "user", "content": "So?"},
        ],
    )
    sent = stage.body()
    renamed = sent["messages"][1]["content"][2]["id"]
    assert renamed.startswith("functions_get_weather_1_")
    assert sent == {
        "model": "claude-opus-4-8",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [text("Let me see."), OSLO, use(renamed, "get_weather", {})],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "3 °C"},
                    {"type": "tool_result", "tool_use_id": renamed, "content": "9 °C"},
                    text("So?"),
                ],
            },
        ],
        "tools": [WEATHER_TOLD],
    }


def test_pictures_and_documents_become_blocks(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Seen."))))
    openai.chat.completions.create(
        model="messages:claude-opus-4-8",
        messages=[
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
                    {
                        "type": "file",
                        "file": {
                            "filename": "a.txt",
                            "file_data": "data:text/plain;base64,d29yZHM=",
                        },
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
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                },
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                    "title": "a.pdf",
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    "title": "a.txt",
                },
            ],
        }
    ]


def test_reasoning_effort_is_thinking(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(thought("2 and 2", "c2ln"), text("4"))))
    answer = openai.chat.completions.create(
        model="messages:claude-sonnet-4-5", messages=ASK, reasoning_effort="medium"
    )
    said = answer.choices[0].message
    assert said.content == "4"
    assert said.model_dump()["reasoning_content"] == "2 and 2"
    assert stage.body()["thinking"] == {"type": "enabled", "budget_tokens": 4096}

    openai.chat.completions.create(
        model="messages:claude-opus-4-8", messages=ASK, reasoning_effort="high"
    )
    newer = stage.requests[1].body
    assert b'"thinking":{"type":"adaptive","display":"summarized"}' in newer
    assert b'"output_config":{"effort":"high"}' in newer


def reasoning_of(
    stage: SdkGateway, openai: OpenAI, model: str, *, streamed: bool
) -> dict[str, Any]:
    """An assistant turn of that model with reasoning, as a client would replay it."""
    blocks = thought("2 and 2", "c2ln"), {"type": "redacted_thinking", "data": "ZA=="}, OSLO
    if streamed:
        stage.play(SSE(message_stream(*blocks, stop="tool_use")))
        with openai.chat.completions.stream(model=model, messages=ASK) as stream:
            said = stream.get_final_completion().choices[0].message.to_dict()
    else:
        stage.play(Json(message(*blocks, stop="tool_use")))
        answer = openai.chat.completions.create(model=model, messages=ASK)
        said = answer.choices[0].message.to_dict()
    assert [detail["type"] for detail in _details(said)] == [
        "reasoning.text",
        "reasoning.encrypted",
    ]
    blobs = [detail.get("signature") or detail["data"] for detail in _details(said)]
    assert len(blobs) == 2
    assert all(blob.startswith(PREFIX) for blob in blobs)
    return said


def _details(said: dict[str, Any]) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = said["reasoning_details"]
    return details


def replayed(stage: SdkGateway, openai: OpenAI, model: str, said: dict[str, Any]) -> list[Any]:
    """The blocks that an upstream gets for such a turn, replayed to that model."""
    stage.play(Json(message(text("Cold."))))
    result: ChatCompletionMessageParam = {
        "role": "tool",
        "tool_call_id": "toolu_1",
        "content": "3 °C",
    }
    turns: list[Any] = [*ASK, said, result]
    openai.chat.completions.create(model=model, messages=turns)
    blocks: list[Any] = stage.body()["messages"][1]["content"]
    return blocks


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_sealed_reasoning_comes_back_to_the_model_that_minted_it(
    stage: SdkGateway, openai: OpenAI, streamed: bool
) -> None:
    said = reasoning_of(stage, openai, "messages:claude-opus-4-8", streamed=streamed)
    assert replayed(stage, openai, "messages:claude-opus-4-8", said) == [
        thought("2 and 2", "c2ln"),
        {"type": "redacted_thinking", "data": "ZA=="},
        OSLO,
    ]


@pytest.mark.parametrize(
    "other", ["messages-other:claude-opus-4-8", "messages:claude-opus-4-7"], ids=str
)
def test_sealed_reasoning_is_kept_from_others(
    stage: SdkGateway, openai: OpenAI, other: str
) -> None:
    said = reasoning_of(stage, openai, "messages:claude-opus-4-8", streamed=False)
    assert replayed(stage, openai, other, said) == [OSLO]


class Place(BaseModel):
    """What the model is asked for."""

    city: str
    people: int


PLACE = {
    "description": "What the model is asked for.",
    "properties": {
        "city": {"title": "City", "type": "string"},
        "people": {"title": "People", "type": "integer"},
    },
    "required": ["city", "people"],
    "title": "Place",
    "type": "object",
    "additionalProperties": False,
}


def test_a_schema_is_the_format_of_the_answer(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text('{"city":"Oslo","people":717710}'))))
    answer = openai.chat.completions.parse(
        model="messages:claude-opus-4-8", messages=ASK, response_format=Place
    )
    assert answer.choices[0].message.parsed == Place(city="Oslo", people=717710)
    assert stage.body()["output_config"] == {"format": {"type": "json_schema", "schema": PLACE}}


def test_an_older_model_gives_the_answer_as_a_tools_input(
    stage: SdkGateway, openai: OpenAI
) -> None:
    given = use("toolu_1", "json_output", {"city": "Oslo", "people": 717710})
    stage.play(Json(message(given, stop="tool_use")))
    answer = openai.chat.completions.parse(
        model="messages:claude-3-opus", messages=ASK, response_format=Place
    )
    assert answer.choices[0].message.parsed == Place(city="Oslo", people=717710)
    assert answer.choices[0].finish_reason == "stop"
    assert stage.body()["tool_choice"] == {"type": "tool", "name": "json_output"}

    stage.play(SSE(message_stream(given, stop="tool_use")))
    with openai.chat.completions.stream(
        model="messages:claude-3-opus", messages=ASK, response_format=Place
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Place(city="Oslo", people=717710)
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_refusal_says_why(stage: SdkGateway, openai: OpenAI, streamed: bool) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Dangerous."}
    if streamed:
        stage.play(SSE(message_stream(text("I!"), stop="refusal", stop_details=details)))
        with openai.chat.completions.create(
            model="messages:claude-opus-4-8", messages=ASK, stream=True
        ) as stream:
            told = [chunk.choices[0] for chunk in stream]
        assert "".join(one.delta.refusal or "" for one in told) == "Dangerous."
        assert told[-1].finish_reason == "content_filter"
    else:
        stage.play(Json(message(text("I!"), stop="refusal", stop_details=details)))
        answer = openai.chat.completions.create(model="messages:claude-opus-4-8", messages=ASK)
        assert answer.choices[0].message.refusal == "Dangerous."
        assert answer.choices[0].message.content == "I!"
        assert answer.choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("pause_turn", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
def test_stop_reasons_are_finish_reasons(
    stage: SdkGateway, openai: OpenAI, stop: str, finish: str
) -> None:
    stage.play(Json(message(text("Hello"), stop=stop)), SSE(message_stream(text("H!"), stop=stop)))
    answer = openai.chat.completions.create(model="messages:claude-opus-4-8", messages=ASK)
    assert answer.choices[0].finish_reason == finish
    with openai.chat.completions.create(
        model="messages:claude-opus-4-8", messages=ASK, stream=True
    ) as stream:
        assert [chunk.choices[0].finish_reason for chunk in stream][-1] == finish


def test_what_was_lost_stands_in_a_header(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"))))
    raw = openai.chat.completions.with_raw_response.create(
        model="messages:claude-opus-4-8", messages=ASK, temperature=0.2, seed=7
    )
    warnings = raw.headers["x-gateway-warnings"].split(", ")
    assert sorted(warnings) == ["seed:unsupported_by_target", "temperature:unsupported_by_model"]
    assert raw.headers["x-gateway-provider"] == "messages"
    assert raw.headers["x-gateway-model"] == "claude-opus-4-8"
    assert raw.headers["x-request-id"] == raw.headers["request-id"]
    assert "temperature" not in stage.body()


def test_what_no_messages_upstream_can_do_is_refused(stage: SdkGateway, openai: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        openai.chat.completions.create(model="messages:claude-opus-4-8", messages=ASK, n=2)
    assert caught.value.param == "n"
    assert stage.requests == []


def test_a_whole_answer_to_a_stream_is_told_as_a_stream(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"), OSLO, stop="tool_use")))
    with openai.chat.completions.stream(model="messages:claude-opus-4-8", messages=ASK) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "Hello"
    assert called(answer) == [("toolu_1", "get_weather", '{"city":"Oslo"}')]


def test_sealed_reasoning_is_kept_from_a_chat_upstream(stage: SdkGateway, openai: OpenAI) -> None:
    said = reasoning_of(stage, openai, "messages:claude-opus-4-8", streamed=False)
    stage.play(Json(chat("Cold.")))
    turns: list[Any] = [*ASK, said, {"role": "tool", "tool_call_id": "toolu_1", "content": "3"}]
    raw = openai.chat.completions.with_raw_response.create(model="chat:m", messages=turns)
    del said["reasoning_details"]
    assert stage.body()["messages"] == turns
    assert raw.headers["x-gateway-warnings"] == "messages:foreign_reasoning_dropped"


def test_legacy_functions_are_answered_in_their_own_words(
    stage: SdkGateway, openai: OpenAI
) -> None:
    stage.play(Json(message(OSLO, stop="tool_use")), SSE(message_stream(OSLO, stop="tool_use")))
    asked: Any = {"messages": ASK, "functions": [{"name": "get_weather", "parameters": SCHEMA}]}
    answer = openai.chat.completions.create(model="messages:claude-opus-4-8", **asked)
    said = answer.choices[0]
    assert said.finish_reason == "function_call"
    assert said.message.function_call is not None
    assert said.message.function_call.to_dict() == {
        "name": "get_weather",
        "arguments": '{"city":"Oslo"}',
    }
    assert stage.body()["tools"] == [{"name": "get_weather", "input_schema": SCHEMA}]
    stream: Any = openai.chat.completions.create(
        model="messages:claude-opus-4-8", stream=True, **asked
    )
    calls = [chunk.choices[0].delta.function_call for chunk in stream]
    assert [call.name for call in calls if call and call.name] == ["get_weather"]
    assert "".join(call.arguments for call in calls if call) == '{"city":"Oslo"}'


def test_a_free_form_tool_gets_its_text(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(use("toolu_1", "sql", {"input": "SELECT 1"}), stop="tool_use")))
    answer = openai.chat.completions.create(
        model="messages:claude-opus-4-8",
        messages=ASK,
        tools=[{"type": "custom", "custom": {"name": "sql", "description": "Runs SQL."}}],
    )
    calls = answer.choices[0].message.tool_calls or []
    assert [call.to_dict() for call in calls] == [
        {"id": "toolu_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    ]
    assert stage.body()["tools"] == [
        {
            "name": "sql",
            "description": "Runs SQL.",
            "input_schema": {
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"],
                "additionalProperties": False,
            },
        }
    ]


def test_a_json_object_is_asked_for_in_words(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text('{"a":1}'))))
    openai.chat.completions.create(
        model="messages:claude-opus-4-8", messages=ASK, response_format={"type": "json_object"}
    )
    assert stage.body()["system"] == [text("Respond with one JSON object and nothing else.")]


def test_a_turn_begun_for_the_model_is_finished_in_words(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text("Hello"))))
    raw = openai.chat.completions.with_raw_response.create(
        model="messages:claude-opus-4-8",
        messages=[*ASK, {"role": "assistant", "content": "I say "}],
    )
    assert stage.body()["messages"] == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "I say "},
        {
            "role": "user",
            "content": "Continue exactly from where your last message stopped.",
        },
    ]
    assert "prefill" in raw.headers["x-gateway-warnings"]
