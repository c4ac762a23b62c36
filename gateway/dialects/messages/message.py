"""Whole answers of the Messages API, both ways (`Message`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import (
    custom_tool_names,
    read_custom_input,
    write_arguments_object,
)
from gateway.dialects.messages import fast_shapes as typed, input_keys as keys, server_tools
from gateway.dialects.messages.answer import (
    ORIGIN,
    make_message_id,
    make_tool_use_id,
    read_citation,
    read_service_tier,
    read_stop,
    write_citation,
    write_redacted_data,
    write_service_tier,
    write_signature,
    write_stop,
)
from gateway.dialects.messages.errors import summarize
from gateway.dialects.messages.usage import read_usage, write_usage
from gateway.dialects.messages.wire import (
    AnswerMessage,
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


def read_message(body: bytes, conversion: Conversion) -> Message:
    """A whole answer; Refused where it tells of an error, BadAnswer where it is no message."""
    try:
        answer = _parse_answer(body)
        if answer.type != "message" or answer.error is not ABSENT:
            _raise_error(body)
        parts = [
            part for item in answer.content if (part := _read_part(item, conversion)) is not None
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        _raise_error(body)
        raise BadAnswer(f"upstream sent an answer that is no message: {fault}") from None
    return Message(answer.id, answer.model, parts, _read_ending(answer, parts, conversion))


def _parse_answer(body: bytes) -> AnswerMessage | typed.AnswerShape:
    try:
        return decode(body, typed.AnswerShape)
    except msgspec.ValidationError:
        return decode(body, AnswerMessage)


def _raise_error(body: bytes) -> None:
    """Refused or BadAnswer, where the body tells of an error."""
    if (error := summarize(body).error) is not None:
        raise error from None


def _read_ending(answer: AnswerMessage, parts: list[Part], conversion: Conversion) -> Ending:
    ending = read_stop(
        answer.stop_reason or "",
        answer.stop_sequence,
        answer.stop_details,
        called=bool([True for part in parts if isinstance(part, ToolCall)]),
        answered=conversion.answer_tool is not None,
    )
    ending.usage = read_usage(answer.usage)
    ending.service_tier = read_service_tier(
        answer.usage.service_tier if answer.usage is not None else None
    )
    return ending


_BLOCK_SHAPES: dict[str, type[TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedBlock,
    "tool_use": ToolUseBlock,
}


def _read_part(item: typed.AnswerBlockShape | Raw, conversion: Conversion) -> Part | None:
    if not isinstance(item, Raw):
        return _read_known_block(item, conversion)
    tag = decode(item, Kind).type
    shape = _BLOCK_SHAPES.get(tag)
    return (
        _read_known_block(decode(item, shape), conversion)
        if shape
        else _read_other_block(tag, item, conversion)
    )


def _read_known_block(
    block: TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock, conversion: Conversion
) -> Part | None:
    if isinstance(block, TextBlock):
        citations = [read_citation(citation) for citation in block.citations or ()]
        return Text(block.text, citations=citations) if block.text else None
    if isinstance(block, ThinkingBlock):
        return Thinking(block.thinking, block.signature or None, ORIGIN)
    if isinstance(block, RedactedBlock):
        return Redacted(block.data, ORIGIN)
    return _read_tool_call(block, conversion)


def _read_other_block(tag: str, raw: Raw, conversion: Conversion) -> Part:
    if server_tools.is_server_block(tag):
        return ServerTool(server_tools.render_server_block(tag, raw), tag, raw)
    conversion.notes.note(f"content.{tag}", "unknown_block")
    return Opaque(tag, raw, ORIGIN)


def _read_tool_call(block: ToolUseBlock, conversion: Conversion) -> Part:
    given = bytes(block.input).decode()
    if block.name == conversion.answer_tool:
        return Text(keys.restore_arguments(given, block.name, conversion))
    name = conversion.names.to_client(block.name)
    if name in custom_tool_names(conversion):
        return ToolCall(block.id, name, read_custom_input(given), custom=True)
    return ToolCall(block.id, name, keys.restore_arguments(given, name, conversion))


def write_message(message: Message, conversion: Conversion) -> bytes:
    """A whole answer for a Messages client."""
    ending = message.ending
    if ending.stop == "end_turn" and [1 for part in message.parts if isinstance(part, Refusal)]:
        ending = msgspec.structs.replace(ending, stop="refusal")
    content: list[Block] = []
    ids: set[str] = set()
    for index, part in enumerate(message.parts):
        block = _write_block(part, conversion)
        if block is None or (
            block["type"] == "tool_use" and _is_cut_call(block, ending, conversion)
        ):
            continue
        if block["type"] == "tool_use":
            given = block["id"] if block["id"] not in ids else ""
            block["id"] = make_tool_use_id(given, message.id, index)
            ids.add(block["id"])
        content.append(block)
    usage = write_usage(ending.usage or Usage())
    usage |= write_service_tier(ending.service_tier)
    body = {
        "id": make_message_id(message.id),
        "type": "message",
        "role": "assistant",
        "model": conversion.alias,
        "content": content,
        **write_stop(ending),
        "usage": usage,
    }
    return msgspec.json.encode(body)


def _is_cut_call(block: Block, ending: Ending, conversion: Conversion) -> bool:
    """Whether a call was cut in the middle of its input: an agent must not run it."""
    given = block["input"]
    if not isinstance(given, dict) or "_raw_arguments" not in given:
        return False
    if ending.stop == "max_tokens":
        conversion.notes.note("content.tool_use", "cut_call_left_out")
        return True
    conversion.notes.note("content.tool_use", "invalid_json_kept_as_text")
    return False


def _write_block(part: Part, conversion: Conversion) -> Block | None:
    match part:
        case Text():
            return _write_text(part, conversion)
        case Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Thinking():
            if not part.text and part.signature is None:
                return None
            own = write_signature(part.signature, part.origin, part.text, conversion)
            return {"type": "thinking", "thinking": part.text, "signature": own}
        case Redacted():
            return {
                "type": "redacted_thinking",
                "data": write_redacted_data(part.data, part.origin, conversion),
            }
        case ToolCall():
            given = (
                {"input": part.arguments} if part.custom else write_arguments_object(part.arguments)
            )
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": given}
        case _:
            conversion.notes.note(f"content.{type(part).__name__.lower()}", "unsupported_by_client")
            return None


def _write_text(part: Text, conversion: Conversion) -> Block | None:
    if not part.text:
        return None
    block: Block = {"type": "text", "text": part.text}
    if not part.citations:
        return block
    written = [write_citation(citation, conversion) for citation in part.citations]
    if citations := [citation for citation in written if citation is not None]:
        block["citations"] = citations
    return block
