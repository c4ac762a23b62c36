import msgspec
import pytest
from msgspec import Raw

from gateway.call import Call
from gateway.config.faults import ConfigError
from gateway.counting.dialects import GEMINI_COUNTING
from gateway.dialect import Dialect
from gateway.dialects.gemini import GEMINI
from gateway.errors import Refused
from gateway.secret import Secret
from providers.gemini import Gemini
from tests.dialects.gemini.conversions import encoded, event
from tests.faults.engines import Made, answer, made, runtime, to

BODY = encoded(event({"text": "hi"}, finish="STOP"))
ASKED = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
KEY = Secret("k-1")


def ask(one: Made, model: str = "m", dialect: Dialect = GEMINI, **more: object) -> Call:
    """A call of a Gemini client, which has no messages."""
    call = to(one.provider, ASKED | more, model=model, dialect=dialect)
    fields = {name: raw for name, raw in call.fields.items() if name != "messages"}
    return call.in_dialect(dialect, fields)


async def test_a_call_goes_to_its_models_path_with_the_key_in_a_header() -> None:
    one = made(Gemini(api_key=KEY), answer(BODY))
    assert one.provider.dialects == (GEMINI,)
    await one.ask(ask(one, "gemini-3-pro"))
    (sent,) = one.engine.sent
    assert sent.target == b"/models/gemini-3-pro:generateContent"
    assert one.engine.headers == [
        (b"content-type", b"application/json"), (b"x-goog-api-key", b"k-1"),
    ]  # fmt: skip
    body = msgspec.json.decode(sent.body, type=dict[str, Raw])
    assert "contents" in body
    assert not {"model", "stream"} & body.keys()


MODELS = [
    ("models/gemini-3-pro", b"/models/gemini-3-pro"),
    ("tunedModels/mine-1", b"/tunedModels/mine-1"),
    ("a/../b?key=x#y", b"/models/a%2F..%2Fb%3Fkey%3Dx%23y"),
    ("x:streamGenerateContent", b"/models/x%3AstreamGenerateContent"),
    ("..", b"/models/.."),
    ("é\r\nhost: x", b"/models/%C3%A9%0D%0Ahost%3A%20x"),
]


@pytest.mark.parametrize(("model", "path"), MODELS)
async def test_a_model_stays_within_its_path(model: str, path: bytes) -> None:
    one = made(Gemini(api_key=KEY), answer(BODY))
    await one.ask(ask(one, model))
    assert one.engine.sent[0].target == path + b":generateContent"


async def test_a_stream_is_asked_for_as_events() -> None:
    one = made(Gemini(api_key=KEY), answer(BODY))
    await one.ask(ask(one, stream=True))
    (sent,) = one.engine.sent
    assert sent.target == b"/models/m:streamGenerateContent?alt=sse"
    assert b'"stream"' not in sent.body


async def test_a_count_of_more_than_contents_is_that_of_a_request() -> None:
    told = [answer(b'{"totalTokens":7}'), answer(b'{"totalTokens":8}')]
    one = made(Gemini(api_key=KEY, defaults={"safetySettings": []}), *told)
    await one.provider.count(ask(one, dialect=GEMINI_COUNTING))
    system = {"parts": [{"text": "s"}]}
    await one.provider.count(ask(one, dialect=GEMINI_COUNTING, systemInstruction=system))
    first, second = one.engine.sent
    assert first.target == second.target == b"/models/m:countTokens"
    assert msgspec.json.decode(first.body) == ASKED
    whole = {"model": "models/m", "systemInstruction": system} | ASKED
    assert msgspec.json.decode(second.body) == {"generateContentRequest": whole}
    assert b"safetySettings" not in first.body + second.body


async def test_a_refused_key_is_the_gateways_fault_whatever_its_status() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = {"code": 400, "message": "API key not valid: k-1", "status": "INVALID_ARGUMENT"}
    one = made(Gemini(api_key=KEY), answer(encoded({"error": error | {"details": details}}), 400))
    with pytest.raises(Refused) as raised:
        await one.provider(ask(one))
    assert (raised.value.status, raised.value.code) == (502, "provider_key_refused")
    assert raised.value.upstream_status == 401  # so that the next key is tried
    assert "k-1" not in raised.value.message
    assert one.provider.status().refused == 1


async def test_its_list_of_models_is_asked_for_in_one_page() -> None:
    one = made(Gemini(api_key=KEY), answer(b'{"models":[{"name":"models/gemini-3-pro"}]}'))
    assert await one.provider.models(None) == b'{"models":[{"name":"models/gemini-3-pro"}]}'
    assert one.engine.sent[0].target == b"/models?pageSize=1000"


def test_the_address_of_the_other_form_is_refused() -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/openai/"
    with pytest.raises(ConfigError) as caught:
        Gemini(base_url=url).bind("g", runtime())
    (fault,) = caught.value.faults
    assert fault.path == "providers.g.base_url"
    assert 'use = "gemini-openai"' in fault.hint
