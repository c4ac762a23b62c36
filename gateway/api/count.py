"""Counts of input tokens: calls like any other, but for their end and their book-keeping."""

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from gateway.call import Call
from gateway.counting.dialects import (
    MESSAGES_COUNTING,
    RESPONSES_COUNTING,
    keep_counted_members,
    strip_answer_members,
)
from gateway.dialect import Dialect, Fields
from gateway.edge.client import Client
from gateway.edge.exchange import Edge, Endpoint, Exchange
from gateway.telemetry.log import log_call

MemberFilter = Callable[[Fields], Fields]
"""The members of a request that count; a client may send the whole call it is about to make."""
_ENDPOINTS: tuple[tuple[Dialect, MemberFilter], ...] = (
    (MESSAGES_COUNTING, strip_answer_members),
    (RESPONSES_COUNTING, keep_counted_members),
)


def count_routes(edge: Edge) -> list[BaseRoute]:
    """The path of each dialect that counts, with and without /v1."""
    return [
        Route(prefix + dialect.path, CountEndpoint(edge, dialect, taking))
        for dialect, taking in _ENDPOINTS
        for prefix in ("/v1", "")
    ]


class CountEndpoint(Endpoint):
    """The ASGI application of one path."""

    def __init__(self, edge: Edge, dialect: Dialect, taking: MemberFilter) -> None:
        super().__init__(edge, dialect)
        self._filter_members = taking

    def exchange(self, client: Client) -> Exchange:
        """A client's count, still to be made."""
        made = _CountExchange(self._edge, self._dialect, client)
        made.filter_members = self._filter_members
        return made


class _CountExchange(Exchange):
    """One count: logged, but in no total, for nothing was answered and nothing is paid."""

    filter_members: MemberFilter

    def _checked(self, fields: Fields) -> Call:
        return super()._checked(self.filter_members(fields))

    def record_call(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
