"""Whole answers of the Messages API, both ways (`Message`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Block, Crossing
from gateway.dialects.common.arguments import arguments, custom_names, unwrapped
from gateway.dialects.messages import keys, server_tools, typed
from gateway.dialects.messages.answer import (
    ORIGIN,
    message_id,
    read_citation,
    read_ending,
    redacted,
    signature,
    stop_members,
    tier_in,
    tier_out,
    tool_use_id,
    write_citation,
)
from gateway.dialects.messages.errors import digest
from gateway.dialects.messages.usage import read_usage, write_usage
from gateway.dialects.messages.wire import (
    Answer,
    Kind,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    Ending,
    Message,
    Opaque,
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from gateway.wire.raw_json import ABSENT, decode


def read_message(body: bytes, crossing: Crossing) -> Message:
    """A whole answer; Refused where it tells of an error, BadAnswer where it is no message."""
    try:
        answer = _answer(body)
        if answer.type != "message" or answer.error is not ABSENT:
            _raise_error(body)
        parts = [part for item in answer.content if (part := _part(item, crossing)) is not None]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        _raise_error(body)
        raise BadAnswer(f"upstream sent an answer that is no message: {fault}") from None
    return Message(answer.id, answer.model, parts, _ending(answer, parts, crossing))


def _answer(body: bytes) -> Answer | typed.Answer:
    try:
        return decode(body, typed.Answer)
    except msgspec.ValidationError:
        return decode(body, Answer)


def _raise_error(body: bytes) -> None:
    """Refused or BadAnswer, where the body tells of an error."""
    if (error := digest(body).error) is not None:
        raise error from None


def _ending(answer: Answer, parts: list[Part], crossing: Crossing) -> Ending:
    ending = read_ending(
        answer.stop_reason or "",
        answer.stop_sequence,
        answer.stop_details,
        called=bool([True for part in parts if isinstance(part, ToolCall)]),
        answered=crossing.answer_tool is not None,
    )
    ending.usage = read_usage(answer.usage)
    ending.service_tier = tier_in(answer.usage.service_tier if answer.usage is not None else None)
    return ending


_BLOCKS: dict[str, type[TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedBlock,
    "tool_use": ToolUseBlock,
}


def _part(item: typed.AnswerBlock | Raw, crossing: Crossing) -> Part | None:
    if not isinstance(item, Raw):
        return _known(item, crossing)
    tag = decode(item, Kind).type
    shape = _BLOCKS.get(tag)
    return _known(decode(item, shape), crossing) if shape else _other(tag, item, crossing)


def _known(
    block: TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock, crossing: Crossing
) -> Part | None:
    if isinstance(block, TextBlock):
        citations = [read_citation(citation) for citation in block.citations or ()]
        return Text(block.text, citations=citations) if block.text else None
    if isinstance(block, ThinkingBlock):
        return Thinking(block.thinking, block.signature or None, ORIGIN)
    if isinstance(block, RedactedBlock):
        return Redacted(block.data, ORIGIN)
    return _tool_call(block, crossing)


def _other(tag: str, raw: Raw, crossing: Crossing) -> Part:
    if server_tools.is_server_block(tag):
        return ServerTool(server_tools.readable(tag, raw), tag, raw)
    crossing.notes.note(f"content.{tag}", "unknown_block")
    return Opaque(tag, raw, ORIGIN)


def _tool_call(block: ToolUseBlock, crossing: Crossing) -> Part:
    given = bytes(block.input).decode()
    if block.name == crossing.answer_tool:
        return Text(keys.known(given, block.name, crossing))
    name = crossing.names.known(block.name)
    if name in custom_names(crossing):
        return ToolCall(block.id, name, unwrapped(given), custom=True)
    return ToolCall(block.id, name, keys.known(given, name, crossing))


def write_message(message: Message, crossing: Crossing) -> bytes:
    """A whole answer for a Messages client."""
    ending = message.ending
    if ending.stop == "end_turn" and [1 for part in message.parts if isinstance(part, Refusal)]:
        ending = msgspec.structs.replace(ending, stop="refusal")
    content: list[Block] = []
    ids: set[str] = set()
    for index, part in enumerate(message.parts):
        block = _block(part, crossing)
        if block is None or (block["type"] == "tool_use" and _is_half(block, ending, crossing)):
            continue
        if block["type"] == "tool_use":
            given = block["id"] if block["id"] not in ids else ""
            block["id"] = tool_use_id(given, message.id, index)
            ids.add(block["id"])
        content.append(block)
    usage = write_usage(ending.usage or Usage())
    usage |= tier_out(ending.service_tier)
    body = {
        "id": message_id(message.id),
        "type": "message",
        "role": "assistant",
        "model": crossing.alias,
        "content": content,
        **stop_members(ending),
        "usage": usage,
    }
    return msgspec.json.encode(body)


def _is_half(block: Block, ending: Ending, crossing: Crossing) -> bool:
    """Whether a call was cut in the middle of its input: an agent must not run it."""
    given = block["input"]
    if not isinstance(given, dict) or "_raw_arguments" not in given:
        return False
    if ending.stop == "max_tokens":
        crossing.notes.note("content.tool_use", "cut_call_left_out")
        return True
    crossing.notes.note("content.tool_use", "invalid_json_kept_as_text")
    return False


def _block(part: Part, crossing: Crossing) -> Block | None:
    match part:
        case Text():
            return _text(part, crossing)
        case Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Thinking():
            if not part.text and part.signature is None:
                return None
            own = signature(part.signature, part.origin, part.text, crossing)
            return {"type": "thinking", "thinking": part.text, "signature": own}
        case Redacted():
            return {
                "type": "redacted_thinking",
                "data": redacted(part.data, part.origin, crossing),
            }
        case ToolCall():
            given = {"input": part.arguments} if part.custom else arguments(part.arguments)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": given}
        case _:
            crossing.notes.note(f"content.{type(part).__name__.lower()}", "unsupported_by_client")
            return None


def _text(part: Text, crossing: Crossing) -> Block | None:
    if not part.text:
        return None
    block: Block = {"type": "text", "text": part.text}
    if not part.citations:
        return block
    written = [write_citation(citation, crossing) for citation in part.citations]
    if citations := [citation for citation in written if citation is not None]:
        block["citations"] = citations
    return block
