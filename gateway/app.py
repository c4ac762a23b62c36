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
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gateway.admin.explain import explain_operations
from gateway.admin.not_found import UnknownPathApp
from gateway.admin.operations import operator_operations
from gateway.api.batch import batch_operations
from gateway.api.cache import cache_operations
from gateway.api.count import count_operations
from gateway.api.gemini import MODEL_PATHS, gemini_operations
from gateway.api.responses import response_operations
from gateway.api.routes import make_routes
from gateway.assemble import Assembly, assemble
from gateway.call import Call, Record
from gateway.catalogue.lists import ModelLists
from gateway.config.load import Config, ConfigError, Fault, find_file, load_config
from gateway.counting.counter import make_counting_chain
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.edge.callers import Callers
from gateway.edge.exchange import Edge, Endpoint, Limits
from gateway.edge.headers import EXPOSED, own_headers, request_id
from gateway.edge.operation import EVENTS, JSON, Operation, versioned
from gateway.errors import GatewayError
from gateway.plugin import Next, Runtime
from gateway.reply import Reply
from gateway.view import GatewayView
from gateway.workers.peers import NO_PEERS, Peers
from gateway.workers.shared_signatures import share_signatures

if TYPE_CHECKING:
    from gateway.api.batches import BatchApis


_CALL_SUMMARIES = {
    CHAT.name: "A Chat Completions call, to any provider.",
    MESSAGES.name: "A Messages call, to any provider.",
    RESPONSES.name: "A Responses call, to any provider.",
    COMPLETIONS.name: "A legacy text completion, to any provider.",
    EMBEDDINGS.name: "Embeddings of texts, from a provider that has them.",
}


class Gateway(Starlette):
    """A Starlette application that looks up paths without parameters in a dict.

    Routing and Starlette's wrappers around `send` take a tenth of the time of a small call, and
    every event of a stream pays for the wrappers again. The endpoints render their own errors.
    """

    hot: dict[str, ASGIApp]
    named: ASGIApp | None = None
    """The endpoint of calls whose model is in the path."""

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The endpoints of model calls by path, for a server that can call them without ASGI."""
        return {path: app for path, app in self.hot.items() if isinstance(app, Endpoint)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the endpoint of a path without parameters directly; routes every other request."""
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
    """The application; its `state.edge` is the Edge. Raises ConfigError if parts do not fit.

    `made` is the assembly of the same configuration, if it was assembled before.
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
    view.operations = [
        *_call_operations(edge, dialects),
        *gemini_operations(edge),
        *operator_operations(view, lists),
        *count_operations(edge),
        *cache_operations(links, peers),
        *batch_operations(links, edge, peers),
        *explain_operations(runtime, edge, links, dialects),
        *response_operations(links, runtime),
        *(batches.operations if batches is not None else ()),
    ]
    routes = make_routes(view.operations, view.callers)
    app = Gateway(
        routes=routes,
        lifespan=_life(edge, parts),
        middleware=_cors(config.server.cors_origins),
    )
    app.hot = {}
    app.router.default = UnknownPathApp()
    app.router.redirect_slashes = False
    app.state.edge = edge
    if not config.server.cors_origins:
        app.hot = {route.path: route.app for route in routes if "{" not in route.path}
        app.named = next(each.app for each in view.operations if each.dialect is GEMINI)
    app.state.runtime = runtime
    app.state.operations = view.operations
    return app


def create() -> Gateway:
    """Return the application for any ASGI server: `uvicorn --factory gateway.app:create`.

    Configured by file and environment as `interlingua serve` is; the options for sockets, processes
    and request heads belong to the server then. Raises ConfigError with every fault.
    """
    return build(load_config(find_file(os.environ), os.environ))


class Living(Protocol):
    """A component that has to be started and stopped."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Entered before the first call, left after the last."""


def _life(edge: Edge, parts: Sequence[Living]) -> Lifespan[Starlette]:
    """The lifespan: starts every component and the periodic check of open calls."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.running())
            edge.loop = asyncio.get_running_loop()
            pulse = edge.loop.create_task(edge.pulse())
            # Freeze start-up objects out of garbage collection, and collect rarely: reference
            # counting frees nearly everything that a call allocates.
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
    """The last step of the chain: calls the provider that the call was routed to."""
    providers = runtime.providers

    def call_provider(call: Call) -> Awaitable[Reply]:
        if call.target is None:
            raise GatewayError('no middleware routed the call; add [[middleware]] use = "alias"')
        return providers[call.target.provider](call)

    return call_provider


def _batches(view: GatewayView) -> "BatchApis | None":
    """The official batch APIs, if [batch] enables them."""
    if view.runtime.config.batch.engine.reveal() == "off":
        return None
    try:
        from gateway.api.batches import make_batch_apis  # noqa: PLC0415  # takes a second, and an extra
    except ModuleNotFoundError as fault:
        message = f'needs the extra "batch" ({fault.name} is missing): interlingua[batch]'
        raise ConfigError([Fault(path="batch.engine", message=message)]) from None
    return make_batch_apis(view, dispatch(view.runtime))


def _call_operations(edge: Edge, dialects: Sequence[Dialect]) -> list[Operation]:
    """The endpoints that take model calls; the most used come first."""
    operations = [
        Operation(
            path=f"/v1{dialect.path}",
            routes=versioned(dialect.path),
            method="POST",
            app=Endpoint(edge, dialect),
            dialect=dialect,
            takes=JSON,
            gives=(JSON,) if dialect is EMBEDDINGS else (JSON, EVENTS),
            name=dialect.path.strip("/").replace("/", "_"),
            text=_CALL_SUMMARIES[dialect.name],
        )
        for dialect in dialects
    ]
    stream = Operation(
        path="/v1/messages/stream",
        routes=versioned("/messages/stream"),
        method="POST",
        app=Endpoint(edge, MESSAGES, always_stream=True),
        takes=JSON,
        gives=(JSON, EVENTS),
        name="messages_stream",
        text="A Messages call whose answer is always a stream.",
    )
    return [*operations, stream]


def _limits(config: Config) -> Limits:
    server = config.server
    return Limits(
        body=server.body_limit, body_idle=server.body_timeout, ping=server.ping or float("inf")
    )


class Cors(CORSMiddleware):
    """Starlette's, with the gateway's headers on the preflight response."""

    def preflight_response(self, request_headers: StarletteHeaders) -> Response:
        """The answer to a preflight request."""
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
