"""The endpoints of the synchronous batch: many Messages requests at once, and how far they are."""

from collections.abc import Sequence

import msgspec
from starlette.routing import BaseRoute, Route

from gateway.call import Caller, Headers
from gateway.dialects.batch import BATCH
from gateway.edge.callers import Callers
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.exchange import Edge, Endpoint
from gateway.edge.operation import ApiRequest, JsonEndpoint, json_reply
from gateway.errors import NotFound
from gateway.reply import Reply
from gateway.roles import BatchProgress, BatchRunner
from gateway.workers.peers import NO_PEERS, Peers

_EVENT_STREAM = "text/event-stream"
_PROGRESS_TOPIC = "batch progress"


class _SyncBatchEndpoint:
    """The endpoint that takes batches: as events where the client accepts them, else as JSON."""

    def __init__(self, edge: Edge) -> None:
        self._json_endpoint = Endpoint(edge, BATCH)
        self._stream_endpoint = Endpoint(edge, BATCH, always_stream=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = (
            self._stream_endpoint if accepts_events(scope["headers"]) else self._json_endpoint
        )
        await endpoint(scope, receive, send)


class _SyncBatchStatus:
    def __init__(self, link: BatchRunner, peers: Peers) -> None:
        self._link = link
        self._peers = peers
        peers.answer(_PROGRESS_TOPIC, self._answer_progress)

    async def get_status(self, ask: ApiRequest) -> Reply:
        """How far a batch of the caller's is."""
        batch_id = ask.path_params["batch_id"]
        progress = self._link.find_progress(ask.caller, batch_id)
        if progress is None:
            about = msgspec.msgpack.encode((ask.caller.name, batch_id[:100]))
            found = [each for each in await self._peers.ask(_PROGRESS_TOPIC, about) if each]
            progress = msgspec.msgpack.decode(found[0], type=BatchProgress) if found else None
        if progress is None:
            raise NotFound(f"There is no batch '{batch_id[:100]}'", param="batch_id")
        return json_reply(progress, headers=[(b"x-batch-id", progress.batch_id.encode())])

    async def _answer_progress(self, about: bytes) -> bytes:
        name, batch_id = msgspec.msgpack.decode(about, type=tuple[str, str])
        progress = self._link.find_progress(Caller(name), batch_id)
        return msgspec.msgpack.encode(progress) if progress is not None else b""


def accepts_events(headers: Headers) -> bool:
    """Whether a client names server-sent events among what it accepts; `*/*` does not."""
    accepted = b",".join(value for name, value in headers if name == b"accept").decode("latin-1")
    for given in accepted.lower().split(","):
        media, *parameters = (part.strip() for part in given.split(";"))
        if media == _EVENT_STREAM:
            return not any(_has_zero_weight(each) for each in parameters)
    return False


def _has_zero_weight(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and weight.strip(" 0.") == ""


def batch_routes(
    links: Sequence[object], edge: Edge, callers: Callers, peers: Peers = NO_PEERS
) -> list[BaseRoute]:
    """The endpoints, each with and without /v1; none where the chain has no link for batches."""
    link = next((link for link in links if isinstance(link, BatchRunner)), None)
    if link is None:
        return []
    link.connect(edge)
    batches, status = (
        _SyncBatchEndpoint(edge),
        JsonEndpoint(_SyncBatchStatus(link, peers).get_status, callers),
    )
    routes: list[BaseRoute] = []
    for prefix in ("/v1", ""):
        path = f"{prefix}/messages/batch"
        routes += [Route(path, batches), Route(f"{path}/{{batch_id}}/status", status)]
    return routes
