from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.secret import Secret
from providers.openrouter import OpenRouter
from tests.faults.engines import made, to


async def test_a_call_goes_to_chat_completions_with_title_and_referer() -> None:
    one = made(OpenRouter(api_key=Secret("sk-or-1"), defaults={"min_p": 0.01}))
    headers = [(b"http-referer", b"https://a"), (b"x-title", b"t"), (b"x-other", b"o")]
    await one.ask(to(one.provider, model="vendor/model", headers=headers))
    (sent,) = one.engine.sent
    assert sent.target == b"/chat/completions"
    assert sent.headers == headers[:2]
    assert one.engine.headers[:2] == [
        (b"content-type", b"application/json"), (b"authorization", b"Bearer sk-or-1"),
    ]  # fmt: skip
    assert b'"model":"vendor/model"' in sent.body
    assert b'"min_p":0.01' in sent.body


def test_its_ids_have_slashes_and_its_address_is_its_own() -> None:
    assert OpenRouter.slash_ids
    assert OpenRouter.default_url == "https://openrouter.ai/api/v1"


def test_a_call_of_another_dialect_is_converted_to_chat() -> None:
    assert made(OpenRouter()).provider.dialects == (CHAT, RESPONSES)
