"""A Messages upstream's stream as neutral events (`RawMessageStreamEvent`).

Blocks are told apart by their index. The real API writes one after another; compatible servers
interleave them, so all but the first open block wait for it to end. A block whose kind has no
neutral form, such as a tool that the upstream runs itself, opens and ends without a word.
"""

from collections.abc import Callable

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.common.arguments import custom_names, unwrapped
from gateway.dialects.messages import keys
from gateway.dialects.messages.answer import ORIGIN, read_citation, read_ending, tier_in
from gateway.dialects.messages.errors import read_error
from gateway.dialects.messages.server_tools import is_server_block
from gateway.dialects.messages.usage import merged
from gateway.dialects.messages.wire import (
    Delta,
    StartedBlock,
    StopDetails,
    StreamEvent,
    UsageCounts,
)
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    Alive,
    ArgumentsDelta,
    Began,
    CitationCame,
    Ended,
    Event,
    PartEnded,
    RedactedCame,
    SignatureCame,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
    Usage,
)
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame
from gateway.wire.text_template import Groove

_decode = msgspec.json.Decoder(StreamEvent).decode


class _Block:
    """One content block that has begun: what it is, and what of it has to wait."""

    __slots__ = ("arguments", "due", "ended", "kind", "renamed", "signature", "silent_input")

    def __init__(self, kind: str) -> None:
        self.kind = kind  # text, thinking, tool, custom, answer or "" for what says nothing
        self.due: list[Event] = []
        self.ended = False
        self.signature = ""
        self.arguments: list[str] = []  # of a custom tool; of another, whether any came
        self.renamed = ""  # the tool whose input's keys are others at the upstream
        self.silent_input = ""  # input that the block began with, sent if no delta brings any


