"""A whole text completion, read and written (`Completion`)."""

import secrets
import time

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import FINISH, Outcome, stop_of
from gateway.dialects.chat.message_out import written_usage
from gateway.dialects.common.faults import error_in
from gateway.dialects.common.usage import UsageCounts, exclusive
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


def read_message(body: bytes, crossing: Crossing) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    found = completion(body)
    if not found.choices:
        raise BadAnswer("upstream returned no choices")
    choice = next((each for each in found.choices if not each.index), found.choices[0])
    if len(found.choices) > 1:
        crossing.notes.note("choices", "only_the_first_told")
    parts: list[Part] = [Text(choice.text)] if choice.text else []
    ending = ending_of(choice.finish_reason, found.usage, crossing)
    return Message(found.id or "", found.model or "", parts, ending)


def completion(body: bytes) -> Completion:
    """What the bytes hold. Refused for an error, BadAnswer for what cannot be read."""
    try:
        found = decode(body, Completion)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise error_in(body) or BadAnswer(f"upstream sent what cannot be read: {fault}") from None
    if present(found.error) or found.choices is None:
        error = error_in(body)  # of whatever shape
        if error is not None:
            raise error
    return found


def ending_of(finish: str | None, counts: UsageCounts | None, crossing: Crossing) -> Ending:
    """The neutral ending."""
    usage = exclusive(counts) if counts is not None else None
    return Ending(stop_of(finish, Outcome(), crossing.notes), usage=usage)


def write_message(message: Message, crossing: Crossing) -> bytes:
    """`Completion` for the client."""
    text = _text(message.parts, crossing)
    choice = {
        "text": text, "index": 0, "logprobs": None, "finish_reason": finish_of(message.ending),
    }  # fmt: skip
    usage = written_usage(message.ending.usage, len(text), crossing)
    answer = identity(message.id, message.model, crossing) | {"choices": [choice], "usage": usage}
    return msgspec.json.encode(answer)


def identity(id: str, model: str, crossing: Crossing) -> dict[str, object]:
    """The members that every chunk has as well."""
    if not id.startswith("cmpl-"):
        _, _, rest = id.partition("_") if id.startswith(("msg_", "resp_")) else ("", "", id)
        id = f"cmpl-{rest.removeprefix('chatcmpl-') or secrets.token_hex(12)}"
    return {
        "id": id, "object": "text_completion", "created": int(time.time()),
        "model": crossing.alias or model,
    }  # fmt: skip


def finish_of(ending: Ending) -> str:
    """`finish_reason`: there are no calls in this dialect."""
    finish = FINISH[ending.stop]
    return "stop" if finish == "tool_calls" else finish


def _text(parts: list[Part], crossing: Crossing) -> str:
    """The text of all parts; those that something stood between do not run into one another."""
    texts: list[str] = []
    apart = False
    for part in parts:
        if not isinstance(part, Text | Refusal):
            crossing.notes.note(type(part).__name__.lower(), "no_place_in_a_completion")
            apart = True
        elif part.text:
            texts += ["\n\n"] if apart and texts else []
            texts.append(part.text)
            apart = False
    return "".join(texts)
