"""A whole text completion (`Completion`), read and written as a stream of one chunk."""

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.chat.answer_out import write_usage_or_estimate
from gateway.dialects.completions.stream import (
    CompletionsReader,
    TextWriter,
    parse_completion,
    write_completion_head,
    write_stop,
)
from gateway.errors import BadAnswer
from gateway.neutral.events import Message
from gateway.neutral.fold import build_message, message_events


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    found = parse_completion(body)
    if not found.choices:
        raise BadAnswer("upstream returned no choices")
    if len(found.choices) > 1:
        conversion.notes.note("choices", "only_the_first_told")
    reader = CompletionsReader(conversion)
    message = build_message([*reader.read_chunk(found), *reader.end_message()])
    assert message is not None  # end_message() ends or raises
    return message


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`Completion` for the client."""
    writer, ending = TextWriter(conversion), message.ending
    text = "".join([writer.write(event) for event in message_events(message)])
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": write_stop(ending)}
    answer = write_completion_head(message.id, message.model, conversion) | {
        "choices": [choice],
        "usage": write_usage_or_estimate(ending.usage, writer.length, conversion),
    }
    return msgspec.json.encode(answer)
