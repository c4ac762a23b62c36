"""The Gemini API's client endpoints: `POST .../models/{model}:generateContent` and its siblings.

The model and the verb stand in the path, the key may stand in the query. Both are taken out here:
inside the gateway such a call is one as any other.
"""

import re
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw
from starlette.routing import Route

from gateway.api.json_array import JsonArray, make_array_stream, set_json_content_type
from gateway.api.query_key import QueryKeyToHeader
from gateway.call import Call
from gateway.counting.dialects import GEMINI_COUNTING, unwrap_request
from gateway.dialect import Fields
from gateway.dialects.gemini import GEMINI
from gateway.edge.client import AsgiClient, Client, Receive, Scope, Send
from gateway.edge.exchange import Edge, Exchange
from gateway.errors import NotFound
from gateway.reply import Reply, Stream
from gateway.telemetry.log import log_call

MODEL_PATHS = ("/v1beta/models/", "/v1/models/")
"""How the paths of nearly all calls begin."""
GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
_VERBS = (GENERATE, STREAM, COUNT)
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_RESOURCE_NAME = re.compile(
    r"(?:/v1(?:beta1?)?)?/(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/(?P<publisher>[^/]+)"
    r"/models/(?P<published>.+)|(?P<rest>.*))",
    re.DOTALL,
)


def gemini_routes(edge: Edge) -> list[Route]:
    """The paths, in every version of the API."""
    calls = QueryKeyToHeader(GeminiEndpoint(edge))
    return [
        Route(f"{prefix}/{place}/{{name:path}}", calls, methods=["POST"])
        for prefix in ("/v1beta", "/v1beta1", "/v1", "")
        for place in ("models", "tunedModels", "publishers", "projects")
    ]


class GeminiAddress(msgspec.Struct, frozen=True):
    """What a path and a query ask for: a model, what to do with it, and the form of a stream."""

    model: str
    verb: str
    array: bool = False

    @classmethod
    def from_url(cls, path: str, query: bytes) -> "GeminiAddress":
        """What this address asks for; an unknown verb is found out later."""
        resource, _, verb = path.rpartition(":")
        sse = ("alt", "sse") in parse_qsl(query.decode("latin-1"))
        return cls(_parse_model(resource), verb, array=verb == STREAM and not sse)


def _parse_model(resource: str) -> str:
    """The model that a resource's name stands for, as a client of any other API would name it."""
    found = _RESOURCE_NAME.fullmatch(resource)
    assert found is not None  # the routes let no other path in
    if found["publisher"]:
        name = found["published"]
        return name if found["publisher"] == "google" else f"{found['publisher']}/{name}"
    return found["rest"].removeprefix("models/").removeprefix("models/")


def apply_address(fields: Fields, asked: GeminiAddress) -> Fields:
    """The body with what its address says, as every other API has it in the body. NotFound."""
    if asked.verb not in _VERBS:
        known = ", ".join(f":{verb}" for verb in _VERBS)
        raise NotFound(f'there is no ":{asked.verb[:50]}" here; known: {known}')
    fields["model"] = Raw(msgspec.json.encode(asked.model))
    fields["stream"] = _TRUE if asked.verb == STREAM else _FALSE
    return fields


class GeminiEndpoint:
    """The ASGI application of all these paths."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = GeminiAddress.from_url(scope["path"], scope.get("query_string", b""))
        kind = (
            _GeminiCountExchange
            if asked.verb == COUNT
            else _GeminiArrayExchange
            if asked.array
            else GeminiExchange
        )
        await kind(self._edge, asked, AsgiClient(scope, receive, send)).serve()


class GeminiExchange(Exchange):
    """One call, whole or as a stream of events."""

    def __init__(self, edge: Edge, asked: GeminiAddress, client: Client) -> None:
        super().__init__(edge, GEMINI, client)
        self._address = asked

    def _checked(self, fields: Fields) -> Call:
        return super()._checked(apply_address(fields, self._address))


class _GeminiArrayExchange(GeminiExchange):
    """One call whose stream is the elements of a JSON array, as it is without `alt=sse`."""

    def __init__(self, edge: Edge, asked: GeminiAddress, client: Client) -> None:
        super().__init__(edge, asked, client)
        self._array = JsonArray()
        self.dialect = self._array.dialect

    def _checked(self, fields: Fields) -> Call:
        call = super()._checked(fields)
        return call.in_dialect(GEMINI, call.fields)  # events, until they leave the gateway

    async def _respond_stream(self, reply: Reply, stream: Stream) -> None:
        stream = make_array_stream(stream, self._array)
        await super()._respond_stream(msgspec.structs.replace(reply, body=stream), stream)

    async def _start(self, status: int, head: bytes) -> None:
        await super()._start(status, set_json_content_type(head))


class _GeminiCountExchange(GeminiExchange):
    """One count: logged, but in no total, for nothing was answered and nothing is paid."""

    def __init__(self, edge: Edge, asked: GeminiAddress, client: Client) -> None:
        super().__init__(edge, asked, client)
        self.dialect = GEMINI_COUNTING

    def _checked(self, fields: Fields) -> Call:
        return super()._checked(unwrap_request(fields))

    def record_call(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
