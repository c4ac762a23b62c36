"""The OpenAI client's `responses`, before upstreams that speak Chat or Messages."""

from typing import Any, Literal

import openai as sdk
import pytest
from openai import OpenAI
from openai.types.responses import (
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseReasoningItem,
)
from pydantic import BaseModel

from gateway.neutral.seal import PREFIX
from tests.fakes.responses import make_message as message_item, make_response
from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    argued,
    begun,
    call,
    chat,
    chat_stream,
    message,
    message_stream,
    text,
    thought,
    use,
)
from tests.sdk.clients import openai_client
from tests.sdk.stage import SdkGateway

Upstream = Literal["chat", "messages"]
BOTH: list[Upstream] = ["chat", "messages"]
MODELS = {"chat": "chat:m", "messages": "messages:m"}
TOOL: Any = {
    "type": "function", "name": "get_weather", "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}  # fmt: skip


class City(BaseModel):
    """What a parsed answer is."""

    city: str


def play(
    stage: SdkGateway, upstream: Upstream, words: str = "Hello", *, stream: bool = False
) -> None:
    if upstream == "chat":
        script: Any = SSE(chat_stream({"content": words})) if stream else Json(chat(words))
    else:
        whole = text(words)
        script = SSE(message_stream(whole)) if stream else Json(message(whole))
    stage.play(script)


@pytest.mark.parametrize("upstream", BOTH)
def test_a_whole_answer(stage: SdkGateway, openai: OpenAI, upstream: Upstream) -> None:
    play(stage, upstream)
    answer = openai.responses.create(
        model=MODELS[upstream], input="hello", instructions="Be brief.", metadata={"a": "b"},
        max_output_tokens=64,
    )  # fmt: skip
    assert answer.output_text == "Hello"
    assert (answer.status, answer.model) == ("completed", MODELS[upstream])
    assert (answer.instructions, answer.metadata) == ("Be brief.", {"a": "b"})
    assert answer.usage is not None
    assert answer.usage.input_tokens == 1000
    assert answer.usage.input_tokens_details.cached_tokens == 900
    assert answer.usage.output_tokens_details.reasoning_tokens == 20
    body = stage.body()
    if upstream == "chat":
        assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    else:
        assert "Be brief." in str(body["system"])
        assert body["max_tokens"] == 64


@pytest.mark.parametrize("upstream", BOTH)
def test_a_streamed_answer(stage: SdkGateway, openai: OpenAI, upstream: Upstream) -> None:
    play(stage, upstream, stream=True)
    with openai.responses.create(model=MODELS[upstream], input="hello", stream=True) as events:
        seen = list(events)
    assert [event.sequence_number for event in seen if hasattr(event, "sequence_number")] == list(
        range(len(seen))
    )
    assert seen[0].type == "response.created"
    assert seen[-1].type == "response.completed"


@pytest.mark.parametrize("upstream", BOTH)
def test_the_clients_own_accumulator(stage: SdkGateway, openai: OpenAI, upstream: Upstream) -> None:
    play(stage, upstream, stream=True)
    with openai.responses.stream(model=MODELS[upstream], input="hello") as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(texts) == final.output_text == "Hello"


@pytest.mark.parametrize("upstream", BOTH)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_parsed_answer(
    stage: SdkGateway, openai: OpenAI, upstream: Upstream, streamed: bool
) -> None:
    play(stage, upstream, '{"city":"Oslo"}', stream=streamed)
    if streamed:
        with openai.responses.stream(
            model=MODELS[upstream], input="where?", text_format=City
        ) as stream:
            final = stream.get_final_response()
    else:
        final = openai.responses.parse(model=MODELS[upstream], input="where?", text_format=City)
    assert final.output_parsed == City(city="Oslo")


def play_calls(stage: SdkGateway, upstream: Upstream, *, stream: bool) -> None:
    if upstream == "chat" and stream:
        stage.play(SSE(chat_stream(
            begun(0, "c1", "get_weather"),
            argued(0, '{"city":"Oslo"}'),
            begun(1, "c2", "get_weather", '{"city":"Rome"}'),
            finish="tool_calls",
        )))  # fmt: skip
    elif upstream == "chat":
        calls = [call("c1", "get_weather", '{"city":"Oslo"}'),
                 call("c2", "get_weather", '{"city":"Rome"}')]  # fmt: skip
        stage.play(Json(chat(None, finish="tool_calls", tool_calls=calls)))
    else:
        uses = [
            use("c1", "get_weather", {"city": "Oslo"}),
            use("c2", "get_weather", {"city": "Rome"}),
        ]
        stop = "tool_use"
        stage.play(
            SSE(message_stream(*uses, stop=stop)) if stream else Json(message(*uses, stop=stop))
        )


@pytest.mark.parametrize("upstream", BOTH)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_agents_round(
    stage: SdkGateway, openai: OpenAI, upstream: Upstream, streamed: bool
) -> None:
    play_calls(stage, upstream, stream=streamed)
    items: list[Any] = [{"role": "user", "content": "weather?"}]
    model = MODELS[upstream]
    if streamed:
        with openai.responses.stream(model=model, input=items, tools=[TOOL]) as stream:
            final: Any = stream.get_final_response()
    else:
        final = openai.responses.create(model=model, input=items, tools=[TOOL], store=False)
    calls = [item for item in final.output if isinstance(item, ResponseFunctionToolCall)]
    assert [(each.name, each.arguments) for each in calls] == [
        ("get_weather", '{"city":"Oslo"}'), ("get_weather", '{"city":"Rome"}'),
    ]  # fmt: skip
    items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
              for item in final.output]  # fmt: skip
    items += [
        {"type": "function_call_output", "call_id": each.call_id, "output": "sunny"}
        for each in calls
    ]
    play(stage, upstream, "Sunny.")
    assert openai.responses.create(model=model, input=items, tools=[TOOL]).output_text == "Sunny."
    turns = [turn["role"] for turn in stage.body()["messages"]]
    assert turns == (
        ["user", "assistant", "tool", "tool"]
        if upstream == "chat"
        else ["user", "assistant", "user"]
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_comes_back_to_who_signed_it(
    stage: SdkGateway, openai: OpenAI, streamed: bool
) -> None:
    parts = [thought("hmm", "signed-by-it"), text("Hello")]
    stage.play(SSE(message_stream(*parts)) if streamed else Json(message(*parts)))
    items: list[Any] = [{"role": "user", "content": "hello"}]
    more: Any = {"include": ["reasoning.encrypted_content"], "store": False}
    if streamed:
        with openai.responses.stream(model="messages:m", input=items, **more) as stream:
            final: Any = stream.get_final_response()
    else:
        final = openai.responses.create(model="messages:m", input=items, **more)
    first = final.output[0]
    assert isinstance(first, ResponseReasoningItem)
    assert first.summary[0].text == "hmm"
    assert first.encrypted_content is not None
    assert first.encrypted_content.startswith(PREFIX)
    items += [item.model_dump(exclude_none=True) for item in final.output]
    items.append({"role": "user", "content": "go on"})
    play(stage, "messages")
    openai.responses.create(model="messages:m", input=items)
    assert stage.body()["messages"][1]["content"][0] == {
        "type": "thinking", "thinking": "hmm", "signature": "signed-by-it",
    }  # fmt: skip


def test_a_custom_tool_before_an_upstream_that_has_none(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(use("c1", "exec", {"input": "ls -l"}), stop="tool_use")))
    tool: Any = {
        "type": "custom", "name": "exec", "description": "Runs it.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
    }  # fmt: skip
    answer = openai.responses.create(model="messages:m", input="list", tools=[tool])
    (item,) = answer.output
    assert isinstance(item, ResponseCustomToolCall)
    assert (item.name, item.input, item.call_id) == ("exec", "ls -l", "c1")
    assert stage.body()["tools"][0]["input_schema"]["properties"] == {"input": {"type": "string"}}


