"""The clients' own retries: they wait as long as they are told to, and stop where they must."""

import anthropic
import openai
import pytest

from tests.fakes.upstream import SSE, Json, Script
from tests.sdk.answers import (
    chat,
    chat_error,
    chat_stream,
    message,
    message_stream,
    messages_error,
    text,
)
from tests.sdk.clients import Which, connected
from tests.sdk.stage import SdkGateway
from tests.sdk.test_errors import every_pair, raised, spoken

WHOLE: dict[str, Script] = {
    "chat": Json(chat("Hello")),
    "messages": Json(message(text("Hello"))),
}
STREAMED: dict[str, Script] = {
    "chat": SSE(chat_stream({"content": "Hello"})),
    "messages": SSE(message_stream(text("Hello"))),
}


def limited(speaks: str, **headers: str) -> Json:
    """A 429 with these headers."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = spoken(speaks, "Slow down.", "rate_limit_error")
    return Json(body, status=429, headers=pairs)


@every_pair
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_client_waits_as_long_as_the_upstream_says(
    stage: SdkGateway, which: Which, speaks: str, streamed: bool
) -> None:
    stage.play(
        limited(speaks, retry_after_ms="300"), STREAMED[speaks] if streamed else WHOLE[speaks]
    )
    with connected(which, stage, max_retries=2) as client:
        ask = client.gather if streamed else client.ask
        assert ask(f"{speaks}-paused:m") == "Hello"
    first, second = stage.requests
    assert 0.3 <= second.received_at - first.received_at < 0.8
    assert second.body == first.body


@every_pair
def test_while_a_key_rests_the_gateway_answers_for_the_upstream(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(limited(speaks, retry_after_ms="400"), WHOLE[speaks])
    with connected(which, stage) as client:
        first = raised(client, f"{speaks}-paused:m", streamed=False)
        second = raised(client, f"{speaks}-paused:m", streamed=False)
        assert len(stage.requests) == 1
        for error in (first, second):
            assert isinstance(error, openai.RateLimitError | anthropic.RateLimitError)
        assert first.response.headers["retry-after-ms"] == "400"
        assert 200 < int(second.response.headers["retry-after-ms"]) <= 400
        assert second.response.headers["retry-after"] == "1"
    with connected(which, stage, max_retries=2) as client:
        assert client.ask(f"{speaks}-paused:m") == "Hello"


@every_pair
def test_x_should_retry_false_ends_the_clients_retries(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    body = spoken(speaks, "Broken for good.", "api_error")
    stage.play(Json(body, status=500, headers=[("x-should-retry", "false")]))
    with connected(which, stage, max_retries=2) as client:
        error = raised(client, f"{speaks}:m", streamed=False)
    assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
    assert len(stage.requests) == 1


@every_pair
def test_a_500_is_tried_again_by_the_client(stage: SdkGateway, which: Which, speaks: str) -> None:
    broken = Json(
        spoken(speaks, "Oops.", "api_error"), status=500, headers=[("retry-after-ms", "20")]
    )
    stage.play(broken, broken, WHOLE[speaks])
    with connected(which, stage, max_retries=2) as client:
        assert client.ask(f"{speaks}:m") == "Hello"
    assert len(stage.requests) == 3


@every_pair
def test_money_that_is_spent_is_not_asked_for_again(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    given = chat_error("You exceeded your quota.", "insufficient_quota", "insufficient_quota")
    if speaks == "messages":
        given = messages_error("You exceeded your quota.", "rate_limit_error")
        given["error"]["details"] = {"error_code": "enforced_spend_limit_reached"}
    stage.play(Json(given, status=429))
    with connected(which, stage, max_retries=2) as client:
        error = raised(client, f"{speaks}-limited:m", streamed=False)
    assert isinstance(error, openai.RateLimitError | anthropic.RateLimitError)
    assert error.response.headers["x-should-retry"] == "false"
    assert len(stage.requests) == 1


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_a_wrong_key_is_not_tried_again(stage: SdkGateway, which: Which) -> None:
    with connected(which, stage, key="wrong", max_retries=2) as client:
        error = raised(client, "chat:m", streamed=False)
    assert error.response.headers["x-should-retry"] == "false"
