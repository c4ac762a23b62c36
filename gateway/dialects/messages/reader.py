"""A Messages upstream's stream as neutral events (`RawMessageStreamEvent`).

Blocks are identified by their index. The API of Anthropic writes one after another; compatible
servers interleave them, so events of later blocks are queued until the first open block ends. A
block without a neutral form, such as a call of a tool that the upstream runs, makes no events.

A whole answer is read by the same code: see `message.py`.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion, Reader
from gateway.dialects.common.arguments import (
    INVALID_ARGUMENTS,
    custom_tool_names,
    read_custom_input,
)
from gateway.dialects.common.shapes import is_json_object
from gateway.dialects.messages import input_keys as keys
from gateway.dialects.messages.answer import ORIGIN, read_citation, read_service_tier, read_stop
from gateway.dialects.messages.errors import read_error
from gateway.dialects.messages.server_tools import is_server_block
from gateway.dialects.messages.usage import merge_usage
from gateway.dialects.messages.wire import (
    Delta,
    Kind,
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
STREAMED_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""Types of the blocks that make events."""

_UNCUT_REASONS = frozenset({"end_turn", "tool_use"})
"""Stop reasons after which every tool call has to be whole."""


class _OpenBlock:
    """One content block that has begun: its kind, and its events that have to wait."""

    __slots__ = (
        "arguments", "ended", "has_text", "initial_input", "kind", "queued", "renamed_tool",
        "signature",
    )  # fmt: skip

    def __init__(self, kind: str) -> None:
        self.kind = kind  # text, thinking, tool, custom, answer; "" makes no events
        self.queued: list[Event] = []
        self.ended = False
        self.has_text = False  # an empty text block makes no events
        self.signature = ""
        self.arguments: list[str] = []  # deltas of the input
        self.renamed_tool = ""  # the tool whose input's keys are others at the upstream
        self.initial_input = ""  # input that the block began with, sent if no delta brings any

    def add_text(self, event: TextDelta | CitationAdded) -> list[Event]:
        """The event, after the start of the text if it is the first one."""
        if self.has_text:
            return [event]
        self.has_text = True
        return [TextStart(), event]

    @property
    def input(self) -> str:
        """The JSON of a tool's input received so far."""
        return "".join(self.arguments) or self.initial_input


class MessagesReader(Reader):
    """Reads one stream of a Messages upstream."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._custom_names = custom_tool_names(conversion)
        self._blocks: dict[int, _OpenBlock] = {}  # with events still due, in order of their start
        self._has_started = False
        self._has_calls = False
        self._has_broken_call = False
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
        return self.read_event(event)

    def read_event(self, event: StreamEvent) -> list[Event]:
        """The events of one wire event; none where its type is unknown."""
        reading = _EVENT_READERS.get(event.type)
        return reading(self, event) if reading is not None else []

    def _learn_template(self, data: bytes, event: StreamEvent) -> None:
        # Deltas of a text block that is the only open one make one event each, without a queue.
        block = self._blocks.get(event.index or 0)
        text = event.delta.text if event.delta is not None else None
        if block is not None and block.kind == "text" and not block.ended and text:
            self._template.learn(data, text)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """Bytes before and after the text of a plain delta; None where frames must be parsed."""
        return None if self.ended else self._template.affixes

    def finish(self) -> list[Event]:
        """The events still due. Raises Cut where the stream ended without a stop reason."""
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
        started = _decode_block(event.content_block)
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
                events = block.add_text(TextDelta(started.text)) if started.text else []
                for citation in started.citations or ():
                    events += block.add_text(CitationAdded(read_citation(citation)))
                return events
            case "thinking":
                block.signature = started.signature or ""
                first = [ThinkingDelta(started.thinking)] if started.thinking else []
                return [ThinkingStart(), *first]
            case "redacted_thinking":
                return [RedactedThinking(started.data, ORIGIN)]
            case "tool" | "custom":
                block.initial_input = _read_input(started)
                name = self._conversion.names.to_client(started.name)
                block.renamed_tool = name if name in self._conversion.keys else ""
                return [ToolStart(started.id, name, custom=block.kind == "custom")]
            case "answer":
                block.initial_input = _read_input(started)
                block.renamed_tool = started.name if started.name in self._conversion.keys else ""
                return [TextStart()]
        return []

    def _emit_or_queue(self, index: int, events: list[Event]) -> list[Event]:
        """The events, or none where they are queued behind an earlier open block."""
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
            events = block.add_text(TextDelta(delta.text)) if delta.text else []
            return self._emit_or_queue(index, events)
        return self._emit_or_queue(index, _read_delta(block, delta))

    def _restore_input(self, block: _OpenBlock, events: list[Event]) -> list[Event]:
        """Closing events, with the whole input where its keys have to be restored."""
        if not block.renamed_tool:
            return events
        text = keys.restore_arguments(block.input, block.renamed_tool, self._conversion)
        told = TextDelta(text) if block.kind == "answer" else ArgumentsDelta(text)
        return [told, PartEnd()]

    def _read_block_stop(self, event: StreamEvent) -> list[Event]:
        return self._close_block(event.index or 0)

    def _close_block(self, index: int) -> list[Event]:
        block = self._blocks.get(index)
        if block is None or block.ended:
            return []
        block.ended = True
        if block.kind == "tool" and block.input.strip() and not is_json_object(block.input):
            self._has_broken_call = True
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
        if self._has_broken_call and self._stop_reason in _UNCUT_REASONS:
            raise BadAnswer(INVALID_ARGUMENTS)
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


def _decode_block(raw: Raw) -> StartedBlock:
    """The block of a `content_block_start`; members of an unknown block may be of any type."""
    try:
        return decode(raw, StartedBlock)
    except msgspec.MsgspecError as fault:
        if (tag := read_type(raw)) and tag not in STREAMED_BLOCKS:
            return StartedBlock(tag)
        raise BadAnswer(f"upstream began a content block that is none: {fault}") from None


def read_type(raw: Raw) -> str:
    """The type that a block names, empty where it names none."""
    try:
        return decode(raw, Kind).type
    except msgspec.MsgspecError:
        return ""


def _read_input(started: StartedBlock) -> str:
    return bytes(started.input).decode() if present(started.input) else "{}"


def _read_delta(block: _OpenBlock, delta: Delta) -> list[Event]:
    """The events of a delta that is not plain text."""
    match block.kind:
        case "thinking":
            block.signature += delta.signature or ""
            return [ThinkingDelta(delta.thinking)] if delta.thinking else []
        case "text" if present(delta.citation):
            return block.add_text(CitationAdded(read_citation(delta.citation)))
        case "tool" | "custom" | "answer" if delta.partial_json:
            block.arguments.append(delta.partial_json)
            if block.kind == "custom" or block.renamed_tool:
                return []
            say = ArgumentsDelta if block.kind == "tool" else TextDelta
            return [say(delta.partial_json)]
    return []


def _make_closing_events(block: _OpenBlock) -> list[Event]:
    """The last events of a block; a signature comes once, whole, before the end."""
    match block.kind:
        case "" | "redacted_thinking":
            return []
        case "text" if not block.has_text:
            return []
        case "thinking" if block.signature:
            return [Signature(block.signature, ORIGIN), PartEnd()]
        case "custom":
            return [ArgumentsDelta(read_custom_input(block.input)), PartEnd()]
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
