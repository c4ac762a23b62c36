"""A Messages upstream's stream as neutral events (`RawMessageStreamEvent`).

Blocks are told apart by their index. The real API writes one after another; compatible servers
interleave them, so all but the first open block wait for it to end. A block whose kind has no
neutral form, such as a tool that the upstream runs itself, opens and ends without a word.
"""

from collections.abc import Callable

import msgspec

from gateway.dialect import Conversion, Reader
from gateway.dialects.common.arguments import custom_tool_names, read_custom_input
from gateway.dialects.messages import input_keys as keys
from gateway.dialects.messages.answer import ORIGIN, read_citation, read_service_tier, read_stop
from gateway.dialects.messages.errors import read_error
from gateway.dialects.messages.server_tools import is_server_block
from gateway.dialects.messages.usage import merge_usage
from gateway.dialects.messages.wire import (
    Delta,
    StartedBlock,
    StopDetails,
    StreamEvent,
    UsageCounts,
)
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
    Usage,
)
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame
from gateway.wire.text_template import TextDeltaTemplate

_decode = msgspec.json.Decoder(StreamEvent).decode


class _OpenBlock:
    """One content block that has begun: what it is, and what of it has to wait."""

    __slots__ = (
        "arguments",
        "ended",
        "initial_input",
        "kind",
        "queued",
        "renamed_tool",
        "signature",
    )

    def __init__(self, kind: str) -> None:
        self.kind = kind  # text, thinking, tool, custom, answer or "" for what says nothing
        self.queued: list[Event] = []
        self.ended = False
        self.signature = ""
        self.arguments: list[str] = []  # of a custom tool; of another, whether any came
        self.renamed_tool = ""  # the tool whose input's keys are others at the upstream
        self.initial_input = ""  # input that the block began with, sent if no delta brings any


