"""A whole answer for a Responses client (`Response`): what the last event of its stream holds."""

from gateway.dialect import Conversion
from gateway.dialects.responses.event_frames import ResponseOnly
from gateway.dialects.responses.writer import ResponsesWriter
from gateway.neutral.events import Message
from gateway.neutral.fold import message_events


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`Response` with its items in the order in which the model made them."""
    writer = ResponsesWriter(conversion, ResponseOnly())
    return b"".join([writer.write(event) for event in message_events(message)])
