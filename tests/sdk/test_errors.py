"""What the official clients raise: each its own class, whole answers and streams alike."""

from collections.abc import Sequence
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.running import free_port
from tests.fakes.upstream import SSE, Chunk, Close, Head, Json, Reset, Script
from tests.sdk.answers import (
    ROLE,
    START,
    argued,
    begun,
    block_start,
    chat_error,
    chat_frame,
    chunk,
    delta,
    event,
    messages_error,
    text,
    use,
)
from tests.sdk.clients import Client, Which, connected
from tests.sdk.stage import SdkGateway

PAIRS: list[tuple[Which, str]] = [
    ("openai", "chat"),
    ("openai", "messages"),
    ("anthropic", "messages"),
    ("anthropic", "chat"),
]
every_pair = pytest.mark.parametrize(("which", "speaks"), PAIRS, ids=lambda word: str(word))
KINDS = {
    400: "invalid_request_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    529: "overloaded_error",
}
"""Statuses and the words that both dialects' upstreams have for them here."""
RAISED: dict[Which, dict[int, type[Exception]]] = {
    "openai": {
        400: openai.BadRequestError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        413: openai.APIStatusError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
        529: openai.InternalServerError,
    },
    "anthropic": {
        400: anthropic.BadRequestError,
        404: anthropic.NotFoundError,
        409: anthropic.ConflictError,
        413: anthropic.APIStatusError,
        422: anthropic.UnprocessableEntityError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
        503: anthropic.InternalServerError,
        529: anthropic.InternalServerError,
    },
}


def spoken(speaks: str, message: str, kind: str) -> dict[str, Any]:
    """An error in an upstream's dialect."""
    return chat_error(message, kind) if speaks == "chat" else messages_error(message, kind)


def seen(status: int, which: Which, speaks: str) -> int:
    """The status that the client gets for an upstream's."""
    if which == "openai" and speaks == "messages":
        return {529: 503}.get(status, status)
    if which == "anthropic" and speaks == "chat":
        return {422: 400}.get(status, status)
    return status


def raised(client: Client, model: str, *, streamed: bool) -> Any:
    """What the client raises."""
    with pytest.raises((openai.OpenAIError, anthropic.AnthropicError)) as caught:
        _ = list(client.stream(model)) if streamed else client.ask(model)
    return caught.value


@every_pair
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", KINDS)
def test_an_upstreams_refusal_raises_its_class(
    stage: SdkGateway, which: Which, speaks: str, status: int, streamed: bool
) -> None:
    stage.play(Json(spoken(speaks, "These words.", KINDS[status]), status=status))
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}-limited:m", streamed=streamed)
    told = seen(status, which, speaks)
    assert type(error) in {RAISED[which][told], *RAISED[which][told].__subclasses__()}
    assert error.status_code == told
    assert "These words." in error.message
    assert len(stage.requests) == 1


@every_pair
def test_the_body_of_an_error_is_in_the_callers_dialect(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    given = spoken(speaks, "No such model.", "not_found_error")
    stage.play(Json(given, status=404))
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}:m", streamed=False)
    body = error.response.json()
    if (which, speaks) == ("openai", "messages"):
        assert body == {
            "error": {
                "message": "No such model.",
                "type": "invalid_request_error",
                "param": None,
                "code": "model_not_found",
            }
        }
    elif (which, speaks) == ("anthropic", "chat"):
        assert body == {
            "type": "error",
            "error": {"type": "not_found_error", "message": "No such model."},
            "request_id": error.response.headers["request-id"],
        }
    else:
        assert body == given


