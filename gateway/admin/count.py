"""`POST /v1/messages/count_tokens`: a call like any other, but for its end and its book-keeping."""

from starlette.routing import BaseRoute, Route

from gateway.asgi import Edge, Exchange, Receive, Scope, Send
from gateway.call import Call
from gateway.counting.kind import COUNTING, taken
from gateway.dialect import Fields
from gateway.log import log_call


def count_routes(edge: Edge) -> list[BaseRoute]:
    """The path, with and without /v1."""
    endpoint = CountEndpoint(edge)
    return [Route(f"{prefix}/messages/count_tokens", endpoint) for prefix in ("/v1", "")]


class CountEndpoint:
    """The ASGI application of that path."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Count(self._edge, COUNTING, scope, receive, send)
        self._edge.open.add(exchange)
        try:
            await exchange.serve()
        finally:
            self._edge.open.discard(exchange)
            exchange.finished = True
            exchange.book()


class _Count(Exchange):
    """One count: logged, but in no total, for nothing was answered and nothing is paid."""

    def _checked(self, fields: Fields) -> Call:
        # A client may send the whole of the call it is about to make.
        return super()._checked(taken(fields))

    def book(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
