"""A whole answer for a Responses client (`Response`): what the last event of its stream holds."""

from typing import Any

from gateway.dialect import Conversion
from gateway.dialects.responses.writer import ResponsesWriter
from gateway.neutral.events import Message
from gateway.neutral.fold import message_events


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`Response` with its items in the order in which the model made them."""
    writer = _WholeWriter(conversion)
    return b"".join([writer.write(event) for event in message_events(message)])


class _WholeWriter(ResponsesWriter):
    """Makes the items of a stream without its events; the last event is the response alone."""

    def _render_event(self, name: str, members: dict[str, object]) -> bytes:
        return b""

    def _render_delta(self, text: str) -> bytes:
        self._pieces.append(text)
        self._written_chars += len(text)
        return b""

    def _render_start(self) -> bytes:
        return b""

    def _render_response_event(self, name: str, **members: Any) -> bytes:
        return self._render_response(name, **members)
