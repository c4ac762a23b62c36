import pytest

from gateway.dialects.messages import MESSAGES
from gateway.secret import Secret
from providers.anthropic import Anthropic
from providers.transport.versions import CLASSIC_VERSION
from tests.faults.engines import answer, made, to
from tests.faults.wires import whole

BODY = answer(whole("messages"))


async def test_a_call_goes_to_messages_with_its_key_and_a_version() -> None:
    one = made(Anthropic(api_key=Secret("sk-ant-api-1")), BODY)
    assert one.provider.dialects == (MESSAGES,)
    await one.ask(to(one.provider, {"max_tokens": 1}, dialect=MESSAGES))
    assert one.engine.sent[0].target == b"/messages"
    version = one.provider.capability("m").anthropic_versions[0].encode()
    assert one.engine.headers == [
        (b"content-type", b"application/json"), (b"x-api-key", b"sk-ant-api-1"),
        (b"anthropic-version", version),
    ]  # fmt: skip


async def test_a_token_of_an_account_is_a_bearer_token() -> None:
    one = made(Anthropic(api_key=Secret("sk-ant-oat-1")), BODY)
    await one.ask(to(one.provider, dialect=MESSAGES))
    headers = dict(one.engine.headers)
    assert headers[b"authorization"] == b"Bearer sk-ant-oat-1"
    assert b"x-api-key" not in headers


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
async def test_sampling_asks_for_the_classic_version(field: str) -> None:
    one = made(Anthropic(api_key=Secret("k-1")), BODY)
    await one.ask(to(one.provider, {field: 1}, dialect=MESSAGES))
    assert dict(one.engine.headers)[b"anthropic-version"] == CLASSIC_VERSION.encode()


async def test_the_clients_version_and_betas_go_on_as_they_are() -> None:
    one = made(Anthropic(api_key=Secret("k-1")), BODY)
    headers = [
        (b"anthropic-version", b"2001-01-01"), (b"anthropic-beta", b"a,b"), (b"x-app", b"cli"),
        (b"anthropic-beta", b"c"), (b"x-api-key", b"theirs"), (b"user-agent", b"x"),
    ]  # fmt: skip
    await one.ask(to(one.provider, headers=headers, dialect=MESSAGES))
    assert one.engine.sent[0].headers == [
        (b"anthropic-version", b"2001-01-01"), (b"anthropic-beta", b"a,b"), (b"x-app", b"cli"),
        (b"anthropic-beta", b"c"),
    ]  # fmt: skip
    assert [value for name, value in one.engine.headers if name == b"x-api-key"] == [b"k-1"]


async def test_defaults_fill_only_what_is_missing() -> None:
    one = made(Anthropic(api_key=Secret("k-1"), defaults={"max_tokens": 9}), BODY)
    await one.ask(to(one.provider, {"max_tokens": 1}, dialect=MESSAGES))
    await one.ask(to(one.provider, dialect=MESSAGES))
    assert b'"max_tokens":1' in one.engine.sent[0].body
    assert b'"max_tokens":9' in one.engine.sent[1].body
