import pytest

from gateway.config.faults import ConfigError
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.secret import Secret
from providers.azure import Azure
from tests.faults.engines import made, runtime, to

URL = "https://res.openai.azure.com"


async def test_with_a_version_the_model_is_a_deployment_of_the_path() -> None:
    one = made(Azure(base_url=URL, api_key=Secret("k-1"), api_version="2024-10-21"))
    assert one.provider.base_url == f"{URL}/openai"
    await one.ask(to(one.provider, model="my gpt/4"))
    (sent,) = one.engine.sent
    assert sent.target == b"/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
    assert one.engine.headers == [
        (b"content-type", b"application/json"), (b"api-key", b"k-1"),
    ]  # fmt: skip


async def test_without_a_version_it_is_the_v1_surface() -> None:
    one = made(Azure(base_url=f"{URL}/", api_key=Secret("k-1")))
    assert one.provider.base_url == f"{URL}/openai/v1"
    await one.ask(to(one.provider, model="gpt"))
    assert one.engine.sent[0].target == b"/chat/completions"
    assert b'"model":"gpt"' in one.engine.sent[0].body


def test_a_url_with_a_path_is_left_alone() -> None:
    one = made(Azure(base_url="https://proxy.example/azure/openai", api_version="v"))
    assert one.provider.base_url == "https://proxy.example/azure/openai"


async def test_a_version_stays_inside_the_query() -> None:
    one = made(Azure(base_url=URL, api_version="a b&c=d#e"))
    await one.ask(to(one.provider))
    assert one.engine.sent[0].target.endswith(b"?api-version=a%20b%26c%3Dd%23e")


def test_a_resource_must_be_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Azure().bind("az", runtime())
    (fault,) = caught.value.faults
    assert fault.path == "providers.az.base_url"
    assert "https://RESOURCE.openai.azure.com" in fault.message


def test_deployments_speak_chat_the_v1_surface_responses_as_well() -> None:
    assert made(Azure(base_url=URL, api_version="v")).provider.dialects == (CHAT,)
    assert made(Azure(base_url=URL)).provider.dialects == (CHAT, RESPONSES)
