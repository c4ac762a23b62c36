"""The tokens of an answer that was ended here, whose upstream had no time to tell its usage."""

from math import ceil

import msgspec

from gateway.counting.families import family
from gateway.counting.texts import by_script
from gateway.dialect import Conversion, Writer
from gateway.neutral.events import (
    ArgumentsDelta,
    Event,
    MessageEnd,
    TextDelta,
    ThinkingDelta,
    ToolStart,
    Usage,
)


class Measured:
    """A writer that reads along; where the ending tells no usage, it gets an estimate of both."""

    def __init__(self, writer: Writer, conversion: Conversion) -> None:
        self._writer = writer
        self._conversion = conversion
        self._said: list[str] = []

    def write(self, event: Event) -> bytes:
        """As the writer writes it."""
        if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
            self._said.append(event.text)
        elif isinstance(event, ToolStart):
            self._said.append(event.name)
        elif isinstance(event, MessageEnd) and event.ending.usage is None:
            ending = msgspec.structs.replace(event.ending, usage=self._estimate())
            event = MessageEnd(ending)
        return self._writer.write(event)

    def _estimate(self) -> Usage:
        tokens = family(self._conversion.model).factor * by_script("".join(self._said))
        return Usage(self._conversion.input_estimate, ceil(tokens))


def measured(writer: Writer, conversion: Conversion) -> Writer:
    """The writer; where stop sequences are enforced here, one that can estimate the usage."""
    return Measured(writer, conversion) if conversion.local_stops else writer