class MessagesReader:
    """Reads one stream of a Messages upstream."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing
        self._custom = custom_names(crossing)
        self._blocks: dict[int, _Block] = {}  # those not fully told, in the order they began
        self._began = False
        self._called = False
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._reason: str | None = None
        self._sequence: str | None = None
        self._details: StopDetails | None = None
        self._groove = Groove(b'"text":')

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame."""
        if self.ended:
            return []
        text = self._groove.text(frame.data)
        if text is not None:
            return [TextDelta(text)] if text else []
        try:
            event = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            event = _decode_slowly(frame.data)
        if present(event.error) or event.type == "error":
            raise read_error(200, frame.data)
        self._groove.forget()
        if event.type == "content_block_delta" and len(self._blocks) == 1:
            self._learn(frame.data, event)
        reading = _READINGS.get(event.type)
        return reading(self, event) if reading is not None else []

    def _learn(self, data: bytes, event: StreamEvent) -> None:
        # With one block told so far and that one text, its deltas are told as they come.
        block = self._blocks.get(event.index or 0)
        text = event.delta.text if event.delta is not None else None
        if block is not None and block.kind == "text" and not block.ended and text is not None:
            self._groove.learn(data, text)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What stands around the text of data that says no more; None where all must be read."""
        return None if self.ended else self._groove.around

    def finish(self) -> list[Event]:
        """The ending, where the upstream gave a stop reason before it hung up; else Cut."""
        if self.ended:
            return []
        if self._reason is None:
            raise Cut("upstream ended its stream before its answer was whole")
        return self._end()

    def _message_start(self, event: StreamEvent) -> list[Event]:
        message = event.message
        if message is not None:
            self._take_usage(message.usage)
        return self._begin(message.id if message else None, message.model if message else None)

    def _begin(self, id: str | None = None, model: str | None = None) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [Began(id or "", model or self._crossing.model, self._usage)]

    def _take_usage(self, counts: UsageCounts | None) -> None:
        if counts is not None:
            self._usage = merged(self._usage or Usage(), counts)
            self._tier = counts.service_tier or self._tier

    def _block_start(self, event: StreamEvent) -> list[Event]:
        if not present(event.content_block):
            raise BadAnswer("upstream began a content block without saying what it is")
        try:
            started = decode(event.content_block, StartedBlock)
        except msgspec.MsgspecError as fault:
            raise BadAnswer(f"upstream began a content block that is none: {fault}") from None
        index = event.index or 0
        events = self._begin()
        if index in self._blocks:
            events += self._close(index)
        block = self._blocks[index] = _Block(self._kind(started))
        return events + self._tell(index, self._opening(block, started))

    def _kind(self, started: StartedBlock) -> str:
        match started.type:
            case "text" | "thinking" | "redacted_thinking":
                return started.type
            case "tool_use" if started.name == self._crossing.answer_tool:
                return "answer"
            case "tool_use":
                self._called = True
                name = self._crossing.names.known(started.name)
                return "custom" if name in self._custom else "tool"
        if not is_server_block(started.type):
            self._crossing.notes.note(f"content.{started.type}", "unknown_block")
        return ""

    def _opening(self, block: _Block, started: StartedBlock) -> list[Event]:
        match block.kind:
            case "text":
                return [TextBegan(), *([TextDelta(started.text)] if started.text else [])]
            case "thinking":
                block.signature = started.signature or ""
                first = [ThinkingDelta(started.thinking)] if started.thinking else []
                return [ThinkingBegan(), *first]
            case "redacted_thinking":
                return [RedactedCame(started.data, ORIGIN)]
            case "tool" | "custom":
                block.silent_input = bytes(started.input).decode()
                name = self._crossing.names.known(started.name)
                block.renamed = name if name in self._crossing.keys else ""
                return [ToolBegan(started.id, name, custom=block.kind == "custom")]
            case "answer":
                block.silent_input = bytes(started.input).decode()
                block.renamed = started.name if started.name in self._crossing.keys else ""
                return [TextBegan()]
        return []

    def _tell(self, index: int, events: list[Event]) -> list[Event]:
        """The events, or none of them yet where an earlier block is still open."""
        if next(iter(self._blocks)) == index:
            return events
        self._blocks[index].due += events
        return []

    def _block_delta(self, event: StreamEvent) -> list[Event]:
        index, delta = event.index or 0, event.delta
        block = self._blocks.get(index)
        if delta is None or block is None or block.ended:
            return []
        if delta.text is not None and block.kind == "text":
            return self._tell(index, [TextDelta(delta.text)]) if delta.text else []
        return self._tell(index, _piece(block, delta))

    def _restored(self, block: _Block, events: list[Event]) -> list[Event]:
        """The whole input of a tool whose keys were renamed, which no part of it could show."""
        if not block.renamed:
            return events
        text = keys.known(
            "".join(block.arguments) or block.silent_input, block.renamed, self._crossing
        )
        told = TextDelta(text) if block.kind == "answer" else ArgumentsDelta(text)
        return [told, PartEnded()]

    def _block_stop(self, event: StreamEvent) -> list[Event]:
        return self._close(event.index or 0)

    def _close(self, index: int) -> list[Event]:
        block = self._blocks.get(index)
        if block is None or block.ended:
            return []
        block.ended = True
        events = self._tell(index, self._restored(block, _closing(block)))
        while self._blocks:
            first = next(iter(self._blocks))
            waiting = self._blocks[first]
            events += waiting.due
            waiting.due = []
            if not waiting.ended:
                break
            del self._blocks[first]
        return events

    def _message_delta(self, event: StreamEvent) -> list[Event]:
        self._take_usage(event.usage)
        if (delta := event.delta) is not None:
            self._reason = delta.stop_reason or self._reason
            self._sequence = delta.stop_sequence or self._sequence
            self._details = delta.stop_details or self._details
        return []

    def _message_stop(self, event: StreamEvent) -> list[Event]:
        if self._reason is None:
            raise Cut("upstream ended its stream without a stop reason")
        return self._end()

    def _end(self) -> list[Event]:
        events = self._begin()
        for index in list(self._blocks):
            events += self._close(index)
        self.ended = True
        ending = read_ending(
            self._reason or "",
            self._sequence,
            self._details,
            called=self._called,
            answered=self._crossing.answer_tool is not None,
        )
        ending.usage, ending.service_tier = self._usage, tier_in(self._tier)
        return [*events, Ended(ending)]

    def _ping(self, event: StreamEvent) -> list[Event]:
        return [Alive()]


def _decode_slowly(data: bytes) -> StreamEvent:
    try:
        return decode(data, StreamEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an event that is none: {fault}") from None


def _piece(block: _Block, delta: Delta) -> list[Event]:
    """The events of a delta that is not plain text."""
    match block.kind:
        case "thinking":
            block.signature += delta.signature or ""
            return [ThinkingDelta(delta.thinking)] if delta.thinking else []
        case "text" if present(delta.citation):
            return [CitationCame(read_citation(delta.citation))]
        case "tool" | "custom" | "answer" if delta.partial_json:
            held = block.kind == "custom" or bool(block.renamed)
            block.arguments.append(delta.partial_json if held else "")
            if held:
                return []
            say = ArgumentsDelta if block.kind == "tool" else TextDelta
            return [say(delta.partial_json)]
    return []


def _closing(block: _Block) -> list[Event]:
    """What ends a block; a signature comes once, whole, before its end."""
    match block.kind:
        case "" | "redacted_thinking":
            return []
        case "thinking" if block.signature:
            return [SignatureCame(block.signature, ORIGIN), PartEnded()]
        case "custom":
            text = unwrapped("".join(block.arguments) or block.silent_input)
            return [ArgumentsDelta(text), PartEnded()]
        case "tool" if not block.arguments:
            return [ArgumentsDelta(block.silent_input), PartEnded()]
        case "answer" if not block.arguments:
            return [TextDelta(block.silent_input), PartEnded()]
    return [PartEnded()]


_READINGS: dict[str, Callable[[MessagesReader, StreamEvent], list[Event]]] = {
    "message_start": MessagesReader._message_start,
    "content_block_start": MessagesReader._block_start,
    "content_block_delta": MessagesReader._block_delta,
    "content_block_stop": MessagesReader._block_stop,
    "message_delta": MessagesReader._message_delta,
    "message_stop": MessagesReader._message_stop,
    "ping": MessagesReader._ping,
}
