"""A Chat upstream's stream as neutral events (`ChatCompletionChunk`).

Chat has no parts: whatever a delta brings goes to the part it belongs to, and at most one part is
open. Text that comes while a tool call is unfinished waits for its end; whitespace alone before a
part waits for something to follow, since servers print line breaks around tool calls.
"""

from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion, Reader
from gateway.dialects.chat.answer import (
    ERROR_FINISH_REASONS,
    TRUNCATED_FINISH_REASONS,
    AnswerOutcome,
    Choice,
    Chunk,
    Delta,
    ToolFragment,
    read_native_stop,
    read_stop,
)
from gateway.dialects.chat.calls import ToolCallAssembler
from gateway.dialects.chat.errors import make_finish_error
from gateway.dialects.chat.parts import read_citation, read_content_pieces
from gateway.dialects.chat.reasoning import ReasoningDecoder, ReasoningPiece
from gateway.dialects.chat.scan import ContentPiece, ThinkTagSplitter
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.common.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    CitationAdded,
    Ending,
    Event,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
)
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame
from gateway.wire.text_template import TextDeltaTemplate

_decode = msgspec.json.Decoder(Chunk).decode
_QUEUE_LIMIT = 64 * 1024
"""Characters that may wait for an unfinished tool call."""


class ChatReader(Reader):
    """Reads one stream of a Chat upstream; see `gateway.dialect.Reader`."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._began = False
        self._open_part: Literal["", "text", "thinking"] = ""
        self._calls = ToolCallAssembler(conversion)
        self._reasoning = ReasoningDecoder()
        self._pending_space = ""
        self._queue: list[ContentPiece] = []
        self._queued_length = 0
        self._finish: str | None = None
        self._matched: str | None = None
        self._refused = False
        self._usage_counts: UsageCounts | None = None
        self._tier: str | None = None
        self._stops = StopScanner(conversion.local_stops) if conversion.local_stops else None
        self._tags = ThinkTagSplitter() if conversion.capability.think_tags else None
        # the text is kept to quote from it, and only for a client that asked for sources
        self._quotable_text: list[str] | None = [] if conversion.prompt.web_search else None
        self._template = TextDeltaTemplate(b'"content":')
        self._plain = not (self._stops or self._tags or self._quotable_text is not None)

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk; the last of them is MessageEnd when `[DONE]` came."""
        if self.ended:
            return []
        if self._open_part == "text" and not self._calls.busy:
            text = self._template.text(frame.data)
            if text is not None:
                return [TextDelta(text)] if text else []
        try:
            chunk = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if frame.data.strip() == b"[DONE]":
                return self.end_message()
            chunk = _decode_leniently(frame.data)
        choices = chunk.choices
        if not choices or chunk.error is not ABSENT or frame.event == b"error":
            return self._read_without_choices(chunk, frame)
        choice = choices[0]
        if choice.index:
            return []  # only the first choice is converted
        delta = choice.delta
        if (
            self._open_part == "text"
            and self._plain
            and delta is not None
            and type(delta.content) is str
            and choice.finish_reason is None
            and has_only_content(delta)
            and not self._calls.busy
            and chunk.usage is None
        ):
            self._template.learn(frame.data, delta.content)
            return [TextDelta(delta.content)] if delta.content else []
        return self.read_choice(chunk, choice)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What stands around the text of data that says no more; None where all must be read."""
        running = self._open_part == "text" and not self._calls.busy and not self.ended
        return self._template.affixes if running else None

    def finish(self) -> list[Event]:
        """The events still due; Cut where neither a finish reason nor `[DONE]` came."""
        if self.ended:
            return []
        if self._finish is None:
            raise Cut("upstream closed the stream before its answer was whole")
        return self.end_message()

    def _read_without_choices(self, chunk: Chunk, frame: Frame) -> list[Event]:
        """An error, or counts, or metadata such as Azure's first chunk."""
        if present(chunk.error) or chunk.choices is None or frame.event == b"error":
            error = find_error(frame.data)
            if error is not None:
                raise error
        if chunk.choices:
            return self.read_choice(chunk, chunk.choices[0])
        counted = self._read_usage(chunk)
        return self.end_message() if counted and self._finish is not None else []

    def read_choice(self, chunk: Chunk, choice: Choice) -> list[Event]:
        """The events of one choice of a chunk. Refused for an error in it, BadAnswer."""
        out: list[Event] = []
        if not self._began:
            self._began = True
            out.append(MessageStart(str(chunk.id or ""), chunk.model or ""))
        if present(choice.error):
            raise make_finish_error("error", choice.error)
        if choice.finish_reason in ERROR_FINISH_REASONS:
            raise make_finish_error(choice.finish_reason or "")
        if choice.finish_reason:  # an empty one, which some servers always send, says nothing
            self._finish = choice.finish_reason
            self._calls.truncated = choice.finish_reason in TRUNCATED_FINISH_REASONS
        self._read_counts(chunk, choice)
        try:
            self._read_delta(choice.delta or choice.message or Delta(), out)
        except msgspec.MsgspecError as fault:
            raise BadAnswer(f"upstream sent a delta that cannot be read: {fault}") from None
        return out

    def _read_counts(self, chunk: Chunk, choice: Choice) -> None:
        if (
            isinstance(choice.stop_reason, str)
            and choice.stop_reason in self._conversion.prompt.stop
        ):
            self._matched = choice.stop_reason
        if choice.usage is not None:
            self._usage_counts = choice.usage
        self._tier = chunk.service_tier or self._tier
        self._read_usage(chunk)

    def _read_delta(self, delta: Delta, out: list[Event]) -> None:
        for thought in self._reasoning.read_delta(delta):
            self._add_thought(thought, out)
        if isinstance(delta.content, str):
            self._read_content(delta.content, out)
        elif delta.content:
            self._add_pieces(read_content_pieces(delta.content), out)
        if delta.audio is not None and delta.audio.transcript:
            self._conversion.notes.note("audio", "transcript_only")
            self._read_content(delta.audio.transcript, out)
        if self.ended:
            return  # a stop sequence ended the answer: drop what follows it
        if delta.annotations:
            self._add_citations(delta.annotations, out)
        if delta.refusal:
            self._flush_part(out)
            self._refused = True
            out.append(RefusalDelta(delta.refusal))
        for fragment in delta.tool_calls or ():
            self._emit_calls(self._calls.add_fragment(fragment), out)
        if delta.function_call is not None:
            call = ToolFragment(index="function_call", function=delta.function_call)
            self._emit_calls(self._calls.add_fragment(call), out)

    def _read_usage(self, chunk: Chunk) -> bool:
        """Take the counts, which replace earlier ones: servers that count often count all."""
        counts = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
        if counts is not None:
            self._usage_counts = counts
        return counts is not None

    # --- reasoning and text -----------------------------------------------------------------------

    def _add_thought(self, thought: ReasoningPiece, out: list[Event]) -> None:
        if thought.redacted is not None:
            self._flush_part(out)
            out.append(RedactedThinking(thought.redacted, NAME))
            return
        if thought.new:
            self._flush_part(out)
        if thought.text:
            if self._calls.busy and not self._end_complete_calls(out):
                self._queue_piece(("thinking", thought.text))
                return
            self._open_thinking(out)
            out.append(ThinkingDelta(thought.text))
        elif self._reasoning.has_signature and not self._open_part and not self._calls.busy:
            # the upstream keeps the words, but the signature is worth keeping
            self._open_thinking(out)

    def _open_thinking(self, out: list[Event]) -> None:
        if self._open_part != "thinking":
            self._flush_part(out)
            self._open_part = "thinking"
            out.append(ThinkingStart())

    def _read_content(self, text: str, out: list[Event]) -> None:
        if text:
            tags = self._tags
            self._add_pieces([("text", text)] if tags is None else tags.feed(text), out)

    def _add_pieces(self, pieces: list[ContentPiece], out: list[Event]) -> None:
        for kind, text in pieces:
            if self.ended:
                return  # an earlier piece held a stop sequence
            if kind == "thinking":
                self._add_thought(ReasoningPiece(text), out)
            elif text:
                self._add_text(text, out)

    def _add_text(self, text: str, out: list[Event]) -> None:
        if self._open_part != "text" or self._calls.busy:
            if not self._queue and not text.strip():
                self._pending_space += text
                return
            text, self._pending_space = self._pending_space + text, ""
            if self._calls.busy and not self._end_complete_calls(out):
                self._queue_piece(("text", text))
                return
        self._scan_text(text, out)

    def _scan_text(self, text: str, out: list[Event]) -> None:
        if self._stops is not None:
            text, stop = self._stops.feed(text)
            self._emit_text(text, out)
            if stop is not None:
                self._matched = stop
                self.cut = True
                self._end_part(out)
                self._emit_end("stop_sequence", out)
        else:
            self._emit_text(text, out)

    def _emit_text(self, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._open_part != "text":
            self._end_part(out)
            self._open_part = "text"
            out.append(TextStart())
        if self._quotable_text is not None:
            self._quotable_text.append(text)
        out.append(TextDelta(text))

    def _add_citations(self, annotations: list[Raw], out: list[Event]) -> None:
        if self._quotable_text is None:
            self._conversion.notes.note("annotations", "not_asked_for")
        elif self._open_part != "text":
            self._conversion.notes.note("annotations", "without_text_dropped")
        else:
            found = (read_citation(raw, "".join(self._quotable_text)) for raw in annotations)
            out += [CitationAdded(citation) for citation in found if citation is not None]

    # --- order ------------------------------------------------------------------------------------

    def _queue_piece(self, piece: ContentPiece) -> None:
        self._queue.append(piece)
        self._queued_length += len(piece[1])
        if self._queued_length > _QUEUE_LIMIT:
            raise BadAnswer("upstream left a tool call unfinished and went on with text")

    def _end_complete_calls(self, out: list[Event]) -> bool:
        """Whether the open calls are whole; if so they end."""
        events = self._calls.end_if_complete() if not self._queue else None
        if events is not None:
            self._emit_calls(events, out)
        return events is not None

    def _emit_calls(self, events: list[Event], out: list[Event]) -> None:
        """Put events of tool calls after the end of whatever else is open."""
        if events:
            self._flush_part(out)
            self._pending_space = ""
            out += events

    def _flush_part(self, out: list[Event]) -> None:
        if self._stops is not None:
            self._emit_text(self._stops.finish(), out)
            self._stops = StopScanner(self._conversion.local_stops)
        self._end_part(out)

    def _end_part(self, out: list[Event]) -> None:
        if not self._open_part:
            return
        if self._open_part == "thinking" and (signature := self._reasoning.take_signature()):
            out.append(Signature(signature, NAME))
        self._open_part = ""
        out.append(PartEnd())

    # --- the end ----------------------------------------------------------------------------------

    def end_message(self) -> list[Event]:
        """The ending, and what still waited for it; nothing where a local stop was the end."""
        if self.ended:
            return []
        if not self._began:
            raise BadAnswer("upstream returned no choices")
        out: list[Event] = []
        if self._tags is not None:
            self._add_pieces(self._tags.finish(), out)
        self._emit_calls(self._calls.end_all(), out)
        queue, self._queue = self._queue, []
        self._add_pieces(queue, out)
        if self._pending_space and not self._calls.called and not self.ended:
            self._scan_text(self._pending_space, out)
        if self.ended:
            return out  # the last words held a stop sequence
        self._flush_part(out)
        outcome = AnswerOutcome(self._calls.called, self._refused, self._matched)
        self._emit_end(read_stop(self._finish, outcome, self._conversion.notes), out)
        return out

    def _emit_end(self, stop: str, out: list[Event]) -> None:
        self.ended = True
        ending = Ending(
            stop,  # type: ignore[arg-type]
            self._matched if stop == "stop_sequence" else None,
            usage=read_usage(self._usage_counts) if self._usage_counts is not None else None,
            service_tier=SERVICE_TIERS.get(self._tier or ""),
            native=None if self.cut else read_native_stop(self._finish),
        )
        out.append(MessageEnd(ending))


def has_only_content(delta: Delta) -> bool:
    """Whether a delta or message says nothing beside its content."""
    return not (
        delta.tool_calls
        or delta.reasoning_content
        or delta.refusal
        or delta.annotations
        or delta.reasoning
        or delta.reasoning_details
        or delta.thinking_blocks
        or delta.function_call
        or delta.audio
    )


def _decode_leniently(data: bytes) -> Chunk:
    """A chunk that msgspec refuses at first: a lone surrogate, an error in a shape of its own."""
    try:
        return decode(data, Chunk)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise find_error(data) or BadAnswer(
            f"upstream sent a chunk that cannot be read: {fault}"
        ) from None
