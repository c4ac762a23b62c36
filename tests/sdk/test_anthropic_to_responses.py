"""The Anthropic client and a Responses upstream: every request and answer is converted."""

from typing import Any

import pytest
from anthropic import Anthropic, APIStatusError, BadRequestError, RateLimitError
from anthropic.types import MessageParam, ToolParam

from tests.fakes.responses import (
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
    render_event,
)
from tests.fakes.upstream import SSE, Close, Head, Json, Send
from tests.sdk.answers import PDF, PNG, text, use
from tests.sdk.stage import SdkGateway

ASK: list[MessageParam] = [{"role": "user", "content": "hello"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: ToolParam = {
    "name": "get_weather", "description": "Tells the weather.", "input_schema": SCHEMA,
}  # fmt: skip
WEATHER_TOLD = {
    "type": "function", "name": "get_weather", "description": "Tells the weather.",
    "parameters": SCHEMA, "strict": False,
}  # fmt: skip
OSLO, ROME = (
    make_function_call("call_1", "get_weather", '{"city":"Oslo"}'),
    make_function_call("call_2", "get_weather", ""),
)
KEPT = {"store": False, "include": ["reasoning.encrypted_content"]}
COUNTS = {
    "input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1,
    "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3},
}  # fmt: skip


def said(role: str, content: object) -> dict[str, object]:
    return {"type": "message", "role": role, "content": content}


def ask(stage: SdkGateway, anthropic: Anthropic, *items: dict[str, Any], **more: Any) -> Any:
    """A whole answer of these items."""
    stage.play(Json(make_response(*items)))
    asked: Any = {"model": "responses:gpt-5", "max_tokens": 64, "messages": ASK} | more
    return anthropic.messages.create(**asked)


def gather(stage: SdkGateway, anthropic: Anthropic, *items: dict[str, Any], **more: Any) -> Any:
    """The same answer as a stream, through the client's own accumulator."""
    stage.play(SSE(make_script(*items).frames))
    asked: Any = {"model": "responses:gpt-5", "max_tokens": 64, "messages": ASK} | more
    with anthropic.messages.stream(**asked) as stream:
        open_blocks = 0
        for event in stream:
            open_blocks += event.type == "content_block_start"
            open_blocks -= event.type == "content_block_stop"
            assert open_blocks in (0, 1)
        return stream.get_final_message()


both = pytest.mark.parametrize("answered", [ask, gather], ids=["whole", "stream"])


@both
def test_a_plain_answer_is_a_message(
    stage: SdkGateway, anthropic: Anthropic, answered: Any
) -> None:
    answer = answered(
        stage, anthropic, make_message("Hello"), metadata={"user_id": "u1"},
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
    )  # fmt: skip
    told = answer.to_dict()
    assert told.pop("id").startswith("msg_")
    assert told.pop("stop_details", None) is None
    assert told == {
        "type": "message", "role": "assistant", "model": "responses:gpt-5",
        "content": [text("Hello")], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": COUNTS,
    }  # fmt: skip
    method, path, headers = stage.head()
    assert (method, path) == ("POST", "/responses/v1/responses")
    assert headers[b"authorization"] == b"Bearer upstream-key-responses"
    streamed = {"stream": True, "stream_options": {"include_obfuscation": False}}
    assert stage.body() == {
        "model": "gpt-5",
        "input": [said("developer", "Be brief.\n\nBe kind."), said("user", "hello")],
        "max_output_tokens": 64, "safety_identifier": "u1",
    } | KEPT | (streamed if answered is gather else {})  # fmt: skip


@both
def test_parallel_calls_and_the_tools_they_came_from(
    stage: SdkGateway, anthropic: Anthropic, answered: Any
) -> None:
    answer = answered(
        stage, anthropic, make_message("Let me see."), OSLO, ROME, tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
    )  # fmt: skip
    assert answer.to_dict()["content"] == [
        text("Let me see."), use("call_1", "get_weather", {"city": "Oslo"}),
        use("call_2", "get_weather", {}),
    ]  # fmt: skip
    assert answer.stop_reason == "tool_use"
    body = stage.body()
    assert body["tools"] == [WEATHER_TOLD]
    assert body["tool_choice"] == {"type": "function", "name": "get_weather"}
    assert body["parallel_tool_calls"] is False


def test_results_with_images_go_where_they_belong(stage: SdkGateway, anthropic: Anthropic) -> None:
    image = {"type": "base64", "media_type": "image/png", "data": PNG}
    ask(stage, anthropic, make_message("ok"), tools=[WEATHER], messages=[
        *ASK,
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "call_2", "name": "get_weather", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": [
                {"type": "text", "text": "see"}, {"type": "image", "source": image},
            ]},
            {"type": "tool_result", "tool_use_id": "call_2", "is_error": True, "content": "no"},
            {"type": "text", "text": "and?"},
        ]},
    ])  # fmt: skip
    shown = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    assert stage.body()["input"][1:] == [
        {"type": "function_call", "call_id": "call_1", "name": "get_weather",
         "arguments": '{"city":"Oslo"}'},
        {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1",
         "output": [{"type": "input_text", "text": "see"}, shown]},
        {"type": "function_call_output", "call_id": "call_2", "output": "Error: no"},
        said("user", "and?"),
    ]  # fmt: skip


