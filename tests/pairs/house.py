"""A gateway in this process, its providers on an engine that answers what a test wants."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from gateway.app import Gateway, build
from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import Cut, GatewayError
from providers.transport.engine import EngineStats, Request, Response
from providers.transport.provider import HttpProvider
from tests.configs import loaded
from tests.fakes.asgi import AsgiTestRequest
from tests.faults.engines import Chunks, answer, streamed
from tests.pairs.rows import ROWS, providers
from tests.pairs.said import Ask, Heard, Row

MODEL = "the-model"
CONFIG = """
[server]
seal_key = "a-key-for-the-tests-that-seals-reasoning"
discover = false
[[middleware]]
use = "alias"
[[middleware]]
use = "history"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""
CUT = Cut("the upstream hung up")


class Played:
    """An engine whose next answer is set beforehand; keeps what it was sent."""

    def __init__(self) -> None:
        self.next: Response | GatewayError = answer()
        self.sent: list[Request] = []

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        self.sent.append(request)
        if isinstance(self.next, GatewayError):
            raise self.next
        return self.next

    async def aclose(self) -> None:
        """Nothing is open."""

    def stats(self) -> EngineStats:
        return EngineStats(0, 0, 0)


class PairGateway:
    """A gateway with a provider of each dialect, called without a network."""

    def __init__(self, app: Gateway) -> None:
        self.app = app
        self.engines: dict[str, Played] = {}
        for row in ROWS:
            provider = app.state.runtime.providers[row.name]
            assert isinstance(provider, HttpProvider)
            self.engines[row.name] = provider._engine = Played()

    async def post(
        self, client: Row, body: object, response: Response | GatewayError, *, stream: bool,
        upstream: Row, headers: Headers | None = None,
    ) -> Heard:  # fmt: skip
        """What a client gets for a body where the upstream answers so."""
        for each in self.engines.values():  # a body may name another model than it was meant to
            each.next = answer()
            each.sent.clear()
        self.engines[upstream.name].next = response
        model = f"{upstream.name}:{MODEL}"
        path = client.path(model, stream=stream)
        driven = AsgiTestRequest(self.app, body, path=path.partition("?")[0], headers=headers)  # type: ignore[arg-type]
        driven.scope["query_string"] = path.partition("?")[2].encode()
        await driven.start().wait_done()
        assert driven.is_complete
        kind = driven.headers["content-type"]
        return Heard(
            driven.status, kind, driven.body, kind.startswith("text/event-stream"), driven.headers
        )

    async def ask(
        self, client: Row, upstream: Row, ask: Ask, response: Response | GatewayError, *,
        stream: bool,
    ) -> Heard:  # fmt: skip
        """The same for a request."""
        body = client.ask(ask, f"{upstream.name}:{MODEL}", stream=stream)
        return await self.post(client, body, response, stream=stream, upstream=upstream)

    def asked(self, upstream: Row) -> Ask:
        """What the one request says that reached the upstream."""
        (sent,) = self.engines[upstream.name].sent
        return upstream.asked(sent.body)


def house() -> PairGateway:
    """A house of its own."""
    with tempfile.TemporaryDirectory() as folder:
        config = CONFIG + providers("http://127.0.0.1:1", keys=False)
        return PairGateway(build(loaded(Path(folder), config)))


def told(pieces: Iterable[bytes], *, cut: bool = False) -> Response:
    """A stream in those chunks; a cut one ends as a broken connection does."""
    return streamed(*pieces, *([CUT] if cut else []))


__all__ = ["CUT", "MODEL", "Chunks", "PairGateway", "answer", "house", "told"]
