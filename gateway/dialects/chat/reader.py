"""Frames of a Chat stream in, neutral events out (`ChatCompletionChunk`).

Chat has no parts: whatever a delta brings goes to the part it belongs to, and at most one part is
open. Text that comes while a tool call is unfinished waits for its end; whitespace alone before a
part waits for something to follow, since servers print line breaks around tool calls.
"""

from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import (
    BROKEN,
    CUT_SHORT,
    Choice,
    Chunk,
    Delta,
    Outcome,
    ToolFragment,
    native_word,
    stop_of,
)
from gateway.dialects.chat.calls import Calls
from gateway.dialects.chat.errors import broken
from gateway.dialects.chat.parts import citation_of, content_pieces
from gateway.dialects.chat.reasoning import Reasons, Thought
from gateway.dialects.chat.scan import Piece, ThinkTags
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.faults import error_in
from gateway.dialects.common.parameters import TIERS
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.common.usage import UsageCounts, exclusive
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    Began,
    CitationCame,
    Ended,
    Ending,
    Event,
    PartEnded,
    RedactedCame,
    Refused,
    SignatureCame,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ThinkingDelta,
)
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame
from gateway.wire.text_template import Groove

_decode = msgspec.json.Decoder(Chunk).decode
_QUEUE_LIMIT = 64 * 1024
"""Characters that may wait for an unfinished tool call."""