def test_documents(stage: SdkGateway, anthropic: Anthropic) -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    ask(stage, anthropic, make_message("ok"), messages=[{"role": "user", "content": [
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}},
        {"type": "text", "text": "?"},
    ]}])  # fmt: skip
    assert stage.body()["input"][0]["content"] == [
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": f"data:application/pdf;base64,{PDF}",
        },
        {"type": "input_file", "file_url": "https://a/b.pdf"},
        {"type": "input_text", "text": "?"},
    ]


@both
def test_thinking_comes_back_to_the_model_that_thought(
    stage: SdkGateway, anthropic: Anthropic, answered: Any
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 8192}
    answer = answered(
        stage, anthropic, make_reasoning("why", "how", encrypted="gAAA"),
        make_reasoning(id="rs_2", encrypted="gBBB"), OSLO, thinking=thinking, max_tokens=9999,
    )  # fmt: skip
    assert stage.body()["reasoning"] == {"effort": "high", "summary": "auto"}
    thought, hidden, called = answer.to_dict()["content"]
    assert (thought["type"], thought["thinking"]) == ("thinking", "why\n\nhow")
    assert hidden["type"] == "redacted_thinking"
    assert called["name"] == "get_weather"
    assert "gAAA" not in thought["signature"]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "5"}
    history = [
        *ASK, {"role": "assistant", "content": [thought, hidden, called]},
        {"role": "user", "content": [result]},
    ]  # fmt: skip
    ask(stage, anthropic, make_message("ok"), messages=history)
    assert stage.body()["input"][1:3] == [
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
         "summary": [{"type": "summary_text", "text": "why\n\nhow"}]},
        {"type": "reasoning", "id": "rs_2", "encrypted_content": "gBBB", "summary": []},
    ]  # fmt: skip
    # another model gets none of it
    ask(stage, anthropic, make_message("ok"), messages=history, model="responses:gpt-5.1")
    assert [item["type"] for item in stage.body()["input"]] == [
        "message", "function_call", "function_call_output",
    ]  # fmt: skip


@both
def test_a_refusal(stage: SdkGateway, anthropic: Anthropic, answered: Any) -> None:
    answer = answered(stage, anthropic, make_message(make_refusal("I cannot.")))
    assert answer.stop_reason == "refusal"
    assert answer.to_dict()["content"] == [text("I cannot.")]


