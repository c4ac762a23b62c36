"""A gateway before scripted Chat and Messages upstreams, asked as Gemini's clients ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.call import Headers
from tests.admin.house import AdminGateway, house
from tests.dialects.gemini.sent import said
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.upstream import SSE, Json, ReceivedRequest, Script, ScriptedUpstream
from tests.sdk.answers import (
    chat,
    chat_stream,
    message,
    message_stream,
    text,
)

KEY: Headers = [(b"x-goog-api-key", b"gw-key")]
CONFIG = """
[server]
discover = false
ping = {ping}
[auth]
keys = ["{key}"]
[catalogue]
folder = "{folder}"
timeout = {timeout}
{catalogue}
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
[aliases]
nickname = "chat:the/real:name"
[providers.chat]
use = "compatible"
base_url = "{upstream}/chat/v1"
api_key = "sk-upstream-chat"
[providers.messages]
use = "compatible"
family = "anthropic"
speaks = ["messages"]
base_url = "{upstream}/messages/v1"
api_key = "sk-upstream-messages"
capabilities = {{ thinking = ["enabled", "disabled", "adaptive"] }}
[providers.google]
use = "gemini"
base_url = "{upstream}/google/v1beta"
api_key = "sk-upstream-google"
[providers.own]
use = "compatible"
base_url = "{upstream}/chat/v1"
api_key = "!PASSTHRU"
{more}
"""
HELLO: dict[str, Any] = {"contents": [said("hello")]}
both = pytest.mark.parametrize("provider", ["chat", "messages"])


class GeminiGateway:
    """A gateway, and what its upstream answers next."""

    def __init__(
        self, opened: AdminGateway, upstream: ScriptedUpstream, scripts: list[Script]
    ) -> None:
        self.house = opened
        self.upstream = upstream
        self._scripts = scripts

    def play(self, script: Script) -> None:
        self._scripts[:] = [script]

    def asking(
        self, path: str, body: Any = None, *, headers: Headers = KEY, method: str = "POST"
    ) -> AsgiTestRequest:
        """A request under way; the path stands after the version of the API."""
        whole = path if path.startswith("/") else f"/v1beta/{path}"
        sent = HELLO if body is None else body
        return self.house.asking(whole, headers=headers, method=method, body=sent)

    async def ask(self, path: str, body: Any = None, **more: Any) -> AsgiTestRequest:
        return await self.asking(path, body, **more).wait_done()

    @property
    def body(self) -> Any:
        """What the upstream was asked."""
        return msgspec.json.decode(self.upstream.requests[-1].body)


@asynccontextmanager
async def scene(
    folder: Path, *, ping: float = 15.0, more: str = ""
) -> AsyncIterator[GeminiGateway]:
    scripts: list[Script] = [[Json(chat("Hello"))]]

    def select(_: ReceivedRequest) -> Script:
        return scripts[0]

    config = CONFIG.replace("{ping}", str(ping))
    async with (
        ScriptedUpstream(select=select) as upstream,
        house(folder, upstream.url, config=config, more=more) as opened,
    ):
        yield GeminiGateway(opened, upstream, scripts)


def answer(provider: str) -> Script:
    """A whole answer."""
    return [Json(chat("Hello") if provider == "chat" else message(text("Hello")))]


def stream(provider: str) -> Script:
    """The same in pieces."""
    if provider == "chat":
        return [SSE(chat_stream({"content": "Hel"}, {"content": "lo"}))]
    return [SSE(message_stream(text("Hello")))]


def text_of(answers: list[Any]) -> str:
    parts = [part for one in answers for part in one["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))
