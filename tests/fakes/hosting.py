"""A gateway in this process before a scripted upstream over real sockets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from gateway.app import build
from tests.configs import loaded
from tests.fakes.asgi import Driven
from tests.fakes.upstream import Script, ScriptedUpstream

ONE_TRY = """
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""
TURNS = [{"role": "user", "content": "hi"}]
BASE = "[server]\ndiscover = false\n"


class Hosting:
    """Asks a gateway whose providers are one upstream."""

    def __init__(self, app: Any, upstream: ScriptedUpstream) -> None:
        self.app = app
        self.upstream = upstream

    async def ask(self, body: dict[str, Any], path: str = "/v1/messages", **headers: str) -> Driven:
        """The answer; underscores in names of headers are hyphens."""
        given = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        return await Driven(self.app, body, path=path, headers=given).start().done()

    @property
    def sent(self) -> Any:
        """The body of the last request that reached the upstream."""
        return msgspec.json.decode(self.upstream.requests[-1].body)


@asynccontextmanager
async def hosting(
    folder: Path, config: str, *scripts: Script, env: Mapping[str, str] | None = None
) -> AsyncIterator[Hosting]:
    """A gateway with that configuration, in which {url} is the upstream's."""
    async with ScriptedUpstream(*scripts) as upstream:
        app = build(loaded(folder, BASE + config.replace("{url}", upstream.url), env))
        async with app.router.lifespan_context(app):
            yield Hosting(app, upstream)


Open = Callable[..., AbstractAsyncContextManager[Hosting]]


def opening(folder: Path, usual: str) -> Open:
    """Opens gateways before scripts, in which each call is tried once."""

    def one(*scripts: Script, config: str = usual) -> AbstractAsyncContextManager[Hosting]:
        return hosting(folder, config + ONE_TRY, *scripts)

    return one