class ChatReader:
    """The state of one stream; see `gateway.dialect.Reader`."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing
        self._began = False
        self._open: Literal["", "text", "thinking"] = ""
        self._calls = Calls(crossing)
        self._reasons = Reasons()
        self._space = ""
        self._queue: list[Piece] = []
        self._queued = 0
        self._finish: str | None = None
        self._matched: str | None = None
        self._refused = False
        self._counts: UsageCounts | None = None
        self._tier: str | None = None
        self._stops = StopScanner(crossing.local_stops) if crossing.local_stops else None
        self._tags = ThinkTags() if crossing.capability.think_tags else None
        # what was said is needed to quote from it, and only for a client that asked for sources
        self._said: list[str] | None = [] if crossing.prompt.web_search else None
        self._groove = Groove(b'"content":')
        self._plain = not (self._stops or self._tags or self._said is not None)

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk; the last of them is Ended when `[DONE]` came."""
        if self.ended:
            return []
        if self._open == "text" and not self._calls.busy:
            text = self._groove.text(frame.data)
            if text is not None:
                return [TextDelta(text)] if text else []
        try:
            chunk = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if frame.data.strip() == b"[DONE]":
                return self._end()
            chunk = _slowly(frame.data)
        choices = chunk.choices
        if not choices or chunk.error is not ABSENT or frame.event == b"error":
            return self._without_choices(chunk, frame)
        choice = choices[0]
        if choice.index:
            return []  # only the first answer is told
        delta = choice.delta
        if (
            self._open == "text"
            and self._plain
            and delta is not None
            and type(delta.content) is str
            and choice.finish_reason is None
            and _only_content(delta)
            and not self._calls.busy
            and chunk.usage is None
        ):
            self._groove.learn(frame.data, delta.content)
            return [TextDelta(delta.content)] if delta.content else []
        return self._choice(chunk, choice)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What stands around the text of data that says no more; None where all must be read."""
        running = self._open == "text" and not self._calls.busy and not self.ended
        return self._groove.around if running else None

    def finish(self) -> list[Event]:
        """The events still due; Cut where neither a finish reason nor `[DONE]` came."""
        if self.ended:
            return []
        if self._finish is None:
            raise Cut("upstream closed the stream before its answer was whole")
        return self._end()

    def _without_choices(self, chunk: Chunk, frame: Frame) -> list[Event]:
        """An error, or counts, or metadata such as Azure's first chunk."""
        if present(chunk.error) or chunk.choices is None or frame.event == b"error":
            error = error_in(frame.data)
            if error is not None:
                raise error
        if chunk.choices:
            return self._choice(chunk, chunk.choices[0])
        counted = self._count(chunk)
        return self._end() if counted and self._finish is not None else []

    def _choice(self, chunk: Chunk, choice: Choice) -> list[Event]:
        out: list[Event] = []
        if not self._began:
            self._began = True
            out.append(Began(str(chunk.id or ""), chunk.model or ""))
        if present(choice.error):
            raise broken("error", choice.error)
        if choice.finish_reason in BROKEN:
            raise broken(choice.finish_reason or "")
        try:
            self._delta(choice.delta or choice.message or Delta(), out)
        except msgspec.MsgspecError as fault:
            raise BadAnswer(f"upstream sent a delta that cannot be read: {fault}") from None
        if choice.finish_reason:  # an empty one, which some servers always send, says nothing
            self._finish = choice.finish_reason
        if isinstance(choice.stop_reason, str) and choice.stop_reason in self._crossing.prompt.stop:
            self._matched = choice.stop_reason
        if choice.usage is not None:
            self._counts = choice.usage
        self._tier = chunk.service_tier or self._tier
        self._count(chunk)
        return out

    def _delta(self, delta: Delta, out: list[Event]) -> None:
        for thought in self._reasons.read(delta):
            self._think(thought, out)
        if delta.refusal:
            self._close(out)
            self._refused = True
            out.append(Refused(delta.refusal))
        if isinstance(delta.content, str):
            self._content(delta.content, out)
        elif delta.content:
            self._parts(delta.content, out)
        for fragment in delta.tool_calls or ():
            self._place(self._calls.add(fragment), out)
        if delta.function_call is not None:
            call = ToolFragment(index="function_call", function=delta.function_call)
            self._place(self._calls.add(call), out)
        if delta.audio is not None and delta.audio.transcript:
            self._crossing.notes.note("audio", "transcript_only")
            self._content(delta.audio.transcript, out)
        if delta.annotations and not self.ended:
            self._cite(delta.annotations, out)

    def _count(self, chunk: Chunk) -> bool:
        """Take the counts, which replace earlier ones: servers that count often count all."""
        counts = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
        if counts is not None:
            self._counts = counts
        return counts is not None

    # --- reasoning and text -----------------------------------------------------------------------

    def _think(self, thought: Thought, out: list[Event]) -> None:
        if thought.redacted is not None:
            self._close(out)
            out.append(RedactedCame(thought.redacted, NAME))
            return
        if thought.new:
            self._close(out)
        if thought.text:
            if self._calls.busy and not self._settled(out):
                self._wait(("thinking", thought.text))
                return
            self._thinking(out)
            out.append(ThinkingDelta(thought.text))
        elif self._reasons.signed and not self._open and not self._calls.busy:
            self._thinking(out)  # the upstream keeps the words, but the signature is worth keeping

    def _thinking(self, out: list[Event]) -> None:
        if self._open != "thinking":
            self._close(out)
            self._open = "thinking"
            out.append(ThinkingBegan())

    def _parts(self, parts: list[Raw], out: list[Event]) -> None:
        for kind, text in content_pieces(parts):
            if kind == "thinking":
                self._think(Thought(text), out)
            else:
                self._content(text, out)

    def _content(self, text: str, out: list[Event]) -> None:
        if not text or self.ended:
            return
        if self._tags is None:
            self._text(text, out)
        else:
            self._tagged(self._tags.feed(text), out)

    def _tagged(self, pieces: list[Piece], out: list[Event]) -> None:
        for kind, text in pieces:
            if kind == "thinking":
                self._think(Thought(text), out)
            else:
                self._text(text, out)

    def _text(self, text: str, out: list[Event]) -> None:
        if self._open != "text" or self._calls.busy:
            if not self._queue and not text.strip():
                self._space += text
                return
            text, self._space = self._space + text, ""
            if self._calls.busy and not self._settled(out):
                self._wait(("text", text))
                return
        self._say(text, out)

    def _say(self, text: str, out: list[Event]) -> None:
        if self._stops is not None:
            text, stop = self._stops.feed(text)
            self._released(text, out)
            if stop is not None:
                self._matched = stop
                self.cut = True
                self._shut(out)
                self._tell_end("stop_sequence", out)
        else:
            self._released(text, out)

    def _released(self, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._open != "text":
            self._shut(out)
            self._open = "text"
            out.append(TextBegan())
        if self._said is not None:
            self._said.append(text)
        out.append(TextDelta(text))

    def _cite(self, annotations: list[Raw], out: list[Event]) -> None:
        if self._said is None:
            self._crossing.notes.note("annotations", "not_asked_for")
        elif self._open != "text":
            self._crossing.notes.note("annotations", "without_text_dropped")
        else:
            found = (citation_of(raw, "".join(self._said)) for raw in annotations)
            out += [CitationCame(citation) for citation in found if citation is not None]

    # --- order ------------------------------------------------------------------------------------

    def _wait(self, piece: Piece) -> None:
        self._queue.append(piece)
        self._queued += len(piece[1])
        if self._queued > _QUEUE_LIMIT:
            raise BadAnswer("upstream left a tool call unfinished and went on with text")

    def _settled(self, out: list[Event]) -> bool:
        """Whether the open calls are whole; if so they end."""
        events = self._calls.settle() if not self._queue else None
        if events is not None:
            self._place(events, out)
        return events is not None

    def _place(self, events: list[Event], out: list[Event]) -> None:
        """Put events of tool calls after the end of whatever else is open."""
        if events:
            self._close(out)
            self._space = ""
            out += events

    def _close(self, out: list[Event]) -> None:
        if self._stops is not None:
            self._released(self._stops.finish(), out)
            self._stops = StopScanner(self._crossing.local_stops)
        self._shut(out)

    def _shut(self, out: list[Event]) -> None:
        if not self._open:
            return
        if self._open == "thinking" and (signature := self._reasons.signature()):
            out.append(SignatureCame(signature, NAME))
        self._open = ""
        out.append(PartEnded())

    # --- the end ----------------------------------------------------------------------------------

    def _end(self) -> list[Event]:
        if not self._began:
            raise BadAnswer("upstream returned no choices")
        out: list[Event] = []
        if self._tags is not None:
            self._tagged(self._tags.finish(), out)
        self._place(self._calls.end(cut_short=self._finish in CUT_SHORT), out)
        queue, self._queue = self._queue, []
        self._tagged(queue, out)
        if self._space and not self._calls.called and not self.ended:
            self._say(self._space, out)
        if self.ended:
            return out  # the last words held a stop sequence
        self._close(out)
        outcome = Outcome(self._calls.called, self._refused, self._matched)
        self._tell_end(stop_of(self._finish, outcome, self._crossing.notes), out)
        return out

    def _tell_end(self, stop: str, out: list[Event]) -> None:
        self.ended = True
        ending = Ending(
            stop,  # type: ignore[arg-type]
            self._matched if stop == "stop_sequence" else None,
            usage=exclusive(self._counts) if self._counts is not None else None,
            service_tier=TIERS.get(self._tier or ""),
            native=native_word(self._finish),
        )
        out.append(Ended(ending))


def _only_content(delta: Delta) -> bool:
    return (
        delta.tool_calls is None
        and delta.reasoning_content is None
        and delta.reasoning is None
        and delta.reasoning_details is None
        and delta.refusal is None
        and delta.annotations is None
        and delta.function_call is None
        and delta.thinking_blocks is None
        and delta.audio is None
    )


def _slowly(data: bytes) -> Chunk:
    """A chunk that msgspec refuses at first: a lone surrogate, an error in a shape of its own."""
    try:
        return decode(data, Chunk)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise error_in(data) or BadAnswer(
            f"upstream sent a chunk that cannot be read: {fault}"
        ) from None