@every_pair
def test_too_long_a_prompt_is_told_as_the_client_knows_it(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    words = (
        "This model's maximum context length is 200000 tokens, however you requested 210000"
        if speaks == "chat"
        else "prompt is too long: 210000 tokens > 200000 maximum"
    )
    given = spoken(speaks, words, "invalid_request_error")
    if speaks == "chat":
        given["error"] |= {"code": "context_length_exceeded", "param": "messages"}
    stage.play(Json(given, status=400))
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}:m", streamed=False)
    assert error.status_code == 400
    if which == "anthropic":
        told = error.response.json()["error"]["message"]
        assert told == "prompt is too long: 210000 tokens > 200000 maximum"
    elif speaks == "messages":
        assert error.code == "context_length_exceeded"


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_a_wrong_key_is_an_authentication_error(stage: SdkGateway, which: Which) -> None:
    with connected(which, stage, key="wrong") as client:
        error = raised(client, "chat:m", streamed=False)
    assert type(error) in (openai.AuthenticationError, anthropic.AuthenticationError)
    assert "Invalid API key. Please provide a valid Anthropic API key." in error.message
    assert stage.requests == []


@every_pair
@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_own_key_refused_is_no_fault_of_the_clients(
    stage: SdkGateway, which: Which, speaks: str, status: int
) -> None:
    stage.play(Json(spoken(speaks, "Bad key.", "authentication_error"), status=status))
    with connected(which, stage, max_retries=2) as client:
        error = raised(client, f"{speaks}-limited:m", streamed=False)
    assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
    assert error.status_code == 502
    assert "upstream-key" not in str(error)
    assert len(stage.requests) == 1


@every_pair
@pytest.mark.parametrize("status", [401, 403])
def test_the_clients_own_key_refused_is_told_as_it_is(
    stage: SdkGateway, which: Which, speaks: str, status: int
) -> None:
    kind = {401: "authentication_error", 403: "permission_error"}[status]
    stage.play(Json(spoken(speaks, "Bad key.", kind), status=status))
    with connected(
        which, stage, key="my-own-key", default_headers={"x-gateway-key": stage.key}
    ) as client:
        error = raised(client, f"{speaks}-own:m", streamed=False)
    assert (
        type(error).__name__ == {401: "AuthenticationError", 403: "PermissionDeniedError"}[status]
    )
    assert stage.received().get_header(b"authorization") == b"Bearer my-own-key"
    assert stage.received().get_header(b"x-gateway-key") is None


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_a_path_that_is_none_is_not_found(stage: SdkGateway, which: Which) -> None:
    with (
        connected(which, stage) as client,
        pytest.raises((openai.NotFoundError, anthropic.NotFoundError)),
    ):
        client.own.post("/nowhere", cast_to=object, body={})


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_no_connection_to_the_upstream_is_a_server_error(stage: SdkGateway, which: Which) -> None:
    with connected(which, stage) as client:
        error = raised(client, "gone:m", streamed=False)
    assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
    assert error.status_code == 502


@every_pair
@pytest.mark.parametrize(
    "script",
    [
        [Close()],
        [Reset()],
        [Head(200, [("content-length", "100")]), Close()],
        [Json(b"<html>no JSON</html>")],
    ],
    ids=["hung up", "reset", "cut", "no JSON"],
)
def test_an_answer_that_is_none_is_a_server_error(
    stage: SdkGateway, which: Which, speaks: str, script: Script
) -> None:
    stage.play(script)
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}:m", streamed=False)
    assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
    assert error.status_code == 502


@pytest.mark.parametrize(("which", "speaks"), [PAIRS[1], PAIRS[3]], ids=str)
def test_an_object_that_is_no_answer_cannot_be_converted(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(Json({}))
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}:m", streamed=False)
    assert error.status_code == 502


@every_pair
def test_an_error_in_a_200_is_its_own_status(stage: SdkGateway, which: Which, speaks: str) -> None:
    given = spoken(speaks, "Slow down.", "rate_limit_error")
    stage.play(Json(given))
    with connected(which, stage) as client:
        for streamed in (False, True):
            error = raised(client, f"{speaks}-limited:m", streamed=streamed)
            assert isinstance(error, openai.RateLimitError | anthropic.RateLimitError)
            assert "Slow down." in error.message


FIRST = {
    "chat": chat_frame(chat_error("Slow down.", "rate_limit_error")),
    "messages": event("error", error={"type": "rate_limit_error", "message": "Slow down."}),
}


