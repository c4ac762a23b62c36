"""A whole Gemini answer in neutral form: it is read as a stream of one event."""

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.gemini.errors import digest
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.wire import Answer
from gateway.errors import BadAnswer
from gateway.neutral.events import Message
from gateway.neutral.fold import fold
from gateway.wire.raw_json import decode


def read_message(body: bytes, crossing: Crossing) -> Message:
    """A whole answer; Refused where it tells of an error, BadAnswer where it is none."""
    if (error := digest(body).error) is not None:
        raise error
    reader = GeminiReader(crossing)
    try:
        answer = decode(body, Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an answer that cannot be read: {fault}") from None
    message = fold([*reader.take(answer), *reader.finish()])
    assert message is not None  # finish() ends or raises
    return message
