"""Neutral events as the stream of a Gemini client."""

from gateway.dialect import Crossing
from gateway.events import Event

PING = b": ping\n\n"


class GeminiWriter:
    """Writes one stream for a Gemini client."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        raise NotImplementedError
