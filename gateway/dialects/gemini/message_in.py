"""A whole Gemini answer in neutral form, read as a stream of one event."""

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.gemini.errors import summarize
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.wire import GenerateContentResponse
from gateway.errors import BadAnswer
from gateway.neutral.events import Message
from gateway.neutral.fold import build_message
from gateway.wire.raw_json import decode


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer; Refused if it holds an error, BadAnswer if it is no Gemini answer."""
    if (error := summarize(body).error) is not None:
        raise error
    reader = GeminiReader(conversion)
    try:
        answer = decode(body, GenerateContentResponse)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an answer that cannot be read: {fault}") from None
    message = build_message([*reader.read_answer(answer), *reader.finish()])
    assert message is not None  # finish() ends or raises
    return message
