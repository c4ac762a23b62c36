"""`POST /v1/messages/count_tokens`: a call like any other, but for its end and its book-keeping."""

from starlette.routing import BaseRoute, Route

from gateway.asgi import Edge, Endpoint, Exchange
from gateway.call import Call
from gateway.client import Client
from gateway.counting.kind import COUNTING, taken
from gateway.dialect import Fields
from gateway.log import log_call


def count_routes(edge: Edge) -> list[BaseRoute]:
    """The path, with and without /v1."""
    endpoint = CountEndpoint(edge)
    return [Route(f"{prefix}/messages/count_tokens", endpoint) for prefix in ("/v1", "")]


class CountEndpoint(Endpoint):
    """The ASGI application of that path."""

    def __init__(self, edge: Edge) -> None:
        super().__init__(edge, COUNTING)

    def exchange(self, client: Client) -> Exchange:
        """A client's count, still to be made."""
        return _Count(self._edge, COUNTING, client)


class _Count(Exchange):
    """One count: logged, but in no total, for nothing was answered and nothing is paid."""

    def _checked(self, fields: Fields) -> Call:
        # A client may send the whole of the call it is about to make.
        return super()._checked(taken(fields))

    def book(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
