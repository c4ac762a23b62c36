"""The OpenAI client asks for embeddings and legacy completions."""

import base64
import struct

import pytest
from openai import APIError, BadRequestError, NotFoundError, OpenAI

from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import chat, chat_frame, encoded, message, message_stream, text
from tests.sdk.stage import SdkGateway

VECTOR = [0.5, -0.25, 2.0]


def vectors(embedding: object) -> dict[str, object]:
    """`CreateEmbeddingResponse`."""
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": embedding}],
        "model": "upstream-model",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }


def completion(said: str, finish: str | None = "stop", **rest: object) -> dict[str, object]:
    """`Completion`."""
    choice = {"text": said, "index": 0, "logprobs": None, "finish_reason": finish}
    return {
        "id": "cmpl-1", "object": "text_completion", "created": 1700000000,
        "model": "upstream-model", "choices": [choice],
    } | rest  # fmt: skip


def test_vectors_come_as_the_client_asked_for_them(stage: SdkGateway, openai: OpenAI) -> None:
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    stage.play(Json(vectors(packed)), Json(vectors(VECTOR)))
    answer = openai.embeddings.create(model="chat:embedder", input=["a", "b"], dimensions=3)
    assert stage.body() == {
        "model": "embedder", "input": ["a", "b"], "dimensions": 3, "encoding_format": "base64",
    }  # fmt: skip
    assert stage.received().path == "/chat/v1/embeddings"
    assert stage.received().get_header(b"authorization") == b"Bearer upstream-key-chat"
    assert answer.data[0].embedding == VECTOR
    assert (answer.model, answer.usage.prompt_tokens) == ("upstream-model", 5)
    plain = openai.embeddings.create(model="chat:embedder", input="a", encoding_format="float")
    assert plain.data[0].embedding == VECTOR


def test_a_provider_without_embeddings_is_not_found(stage: SdkGateway, openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match='"messages" has no embeddings; ask one that has'):
        openai.embeddings.create(model="messages:claude", input="a")
    assert stage.requests == []


def test_an_upstreams_refusal_is_an_exception(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json({"error": {"message": "too long", "type": "invalid_request_error"}}, 400))
    with pytest.raises(BadRequestError, match="too long"):
        openai.embeddings.create(model="chat:embedder", input="a")


def test_a_completion_of_a_provider_that_has_them(stage: SdkGateway, openai: OpenAI) -> None:
    told = completion(" a time", usage={
        "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5,
    })  # fmt: skip
    stage.play(Json(told))
    answer = openai.completions.create(
        model="chat:base", prompt=["Once", "upon"], max_tokens=5, echo=True, logprobs=1, n=2
    )
    assert stage.body() == {
        "model": "base", "prompt": ["Once", "upon"], "max_tokens": 5, "echo": True, "logprobs": 1,
        "n": 2,
    }  # fmt: skip
    assert answer.choices[0].text == " a time"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5


def test_a_stream_of_a_provider_that_has_them(stage: SdkGateway, openai: OpenAI) -> None:
    frames = [completion(" a", None), completion(" time", None), completion("", "stop")]
    stage.play(
        SSE([*(b"data: " + encoded(each) + b"\n\n" for each in frames), b"data: [DONE]\n\n"])
    )
    chunks = list(openai.completions.create(model="chat:base", prompt="Once", stream=True))
    assert [chunk.choices[0].text for chunk in chunks] == [" a", " time", ""]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_messages_upstream_completes_a_text(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(message(text(" a time"))))
    raw = openai.completions.with_raw_response.create(
        model="messages:claude-sonnet-4-5",
        prompt="Once upon",
        max_tokens=9,
        suffix="!",
        stop="END",
    )
    answer = raw.parse()
    assert stage.body()["messages"][0]["content"] == "Once upon"
    assert stage.body()["max_tokens"] == 9
    assert raw.headers["x-gateway-warnings"].startswith("suffix:unsupported_by_target")
    assert answer.object == "text_completion"
    assert answer.id.startswith("cmpl-")
    assert answer.model == "messages:claude-sonnet-4-5"
    assert answer.choices[0].text == " a time"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 1000


def test_a_messages_upstream_streams_a_text(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(message_stream(text(" a time"))))
    chunks = list(
        openai.completions.create(
            model="messages:claude-sonnet-4-5", prompt="Once upon", stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == " a time"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 1000


def test_a_chat_upstream_completes_a_text(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat(" a time", finish="length")))
    answer = openai.completions.create(model="openai:gpt-4o", prompt="Once upon", max_tokens=9)
    assert stage.received().path == "/openai/v1/chat/completions"
    assert stage.body()["messages"] == [{"role": "user", "content": "Once upon"}]
    assert answer.choices[0].text == " a time"
    assert answer.choices[0].finish_reason == "length"


def test_an_error_in_a_stream_is_an_exception(stage: SdkGateway, openai: OpenAI) -> None:
    begun = chat_frame({"choices": [{"index": 0, "delta": {"content": " a"}}]})
    broken = chat_frame({"error": {"message": "it broke", "code": 502}, "choices": []})
    stage.play(SSE([begun, broken]))
    with pytest.raises(APIError, match="it broke"):
        list(openai.completions.create(model="openai:gpt-4o", prompt="Once", stream=True))
