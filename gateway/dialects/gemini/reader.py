"""A Gemini upstream's stream as neutral events (`GenerateContentResponse`).

Each event holds the next parts of the answer; a function call is never split. The last event has
the finish reason, but older servers send one in each event: only the end of the stream is the end.
"""

from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion, Reader
from gateway.dialects.common.arguments import custom_tool_names, read_custom_input
from gateway.dialects.common.signatures import GEMINI_CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.gemini.answer import (
    RETRYABLE_FINISH_REASONS,
    is_blocked,
    make_call_id,
    make_finish_error,
    read_block_reason,
    read_stop,
    read_usage,
)
from gateway.dialects.gemini.errors import find_error
from gateway.dialects.gemini.grounding import read_citations
from gateway.dialects.gemini.reasoning_out import is_thinking
from gateway.dialects.gemini.wire import (
    NAME,
    Candidate,
    FunctionCall,
    GenerateContentResponse,
    Part,
    UsageCounts,
)
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Ending,
    Event,
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
)
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame

_decode = msgspec.json.Decoder(GenerateContentResponse).decode


class GeminiReader(Reader):
    """Reads one stream of a Gemini upstream."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._custom_names = custom_tool_names(conversion)
        self._has_answer = False
        self._has_started = False
        self._id = self._model = ""
        self._open_part: Literal["", "text", "thinking"] = ""
        self._call_count = 0
        self._has_text = False
        self._finish_reason: str | None = None
        self._finish_message: str | None = None
        self._block_ending: Ending | None = None
        self._usage_counts: UsageCounts | None = None
        self._stop_scanner = StopScanner(conversion.local_stops) if conversion.local_stops else None
        self._matched_stop: str | None = None
        # the text is needed to locate citations, if the client asked for sources
        self._quotable_text: list[str] | None = [] if conversion.prompt.web_search else None
        self._part_starts: list[int] = []
        # only clients that use tools or reasoning can handle signatures of texts
        prompt = conversion.prompt
        self._signs_text = bool(prompt.tools) or is_thinking(prompt.reasoning)

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame."""
        if self.ended:
            return []
        try:
            answer = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answer = _decode_leniently(frame.data)
        if answer.error is not ABSENT and present(answer.error):
            raise find_error(frame.data) or BadAnswer("upstream sent an error that says nothing")
        return self.read_answer(answer)

    def read_answer(self, answer: GenerateContentResponse) -> list[Event]:
        """The events of a whole answer, or of one event of a stream."""
        out: list[Event] = []
        if answer.usage_metadata is not None:
            self._usage_counts = answer.usage_metadata  # cumulative
        if not self._has_answer and (answer.candidates or is_blocked(answer)):
            self._has_answer = True
            self._id = answer.response_id or ""
            self._model = answer.model_version or self._conversion.model
        if answer.prompt_feedback is not None and is_blocked(answer):
            self._block_ending = read_block_reason(answer.prompt_feedback)
        for candidate in answer.candidates or ():
            if not candidate.index:
                self._read_candidate(candidate, out)
            else:
                self._conversion.notes.note("candidates", "only_the_first_told")
        return self._prepend_start(out)

    def _prepend_start(self, out: list[Event]) -> list[Event]:
        """The events, after MessageStart if they are the first: until then errors have a status."""
        if out and not self._has_started:
            self._has_started = True
            out.insert(0, MessageStart(self._id, self._model))
        return out

    def finish(self) -> list[Event]:
        """The ending. Cut if the upstream gave no finish reason, BadAnswer if it gave no answer."""
        if self.ended:
            return []
        if self._block_ending is None and self._finish_reason is None:
            if not self._has_answer:
                raise BadAnswer("upstream returned no candidates")
            raise Cut("upstream ended before its answer was whole")
        if (
            self._finish_reason in RETRYABLE_FINISH_REASONS
            and not self._has_text
            and not self._call_count
        ):
            raise make_finish_error(self._finish_reason, self._finish_message)
        out: list[Event] = []
        self._close_part(out)
        self._end_message(self._make_ending(), out)
        return self._prepend_start(out)

    def _make_ending(self) -> Ending:
        if self._block_ending is not None and self._finish_reason is None:
            return self._block_ending
        return read_stop(
            self._finish_reason or "",
            self._finish_message,
            said=self._has_text,
            called=self._call_count > 0,
            notes=self._conversion.notes,
        )

    def _end_message(self, ending: Ending, out: list[Event]) -> None:
        self.ended = True
        ending.usage = read_usage(self._usage_counts) if self._usage_counts is not None else None
        out.append(MessageEnd(ending))

    def _read_candidate(self, candidate: Candidate, out: list[Event]) -> None:
        parts = candidate.content.parts if candidate.content is not None else None
        self._part_starts.clear()
        for part in parts or ():
            if self.ended:
                return
            if self._quotable_text is not None:
                self._part_starts.append(self._count_text_bytes())
            self._read_part(part, out)
        if candidate.finish_reason:
            self._finish_reason = candidate.finish_reason
            self._finish_message = candidate.finish_message
        if candidate.grounding_metadata is not None and self._quotable_text is not None:
            self._read_citations(candidate, out)

    def _read_part(self, part: Part, out: list[Event]) -> None:
        if part.function_call is not None:
            self._read_call(part.function_call, part.thought_signature, out)
        elif part.thought:
            self._read_thought(part, out)
        elif part.text is not None:
            self._read_text(part.text, part.thought_signature, out)
        elif words := _describe_part(part):
            self._conversion.notes.note("content.parts", "told_in_words")
            self._close_part(out)
            self._scan_text(words, out)
            self._close_part(out)
        elif present(part.tool_call) or present(part.tool_response):
            self._conversion.notes.note("content.tool_call", "unsupported_by_client")
        elif part.thought_signature:
            self._emit_signature(part.thought_signature, LONE_SIGNATURE, out)

    # --- text and thoughts ------------------------------------------------------------------------

    def _read_text(self, text: str, signature: str | None, out: list[Event]) -> None:
        if not signature:
            self._scan_text(text, out)
            return
        if not text:
            self._emit_signature(signature, LONE_SIGNATURE, out)
            return
        self._close_part(out)  # signed text stays a part of its own, as it must be sent back
        self._scan_text(text, out)
        self._emit_signature(signature, TEXT_SIGNATURE, out)

    def _emit_signature(self, signature: str, origin: str, out: list[Event]) -> None:
        self._close_part(out)
        if self._signs_text and not self.ended:
            out.append(RedactedThinking(signature, origin))

    def _scan_text(self, text: str, out: list[Event]) -> None:
        if not text or self.ended:
            return
        if self._stop_scanner is None:
            self._emit_text(text, out)
            return
        if self._open_part != "text":
            self._close_part(out)
        text, self._matched_stop = self._stop_scanner.feed(text)
        self._emit_text(text, out)
        if self._matched_stop is not None:
            self.cut = True
            self._end_part(out)
            self._end_message(Ending("stop_sequence", self._matched_stop), out)

    def _emit_text(self, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._open_part != "text":
            self._end_part(out)
            self._open_part = "text"
            self._has_text = True
            out.append(TextStart())
            if self._quotable_text is not None:
                self._quotable_text.clear()
        if self._quotable_text is not None:
            self._quotable_text.append(text)
        out.append(TextDelta(text))

    def _read_thought(self, part: Part, out: list[Event]) -> None:
        if self._open_part != "thinking":
            self._close_part(out)
            self._open_part = "thinking"
            out.append(ThinkingStart())
        if part.text:
            out.append(ThinkingDelta(part.text))
        if part.thought_signature:
            out.append(Signature(part.thought_signature, NAME))
            self._end_part(out)

    # --- calls ------------------------------------------------------------------------------------

    def _read_call(self, call: FunctionCall, signature: str | None, out: list[Event]) -> None:
        self._close_part(out)
        id = call.id or make_call_id(self._id, self._call_count)
        self._call_count += 1
        if signature:
            if self._conversion.signed is not None:
                self._conversion.signed.keep(id, signature)
            out.append(RedactedThinking(signature, GEMINI_CALL_SIGNATURE))
        name = self._conversion.names.to_client(call.name)
        arguments = _compact_json(call.args) if present(call.args) else "{}"
        if name in self._custom_names:
            arguments = read_custom_input(arguments)
        out += [
            ToolStart(id, name, name in self._custom_names), ArgumentsDelta(arguments), PartEnd(),
        ]  # fmt: skip

    # --- sources, and the end of parts ------------------------------------------------------------

    def _count_text_bytes(self) -> int:
        if not self._quotable_text or self._open_part != "text":
            return 0
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in self._quotable_text)

    def _read_citations(self, candidate: Candidate, out: list[Event]) -> None:
        assert candidate.grounding_metadata is not None
        assert self._quotable_text is not None
        if self._open_part != "text":
            if candidate.grounding_metadata.grounding_supports:
                self._conversion.notes.note("citations", "without_text_dropped")
            return
        found = read_citations(
            candidate.grounding_metadata, "".join(self._quotable_text), self._part_starts
        )
        out += [CitationAdded(citation) for citation in found]

    def _close_part(self, out: list[Event]) -> None:
        """Ends the open part, after the text that the stop scanner held back."""
        if self._stop_scanner is not None:
            self._emit_text(self._stop_scanner.finish(), out)
            self._stop_scanner = StopScanner(self._conversion.local_stops)
        self._end_part(out)

    def _end_part(self, out: list[Event]) -> None:
        if self._open_part:
            self._open_part = ""
            out.append(PartEnd())


def _compact_json(raw: Raw) -> str:
    """The JSON without whitespace, which whole answers are indented with; numbers unchanged."""
    spelled = bytes(raw)
    return (msgspec.json.format(spelled, indent=-1) if b"\n" in spelled else spelled).decode()


def _describe_part(part: Part) -> str:
    """A part as text, for clients of dialects that have no such part."""
    if part.executable_code is not None:
        language = (part.executable_code.language or "").lower()
        return f"```{language}\n{part.executable_code.code}\n```\n"
    if part.code_execution_result is not None:
        return f"```\n{part.code_execution_result.output or ''}\n```\n"
    if part.inline_data is not None:
        return f"[{part.inline_data.mime_type or 'data'} left out]"
    if part.file_data is not None:
        return f"[{part.file_data.mime_type or 'file'}: {part.file_data.file_uri}]"
    return ""


def _decode_leniently(data: bytes) -> GenerateContentResponse:
    """An answer that msgspec refuses: with a lone surrogate, or an error of another shape."""
    try:
        return decode(data, GenerateContentResponse)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise find_error(data) or BadAnswer(
            f"upstream sent an event that cannot be read: {fault}"
        ) from None
