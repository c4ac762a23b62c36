"""A gateway in this process before a scripted upstream over real sockets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from gateway.app import build
from tests.configs import loaded
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.upstream import Script, ScriptedUpstream

ONE_TRY_CHAIN = """
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
USER_MESSAGES = [{"role": "user", "content": "hi"}]
BASE_CONFIG = "[server]\ndiscover = false\n"


class InProcessGateway:
    """Asks a gateway whose providers are one upstream."""

    def __init__(self, app: Any, upstream: ScriptedUpstream) -> None:
        self.app = app
        self.upstream = upstream

    async def send_call(
        self, body: dict[str, Any], path: str = "/v1/messages", **headers: str
    ) -> AsgiTestRequest:
        """The answer; underscores in names of headers are hyphens."""
        given = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        return await AsgiTestRequest(self.app, body, path=path, headers=given).start().wait_done()

    @property
    def last_request_body(self) -> Any:
        """The body of the last request that reached the upstream."""
        return msgspec.json.decode(self.upstream.requests[-1].body)


@asynccontextmanager
async def run_in_process(
    folder: Path, config: str, *scripts: Script, env: Mapping[str, str] | None = None
) -> AsyncIterator[InProcessGateway]:
    """A gateway with that configuration, in which {url} is the upstream's."""
    async with ScriptedUpstream(*scripts) as upstream:
        app = build(loaded(folder, BASE_CONFIG + config.replace("{url}", upstream.url), env))
        async with app.router.lifespan_context(app):
            yield InProcessGateway(app, upstream)


GatewayOpener = Callable[..., AbstractAsyncContextManager[InProcessGateway]]


def make_gateway_opener(folder: Path, usual: str) -> GatewayOpener:
    """Opens gateways before scripts, in which each call is tried once."""

    def one(*scripts: Script, config: str = usual) -> AbstractAsyncContextManager[InProcessGateway]:
        return run_in_process(folder, config + ONE_TRY_CHAIN, *scripts)

    return one
