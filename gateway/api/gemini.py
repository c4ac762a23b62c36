"""The Gemini API's client endpoints: `POST .../models/{model}:generateContent` and its siblings.

The model and the verb are in the path, the key may be in the query. They move to the body and to a
header here, so that the rest of the gateway sees an ordinary call.
"""

import re
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from gateway.api.json_array import JsonArray, make_array_stream, set_json_content_type
from gateway.api.query_key import QueryKeyToHeader
from gateway.call import Call
from gateway.counting.dialects import GEMINI_COUNTING, unwrap_request
from gateway.dialect import Fields
from gateway.dialects.gemini import GEMINI
from gateway.edge.client import AsgiClient, Client, Receive, Scope, Send
from gateway.edge.exchange import Edge, Exchange
from gateway.edge.operation import EVENTS, JSON, Operation
from gateway.errors import NotFound
from gateway.reply import Reply, Stream
from gateway.telemetry.log import log_call

MODEL_PATHS = ("/v1beta/models/", "/v1/models/")
"""The prefixes of the paths of nearly all calls."""
GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
_VERBS = (GENERATE, STREAM, COUNT)
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_RESOURCE_NAME = re.compile(
    r"(?:/v1(?:beta1?)?)?/(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/(?P<publisher>[^/]+)"
    r"/models/(?P<published>.+)|(?P<rest>.*))",
    re.DOTALL,
)


def gemini_operations(edge: Edge) -> list[Operation]:
    """The operations of a model: one ASGI application, below every prefix that Google's API has."""
    app = QueryKeyToHeader(GeminiEndpoint(edge))
    routes = tuple(
        f"{prefix}/{collection}/{{name:path}}"
        for prefix in ("/v1beta", "/v1beta1", "/v1", "")
        for collection in ("models", "tunedModels", "publishers", "projects")
    )
    return [
        Operation(
            path=f"/v1beta/models/{{model}}:{verb}",
            routes=routes,
            method="POST",
            app=app,
            dialect=GEMINI,
            takes=JSON,
            gives=gives,
            text=text,
        )
        for verb, text, gives in (
            (GENERATE, "A Gemini call, to any provider.", (JSON,)),
            (STREAM, "A Gemini call whose answer is a stream.", (EVENTS, JSON)),
            (COUNT, "Counts the input tokens of a Gemini call without making it.", (JSON,)),
        )
    ]


class GeminiAddress(msgspec.Struct, frozen=True):
    """The model, the verb and the form of a stream, read from a URL."""

    model: str
    verb: str
    array: bool = False

    @classmethod
    def from_url(cls, path: str, query: bytes) -> "GeminiAddress":
        """Parses a URL; an unknown verb is refused later."""
        resource, _, verb = path.rpartition(":")
        sse = ("alt", "sse") in parse_qsl(query.decode("latin-1"))
        return cls(_parse_model(resource), verb, array=verb == STREAM and not sse)


def _parse_model(resource: str) -> str:
    """The model in a resource name, as a client of any other API would name it."""
    found = _RESOURCE_NAME.fullmatch(resource)
    assert found is not None  # the routes let no other path in
    if found["publisher"]:
        name = found["published"]
        return name if found["publisher"] == "google" else f"{found['publisher']}/{name}"
    return found["rest"].removeprefix("models/").removeprefix("models/")


def apply_address(fields: Fields, asked: GeminiAddress) -> Fields:
    """Adds `model` and `stream` to the body, as other APIs have them. Raises NotFound."""
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
    """One call whose stream is a JSON array, the form without `alt=sse`."""

    def __init__(self, edge: Edge, asked: GeminiAddress, client: Client) -> None:
        super().__init__(edge, asked, client)
        self._array = JsonArray()
        self.dialect = self._array.dialect

    def _checked(self, fields: Fields) -> Call:
        call = super()._checked(fields)
        return call.in_dialect(
            GEMINI, call.fields
        )  # events inside the gateway, an array to the client

    async def _respond_stream(self, reply: Reply, stream: Stream) -> None:
        stream = make_array_stream(stream, self._array)
        await super()._respond_stream(msgspec.structs.replace(reply, body=stream), stream)

    async def _start(self, status: int, head: bytes) -> None:
        await super()._start(status, set_json_content_type(head))


class _GeminiCountExchange(GeminiExchange):
    """One count: it is logged but not counted as a call, since no model was called."""

    def __init__(self, edge: Edge, asked: GeminiAddress, client: Client) -> None:
        super().__init__(edge, asked, client)
        self.dialect = GEMINI_COUNTING

    def _checked(self, fields: Fields) -> Call:
        return super()._checked(unwrap_request(fields))

    def record_call(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
