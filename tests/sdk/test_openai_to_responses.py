"""The OpenAI client's Chat calls and a Responses upstream: requests and answers are converted."""

from typing import Any

import pytest
from openai import APIError, OpenAI, RateLimitError
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.fakes.responses import (
    make_citation,
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
    make_text_part,
    make_web_search,
    render_event,
)
from tests.fakes.upstream import SSE, Close, Head, Json, Send
from tests.sdk.answers import PNG
from tests.sdk.stage import SdkGateway

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
PATCH: Any = {
    "type": "custom",
    "custom": {
        "name": "patch",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}},
    },
}
OSLO, ROME = (
    make_function_call("call_1", "get_weather", '{"city":"Oslo"}'),
    make_function_call("call_2", "get_weather", ""),
)
COUNTS = {
    "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 3},
}  # fmt: skip


def ask(stage: SdkGateway, openai: OpenAI, *items: dict[str, Any], **more: Any) -> Any:
    """A whole answer of these items."""
    stage.play(Json(make_response(*items)))
    return openai.chat.completions.create(**{"model": "responses:gpt-5", "messages": ASK} | more)


def gather(stage: SdkGateway, openai: OpenAI, *items: dict[str, Any], **more: Any) -> Any:
    """The same answer as a stream, through the client's own accumulator."""
    stage.play(SSE(make_script(*items).frames))
    asked: Any = {"model": "responses:gpt-5", "messages": ASK} | more
    with openai.chat.completions.stream(stream_options={"include_usage": True}, **asked) as stream:
        return stream.get_final_completion()


both = pytest.mark.parametrize("answered", [ask, gather], ids=["whole", "stream"])


