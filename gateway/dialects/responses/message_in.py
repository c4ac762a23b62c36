"""A whole answer of a Responses upstream (`Response`): read as a stream that is its last event."""

from gateway.dialect import Conversion
from gateway.dialects.responses.answer_wire import ResponseObject, decode_as
from gateway.dialects.responses.digest import summarize
from gateway.dialects.responses.reader import ResponsesReader
from gateway.neutral.events import Message
from gateway.neutral.fold import build_message


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    if (error := summarize(body).error) is not None:
        raise error
    answer = decode_as(body.strip(), ResponseObject)
    message = build_message(ResponsesReader(conversion).read_response(answer))
    assert message is not None  # read_response() ends or raises
    return message
