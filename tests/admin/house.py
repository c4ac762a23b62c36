"""A built gateway in this process, before a scripted upstream, asked without a network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.app import Gateway, build
from gateway.call import Headers
from tests.configs import loaded
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.upstream import Json, ReceivedRequest, Script, ScriptedUpstream

KEY = "gw-key"
SHOWN: Headers = [(b"x-api-key", KEY.encode())]
CONFIG = """
[server]
discover = false
[auth]
keys = ["{key}"]
[catalogue]
folder = "{folder}"
timeout = {timeout}
{catalogue}
[providers.openai]
api_key = "sk-upstream"
base_url = "{upstream}/openai/v1"
aliases = {{ fast = "gpt-4o-mini" }}
[providers.poe]
api_key = "poe-upstream"
base_url = "{upstream}/poe/v1"
aliases = {{ haiku = "gpt-4o-mini", sonnet = "gpt-4o" }}
{more}
"""
OPENAI = {
    "object": "list",
    "data": [
        {"id": "gpt-4o-mini", "object": "model", "created": 1677610600, "owned_by": "openai"},
        {"id": "gpt-4o", "object": "model", "created": 1677610601, "owned_by": "openai"},
    ],
}
POE = {
    "object": "list",
    "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "p"}],
}
ANSWER = {
    "id": "cmpl-123", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
}  # fmt: skip
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}


def usual(request: ReceivedRequest) -> Script:
    """An upstream's lists, and one answer to every call."""
    if request.method == "GET":
        return [Json(POE if "/poe/" in request.path else OPENAI)]
    return [Json(ANSWER)]


class AdminGateway:
    """A gateway to ask."""

    def __init__(self, app: Gateway) -> None:
        self.app = app
        self.edge = app.state.edge

    def asking(
        self, path: str, *, headers: Headers | None = None, method: str = "GET", body: Any = b""
    ) -> AsgiTestRequest:
        """A request that is under way; the client's key is shown where no headers are given."""
        path, _, query = path.partition("?")
        shown = SHOWN if headers is None else headers
        driven = AsgiTestRequest(self.app, body, method=method, path=path, headers=shown)
        driven.scope["query_string"] = query.encode()
        return driven.start()

    async def get(
        self, path: str, headers: Headers | None = None, method: str = "GET"
    ) -> AsgiTestRequest:
        """A GET's answer."""
        return await self.asking(path, headers=headers, method=method).wait_done()

    async def post(self, body: Any, path: str = "/v1/chat/completions") -> AsgiTestRequest:
        """A POST's answer."""
        return await self.asking(path, method="POST", body=body).wait_done()


@asynccontextmanager
async def house(
    folder: Path,
    upstream: str = "http://127.0.0.1:1",
    *,
    more: str = "",
    catalogue: str = "",
    wait: float = 2.5,
    config: str = CONFIG,
) -> AsyncIterator[AdminGateway]:
    """A gateway with two providers at an upstream."""
    text = config.format(
        key=KEY, folder=folder / "state", upstream=upstream, more=more, catalogue=catalogue,
        timeout=wait,
    )  # fmt: skip
    app = build(loaded(folder, text))
    async with app.router.lifespan_context(app):
        yield AdminGateway(app)


@asynccontextmanager
async def before(
    folder: Path, select: Any = usual, **more: Any
) -> AsyncIterator[tuple[AdminGateway, ScriptedUpstream]]:
    """A gateway and the upstream behind it."""
    async with (
        ScriptedUpstream(select=select) as upstream,
        house(folder, upstream.url, **more) as opened,
    ):
        yield opened, upstream


def lacking(shown: Any, found: Any, at: str = "") -> list[str]:
    """The members that an example shows and an answer lacks."""
    if isinstance(shown, dict):
        if not isinstance(found, dict):
            return [at]
        return [
            gap
            for name, value in shown.items()
            for gap in (
                lacking(value, found[name], f"{at}.{name}") if name in found else [f"{at}.{name}"]
            )
        ]
    if isinstance(shown, list) and shown:
        if not isinstance(found, list) or not found:
            return [at]
        return lacking(shown[0], found[0], f"{at}[0]")
    return [] if found is not None else [at]
