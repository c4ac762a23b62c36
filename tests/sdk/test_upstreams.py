"""What each kind of upstream is sent: its own path, its own header for the key, nobody else's."""

from tests.fakes.upstream import Json
from tests.sdk.answers import chat, message, text
from tests.sdk.clients import connected
from tests.sdk.stage import SdkGateway

COMMON = {b"accept-encoding": b"identity", b"content-type": b"application/json"}


def test_openai_gets_the_organization_and_its_betas(stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    with connected("openai", stage, default_headers={"openai-beta": "a=v1", "x-other": "1"}) as it:
        assert it.ask("openai:gpt-5") == "Hello"
    assert stage.head() == (
        "POST",
        "/openai/v1/chat/completions",
        COMMON
        | {
            b"authorization": b"Bearer upstream-key-openai",
            b"openai-organization": b"org-1",
            b"openai-beta": b"a=v1",
        },
    )


def test_openai_gets_an_anthropic_clients_call_in_its_own_words(stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    with connected("anthropic", stage, default_headers={"anthropic-beta": "some-beta"}) as client:
        assert client.ask("openai:gpt-5") == "Hello"
    assert stage.head()[2] == COMMON | {
        b"authorization": b"Bearer upstream-key-openai",
        b"openai-organization": b"org-1",
    }
    assert stage.body() == {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "hello"}],
        "max_completion_tokens": 64,
    }


def test_anthropic_gets_the_version_and_betas_of_the_client(stage: SdkGateway) -> None:
    stage.play(Json(message(text("Hello"))))
    with connected("anthropic", stage, default_headers={"anthropic-beta": "some-beta"}) as client:
        assert client.ask("anthropic:claude-opus-4-8") == "Hello"
    assert stage.head() == (
        "POST",
        "/anthropic/v1/messages",
        COMMON
        | {
            b"x-api-key": b"upstream-key-anthropic",
            b"anthropic-version": b"2026-10-21",
            b"anthropic-beta": b"some-beta",
        },
    )


def test_anthropic_gets_the_version_that_knows_the_members_sent(stage: SdkGateway) -> None:
    stage.play(Json(message(text("Hello"))))
    with connected("openai", stage) as client:
        client.ask("anthropic:claude-opus-4-8")
        client.own.post(
            "/chat/completions",
            cast_to=object,
            body={
                "model": "anthropic:claude-sonnet-4-5",
                "messages": [{"role": "user", "content": "hello"}],
                "temperature": 0.5,
            },
        )
    versions = [request.get_header(b"anthropic-version") for request in stage.requests]
    assert versions == [b"2026-10-21", b"2023-06-01"]


def test_azure_gets_the_deployment_in_the_path(stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    with connected("openai", stage) as client:
        assert client.ask("azure:my deployment") == "Hello"
    assert stage.head() == (
        "POST",
        "/azure/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21",
        COMMON | {b"api-key": b"upstream-key-azure"},
    )


def test_azure_answers_an_anthropic_client(stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    with connected("anthropic", stage) as client:
        assert client.ask("azure:gpt-5") == "Hello"
    assert stage.received().get_header(b"api-key") == b"upstream-key-azure"
    assert stage.body()["max_completion_tokens"] == 64


def test_a_client_may_bring_its_own_key(stage: SdkGateway) -> None:
    stage.play(Json(message(text("Hello"))))
    headers = {"x-gateway-key": stage.key}
    with connected("openai", stage, key="my-own-key", default_headers=headers) as client:
        assert client.ask("messages-own:m") == "Hello"
    assert stage.head()[2] == COMMON | {
        b"authorization": b"Bearer my-own-key",
        b"anthropic-version": b"2026-10-21",
    }


def test_no_key_is_logged(stage: SdkGateway) -> None:
    stage.play(Json(chat("Hello")))
    with connected("openai", stage) as client:
        client.ask("chat:m")
    lines = [line for line in stage.log.splitlines() if line.startswith("{")]
    assert len(lines) > 2
    assert not [line for line in lines if stage.key in line or "upstream-key" in line]
