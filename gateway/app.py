"""From a configuration to the application."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers as StarletteHeaders
from starlette.middleware import Middleware as AsgiMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gateway.admin.explain import explain_routes
from gateway.admin.not_found import UnknownPathApp
from gateway.admin.routes import operator_routes
from gateway.api.batch import batch_routes
from gateway.api.cache import cache_routes
from gateway.api.count import count_routes
from gateway.api.gemini import MODEL_PATHS, gemini_routes
from gateway.api.responses import response_routes
from gateway.assemble import Assembly, assemble
from gateway.call import Call, Record
from gateway.catalogue.lists import ModelLists
from gateway.config.load import Config, ConfigError, Fault, find_file, load_config
from gateway.counting.counter import make_counting_chain
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.edge.callers import Callers
from gateway.edge.exchange import Edge, Endpoint, Limits
from gateway.edge.headers import EXPOSED, own_headers, request_id
from gateway.errors import GatewayError
from gateway.plugin import Next, Runtime
from gateway.reply import Reply
from gateway.view import GatewayView
from gateway.workers.peers import NO_PEERS, Peers
from gateway.workers.shared_signatures import share_signatures

if TYPE_CHECKING:
    from gateway.api.batches import BatchApis


class Gateway(Starlette):
    """A Starlette application that knows its plain paths by heart.

    Routing and Starlette's own layers around every send cost a tenth of a small call, and each
    event of a stream pays them again; our endpoints answer their own faults.
    """

    hot: dict[str, ASGIApp]
    named: ASGIApp | None = None
    """The endpoint of calls whose model stands in the path."""

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Those of them that serve calls, for a server that can do without ASGI."""
        return {path: app for path, app in self.hot.items() if isinstance(app, Endpoint)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The endpoint of a plain path at once; all else the usual way."""
        app: ASGIApp | None = None
        if scope["type"] == "http":
            path = scope["path"]
            app = self.hot.get(path)
            if app is None and path.startswith(MODEL_PATHS) and scope["method"] == "POST":
                app = self.named
        if app is None:
            app = super().__call__
        await app(scope, receive, send)


def build(config: Config, peers: Peers = NO_PEERS, made: Assembly | None = None) -> Gateway:
    """The application; its `state.edge` is the Edge. ConfigError where the parts do not fit.

    `made` is what was assembled of that configuration before, and found sound.
    """
    runtime, links = assemble(config) if made is None else (made.runtime, made.links)
    runtime.peers = peers
    share_signatures(peers)
    edge = Edge(make_counting_chain(runtime, links, dispatch(runtime)), _limits(config))
    dialects: Sequence[Dialect] = (CHAT, MESSAGES, RESPONSES, COMPLETIONS, EMBEDDINGS)
    view, lists = (
        GatewayView(runtime, edge, links, Callers(runtime.config.auth.keys), peers),
        ModelLists(runtime),
    )
    batches = view.batches = _batches(view)
    parts: list[Living] = [peers, *runtime.providers.values(), *links, lists]
    parts += [batches] if batches is not None else []
    named = gemini_routes(edge)
    app = Gateway(
        routes=_routes(edge, dialects)
        + named
        + operator_routes(view, lists)
        + count_routes(edge)
        + cache_routes(links, view.callers, peers)
        + batch_routes(links, edge, view.callers, peers)
        + explain_routes(runtime, edge, links, dialects)
        + response_routes(links, runtime, view.callers)
        + (batches.routes if batches is not None else []),
        lifespan=_life(edge, parts),
        middleware=_cors(config.server.cors_origins),
    )
    view.routes = [route for route in app.routes if isinstance(route, Route)]
    app.hot = {}
    app.router.default = UnknownPathApp()
    app.router.redirect_slashes = False
    app.state.edge = edge
    if not config.server.cors_origins:
        plain = [
            route for route in app.routes if isinstance(route, Route) and "{" not in route.path
        ]
        app.hot = {route.path: route.app for route in plain}
        app.named = named[0].app
    app.state.runtime = runtime
    return app


def create() -> Gateway:
    """Return the application for any ASGI server: `uvicorn --factory gateway.app:create`.

    Configured by file and environment as `interlingua serve` is; the options for sockets, processes
    and request heads belong to the server then. Raises ConfigError with every fault.
    """
    return build(load_config(find_file(os.environ), os.environ))


class Living(Protocol):
    """A part of the gateway with a life of its own."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Entered before the first call, left after the last."""


def _life(edge: Edge, parts: Sequence[Living]) -> Lifespan[Starlette]:
    """The life of the application: its parts', and the pulse."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.running())
            edge.loop = asyncio.get_running_loop()
            pulse = edge.loop.create_task(edge.pulse())
            # What is here now stays: the collector need not look at it again, nor run for each
            # hundred calls; nearly all that a call makes is freed by counting references.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            try:
                yield
            finally:
                pulse.cancel()
                await asyncio.gather(pulse, return_exceptions=True)

    return lifespan


def dispatch(runtime: Runtime) -> Next:
    """The end of every chain: the provider that the call was routed to."""
    providers = runtime.providers

    def call_provider(call: Call) -> Awaitable[Reply]:
        if call.target is None:
            raise GatewayError('no middleware routed the call; add [[middleware]] use = "alias"')
        return providers[call.target.provider](call)

    return call_provider


def _batches(view: GatewayView) -> "BatchApis | None":
    """The official batch APIs, where [batch] turns them on."""
    if view.runtime.config.batch.engine.reveal() == "off":
        return None
    try:
        from gateway.api.batches import make_batch_apis  # noqa: PLC0415  # takes a second, and an extra
    except ModuleNotFoundError as fault:
        message = f'needs the extra "batch" ({fault.name} is missing): interlingua[batch]'
        raise ConfigError([Fault(path="batch.engine", message=message)]) from None
    return make_batch_apis(view, dispatch(view.runtime))


def _routes(edge: Edge, dialects: Sequence[Dialect]) -> list[BaseRoute]:
    """Hot paths first, each with and without /v1."""
    routes: list[BaseRoute] = []
    for prefix in ("/v1", ""):
        routes += [Route(prefix + dialect.path, Endpoint(edge, dialect)) for dialect in dialects]
    for prefix in ("/v1", ""):
        streamed = Endpoint(edge, MESSAGES, always_stream=True)
        routes.append(Route(f"{prefix}/messages/stream", streamed))
    return routes


def _limits(config: Config) -> Limits:
    server = config.server
    return Limits(
        body=server.body_limit, body_idle=server.body_timeout, ping=server.ping or float("inf")
    )


class Cors(CORSMiddleware):
    """Starlette's, whose own answers have the headers of all others."""

    def preflight_response(self, request_headers: StarletteHeaders) -> Response:
        """Whether a page may make the request that it asks about."""
        response = super().preflight_response(request_headers)
        response.raw_headers += own_headers(request_id(request_headers.raw), Record(monotonic()))
        return response


def _cors(origins: list[str]) -> list[AsgiMiddleware]:
    if not origins:
        return []
    return [
        AsgiMiddleware(
            Cors,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            expose_headers=[name.strip() for name in EXPOSED.split(",")],
        )
    ]
