"""A Gemini upstream's stream as neutral events."""

from gateway.dialect import Crossing
from gateway.events import Event
from gateway.sse import Frame


class GeminiReader:
    """Reads one stream of a Gemini upstream."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame."""
        raise NotImplementedError

    def finish(self) -> list[Event]:
        """The events still due."""
        raise NotImplementedError
