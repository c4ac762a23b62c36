"""What a call needs whose client and upstream speak the same dialect: one row for each dialect."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.call import Call, Target
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT, same_dialect as chat
from gateway.dialects.common.strip_sealed import strip_sealed_reasoning
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.gemini import GEMINI, same_dialect as gemini
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES, same_dialect as responses
from gateway.lanes.relay import Relay
from gateway.neutral.seal import Seal


def _serves_none(_: Target) -> bool:
    return False


def _serves_completions(target: Target) -> bool:
    return target.capability.completions and CHAT in target.dialects


def _serves_embeddings(target: Target) -> bool:
    return target.capability.embeddings and CHAT in target.dialects


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SameDialect:
    """How requests and streams of one dialect pass to an upstream that speaks it too."""

    adapt_request: Callable[[Call, Capability, Seal], Call] = strip_sealed_reasoning
    """The call as its upstream accepts it; the call itself if nothing has to change."""
    make_relay: Callable[[Dialect, Call], Relay] = Relay.of
    """The relay of one stream's bytes to the client of the call."""
    also_served_by: Callable[[Target], bool] = _serves_none
    """Whether a target that speaks another dialect has this dialect's endpoint too."""


PLAIN = SameDialect()
"""For a dialect that has no row, as one that a plugin brings."""

SAME_DIALECT: dict[str, SameDialect] = {
    CHAT.name: SameDialect(adapt_request=chat.adapt_request, make_relay=chat.make_relay),
    MESSAGES.name: PLAIN,
    RESPONSES.name: SameDialect(
        adapt_request=responses.adapt_request, make_relay=responses.ResponsesRelay.of
    ),
    GEMINI.name: SameDialect(adapt_request=gemini.adapt_request, make_relay=gemini.GeminiRelay.of),
    COMPLETIONS.name: SameDialect(also_served_by=_serves_completions),
    EMBEDDINGS.name: SameDialect(also_served_by=_serves_embeddings),
}
"""The rows, by the name of the dialect."""


def takes_unconverted(target: Target, dialect: Dialect) -> bool:
    """Whether a call in the dialect goes to the target without conversion."""
    row = SAME_DIALECT.get(dialect.name, PLAIN)
    return dialect in target.dialects or row.also_served_by(target)