@pytest.mark.parametrize("upstream", BOTH)
def test_an_answer_is_gone_on_from_by_its_id(
    stage: SdkGateway, openai: OpenAI, upstream: Upstream
) -> None:
    model = MODELS[upstream]
    play(stage, upstream, "I am Hal.")
    first = openai.responses.create(model=model, input="Who are you?")
    assert first.store is True  # type: ignore[attr-defined]
    play(stage, upstream, "Hal.", stream=True)
    with openai.responses.stream(
        model=model, input="Again?", previous_response_id=first.id
    ) as stream:
        second = stream.get_final_response()
    assert second.previous_response_id == first.id
    said = [
        turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"]
        for turn in stage.body()["messages"]
    ]
    assert said == ["Who are you?", "I am Hal.", "Again?"]
    play(stage, upstream, "!")
    openai.responses.create(model=model, input="Third.", previous_response_id=second.id)
    assert len(stage.body()["messages"]) == 5


def test_what_is_kept_can_be_looked_at_and_forgotten(stage: SdkGateway, openai: OpenAI) -> None:
    play(stage, "chat")
    answer = openai.responses.create(model="chat:m", input="hello")
    assert openai.responses.retrieve(answer.id).output_text == "Hello"
    (item,) = openai.responses.input_items.list(answer.id).data
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "hello"}]
    openai.responses.delete(answer.id)
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve(answer.id)
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.responses.create(model="chat:m", input="x", previous_response_id=answer.id)
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"


