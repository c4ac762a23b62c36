"""`POST /explain` before a client's path: what would become of a call, and nothing is sent.

`/explain/v1/messages` takes the body that `/v1/messages` takes, with the client's own headers, and
says for each target what its upstream would get. `/explain` alone takes `{"model": ...}` and says
where that leads. Of the chain only auth, alias, history and convert have a part in it: a cache must
not answer, a batch not fan out, and a link of somebody else's might ask somebody.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw
from starlette.routing import BaseRoute, Route

from gateway.api.gemini import GeminiAddress, GeminiExchange
from gateway.api.query_key import QueryKeyToHeader
from gateway.call import Call, Target
from gateway.capability.record import differing
from gateway.config.builtins import short_name
from gateway.dialect import Dialect, Fields
from gateway.dialects.messages import MESSAGES
from gateway.edge.client import AsgiClient, Client, Receive, Scope, Send
from gateway.edge.exchange import Edge, Endpoint, Exchange
from gateway.errors import GatewayError, InvalidRequest
from gateway.plugin import Middleware, Preview, Runtime, chain
from gateway.reply import Reply
from gateway.roles import resolve_model
from gateway.telemetry.log import log_call

_EXPLAIN_LINKS = frozenset({"auth", "alias", "history"})


def explain_routes(
    runtime: Runtime, edge: Edge, links: Sequence[Middleware], dialects: Sequence[Dialect]
) -> list[BaseRoute]:
    """`/explain`, and one path for each path that calls have."""
    explanation = _Explainer(runtime, links)
    aside = Edge(chain(explanation.before, explanation.explain_call), edge.limits)
    aside.open = edge.open  # what looks after calls in flight looks after these
    routes: list[BaseRoute] = [Route("/explain", _ExplainEndpoint(aside, MESSAGES, whole=False))]
    for prefix in ("/explain/v1", "/explain"):
        routes += [
            Route(prefix + dialect.path, _ExplainEndpoint(aside, dialect, whole=True))
            for dialect in dialects
        ]
    gemini = QueryKeyToHeader(_GeminiExplainEndpoint(aside))
    for prefix in ("/explain/v1beta", "/explain/v1", "/explain"):
        routes.append(Route(f"{prefix}/models/{{name:path}}", gemini, methods=["POST"]))
    return routes


class _ExplainEndpoint(Endpoint):
    """The ASGI application of one path; `whole` where it takes a call and not just a model."""

    def __init__(self, edge: Edge, dialect: Dialect, *, whole: bool) -> None:
        super().__init__(edge, dialect)
        self._takes_call = whole

    def exchange(self, client: Client) -> Exchange:
        """A client's question, still to be answered."""
        exchange = _ExplainExchange(self._edge, self._dialect, client)
        exchange.takes_call = self._takes_call
        return exchange


class _ExplainExchange(Exchange):
    """One explanation: logged, but in no total, for nothing was answered and nothing is paid."""

    takes_call = True

    def _checked(self, fields: Fields) -> Call:
        if self.takes_call:
            return super()._checked(fields)
        try:
            model = msgspec.json.decode(fields.get("model", Raw(b"0")), type=str)
        except msgspec.DecodeError:
            raise InvalidRequest("model: expected a text", param="model") from None
        only = {"model": Raw(msgspec.json.encode(model))}
        return Call(self.id, self.dialect, model, False, only, self.headers, self.record)

    def record_call(self) -> None:
        """Adds the ended explanation to the log."""
        log_call(self.id, "explain", self.record, self.status)


class _GeminiExplainEndpoint:
    """The ASGI application of the paths that name a model."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/explain")
        asked = GeminiAddress.from_url(path, scope.get("query_string", b""))
        await _GeminiExplainExchange(self._edge, asked, AsgiClient(scope, receive, send)).serve()


class _GeminiExplainExchange(GeminiExchange):
    """One explanation of a Gemini call, booked as the others are."""

    def record_call(self) -> None:
        """Adds the ended explanation to the log."""
        log_call(self.id, "explain", self.record, self.status)


class _CallCaptured(Exception):
    """A call that has come to its provider."""

    def __init__(self, call: Call) -> None:
        self.call = call


async def _capture_call(call: Call) -> Reply:
    raise _CallCaptured(call)


class _Explainer:
    """The end of the chain of explanations."""

    def __init__(self, runtime: Runtime, links: Sequence[Middleware]) -> None:
        self.before = [link for link in links if short_name(link) in _EXPLAIN_LINKS]
        self._runtime = runtime
        self._links = links
        self._convert = chain(
            [link for link in links if short_name(link) == "convert"], _capture_call
        )
        taken = {*map(id, self.before)}
        self._skipped_links = [
            short_name(link) or f"{type(link).__module__}:{type(link).__name__}"
            for link in links
            if id(link) not in taken and short_name(link) != "convert"
        ]

    async def explain_call(self, call: Call) -> Reply:
        """Every step, and every target in the order they would be tried."""
        if call.target is None:
            raise GatewayError('no middleware routed the call; add [[middleware]] use = "alias"')
        data: dict[str, Any] = {"object": "explanation", "model": call.model}
        data["dialect"] = call.dialect.name
        data["caller"] = call.caller.name
        found = resolve_model(self._links, call.model)
        data["steps"] = list(found.steps) if found is not None else []
        data["targets"] = [await self._explain_target(call, target) for target in call.targets]
        data["links_not_asked"] = self._skipped_links
        call.record.warnings = []
        return Reply(200, call.dialect, msgspec.json.encode(data))

    async def _explain_target(self, call: Call, target: Target) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "target": str(target),
            "provider": target.provider,
            "upstream_model": target.model,
            "speaks": [dialect.name for dialect in target.dialects],
            "capability": differing(target.capability),
        }
        own = {"timeout": target.timeout, "max_retries": target.retries}
        facts |= {name: value for name, value in own.items() if value is not None}
        if len(call.fields) > 1:  # more than a model
            facts["lane"] = "bytes" if target.takes(call.dialect) else "converted"
            facts |= await self._preview_request(call, target)
        return facts

    async def _preview_request(self, call: Call, target: Target) -> dict[str, Any]:
        """The call as it would leave, or the error that it would end in."""
        call.record.warnings = []
        try:
            sent = await self._capture_converted(call.routed(target))
            preview = self._runtime.providers[target.provider].preview(sent)
        except GatewayError as error:
            refusal = {"type": error.kind, "message": error.message, "status": error.status}
            return {"request": None, "warnings": [], "error": refusal}
        request = _describe_request(sent.dialect, preview) if preview is not None else None
        return {"request": request, "warnings": list(call.record.warnings)}

    async def _capture_converted(self, call: Call) -> Call:
        """The call as it comes to its provider."""
        try:
            await self._convert(call)
        except _CallCaptured as sent:
            return sent.call
        raise AssertionError("a call that nobody answers came back")


def _describe_request(dialect: Dialect, preview: Preview) -> dict[str, Any]:
    return {
        "dialect": dialect.name,
        "method": "POST",
        "url": preview.url,
        "headers": list(dict.fromkeys(preview.headers)),
        "key": preview.key,
        "body": Raw(preview.body),
    }
