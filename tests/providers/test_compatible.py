from typing import Literal

import pytest

from gateway.config.faults import ConfigError
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.secret import Secret
from providers.compatible import Compatible
from tests.faults.engines import answer, made, runtime, to
from tests.faults.wires import whole

URL = "http://127.0.0.1:1/v1"


def test_it_speaks_what_it_is_told_best_first() -> None:
    assert Compatible(base_url=URL).dialects == (CHAT,)
    both = Compatible(base_url=URL, speaks=["messages", "chat"])
    assert both.dialects == (MESSAGES, CHAT)
    assert Compatible(base_url=URL, speaks=["responses"]).dialects == (RESPONSES,)


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", (b"authorization", b"Bearer k-1")), ("x-api-key", (b"x-api-key", b"k-1")),
        ("api-key", (b"api-key", b"k-1")),
    ],
)  # fmt: skip
async def test_the_key_goes_in_the_header_that_the_server_reads(
    auth: Literal["bearer", "x-api-key", "api-key"], header: tuple[bytes, bytes]
) -> None:
    one = made(Compatible(base_url=URL, api_key=Secret("k-1"), auth=auth))
    await one.ask()
    assert one.engine.headers == [(b"content-type", b"application/json"), header]


async def test_a_messages_server_gets_the_clients_version_and_betas() -> None:
    one = made(Compatible(base_url=URL, speaks=["messages"]), answer(whole("messages")))
    betas = [(b"anthropic-beta", b"a,b"), (b"x-claude-code-session-id", b"s")]
    await one.ask(to(one.provider, headers=[*betas, (b"user-agent", b"x")], dialect=MESSAGES))
    assert one.engine.sent[0].headers == [*betas, (b"anthropic-version", b"2023-06-01")]


async def test_a_chat_server_gets_none_of_them() -> None:
    one = made(Compatible(base_url=URL, speaks=["chat", "messages"]))
    await one.ask(to(one.provider, headers=[(b"anthropic-beta", b"a")]))
    assert one.engine.sent[0].headers == []


def test_a_known_family_brings_its_address_and_its_row() -> None:
    groq = Compatible(family="groq")
    groq.bind("g", runtime())
    assert groq.base_url == "https://api.groq.com/openai/v1"
    assert groq.get_server_kind() == "groq"


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (Compatible(family="nobody"), "providers.c.family"),
        (Compatible(base_url=URL, speaks=[]), "providers.c.speaks"),
        (Compatible(), "providers.c.base_url"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(provider: Compatible, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider.bind("c", runtime())
    assert [fault.path for fault in caught.value.faults] == [path]