@both
def test_a_limit(stage: SdkGateway, anthropic: Anthropic, answered: Any) -> None:
    cut: Any = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    stage.play(
        Json(make_response(make_message("Hel"), **cut))
        if answered is ask
        else SSE(make_script(make_message("Hel"), **cut).frames)
    )
    asked: Any = {"model": "responses:gpt-5", "max_tokens": 64, "messages": ASK}
    if answered is ask:
        answer = anthropic.messages.create(**asked)
    else:
        with anthropic.messages.stream(**asked) as stream:
            answer = stream.get_final_message()
    assert (answer.stop_reason, answer.to_dict()["content"]) == ("max_tokens", [text("Hel")])


@both
def test_a_stop_sequence_is_enforced_here(
    stage: SdkGateway, anthropic: Anthropic, answered: Any
) -> None:
    answer = answered(stage, anthropic, make_message("a END b"), stop_sequences=["END"])
    assert answer.to_dict()["content"] == [text("a ")]
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    assert "stop" not in stage.body()


def test_a_probe_of_one_token_is_no_error(stage: SdkGateway, anthropic: Anthropic) -> None:
    ask(stage, anthropic, make_message("x"), max_tokens=1)
    assert stage.body()["max_output_tokens"] == 16


@both
def test_free_text_of_a_tool_nobody_asked_for_is_an_input(
    stage: SdkGateway, anthropic: Anthropic, answered: Any
) -> None:
    answer = answered(stage, anthropic, make_custom_call("call_1", "patch", "*** Begin"))
    assert answer.to_dict()["content"] == [use("call_1", "patch", {"input": "*** Begin"})]


# --- faults ---------------------------------------------------------------------------------------

LIMITED = {"code": "rate_limit_exceeded", "message": "slow down"}


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_before_the_answer_is_a_status(
    stage: SdkGateway, anthropic: Anthropic, stream: bool
) -> None:
    stage.play(Json({"error": LIMITED | {"type": "requests"}}, 429))
    with pytest.raises(RateLimitError, match="slow down"):
        anthropic.messages.create(
            model="responses:gpt-5", max_tokens=64, messages=ASK, stream=stream
        )


def test_a_failed_response_in_a_200_is_a_status(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Json(make_response(status="failed", error=LIMITED)))
    with pytest.raises(RateLimitError, match="slow down"):
        anthropic.messages.create(model="responses:gpt-5", max_tokens=64, messages=ASK)


def test_too_long_a_prompt_says_so_in_the_clients_words(
    stage: SdkGateway, anthropic: Anthropic
) -> None:
    error = {
        "message": "Your input exceeds the context window of this model.",
        "type": "invalid_request_error", "param": "input", "code": "context_length_exceeded",
    }  # fmt: skip
    stage.play(Json({"error": error}, 400))
    with pytest.raises(BadRequestError, match="prompt is too long"):
        anthropic.messages.create(model="responses:gpt-5", max_tokens=64, messages=ASK)


FAILED = render_event({"type": "response.failed", "response": make_response(error=LIMITED)})
TOLD = render_event({"type": "error", "sequence_number": 9, "param": None, **LIMITED})


@pytest.mark.parametrize("fault", [FAILED, TOLD], ids=["failed", "error"])
def test_an_error_in_the_stream_is_raised(
    stage: SdkGateway, anthropic: Anthropic, fault: bytes
) -> None:
    stage.play(SSE([*make_script(make_message("Hello")).frames[:6], fault]))
    seen: list[str] = []
    with (
        anthropic.messages.stream(model="responses:gpt-5", max_tokens=64, messages=ASK) as stream,
        pytest.raises(APIStatusError, match="slow down"),
    ):
        seen.extend(stream.text_stream)
    assert "".join(seen) == "Hello"


def test_a_stream_that_is_cut_is_no_answer(stage: SdkGateway, anthropic: Anthropic) -> None:
    frames = make_script(make_message("Hello"), OSLO).frames
    head = Head(200, [("content-type", "text/event-stream")])
    stage.play([head, Send(b"".join(frames[:-1])), Close()])
    with (
        anthropic.messages.stream(model="responses:gpt-5", max_tokens=64, messages=ASK) as stream,
        pytest.raises(APIStatusError, match="upstream"),
    ):
        stream.until_done()