@every_pair
def test_an_error_as_the_first_event_is_a_status(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(SSE([FIRST[speaks]]))
    with connected(which, stage) as client:
        error = raised(client, f"{speaks}-limited:m", streamed=True)
    assert isinstance(error, openai.RateLimitError | anthropic.RateLimitError)
    assert error.status_code == 429


BEGUN = {
    "chat": [ROLE, chunk({"content": "Hel"})],
    "messages": [START, block_start(0, text("")), delta(0, "text_delta", text="Hel")],
}
CALLING = {
    "chat": [ROLE, chunk(begun(0, "call_1", "f")), chunk(argued(0, '{"a":'))],
    "messages": [
        START,
        block_start(0, use("toolu_1", "f", {})),
        delta(0, "input_json_delta", partial_json='{"a":'),
    ],
}


def broken_off(client: Client, model: str) -> tuple[list[str], Any]:
    """The texts of a stream and what then was raised."""
    texts: list[str] = []
    with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
        texts.extend(client.stream(model))
    return texts, caught.value


@every_pair
def test_an_error_inside_a_stream_raises(stage: SdkGateway, which: Which, speaks: str) -> None:
    last = {
        "chat": b'data: {"error":{"message":"Boom.","type":"server_error","param":null,'
        b'"code":null}}\n\n',
        "messages": event("error", error={"type": "overloaded_error", "message": "Boom."}),
    }
    stage.play(SSE([*BEGUN[speaks], last[speaks]], seconds=0.02))
    with connected(which, stage) as client:
        texts, error = broken_off(client, f"{speaks}:m")
        with pytest.raises((openai.APIError, anthropic.APIError)):
            client.gather(f"{speaks}:m")
    assert texts == ["Hel"]
    assert "Boom." in str(error)


@every_pair
@pytest.mark.parametrize(
    "cut",
    [[Chunk()], [Close()], [Reset()]],
    ids=["ended", "hung up", "reset"],
)
@pytest.mark.parametrize("frames", [BEGUN, CALLING], ids=["in text", "in a call"])
def test_a_stream_that_is_cut_raises(
    stage: SdkGateway,
    which: Which,
    speaks: str,
    cut: Sequence[Any],
    frames: dict[str, list[bytes]],
) -> None:
    stage.play([SSE(frames[speaks], seconds=0.01, end=False), *cut])
    with connected(which, stage) as client:
        with pytest.raises((openai.APIError, anthropic.APIError)):
            list(client.stream(f"{speaks}:m"))
        with pytest.raises((openai.APIError, anthropic.APIError)):
            client.gather(f"{speaks}:m")


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_no_server_at_all_is_a_connection_error(stage: SdkGateway, which: Which) -> None:
    with connected(which, stage, url=f"http://127.0.0.1:{free_port()}") as client:
        error = raised(client, "chat:m", streamed=False)
    assert type(error) in (openai.APIConnectionError, anthropic.APIConnectionError)


@pytest.mark.parametrize("which", ["openai", "anthropic"])
def test_a_malformed_request_names_its_field(stage: SdkGateway, which: Which) -> None:
    with connected(which, stage) as client:
        path = "/chat/completions" if which == "openai" else "/v1/messages"
        body = {"model": "chat:m", "max_tokens": 64, "messages": 7}
        with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as caught:
            client.own.post(path, cast_to=object, body=body)
    assert "messages" in str(caught.value)
    assert stage.requests == []


@pytest.mark.parametrize("which", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "last", [[], [b"data: [DONE]"], [b"data:[DONE]\n\n"]], ids=["nothing", "no newline", "no space"]
)
def test_a_stream_with_a_finish_is_whole_however_it_ends(
    stage: SdkGateway, which: Which, last: list[bytes]
) -> None:
    stage.play(SSE([*BEGUN["chat"], chunk({"content": "lo"}), chunk({}, "stop"), *last]))
    with connected(which, stage) as client:
        assert client.gather("chat:m") == "Hello"
        assert list(client.stream("chat:m")) == ["Hel", "lo"]
