"""A Gemini upstream's stream as neutral events (`GenerateContentResponse`).

Each event holds the next parts of the answer; a function call comes whole. The last event has the
finish reason, but older servers put one into each: so only the end of the stream is the end.
"""

from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.common.arguments import custom_names, unwrapped
from gateway.dialects.common.signatures import ALONE, NATIVE_CALL, SAID
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.gemini.answer import (
    BROKEN,
    blocked,
    broken,
    call_id,
    ending_of,
    is_blocked,
    usage_of,
)
from gateway.dialects.gemini.errors import error_in
from gateway.dialects.gemini.grounding import citations
from gateway.dialects.gemini.reasoning_out import is_thinking
from gateway.dialects.gemini.wire import NAME, Answer, Candidate, FunctionCall, Part, UsageCounts
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    ArgumentsDelta,
    Began,
    CitationCame,
    Ended,
    Ending,
    Event,
    PartEnded,
    RedactedCame,
    SignatureCame,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
)
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame

_decode = msgspec.json.Decoder(Answer).decode


class GeminiReader:
    """Reads one stream of a Gemini upstream."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing
        self._custom = custom_names(crossing)
        self._answered = False
        self._began = False
        self._id = self._model = ""
        self._open: Literal["", "text", "thinking"] = ""
        self._calls = 0
        self._spoke = False
        self._finish: str | None = None
        self._finish_message: str | None = None
        self._blocked: Ending | None = None
        self._counts: UsageCounts | None = None
        self._stops = StopScanner(crossing.local_stops) if crossing.local_stops else None
        self._stop: str | None = None
        # what was said is needed to quote from it, and only for a client that asked for sources
        self._said: list[str] | None = [] if crossing.prompt.web_search else None
        self._starts: list[int] = []
        # a client that thinks and calls gets signatures of texts; others would stumble over them
        prompt = crossing.prompt
        self._signs_text = bool(prompt.tools) or is_thinking(prompt.reasoning)

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame."""
        if self.ended:
            return []
        try:
            answer = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answer = _slowly(frame.data)
        if answer.error is not ABSENT and present(answer.error):
            raise error_in(frame.data) or BadAnswer("upstream sent an error that says nothing")
        return self.take(answer)

    def take(self, answer: Answer) -> list[Event]:
        """The events of one answer, or of a piece of one."""
        out: list[Event] = []
        if answer.usage_metadata is not None:
            self._counts = answer.usage_metadata  # of all that came so far
        if not self._answered and (answer.candidates or is_blocked(answer)):
            self._answered = True
            self._id = answer.response_id or ""
            self._model = answer.model_version or self._crossing.model
        if answer.prompt_feedback is not None and is_blocked(answer):
            self._blocked = blocked(answer.prompt_feedback)
        for candidate in answer.candidates or ():
            if not candidate.index:
                self._candidate(candidate, out)
            else:
                self._crossing.notes.note("candidates", "only_the_first_told")
        return self._begun(out)

    def _begun(self, out: list[Event]) -> list[Event]:
        """Events after the beginning, which waits for the first: till then a fault is a status."""
        if out and not self._began:
            self._began = True
            out.insert(0, Began(self._id, self._model))
        return out

    def finish(self) -> list[Event]:
        """The ending, where the upstream gave a finish reason before it hung up; else Cut."""
        if self.ended:
            return []
        if self._blocked is None and self._finish is None:
            if not self._answered:
                raise BadAnswer("upstream returned no candidates")
            raise Cut("upstream ended before its answer was whole")
        if self._finish in BROKEN and not self._spoke and not self._calls:
            raise broken(self._finish, self._finish_message)
        out: list[Event] = []
        self._close(out)
        self._end(self._ending(), out)
        return self._begun(out)

    def _ending(self) -> Ending:
        if self._blocked is not None and self._finish is None:
            return self._blocked
        return ending_of(
            self._finish or "",
            self._finish_message,
            said=self._spoke,
            called=self._calls > 0,
            notes=self._crossing.notes,
        )

    def _end(self, ending: Ending, out: list[Event]) -> None:
        self.ended = True
        ending.usage = usage_of(self._counts) if self._counts is not None else None
        out.append(Ended(ending))

    def _candidate(self, candidate: Candidate, out: list[Event]) -> None:
        parts = candidate.content.parts if candidate.content is not None else None
        self._starts.clear()
        for part in parts or ():
            if self.ended:
                return
            if self._said is not None:
                self._starts.append(self._bytes_said())
            self._part(part, out)
        if candidate.finish_reason:
            self._finish = candidate.finish_reason
            self._finish_message = candidate.finish_message
        if candidate.grounding_metadata is not None and self._said is not None:
            self._cite(candidate, out)

    def _part(self, part: Part, out: list[Event]) -> None:
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, out)
        elif part.thought:
            self._thought(part, out)
        elif part.text is not None:
            self._text(part.text, part.thought_signature, out)
        elif words := _in_words(part):
            self._crossing.notes.note("content.parts", "told_in_words")
            self._close(out)
            self._say(words, out)
            self._close(out)
        elif present(part.tool_call) or present(part.tool_response):
            self._crossing.notes.note("content.tool_call", "unsupported_by_client")
        elif part.thought_signature:
            self._sign(part.thought_signature, ALONE, out)

    # --- text and thoughts ------------------------------------------------------------------------

    def _text(self, text: str, signature: str | None, out: list[Event]) -> None:
        if not signature:
            self._say(text, out)
            return
        if not text:
            self._sign(signature, ALONE, out)
            return
        self._close(out)  # a signed part is told by itself, or it could not go back as it came
        self._say(text, out)
        self._sign(signature, SAID, out)

    def _sign(self, signature: str, origin: str, out: list[Event]) -> None:
        self._close(out)
        if self._signs_text and not self.ended:
            out.append(RedactedCame(signature, origin))

    def _say(self, text: str, out: list[Event]) -> None:
        if not text or self.ended:
            return
        if self._stops is None:
            self._release(text, out)
            return
        if self._open != "text":
            self._close(out)
        text, self._stop = self._stops.feed(text)
        self._release(text, out)
        if self._stop is not None:
            self.cut = True
            self._shut(out)
            self._end(Ending("stop_sequence", self._stop), out)

    def _release(self, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._open != "text":
            self._shut(out)
            self._open = "text"
            self._spoke = True
            out.append(TextBegan())
            if self._said is not None:
                self._said.clear()
        if self._said is not None:
            self._said.append(text)
        out.append(TextDelta(text))

    def _thought(self, part: Part, out: list[Event]) -> None:
        if self._open != "thinking":
            self._close(out)
            self._open = "thinking"
            out.append(ThinkingBegan())
        if part.text:
            out.append(ThinkingDelta(part.text))
        if part.thought_signature:
            out.append(SignatureCame(part.thought_signature, NAME))
            self._shut(out)

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, call: FunctionCall, signature: str | None, out: list[Event]) -> None:
        self._close(out)
        id = call.id or call_id(self._id, self._calls)
        self._calls += 1
        if signature:
            if self._crossing.signed is not None:
                self._crossing.signed.keep(id, signature)
            out.append(RedactedCame(signature, NATIVE_CALL))
        name = self._crossing.names.known(call.name)
        arguments = _compact(call.args) if present(call.args) else "{}"
        if name in self._custom:
            arguments = unwrapped(arguments)
        out += [
            ToolBegan(id, name, name in self._custom), ArgumentsDelta(arguments), PartEnded(),
        ]  # fmt: skip

    # --- sources, and the end of parts ------------------------------------------------------------

    def _bytes_said(self) -> int:
        if not self._said or self._open != "text":
            return 0
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in self._said)

    def _cite(self, candidate: Candidate, out: list[Event]) -> None:
        assert candidate.grounding_metadata is not None
        assert self._said is not None
        if self._open != "text":
            if candidate.grounding_metadata.grounding_supports:
                self._crossing.notes.note("citations", "without_text_dropped")
            return
        found = citations(candidate.grounding_metadata, "".join(self._said), self._starts)
        out += [CitationCame(citation) for citation in found]

    def _close(self, out: list[Event]) -> None:
        """Ends the open part, what was held back of its text included."""
        if self._stops is not None:
            self._release(self._stops.finish(), out)
            self._stops = StopScanner(self._crossing.local_stops)
        self._shut(out)

    def _shut(self, out: list[Event]) -> None:
        if self._open:
            self._open = ""
            out.append(PartEnded())


def _compact(raw: Raw) -> str:
    """The JSON without what the API puts between its words in whole answers; numbers as spelled."""
    spelled = bytes(raw)
    return (msgspec.json.format(spelled, indent=-1) if b"\n" in spelled else spelled).decode()


def _in_words(part: Part) -> str:
    """A part that clients of other dialects can only be told of."""
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


def _slowly(data: bytes) -> Answer:
    """An answer that msgspec refuses at first: a lone surrogate, an error in a shape of its own."""
    try:
        return decode(data, Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise error_in(data) or BadAnswer(
            f"upstream sent an event that cannot be read: {fault}"
        ) from None
