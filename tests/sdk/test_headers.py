"""What the clients can read beside an answer: ids, limits, waits."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import chat, message, message_stream, text
from tests.sdk.clients import connected
from tests.sdk.stage import SdkGateway
from tests.sdk.test_errors import raised

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
SAY: list[MessageParam] = [{"role": "user", "content": "hello"}]
SECRET = [
    ("openai-organization", "org-of-the-operator"),
    ("anthropic-organization-id", "org-of-the-operator"),
    ("set-cookie", "a=b"),
    ("server", "upstream"),
    ("via", "1.1 proxy"),
    ("cf-ray", "1"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_ids_of_the_gateway_and_of_the_upstream_are_told_apart(
    stage: SdkGateway, openai: OpenAI, streamed: bool
) -> None:
    ids = [("request-id", "req_of_upstream")]
    stage.play(
        SSE(message_stream(text("Hi")), headers=ids)
        if streamed
        else Json(message(text("Hi")), headers=ids)
    )
    raw: Any = openai.chat.completions.with_raw_response.create(
        model="messages:m", messages=ASK, stream=streamed, extra_headers={"x-request-id": "mine-1"}
    )
    assert raw.headers["x-request-id"] == raw.headers["request-id"] == "mine-1"
    assert raw.headers["x-upstream-request-id"] == "req_of_upstream"
    if streamed:
        assert len(list(raw.parse())) > 1


def test_an_id_that_is_none_is_replaced(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Json(chat()))
    raw = openai.chat.completions.with_raw_response.create(
        model="chat:m", messages=ASK, extra_headers={"x-request-id": "not sane"}
    )
    assert re.fullmatch(r"req_[0-9a-f]{24}", raw.headers["x-request-id"])
    assert raw.request_id == raw.headers["x-request-id"]


def test_what_the_upstream_says_of_the_operator_stays_here(
    stage: SdkGateway, openai: OpenAI
) -> None:
    stage.play(Json(chat(), headers=SECRET))
    raw = openai.chat.completions.with_raw_response.create(model="chat:m", messages=ASK)
    assert not {name for name, _ in SECRET if name != "server"} & set(raw.headers)
    assert raw.headers["server"].startswith("nginx")


def test_limits_pass_where_the_dialects_agree(
    stage: SdkGateway, openai: OpenAI, anthropic: Anthropic
) -> None:
    limits = [("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-requests", "1s")]
    stage.play(Json(chat(), headers=limits))
    raw = openai.chat.completions.with_raw_response.create(model="chat:m", messages=ASK)
    assert [(name, raw.headers[name]) for name, _ in limits] == limits

    theirs = [("anthropic-ratelimit-requests-remaining", "59")]
    stage.play(Json(message(text("Hi")), headers=theirs))
    told = anthropic.messages.with_raw_response.create(
        model="messages:m", max_tokens=64, messages=SAY
    )
    assert told.headers["anthropic-ratelimit-requests-remaining"] == "59"


def test_limits_are_told_in_the_clients_words(
    stage: SdkGateway, openai: OpenAI, anthropic: Anthropic
) -> None:
    reset = datetime.now(UTC) + timedelta(seconds=60)
    stage.play(
        Json(
            message(text("Hi")),
            headers=[
                ("anthropic-ratelimit-requests-limit", "60"),
                ("anthropic-ratelimit-requests-remaining", "59"),
                ("anthropic-ratelimit-requests-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ],
        )
    )
    raw = openai.chat.completions.with_raw_response.create(model="messages:m", messages=ASK)
    assert raw.headers["x-ratelimit-limit-requests"] == "60"
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
    assert re.fullmatch(r"(5\d(\.\d+)?|59\d*m?)s.*|1m0s", raw.headers["x-ratelimit-reset-requests"])

    stage.play(
        Json(
            chat(),
            headers=[
                ("x-ratelimit-remaining-tokens", "1000"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
        )
    )
    told = anthropic.messages.with_raw_response.create(model="chat:m", max_tokens=64, messages=SAY)
    assert told.headers["anthropic-ratelimit-tokens-remaining"] == "1000"
    until = datetime.fromisoformat(told.headers["anthropic-ratelimit-tokens-reset"])
    assert abs((until - datetime.now(UTC)).total_seconds() - 360) < 5


@pytest.mark.parametrize("speaks", ["chat", "messages"])
def test_a_wait_in_whole_seconds_reaches_the_client(stage: SdkGateway, speaks: str) -> None:
    body = {"error": {"message": "Busy.", "type": "api_error"}}
    stage.play(Json(body, status=503, headers=[("retry-after", "7")]))
    for which in ("openai", "anthropic"):
        with connected(which, stage) as client:
            error = raised(client, f"{speaks}:m", streamed=False)
        assert error.response.headers["retry-after"] == "7"
