"""One output item of a stream, as far as it has come: a message, reasoning, or a tool call.

Deltas pass at once where the upstream sends them. Text that it gives only with the end of a part,
or of the item, passes then; nothing passes twice.
"""

from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.arguments import INVALID_ARGUMENTS, make_call_id, read_custom_input
from gateway.dialects.common.shapes import is_json_object
from gateway.dialects.responses.answer_wire import Annotation, OutputItem, StreamEvent, decode_as
from gateway.dialects.responses.reasoning import pack_reasoning
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Event,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
)
from gateway.wire.raw_json import present

NO_OPEN_PART = -1
_SUMMARY_SEPARATOR = "\n\n"
"""Stands between two parts of a summary."""


class OpenItem:
    """An item that has begun. This one gives the client nothing; others override all of it."""

    __slots__ = ("open_part",)

    def __init__(self) -> None:
        self.open_part = NO_OPEN_PART  # else the content index of the text that is open

    def read_event(self, event: StreamEvent) -> list[Event]:
        """The neutral events that one more event of the item makes."""
        return []

    def end_item(self, item: OutputItem) -> list[Event]:
        """What of the whole item was not given yet, and its end."""
        return []


class OpenMessage(OpenItem):
    """A message; each of its content parts is a text of its own, but for refusals."""

    __slots__ = ("_cited_parts", "_conversion", "_emitted_parts", "_quotable_text")

    def __init__(self, conversion: Conversion) -> None:
        super().__init__()
        self._conversion = conversion
        self._emitted_parts: set[int] = set()  # content parts whose text was given
        self._cited_parts: set[int] = set()
        self._quotable_text: list[str] = []  # by the open part, to quote from

    def read_event(self, event: StreamEvent) -> list[Event]:
        """More text, a refusal, or a source."""
        at = event.content_index or 0
        match event.type:
            case "response.output_text.delta":
                return self._emit_text(at, event.delta)
            case "response.output_text.done" if at not in self._emitted_parts:
                return self._emit_text(at, event.text)
            case "response.refusal.delta":
                return self._emit_refusal(at, event.delta)
            case "response.refusal.done" if at not in self._emitted_parts:
                return self._emit_refusal(at, event.refusal)
            case "response.output_text.annotation.added" if present(event.annotation):
                self._cited_parts.add(at)
                found = _read_citation(
                    event.annotation, "".join(self._quotable_text), self._conversion
                )
                return [CitationAdded(found)] if found is not None and self.open_part == at else []
        return []

    def _emit_text(self, at: int, text: str | None) -> list[Event]:
        if not text:
            return []
        self._emitted_parts.add(at)
        out: list[Event] = []
        if self.open_part != at:
            out += self._close_part()
            self.open_part = at
            out.append(TextStart())
        if self._conversion.prompt.web_search is not None:
            self._quotable_text.append(text)
        out.append(TextDelta(text))
        return out

    def _emit_refusal(self, at: int, text: str | None) -> list[Event]:
        if not text:
            return []
        self._emitted_parts.add(at)
        return [*self._close_part(), RefusalDelta(text)]

    def _close_part(self) -> list[Event]:
        if self.open_part == NO_OPEN_PART:
            return []
        self.open_part = NO_OPEN_PART
        self._quotable_text.clear()
        return [PartEnd()]

    def end_item(self, item: OutputItem) -> list[Event]:
        """The content parts, and the citations of the open one, that no event gave."""
        out: list[Event] = []
        for at, content in enumerate(item.content or ()):
            if at not in self._emitted_parts:
                out += self._emit_refusal(at, content.refusal) or self._emit_text(at, content.text)
            if at == self.open_part and at not in self._cited_parts:
                found = [
                    _read_citation(raw, content.text or "", self._conversion)
                    for raw in content.annotations or ()
                ]
                out += [CitationAdded(citation) for citation in found if citation is not None]
        return out + self._close_part()


class OpenReasoning(OpenItem):
    """A reasoning item: its summary or its own text, whichever comes first."""

    __slots__ = ("_emitted_parts", "_has_started", "_last_index", "_source")

    def __init__(self) -> None:
        super().__init__()
        self._source = ""
        self._last_index = 0  # of the last part with text
        self._emitted_parts: set[int] = set()
        self._has_started = False

    def read_event(self, event: StreamEvent) -> list[Event]:
        """More of the summary, or of the text."""
        kind, _, change = event.type.removeprefix("response.").rpartition(".")
        if kind not in ("reasoning_summary_text", "reasoning_text"):
            return []
        at = (event.summary_index if kind == "reasoning_summary_text" else event.content_index) or 0
        text = (
            event.delta
            if change == "delta"
            else event.text
            if at not in self._emitted_parts
            else None
        )
        if not text or (self._source and self._source != kind):
            return []
        self._source = kind
        return self._emit_thinking(at, text)

    def _emit_thinking(self, at: int, text: str) -> list[Event]:
        out: list[Event] = []
        if not self._has_started:
            self._has_started = True
            out.append(ThinkingStart())
        elif at != self._last_index:
            out.append(ThinkingDelta(_SUMMARY_SEPARATOR))
        self._last_index = at
        self._emitted_parts.add(at)
        out.append(ThinkingDelta(text))
        return out

    def end_item(self, item: OutputItem) -> list[Event]:
        """Its text if no event gave it, and its encrypted content."""
        out: list[Event] = []
        if not self._has_started:
            texts = [piece.text for piece in item.summary or () if piece.text]
            texts = texts or [piece.text for piece in item.content or () if piece.text]
            for at, text in enumerate(texts):
                out += self._emit_thinking(at, text)
        if item.encrypted_content:
            blob = pack_reasoning(item.id or "", item.encrypted_content)
            kind = Signature if self._has_started else RedactedThinking
            out.append(kind(blob, DIALECT_NAME))
        if self._has_started:
            out.append(PartEnd())
        return out


