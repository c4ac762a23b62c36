"""The tokens of an answer that was ended here, whose upstream had no time to tell its usage."""

from math import ceil

import msgspec

from gateway.counting.families import family
from gateway.counting.texts import by_script
from gateway.dialect import Crossing, Writer
from gateway.neutral.events import (
    ArgumentsDelta,
    Ended,
    Event,
    TextDelta,
    ThinkingDelta,
    ToolBegan,
    Usage,
)


class Measured:
    """A writer that reads along; where the ending tells no usage, it gets an estimate of both."""

    def __init__(self, writer: Writer, crossing: Crossing) -> None:
        self._writer = writer
        self._crossing = crossing
        self._said: list[str] = []

    def write(self, event: Event) -> bytes:
        """As the writer writes it."""
        if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
            self._said.append(event.text)
        elif isinstance(event, ToolBegan):
            self._said.append(event.name)
        elif isinstance(event, Ended) and event.ending.usage is None:
            ending = msgspec.structs.replace(event.ending, usage=self._estimate())
            event = Ended(ending)
        return self._writer.write(event)

    def _estimate(self) -> Usage:
        tokens = family(self._crossing.model).factor * by_script("".join(self._said))
        return Usage(self._crossing.input_estimate, ceil(tokens))


def measured(writer: Writer, crossing: Crossing) -> Writer:
    """The writer; where stop sequences are enforced here, one that can estimate the usage."""
    return Measured(writer, crossing) if crossing.local_stops else writer