def called(answer: Any) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call."""
    calls = answer.choices[0].message.tool_calls or []
    return [(one.id, one.function.name, one.function.arguments) for one in calls]


@both
def test_a_plain_answer_is_a_completion(stage: SdkGateway, openai: OpenAI, answered: Any) -> None:
    answer = answered(
        stage, openai, make_message("Hello"), user="u1", max_completion_tokens=64,
        messages=[{"role": "system", "content": "Be brief."}, *ASK], reasoning_effort="low",
        verbosity="low",
    )  # fmt: skip
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("Hello", "stop")
    assert answer.model == "responses:gpt-5"
    assert answer.usage.model_dump(exclude_unset=True) == COUNTS
    assert stage.head()[:2] == ("POST", "/responses/v1/responses")
    streamed = {"stream": True, "stream_options": {"include_obfuscation": False}}
    assert stage.body() == {
        "model": "gpt-5",
        "input": [
            {"type": "message", "role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": "hello"},
        ],
        "text": {"verbosity": "low"}, "max_output_tokens": 64, "reasoning": {"effort": "low"},
        "safety_identifier": "u1", "store": False, "include": ["reasoning.encrypted_content"],
    } | (streamed if answered is gather else {})  # fmt: skip


def test_each_chunk_comes_as_its_event_does(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(make_script(make_message("Hello!")).frames))
    with openai.chat.completions.create(
        model="responses:gpt-5", messages=ASK, stream=True
    ) as stream:
        chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hel", "lo!", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]


@both
def test_parallel_calls_are_numbered_from_nought(
    stage: SdkGateway, openai: OpenAI, answered: Any
) -> None:
    answer = answered(
        stage, openai, make_reasoning(encrypted="gAAA"), make_message("Let me see."), OSLO, ROME,
        tools=[WEATHER], tool_choice="required", parallel_tool_calls=True,
    )  # fmt: skip
    assert called(answer) == [
        ("call_1", "get_weather", '{"city":"Oslo"}'), ("call_2", "get_weather", "{}"),
    ]  # fmt: skip
    assert answer.choices[0].message.content == "Let me see."
    assert answer.choices[0].finish_reason == "tool_calls"
    assert stage.body()["tools"] == [
        {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
    ]
    assert stage.body()["tool_choice"] == "required"


def test_tools_of_free_text(stage: SdkGateway, openai: OpenAI) -> None:
    answer = ask(stage, openai, make_custom_call("call_1", "patch", "*** Begin"), tools=[PATCH])
    (made,) = answer.choices[0].message.tool_calls
    assert (made.type, made.custom.name, made.custom.input) == ("custom", "patch", "*** Begin")
    assert stage.body()["tools"] == [
        {"type": "custom", "name": "patch",
         "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"}},
    ]  # fmt: skip
    result = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
    history = [*ASK, answer.choices[0].message.model_dump(exclude_none=True), result]
    ask(stage, openai, make_message("ok"), tools=[PATCH], messages=history)
    assert stage.body()["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    ]


def test_images(stage: SdkGateway, openai: OpenAI) -> None:
    url = f"data:image/png;base64,{PNG}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "?"}, picture]
    ask(stage, openai, make_message("ok"), messages=[{"role": "user", "content": content}])
    assert stage.body()["input"][0]["content"] == [
        {"type": "input_text", "text": "?"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]


@both
def test_reasoning_comes_back_to_the_model_that_reasoned(
    stage: SdkGateway, openai: OpenAI, answered: Any
) -> None:
    answer = answered(stage, openai, make_reasoning("why", encrypted="gAAA"), make_message("so"))
    said = answer.choices[0].message.model_dump()
    assert said["content"] == "so"
    assert said["reasoning_content"] == "why"
    history = [*ASK, said, *ASK]
    ask(stage, openai, make_message("ok"), messages=history)
    assert stage.body()["input"][1] == {
        "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
        "summary": [{"type": "summary_text", "text": "why"}],
    }  # fmt: skip


def test_a_refusal(stage: SdkGateway, openai: OpenAI) -> None:
    said = make_message(make_refusal("I cannot."))
    (choice,) = ask(stage, openai, said).choices
    assert (choice.message.refusal, choice.finish_reason) == ("I cannot.", "content_filter")
    stage.play(SSE(make_script(said).frames))
    with openai.chat.completions.create(
        model="responses:gpt-5", messages=ASK, stream=True
    ) as stream:
        told = [chunk.choices[0] for chunk in stream]
    assert "".join(one.delta.refusal or "" for one in told) == "I cannot."
    assert told[-1].finish_reason == "content_filter"


@both
def test_sources(stage: SdkGateway, openai: OpenAI, answered: Any) -> None:
    told = make_citation("https://a", "A", 0, 2)
    answer = answered(
        stage,
        openai,
        make_web_search(),
        make_message(make_text_part("so it is", told)),
        web_search_options={},
        model="responses:gpt-5-pro",
    )
    (note,) = answer.choices[0].message.annotations
    found = note["url_citation"] if isinstance(note, dict) else note.url_citation.model_dump()
    assert (found["url"], found["title"]) == ("https://a", "A")
    assert stage.body()["tools"] == [{"type": "web_search"}]


class City(BaseModel):
    """A shape to be answered in."""

    name: str


def test_a_shape_is_asked_for_and_parsed(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(
        Json(
            make_response(
                make_message("One moment", phase="commentary"), make_message('{"name":"Oslo"}')
            )
        )
    )
    answer = openai.chat.completions.parse(
        model="responses:gpt-5", messages=ASK, response_format=City
    )
    assert answer.choices[0].message.parsed == City(name="Oslo")
    format = stage.body()["text"]["format"]
    assert (format["type"], format["name"], format["strict"]) == ("json_schema", "City", True)
    assert format["schema"]["required"] == ["name"]


def test_models_that_know_responses_alone_are_asked_so(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(make_response(make_message("Hello"))))
    answer = openai.chat.completions.create(model="openai:gpt-5-pro", messages=ASK)
    assert answer.choices[0].message.content == "Hello"
    assert stage.head()[1] == "/openai/v1/responses"


# --- faults ---------------------------------------------------------------------------------------

LIMITED = {"code": "rate_limit_exceeded", "message": "slow down"}
FAILED = render_event({"type": "response.failed", "response": make_response(error=LIMITED)})
TOLD = render_event({"type": "error", "sequence_number": 9, "param": None, **LIMITED})


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_before_the_answer_is_a_status(
    stage: SdkGateway, openai: OpenAI, stream: bool
) -> None:
    stage.play(Json({"error": LIMITED | {"type": "requests"}}, 429))
    with pytest.raises(RateLimitError, match="slow down"):
        openai.chat.completions.create(model="responses:gpt-5", messages=ASK, stream=stream)


@pytest.mark.parametrize("fault", [FAILED, TOLD], ids=["failed", "error"])
def test_an_error_that_is_the_first_event_is_a_status(
    stage: SdkGateway, openai: OpenAI, fault: bytes
) -> None:
    stage.play(SSE([fault]))
    with pytest.raises(RateLimitError, match="slow down"):
        openai.chat.completions.create(model="responses:gpt-5", messages=ASK, stream=True)


@pytest.mark.parametrize("fault", [FAILED, TOLD], ids=["failed", "error"])
def test_an_error_in_the_stream_is_raised(stage: SdkGateway, openai: OpenAI, fault: bytes) -> None:
    stage.play(SSE([*make_script(make_message("Hello")).frames[:6], fault]))
    seen: list[Any] = []
    with (
        openai.chat.completions.create(
            model="responses:gpt-5", messages=ASK, stream=True
        ) as stream,
        pytest.raises(APIError, match="slow down"),
    ):
        seen.extend(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in seen) == "Hello"


def test_a_stream_that_is_cut_is_no_answer(stage: SdkGateway, openai: OpenAI) -> None:
    frames = make_script(make_message("Hello"), OSLO).frames
    head = Head(200, [("content-type", "text/event-stream")])
    stage.play([head, Send(b"".join(frames[:-1])), Close()])
    with (
        openai.chat.completions.create(
            model="responses:gpt-5", messages=ASK, stream=True
        ) as stream,
        pytest.raises(APIError, match="upstream"),
    ):
        list(stream)
