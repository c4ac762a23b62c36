"""Counts of input tokens: handled as calls, but logged without being counted in the totals."""

from collections.abc import Callable

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
from gateway.edge.operation import JSON, Operation, versioned
from gateway.telemetry.log import log_call

MemberFilter = Callable[[Fields], Fields]
"""Keeps the members that matter for a count; clients may send the whole request of a call."""


def count_operations(edge: Edge) -> list[Operation]:
    """The counting endpoints of Messages and Responses; Gemini's is with its other endpoints."""
    return [
        Operation(
            path=f"/v1{MESSAGES_COUNTING.path}",
            routes=versioned(MESSAGES_COUNTING.path),
            method="POST",
            app=CountEndpoint(edge, MESSAGES_COUNTING, strip_answer_members),
            takes=JSON,
            name="count_tokens",
            text="Counts the input tokens of a Messages call without making it.",
        ),
        Operation(
            path=f"/v1{RESPONSES_COUNTING.path}",
            routes=versioned(RESPONSES_COUNTING.path),
            method="POST",
            app=CountEndpoint(edge, RESPONSES_COUNTING, keep_counted_members),
            dialect=RESPONSES_COUNTING,
            takes=JSON,
            text="Counts the input tokens of a Responses call without making it.",
        ),
    ]


class CountEndpoint(Endpoint):
    """The ASGI application of one path."""

    def __init__(self, edge: Edge, dialect: Dialect, taking: MemberFilter) -> None:
        super().__init__(edge, dialect)
        self._filter_members = taking

    def exchange(self, client: Client) -> Exchange:
        """The exchange for one count, not yet served."""
        made = _CountExchange(self._edge, self._dialect, client)
        made.filter_members = self._filter_members
        return made


class _CountExchange(Exchange):
    """One count: it is logged but not counted as a call, since no model was called."""

    filter_members: MemberFilter

    def _checked(self, fields: Fields) -> Call:
        return super()._checked(self.filter_members(fields))

    def record_call(self) -> None:
        """Adds the ended count to the log."""
        log_call(self.id, self.dialect.name, self.record, self.status)
