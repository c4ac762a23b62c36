from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.secret import Secret
from providers.openai import OpenAI
from tests.faults.engines import made, to

KEY = Secret("sk-1234567890")


async def test_a_call_goes_to_chat_completions_with_a_bearer_key() -> None:
    one = made(OpenAI(api_key=KEY))
    assert one.provider.dialects == (CHAT, RESPONSES)
    await one.ask()
    assert one.engine.sent[0].target == b"/chat/completions"
    assert one.engine.headers == [
        (b"content-type", b"application/json"), (b"authorization", b"Bearer sk-1234567890"),
    ]  # fmt: skip


async def test_organization_and_project_go_with_each_call() -> None:
    one = made(OpenAI(api_key=KEY, organization="org-1", project="proj-1"))
    await one.ask()
    assert one.engine.headers[1:] == [
        (b"authorization", b"Bearer sk-1234567890"), (b"openai-organization", b"org-1"),
        (b"openai-project", b"proj-1"),
    ]  # fmt: skip


async def test_the_clients_beta_and_idempotency_headers_go_on_unless_nominated() -> None:
    one = made(OpenAI(api_key=KEY))
    headers = [
        (b"openai-beta", b"x=1"), (b"idempotency-key", b"k"), (b"openai-organization", b"theirs"),
        (b"connection", b"close, Idempotency-Key"),
    ]  # fmt: skip
    await one.ask(to(one.provider, headers=headers))
    assert one.engine.sent[0].headers == [(b"openai-beta", b"x=1")]


def test_the_address_is_openais_own() -> None:
    assert OpenAI.default_url == "https://api.openai.com/v1"
    assert made(OpenAI()).provider.capability("gpt-5").token_param == "max_completion_tokens"
