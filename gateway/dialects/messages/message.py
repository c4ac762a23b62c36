"""Whole answers of the Messages API, both ways (`Message`).

A whole answer is read as a stream that brings every block at once, and written as the sum of the
events that its stream would have, so that both forms say the same.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import write_arguments_object
from gateway.dialects.messages.answer import (
    ORIGIN,
    read_service_tier,
    read_stop,
    write_empty_message,
    write_service_tier,
    write_stop,
)
from gateway.dialects.messages.errors import summarize
from gateway.dialects.messages.fast_shapes import TextAnswerShape
from gateway.dialects.messages.reader import STREAMED_BLOCKS, MessagesReader, read_type
from gateway.dialects.messages.server_tools import is_server_block, render_server_block
from gateway.dialects.messages.usage import read_usage
from gateway.dialects.messages.wire import AnswerMessage, Delta, StartedMessage, StreamEvent
from gateway.dialects.messages.writer import EVENT_WRITERS, MessagesWriter
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    Event,
    Message,
    Opaque,
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
)
from gateway.neutral.fold import MessageBuilder, message_events
from gateway.wire.raw_json import ABSENT, decode

_STREAMED_PARTS = (Text, Refusal, Thinking, Redacted, ToolCall)
"""Parts that have events."""
_encode = msgspec.json.Encoder().encode


def read_message(body: bytes, conversion: Conversion) -> Message:
    """A whole answer. Raises Refused where it is an error, BadAnswer where it is no message."""
    try:
        answer = _parse_answer(body)
        if answer.type != "message" or answer.error is not ABSENT:
            _raise_error(body)
        if isinstance(answer, TextAnswerShape):
            return _read_text_answer(answer, conversion)
        return _build_message(answer, conversion)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        _raise_error(body)
        raise BadAnswer(f"upstream sent an answer that is no message: {fault}") from None


def _parse_answer(body: bytes) -> AnswerMessage | TextAnswerShape:
    """The answer, its block decoded where it has one block and that is text without citations."""
    try:
        answer = decode(body, TextAnswerShape)
    except msgspec.ValidationError:
        return decode(body, AnswerMessage)
    bare = len(answer.content) == 1 and answer.content[0].text and not answer.content[0].citations
    return answer if bare else decode(body, AnswerMessage)


def _read_text_answer(answer: TextAnswerShape, conversion: Conversion) -> Message:
    """The usual answer, of one text, at a fraction of the cost."""
    ending = read_stop(
        answer.stop_reason or "end_turn",
        answer.stop_sequence,
        answer.stop_details,
        called=False,
        answered=conversion.answer_tool is not None,
    )
    if (counts := answer.usage) is not None:
        ending.usage, ending.service_tier = (
            read_usage(counts),
            read_service_tier(counts.service_tier),
        )
    model = answer.model or conversion.model
    return Message(answer.id, model, [Text(answer.content[0].text)], ending)


def _build_message(answer: AnswerMessage, conversion: Conversion) -> Message:
    reader, builder = MessagesReader(conversion), MessageBuilder()
    for event in _unfold(answer):
        if event.type == "content_block_start":
            builder.add_part(_read_streamless_block(event.content_block))
        for each in reader.read_event(event):
            builder.add(each)
    assert builder.message is not None  # `message_stop` is the last event
    return builder.message


def _unfold(answer: AnswerMessage) -> Iterator[StreamEvent]:
    """The events of a stream that has every block whole in its `content_block_start`."""
    start = StartedMessage(answer.id, answer.model, answer.usage)
    yield StreamEvent("message_start", message=start)
    for index, block in enumerate(answer.content):
        yield StreamEvent("content_block_start", index, content_block=block)
        yield StreamEvent("content_block_stop", index)
    delta = Delta(
        stop_reason=answer.stop_reason or "end_turn",
        stop_sequence=answer.stop_sequence,
        stop_details=answer.stop_details,
    )
    yield StreamEvent("message_delta", delta=delta)
    yield StreamEvent("message_stop")


def _read_streamless_block(raw: Raw) -> Part | None:
    """A block that has no events; kept, because an answer with one cannot be cached."""
    tag = read_type(raw)
    if tag in STREAMED_BLOCKS:
        return None
    if is_server_block(tag):
        return ServerTool(render_server_block(tag, raw), tag, raw)
    return Opaque(tag, raw, ORIGIN)


def _raise_error(body: bytes) -> None:
    """Raises Refused or BadAnswer where the body is an error."""
    if (error := summarize(body).error) is not None:
        raise error from None


def write_message(message: Message, conversion: Conversion) -> bytes:
    """A whole answer for a Messages client."""
    if len(message.parts) == 1 and message.ending.stop != "refusal":
        only = message.parts[0]
        if type(only) is Text and only.text and not only.citations:
            return _encode(_write_text_answer(only.text, message, conversion))
    for part in message.parts:
        if not isinstance(part, _STREAMED_PARTS):
            kind = type(part).__name__.lower()
            conversion.notes.note(f"content.{kind}", "unsupported_by_client")
    writer = _AnswerWriter(conversion)
    for event in message_events(message):
        writer.write(event)
    return _encode(writer.answer)


def _write_text_answer(text: str, message: Message, conversion: Conversion) -> Block:
    """The usual answer, of one text, at a fraction of the cost."""
    answer = write_empty_message(message.id, message.ending.usage, conversion)
    answer["content"] = [{"type": "text", "text": text}]
    answer.update(write_stop(message.ending))
    answer["usage"].update(write_service_tier(message.ending.service_tier))
    return answer


class _AnswerWriter(MessagesWriter):
    """Accumulates the events of a stream, as the official client does (`accumulate_event`)."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__(conversion)
        self.answer: Block = {}
        self._content: list[Block] = []
        self._input_json: list[str] = []  # of the open tool call

    def write(self, event: Event) -> bytes:
        """Adds the event to `answer`; returns no bytes."""
        return EVENT_WRITERS[type(event)](self, event)

    def _emit(self, event: Block) -> bytes:
        match event["type"]:
            case "message_start":
                self.answer = event["message"]
            case "content_block_start":
                self._content.append({**event["content_block"]})
            case "content_block_stop" if self._content[-1]["type"] == "tool_use":
                self._content[-1]["input"] = write_arguments_object("".join(self._input_json))
                self._input_json = []
            case "message_delta":
                del self.answer["usage"]  # the API writes it last
                self.answer |= event["delta"]
                self.answer |= {"usage": event["usage"], "content": self._drop_cut_calls()}
        return b""

    def _emit_delta(self, member: str, value: Any) -> bytes:
        block = self._content[-1]
        if member == "partial_json":
            self._input_json.append(value)
        elif member == "citation":
            block.setdefault("citations", []).append(value)
        else:
            block[member] += value
        return b""

    def _drop_cut_calls(self) -> list[Block]:
        """The blocks without calls whose input the token limit cut: an agent must not run them.

        Of any other call, input that is no object is kept as text in an object.
        """
        broken = [block for block in self._content if _is_broken_call(block)]
        if broken and self.answer["stop_reason"] == "max_tokens":
            self._conversion.notes.note("content.tool_use", "cut_call_left_out")
            return [block for block in self._content if not _is_broken_call(block)]
        if broken:
            self._conversion.notes.note("content.tool_use", "invalid_json_kept_as_text")
        return self._content


def _is_broken_call(block: Block) -> bool:
    given = block.get("input")
    return isinstance(given, dict) and "_raw_arguments" in given
