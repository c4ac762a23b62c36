import pytest

from gateway.call import Call, Headers
from gateway.errors import Unauthenticated
from gateway.reply import Reply
from middleware.auth import Auth
from tests.fakes import calls


async def seen(headers: Headers, *keys: str) -> Call:
    """The call as the next link sees it."""
    auth = Auth()
    auth.bind(calls.runtime(keys=[calls.make_key(text) for text in keys]))
    passed: list[Call] = []

    async def next(call: Call) -> Reply:
        passed.append(call)
        return calls.make_reply()

    await auth(calls.make_call(headers=headers), next)
    return passed[0]


@pytest.mark.parametrize(
    "header",
    [
        (b"x-api-key", b"gw-1"),
        (b"authorization", b"Bearer gw-1"),
        (b"authorization", b"bearer  gw-1 "),
        (b"api-key", b"gw-1"),
        (b"x-goog-api-key", b"gw-1"),
        (b"x-gateway-key", b"gw-1"),
    ],
)
async def test_the_key_is_taken_from_every_header_clients_use(header: tuple[bytes, bytes]) -> None:
    call = await seen([header], "gw-0", "gw-1")
    assert call.caller.name == "client2"
    assert call.caller.credential is None  # the gateway's own key never goes upstream


async def test_a_second_credential_is_the_clients_own_for_the_upstream() -> None:
    call = await seen([(b"x-gateway-key", b"gw-1"), (b"x-api-key", b"sk-mine")], "gw-1")
    assert call.caller.credential is not None
    assert call.caller.credential.reveal() == "sk-mine"


async def test_without_keys_every_caller_is_anonymous_and_brings_its_own() -> None:
    call = await seen([(b"authorization", b"Bearer sk-mine")])
    assert call.caller.name == "anonymous"
    assert call.caller.credential is not None
    assert call.caller.credential.reveal() == "sk-mine"


async def test_of_two_credentials_x_api_key_wins() -> None:
    call = await seen([(b"authorization", b"Bearer two"), (b"x-api-key", b"one")])
    assert call.caller.credential is not None
    assert call.caller.credential.reveal() == "one"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b"wrong")],
        [(b"x-api-key", b"")],
        [(b"authorization", b"Basic gw-1")],
        [(b"authorization", b"gw-1")],
        [(b"x-api-key", b"gw-1\xff")],
        [(b"x-api-key", b"gw-")],
        [(b"x-api-key", b"gw-1x")],
    ],
)
async def test_missing_malformed_and_unknown_keys_get_one_and_the_same_error(
    headers: Headers,
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await seen(headers, "gw-1")
    assert caught.value.message == ("Invalid API key. Please provide a valid Anthropic API key.")
    assert caught.value.details is None