class MessagesReader(Reader):
    """Reads one stream of a Messages upstream."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._custom_names = custom_tool_names(conversion)
        self._blocks: dict[int, _OpenBlock] = {}  # those not fully told, in the order they began
        self._has_started = False
        self._has_calls = False
        self._usage: Usage | None = None
        self._service_tier: str | None = None
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._stop_details: StopDetails | None = None
        self._template = TextDeltaTemplate(b'"text":')

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame."""
        if self.ended:
            return []
        text = self._template.text(frame.data)
        if text is not None:
            return [TextDelta(text)] if text else []
        try:
            event = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            event = _decode_leniently(frame.data)
        if present(event.error) or event.type == "error":
            raise read_error(200, frame.data)
        self._template.forget()
        if event.type == "content_block_delta" and len(self._blocks) == 1:
            self._learn_template(frame.data, event)
        reading = _EVENT_READERS.get(event.type)
        return reading(self, event) if reading is not None else []

    def _learn_template(self, data: bytes, event: StreamEvent) -> None:
        # With one block told so far and that one text, its deltas are told as they come.
        block = self._blocks.get(event.index or 0)
        text = event.delta.text if event.delta is not None else None
        if block is not None and block.kind == "text" and not block.ended and text is not None:
            self._template.learn(data, text)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What stands around the text of data that says no more; None where all must be read."""
        return None if self.ended else self._template.affixes

    def finish(self) -> list[Event]:
        """The ending, where the upstream gave a stop reason before it hung up; else Cut."""
        if self.ended:
            return []
        if self._stop_reason is None:
            raise Cut("upstream ended its stream before its answer was whole")
        return self._end_message()

    def _read_message_start(self, event: StreamEvent) -> list[Event]:
        message = event.message
        if message is not None:
            self._update_usage(message.usage)
        return self._start_message(
            message.id if message else None, message.model if message else None
        )

    def _start_message(self, id: str | None = None, model: str | None = None) -> list[Event]:
        if self._has_started:
            return []
        self._has_started = True
        return [MessageStart(id or "", model or self._conversion.model, self._usage)]

    def _update_usage(self, counts: UsageCounts | None) -> None:
        if counts is not None:
            self._usage = merge_usage(self._usage or Usage(), counts)
            self._service_tier = counts.service_tier or self._service_tier

    def _read_block_start(self, event: StreamEvent) -> list[Event]:
        if not present(event.content_block):
            raise BadAnswer("upstream began a content block without saying what it is")
        try:
            started = decode(event.content_block, StartedBlock)
        except msgspec.MsgspecError as fault:
            raise BadAnswer(f"upstream began a content block that is none: {fault}") from None
        index = event.index or 0
        events = self._start_message()
        if index in self._blocks:
            events += self._close_block(index)
        block = self._blocks[index] = _OpenBlock(self._classify_block(started))
        return events + self._emit_or_queue(index, self._open_block(block, started))

    def _classify_block(self, started: StartedBlock) -> str:
        match started.type:
            case "text" | "thinking" | "redacted_thinking":
                return started.type
            case "tool_use" if started.name == self._conversion.answer_tool:
                return "answer"
            case "tool_use":
                self._has_calls = True
                name = self._conversion.names.to_client(started.name)
                return "custom" if name in self._custom_names else "tool"
        if not is_server_block(started.type):
            self._conversion.notes.note(f"content.{started.type}", "unknown_block")
        return ""

    def _open_block(self, block: _OpenBlock, started: StartedBlock) -> list[Event]:
        match block.kind:
            case "text":
                return [TextStart(), *([TextDelta(started.text)] if started.text else [])]
            case "thinking":
                block.signature = started.signature or ""
                first = [ThinkingDelta(started.thinking)] if started.thinking else []
                return [ThinkingStart(), *first]
            case "redacted_thinking":
                return [RedactedThinking(started.data, ORIGIN)]
            case "tool" | "custom":
                block.initial_input = bytes(started.input).decode()
                name = self._conversion.names.to_client(started.name)
                block.renamed_tool = name if name in self._conversion.keys else ""
                return [ToolStart(started.id, name, custom=block.kind == "custom")]
            case "answer":
                block.initial_input = bytes(started.input).decode()
                block.renamed_tool = started.name if started.name in self._conversion.keys else ""
                return [TextStart()]
        return []

    def _emit_or_queue(self, index: int, events: list[Event]) -> list[Event]:
        """The events, or none of them yet where an earlier block is still open."""
        if next(iter(self._blocks)) == index:
            return events
        self._blocks[index].queued += events
        return []

    def _read_block_delta(self, event: StreamEvent) -> list[Event]:
        index, delta = event.index or 0, event.delta
        block = self._blocks.get(index)
        if delta is None or block is None or block.ended:
            return []
        if delta.text is not None and block.kind == "text":
            return self._emit_or_queue(index, [TextDelta(delta.text)]) if delta.text else []
        return self._emit_or_queue(index, _read_delta(block, delta))

    def _restore_input(self, block: _OpenBlock, events: list[Event]) -> list[Event]:
        """The whole input of a tool whose keys were renamed, which no part of it could show."""
        if not block.renamed_tool:
            return events
        text = keys.restore_arguments(
            "".join(block.arguments) or block.initial_input, block.renamed_tool, self._conversion
        )
        told = TextDelta(text) if block.kind == "answer" else ArgumentsDelta(text)
        return [told, PartEnd()]

    def _read_block_stop(self, event: StreamEvent) -> list[Event]:
        return self._close_block(event.index or 0)

    def _close_block(self, index: int) -> list[Event]:
        block = self._blocks.get(index)
        if block is None or block.ended:
            return []
        block.ended = True
        events = self._emit_or_queue(index, self._restore_input(block, _make_closing_events(block)))
        while self._blocks:
            first = next(iter(self._blocks))
            waiting = self._blocks[first]
            events += waiting.queued
            waiting.queued = []
            if not waiting.ended:
                break
            del self._blocks[first]
        return events

    def _read_message_delta(self, event: StreamEvent) -> list[Event]:
        self._update_usage(event.usage)
        if (delta := event.delta) is not None:
            self._stop_reason = delta.stop_reason or self._stop_reason
            self._stop_sequence = delta.stop_sequence or self._stop_sequence
            self._stop_details = delta.stop_details or self._stop_details
        return []

    def _read_message_stop(self, event: StreamEvent) -> list[Event]:
        if self._stop_reason is None:
            raise Cut("upstream ended its stream without a stop reason")
        return self._end_message()

    def _end_message(self) -> list[Event]:
        events = self._start_message()
        for index in list(self._blocks):
            events += self._close_block(index)
        self.ended = True
        ending = read_stop(
            self._stop_reason or "",
            self._stop_sequence,
            self._stop_details,
            called=self._has_calls,
            answered=self._conversion.answer_tool is not None,
        )
        ending.usage, ending.service_tier = self._usage, read_service_tier(self._service_tier)
        return [*events, MessageEnd(ending)]

    def _read_ping(self, event: StreamEvent) -> list[Event]:
        return [KeepAlive()]


def _decode_leniently(data: bytes) -> StreamEvent:
    try:
        return decode(data, StreamEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an event that is none: {fault}") from None


def _read_delta(block: _OpenBlock, delta: Delta) -> list[Event]:
    """The events of a delta that is not plain text."""
    match block.kind:
        case "thinking":
            block.signature += delta.signature or ""
            return [ThinkingDelta(delta.thinking)] if delta.thinking else []
        case "text" if present(delta.citation):
            return [CitationAdded(read_citation(delta.citation))]
        case "tool" | "custom" | "answer" if delta.partial_json:
            held = block.kind == "custom" or bool(block.renamed_tool)
            block.arguments.append(delta.partial_json if held else "")
            if held:
                return []
            say = ArgumentsDelta if block.kind == "tool" else TextDelta
            return [say(delta.partial_json)]
    return []


def _make_closing_events(block: _OpenBlock) -> list[Event]:
    """What ends a block; a signature comes once, whole, before its end."""
    match block.kind:
        case "" | "redacted_thinking":
            return []
        case "thinking" if block.signature:
            return [Signature(block.signature, ORIGIN), PartEnd()]
        case "custom":
            text = read_custom_input("".join(block.arguments) or block.initial_input)
            return [ArgumentsDelta(text), PartEnd()]
        case "tool" if not block.arguments:
            return [ArgumentsDelta(block.initial_input), PartEnd()]
        case "answer" if not block.arguments:
            return [TextDelta(block.initial_input), PartEnd()]
    return [PartEnd()]


_EVENT_READERS: dict[str, Callable[[MessagesReader, StreamEvent], list[Event]]] = {
    "message_start": MessagesReader._read_message_start,
    "content_block_start": MessagesReader._read_block_start,
    "content_block_delta": MessagesReader._read_block_delta,
    "content_block_stop": MessagesReader._read_block_stop,
    "message_delta": MessagesReader._read_message_delta,
    "message_stop": MessagesReader._read_message_stop,
    "ping": MessagesReader._read_ping,
}
