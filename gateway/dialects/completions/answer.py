"""A whole text completion, read and written (`Completion`)."""

import secrets
import time

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import FINISH_REASON_OF_STOP, AnswerOutcome, read_stop
from gateway.dialects.chat.answer_out import write_usage_or_estimate
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer
from gateway.neutral.events import Ending, Message, Part, Refusal, Text
from gateway.wire.raw_json import ABSENT, decode, present


class Choice(Struct):
    """`CompletionChoice`; in a stream every one of its members may be missing."""

    text: str | None = None
    index: int | None = None
    finish_reason: str | None = None


class Completion(Struct):
    """`Completion`, whole or one chunk of a stream."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: UsageCounts | None = None
    error: Raw = ABSENT


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    found = parse_completion(body)
    if not found.choices:
        raise BadAnswer("upstream returned no choices")
    choice = next((each for each in found.choices if not each.index), found.choices[0])
    if len(found.choices) > 1:
        conversion.notes.note("choices", "only_the_first_told")
    parts: list[Part] = [Text(choice.text)] if choice.text else []
    ending = read_ending(choice.finish_reason, found.usage, conversion)
    return Message(found.id or "", found.model or "", parts, ending)


def parse_completion(body: bytes) -> Completion:
    """What the bytes hold. Refused for an error, BadAnswer for what cannot be read."""
    try:
        found = decode(body, Completion)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise find_error(body) or BadAnswer(f"upstream sent what cannot be read: {fault}") from None
    if present(found.error) or found.choices is None:
        error = find_error(body)  # of whatever shape
        if error is not None:
            raise error
    return found


def read_ending(finish: str | None, counts: UsageCounts | None, conversion: Conversion) -> Ending:
    """The neutral ending."""
    usage = read_usage(counts) if counts is not None else None
    return Ending(read_stop(finish, AnswerOutcome(), conversion.notes), usage=usage)


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`Completion` for the client."""
    text = _join_texts(message.parts, conversion)
    choice = {
        "text": text, "index": 0, "logprobs": None, "finish_reason": write_stop(message.ending),
    }  # fmt: skip
    usage = write_usage_or_estimate(message.ending.usage, len(text), conversion)
    answer = write_completion_head(message.id, message.model, conversion) | {
        "choices": [choice],
        "usage": usage,
    }
    return msgspec.json.encode(answer)


def write_completion_head(id: str, model: str, conversion: Conversion) -> dict[str, object]:
    """The members that every chunk has as well."""
    if not id.startswith("cmpl-"):
        _, _, rest = id.partition("_") if id.startswith(("msg_", "resp_")) else ("", "", id)
        id = f"cmpl-{rest.removeprefix('chatcmpl-') or secrets.token_hex(12)}"
    return {
        "id": id, "object": "text_completion", "created": int(time.time()),
        "model": conversion.alias or model,
    }  # fmt: skip


def write_stop(ending: Ending) -> str:
    """`finish_reason`: there are no calls in this dialect."""
    finish = FINISH_REASON_OF_STOP[ending.stop]
    return "stop" if finish == "tool_calls" else finish


def _join_texts(parts: list[Part], conversion: Conversion) -> str:
    """The text of all parts; those that something stood between do not run into one another."""
    texts: list[str] = []
    apart = False
    for part in parts:
        if not isinstance(part, Text | Refusal):
            conversion.notes.note(type(part).__name__.lower(), "no_place_in_a_completion")
            apart = True
        elif part.text:
            texts += ["\n\n"] if apart and texts else []
            texts.append(part.text)
            apart = False
    return "".join(texts)
