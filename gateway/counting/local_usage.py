"""The tokens of an answer that was ended here, whose upstream had no time to tell its usage."""

from math import ceil

import msgspec

from gateway.counting.families import get_family
from gateway.counting.texts import count_by_script
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


class LocalUsageWriter:
    """A writer that reads along; where the ending tells no usage, it gets an estimate of both."""

    def __init__(self, writer: Writer, conversion: Conversion) -> None:
        self._writer = writer
        self._conversion = conversion
        self._texts: list[str] = []

    def write(self, event: Event) -> bytes:
        """As the writer writes it."""
        if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
            self._texts.append(event.text)
        elif isinstance(event, ToolStart):
            self._texts.append(event.name)
        elif isinstance(event, MessageEnd) and event.ending.usage is None:
            ending = msgspec.structs.replace(event.ending, usage=self._estimate_usage())
            event = MessageEnd(ending)
        return self._writer.write(event)

    def _estimate_usage(self) -> Usage:
        tokens = get_family(self._conversion.model).factor * count_by_script("".join(self._texts))
        return Usage(self._conversion.input_estimate, ceil(tokens))


def add_local_usage(writer: Writer, conversion: Conversion) -> Writer:
    """The writer; where stop sequences are enforced here, one that can estimate the usage."""
    return LocalUsageWriter(writer, conversion) if conversion.local_stops else writer