class OpenCall(OpenItem):
    """A call of a function or of a tool of free text."""

    __slots__ = (
        "_conversion", "_has_emitted", "_id", "_is_custom", "_name", "_pieces", "_wrapped_names",
    )  # fmt: skip

    def __init__(self, item: OutputItem, conversion: Conversion, wrapped: frozenset[str]) -> None:
        super().__init__()
        self._conversion = conversion
        self._id = item.call_id or item.id or make_call_id()
        self._name = ""
        self._is_custom = item.type == "custom_tool_call"
        self._wrapped_names = wrapped
        self._pieces: list[str] = []
        self._has_emitted = False  # arguments, as they came

    def start_call(self, item: OutputItem) -> list[Event]:
        """The call, once its name is known."""
        name = self._conversion.names.to_client(item.name or "")
        if self._name or not name:
            return []
        self._name = name
        return [ToolStart(self._id, name, self._is_custom or name in self._wrapped_names)]

    @property
    def _needs_whole(self) -> bool:
        """Whether the arguments have to wait for the end of the item."""
        return not self._name or self._name in self._wrapped_names

    def read_event(self, event: StreamEvent) -> list[Event]:
        """More of the arguments, or all of them where none came before."""
        match event.type:
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._add_arguments(event.delta)
            case "response.function_call_arguments.done" if not self._pieces:
                return self._add_arguments(event.arguments)
            case "response.custom_tool_call_input.done" if not self._pieces:
                return self._add_arguments(event.input)
        return []

    def _add_arguments(self, text: str | None) -> list[Event]:
        if not text:
            return []
        self._pieces.append(text)
        if self._needs_whole:
            return []
        if not self._has_emitted:
            text = "".join(self._pieces)
            if "null".startswith(text.strip()):
                return []  # may be a null, which some servers write for no arguments
            self._has_emitted = True
        return [ArgumentsDelta(text)]

    def end_item(self, item: OutputItem) -> list[Event]:
        """The arguments that no event gave. BadAnswer where they are no JSON object."""
        started = bool(self._name)
        out = self.start_call(item)
        if not self._name:
            self._conversion.notes.note("output.function_call", "without_name_dropped")
            return []
        text = "".join(self._pieces) or (item.input if self._is_custom else item.arguments) or ""
        if not self._is_custom and self._name in self._wrapped_names:
            text = read_custom_input(text)
        elif not self._is_custom and text.strip() == "null":
            text = ""
        elif not self._is_custom and text.strip() and not is_json_object(text):
            if item.status != "incomplete":
                raise BadAnswer(INVALID_ARGUMENTS)
            if not started:
                self._conversion.notes.note("output.function_call", "cut_short_dropped")
                return []
        if text and not self._has_emitted:
            out.append(ArgumentsDelta(text))
        return [*out, PartEnd()]


def _read_citation(raw: Raw, text: str, conversion: Conversion) -> Citation | None:
    """An `AnnotationURLCitation` of the text; None where the client cannot use it."""
    if conversion.prompt.web_search is None:
        conversion.notes.note("annotations", "not_asked_for")
        return None
    found = decode_as(raw, Annotation)
    if found.type != "url_citation" or found.url is None:
        conversion.notes.note("annotations", "without_url_dropped")
        return None
    start, end = found.start_index, found.end_index
    if start is None or end is None or not 0 <= start <= end <= len(text):
        return Citation(raw, found.url, found.title)
    return Citation(raw, found.url, found.title, text[start:end] or None, (start, end))


def open_item(item: OutputItem, conversion: Conversion, wrapped: frozenset[str]) -> OpenItem:
    """The item that begins; `wrapped` are the custom tools that the upstream has as functions."""
    match item.type:
        case "message":
            return OpenMessage(conversion)
        case "reasoning":
            return OpenReasoning()
        case "function_call" | "custom_tool_call":
            return OpenCall(item, conversion, wrapped)
    return OpenItem()