def test_what_may_not_be_kept_is_not(stage: SdkGateway, openai: OpenAI) -> None:
    play(stage, "chat")
    answer = openai.responses.create(model="chat:m", input="hello", store=False)
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve(answer.id)


def test_the_endpoints_want_the_key(stage: SdkGateway) -> None:
    with openai_client(stage.url, "no-key") as client:
        with pytest.raises(sdk.AuthenticationError):
            client.responses.retrieve("resp_1")
        with pytest.raises(sdk.AuthenticationError):
            client.responses.create(model="chat:m", input="x")


@pytest.mark.parametrize("upstream", BOTH)
def test_an_error_has_the_shape_of_openais(
    stage: SdkGateway, openai: OpenAI, upstream: Upstream
) -> None:
    error = {"message": "bad field", "type": "invalid_request_error", "code": None}
    stage.play(Json({"type": "error", "error": error}, status=400))
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.responses.create(model=MODELS[upstream], input="x")
    assert caught.value.type == "invalid_request_error"
    assert "bad field" in caught.value.message


def test_a_field_that_is_wrong_is_named(openai: OpenAI) -> None:
    items: Any = [{"type": "message", "role": "owner", "content": "x"}]
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.responses.create(model="chat:m", input=items)
    assert caught.value.param == "input.0.role"


def test_a_count_is_the_upstreams_own(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json({"input_tokens": 42}))
    counted = openai.responses.input_tokens.count(
        model="messages:m", input="hello", instructions="Be brief.", tools=[TOOL]
    )
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 42)
    assert stage.received().path == "/messages/v1/messages/count_tokens"
    body = stage.body()
    assert "max_tokens" not in body
    assert body["tools"][0]["name"] == "get_weather"


def test_a_count_of_its_own_dialect_goes_as_it_is(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json({"object": "response.input_tokens", "input_tokens": 7}))
    counted = openai.responses.input_tokens.count(model="responses:m", input="hello")
    assert counted.input_tokens == 7
    assert stage.received().path == "/responses/v1/responses/input_tokens"
    assert stage.body() == {"model": "m", "input": "hello"}


def test_a_count_is_estimated_where_the_upstream_has_none(
    stage: SdkGateway, openai: OpenAI
) -> None:
    play(stage, "chat")
    first = openai.responses.create(model="chat:m", input="word " * 200)
    raw = openai.responses.input_tokens.with_raw_response.count(model="chat:m", input="word " * 100)
    assert raw.headers["x-gateway-estimate"] == "1"
    alone = raw.parse().input_tokens
    assert 50 < alone < 300
    after = openai.responses.input_tokens.count(
        model="chat:m", input="word " * 100, previous_response_id=first.id
    )
    assert after.input_tokens > 2 * alone


def test_a_count_that_no_call_could_say_is_refused(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.responses.input_tokens.count(model="chat:m", input="x", previous_response_id="no")
    assert caught.value.code == "previous_response_not_found"


def test_what_its_upstream_keeps_is_asked_for_there(stage: SdkGateway, openai: OpenAI) -> None:
    kept = make_response(message_item("Hello"), id="resp_native")
    stage.play(Json(kept))
    first = openai.responses.create(model="responses:m", input="x")
    assert first.id == "resp_native"
    assert openai.responses.retrieve("resp_native").output_text == "Hello"
    asked = stage.requests[-1]
    assert (asked.method, asked.path) == ("GET", "/responses/v1/responses/resp_native")
    openai.responses.create(model="responses:m", input="y", previous_response_id="resp_native")
    assert b'"previous_response_id":"resp_native"' in stage.requests[-1].body
    stage.play(Json({"id": "resp_native", "object": "response", "deleted": True}))
    openai.responses.delete("resp_native")
    assert stage.received().method == "DELETE"
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve("resp_native")
