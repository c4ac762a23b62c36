"""Who waits how long: the client's own patience, and the gateway's with the upstream."""

import time

import anthropic
import httpx2
import openai
import pytest

from tests.fakes.upstream import SSE, Json, Pause, Script, Stall
from tests.sdk.answers import ROLE, START, block_start, chat, chunk, delta, message, text
from tests.sdk.clients import Which, connected
from tests.sdk.stage import SdkGateway
from tests.sdk.test_errors import every_pair, raised

HELD: dict[str, Script] = {
    "chat": [SSE([ROLE, chunk({"content": "Hel"})], end=False), Stall()],
    "messages": [
        SSE([START, block_start(0, text("")), delta(0, "text_delta", text="Hel")], end=False),
        Stall(),
    ],
}
SLOW = {
    "chat": [Pause(0.1), Json(chat("Hello"))],
    "messages": [Pause(0.1), Json(message(text("Hello")))],
}


@every_pair
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_client_that_gives_up_frees_the_upstream_at_once(
    stage: SdkGateway, which: Which, speaks: str, streamed: bool
) -> None:
    stage.play(Stall())
    with connected(which, stage, timeout=0.3) as client:
        error = raised(client, f"{speaks}:m", streamed=streamed)
        gave_up = time.monotonic()
        assert type(error) in (openai.APITimeoutError, anthropic.APITimeoutError)
        assert stage.closed().closed_at - gave_up < 0.1
    assert len(stage.requests) == 1


@every_pair
def test_a_client_that_leaves_a_stream_frees_the_upstream_at_once(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(HELD[speaks])
    with connected(which, stage) as client:
        stream = client.stream(f"{speaks}:m")
        assert next(stream) == "Hel"
        left = time.monotonic()
        stream.close()
        assert stage.closed().closed_at - left < 0.1


@every_pair
def test_a_client_does_not_wait_for_a_stream_that_stands_still(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(HELD[speaks])
    texts: list[str] = []
    with connected(which, stage, timeout=0.3) as client:
        began = time.monotonic()
        with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
            texts.extend(client.stream(f"{speaks}:m"))
        gave_up = time.monotonic()
        assert gave_up - began < 1
        assert stage.closed().closed_at - gave_up < 0.1
    assert texts == ["Hel"]


@every_pair
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_without_a_first_byte_is_a_gateway_timeout(
    stage: SdkGateway, which: Which, speaks: str, streamed: bool
) -> None:
    stage.play(Stall())
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}-slow:m", streamed=streamed)
    assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
    assert error.status_code == 504
    words = "Upstream request timed out. Consider increasing REQUEST_TIMEOUT."
    assert words in error.message
    assert stage.closed().eof_at is not None


@every_pair
def test_an_upstream_that_falls_silent_ends_the_stream_with_an_error(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(HELD[speaks])
    texts: list[str] = []
    with (
        connected(which, stage) as client,
        pytest.raises((openai.APIError, anthropic.APIError)) as caught,
    ):
        texts.extend(client.stream(f"{speaks}-slow:m"))
    assert texts == ["Hel"]
    assert "idle timeout" in str(caught.value)


@every_pair
def test_an_upstream_within_its_time_is_waited_for(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(SLOW[speaks])
    with connected(which, stage) as client:
        assert client.ask(f"{speaks}-slow:m") == "Hello"
