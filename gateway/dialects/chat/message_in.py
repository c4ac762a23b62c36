"""A whole Chat answer of an upstream (`ChatCompletion`): read as a stream of one chunk."""

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import Choice, Chunk
from gateway.dialects.chat.reader import ChatReader, has_only_content
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.usage import read_usage
from gateway.errors import BadAnswer
from gateway.neutral.events import Ending, Message, Text
from gateway.neutral.fold import build_message
from gateway.wire.raw_json import ABSENT, decode, present


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    body = body.strip()
    try:
        chunk = decode(body, Chunk)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise find_error(body) or BadAnswer(
            f"upstream sent an answer that cannot be read: {fault}"
        ) from None
    if (chunk.error is not ABSENT and present(chunk.error)) or not chunk.choices:
        raise find_error(body) or BadAnswer("upstream returned no choices")
    choice = chunk.choices[0]
    if len(chunk.choices) > 1:
        choice = next((one for one in chunk.choices if not one.index), choice)
        conversion.notes.note("choices", "only_the_first_told")
    return read_plain_text(chunk, choice, conversion) or read_choice(chunk, choice, conversion)


def read_choice(chunk: Chunk, choice: Choice, conversion: Conversion) -> Message:
    """The answer in one choice, by way of the stream's reader. Refused, BadAnswer."""
    if choice.message is not None:
        choice.delta = choice.message
    if choice.delta is not None:
        for at, fragment in enumerate(choice.delta.tool_calls or ()):
            fragment.index = at  # in a whole answer each is a call of its own
    reader = ChatReader(conversion)
    message = build_message([*reader.read_choice(chunk, choice), *reader.end_message()])
    assert message is not None  # end_message() ends or raises
    return message


def read_plain_text(chunk: Chunk, choice: Choice, conversion: Conversion) -> Message | None:
    """The usual answer, one text and nothing else, read at a fifth of the cost; None for others."""
    message = choice.message
    if (
        message is None
        or type(message.content) is not str
        or not message.content
        or choice.finish_reason != "stop"
        or choice.stop_reason is not None
        or choice.usage is not None
        or choice.error is not ABSENT
        or chunk.usage is None
        or not has_only_content(message)
        or conversion.local_stops
        or conversion.capability.think_tags
    ):
        return None
    ending = Ending(
        "end_turn",
        usage=read_usage(chunk.usage),
        service_tier=SERVICE_TIERS.get(chunk.service_tier or ""),
    )
    return Message(str(chunk.id or ""), chunk.model or "", [Text(message.content)], ending)
