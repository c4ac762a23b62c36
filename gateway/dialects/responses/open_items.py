"""One output item of a stream, as far as it has come: a message, reasoning, or a tool call.

Each is told by deltas where the upstream sends them. What it says only at the end of a part, or of
the item, is told then; nothing is told twice.
"""

from typing import Protocol

from gateway.dialect import Crossing
from gateway.dialects.common.arguments import INVALID_ARGUMENTS, made_id, unwrapped
from gateway.dialects.common.shapes import is_object
from gateway.dialects.responses.message_in import BETWEEN, Documents, cited, thoughts
from gateway.dialects.responses.typed_in import Item, StreamEvent
from gateway.dialects.responses.wire import NAME
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationCame,
    Event,
    PartEnded,
    Redacted,
    RedactedCame,
    Refused,
    SignatureCame,
    TextBegan,
    TextDelta,
    Thinking,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
)
from gateway.wire.raw_json import present

CLOSED = -1


class OpenItem(Protocol):
    """An item that has begun."""

    open: int
    """The content index of the text part that is open; CLOSED where none is."""

    def piece(self, event: StreamEvent) -> list[Event]:
        """What one more event of the item says."""

    def end(self, item: Item) -> list[Event]:
        """What of the whole item is still to be said, and its end."""


class Quiet:
    """An item that says nothing to the client."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = CLOSED

    def piece(self, event: StreamEvent) -> list[Event]:
        """Nothing."""
        return []

    def end(self, item: Item) -> list[Event]:
        """Nothing."""
        return []


class Speech:
    """A message; each of its content parts is a text of its own, but for refusals."""

    __slots__ = ("_cited", "_crossing", "_said", "_told", "open")

    def __init__(self, crossing: Crossing) -> None:
        self.open = CLOSED
        self._crossing = crossing
        self._told: set[int] = set()  # content parts of which something was said
        self._cited: set[int] = set()
        self._said: list[str] = []  # by the open part, to quote from

    def piece(self, event: StreamEvent) -> list[Event]:
        """More text, a refusal, or a source."""
        at = event.content_index or 0
        match event.type:
            case "response.output_text.delta":
                return self._say(at, event.delta)
            case "response.output_text.done" if at not in self._told:
                return self._say(at, event.text)
            case "response.refusal.delta":
                return self._decline(at, event.delta)
            case "response.refusal.done" if at not in self._told:
                return self._decline(at, event.refusal)
            case "response.output_text.annotation.added" if present(event.annotation):
                self._cited.add(at)
                found = cited(event.annotation, "".join(self._said), self._crossing)
                return [CitationCame(found)] if found is not None and self.open == at else []
        return []

    def _say(self, at: int, text: str | None) -> list[Event]:
        if not text:
            return []
        self._told.add(at)
        out: list[Event] = []
        if self.open != at:
            out += self._close()
            self.open = at
            out.append(TextBegan())
        if self._crossing.prompt.web_search is not None:
            self._said.append(text)
        out.append(TextDelta(text))
        return out

    def _decline(self, at: int, text: str | None) -> list[Event]:
        if not text:
            return []
        self._told.add(at)
        return [*self._close(), Refused(text)]

    def _close(self) -> list[Event]:
        if self.open == CLOSED:
            return []
        self.open = CLOSED
        self._said.clear()
        return [PartEnded()]

    def end(self, item: Item) -> list[Event]:
        """The content parts, and the sources of the open one, that no event told."""
        out: list[Event] = []
        for at, content in enumerate(item.content or ()):
            if at not in self._told:
                out += self._decline(at, content.refusal) or self._say(at, content.text)
            if at == self.open and at not in self._cited:
                found = [
                    cited(raw, content.text or "", self._crossing)
                    for raw in content.annotations or ()
                ]
                out += [CitationCame(citation) for citation in found if citation is not None]
        return out + self._close()


class Thought:
    """A reasoning item: its summary or its own words, whichever comes first."""

    __slots__ = ("_at", "_began", "_source", "_told", "open")

    def __init__(self) -> None:
        self.open = CLOSED
        self._source = ""
        self._at = 0  # index of the last part that said something
        self._told: set[int] = set()
        self._began = False

    def piece(self, event: StreamEvent) -> list[Event]:
        """More of the summary, or of the words."""
        kind, _, change = event.type.removeprefix("response.").rpartition(".")
        if kind not in ("reasoning_summary_text", "reasoning_text"):
            return []
        at = (event.summary_index if kind == "reasoning_summary_text" else event.content_index) or 0
        text = event.delta if change == "delta" else event.text if at not in self._told else None
        if not text or (self._source and self._source != kind):
            return []
        self._source = kind
        return self._say(at, text)

    def _say(self, at: int, text: str) -> list[Event]:
        out: list[Event] = []
        if not self._began:
            self._began = True
            out.append(ThinkingBegan())
        elif at != self._at:
            out.append(ThinkingDelta(BETWEEN))
        self._at = at
        self._told.add(at)
        out.append(ThinkingDelta(text))
        return out

    def end(self, item: Item) -> list[Event]:
        """Its words where no event told them, and what the upstream wants back."""
        out: list[Event] = []
        for whole in thoughts(item):
            if isinstance(whole, Thinking) and not self._began:
                out += self._say(0, whole.text)
            blob = whole.data if isinstance(whole, Redacted) else None
            blob = whole.signature if isinstance(whole, Thinking) else blob
            if blob is not None:
                kind = SignatureCame if self._began else RedactedCame
                out.append(kind(blob, NAME))
        if self._began:
            out.append(PartEnded())
        return out


class Calling:
    """A call of a function or of a tool of free text."""

    __slots__ = ("_crossing", "_custom", "_id", "_name", "_pieces", "_wrapped", "open")

    def __init__(self, item: Item, wrapped: frozenset[str], crossing: Crossing) -> None:
        self.open = CLOSED
        self._crossing = crossing
        self._id = item.call_id or item.id or made_id()
        self._name = ""
        self._custom = item.type == "custom_tool_call"
        self._wrapped = wrapped
        self._pieces: list[str] = []

    def begin(self, item: Item) -> list[Event]:
        """The call, once its name is known."""
        name = self._crossing.names.known(item.name or "")
        if self._name or not name:
            return []
        self._name = name
        return [ToolBegan(self._id, name, self._custom or name in self._wrapped)]

    @property
    def _waits(self) -> bool:
        """Whether what has come cannot be told before the end."""
        return not self._name or self._name in self._wrapped

    def piece(self, event: StreamEvent) -> list[Event]:
        """More of the arguments, or all of them where none came before."""
        match event.type:
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._argue(event.delta)
            case "response.function_call_arguments.done" if not self._pieces:
                return self._argue(event.arguments)
            case "response.custom_tool_call_input.done" if not self._pieces:
                return self._argue(event.input)
        return []

    def _argue(self, text: str | None) -> list[Event]:
        if not text:
            return []
        self._pieces.append(text)
        return [] if self._waits else [ArgumentsDelta(text)]

    def end(self, item: Item) -> list[Event]:
        """The arguments that were not told. BadAnswer for some that are no object."""
        waited = self._waits or not self._pieces
        out = self.begin(item)
        if not self._name:
            self._crossing.notes.note("output.function_call", "without_name_dropped")
            return []
        text = self._whole(item)
        if waited and text:
            out.append(ArgumentsDelta(text))
        return [*out, PartEnded()]

    def _whole(self, item: Item) -> str:
        text = "".join(self._pieces) or (item.input if self._custom else item.arguments) or ""
        if self._custom:
            return text
        if self._name in self._wrapped:
            return unwrapped(text)
        cut_short = item.status == "incomplete"
        if text.strip() and not cut_short and not is_object(text):
            raise BadAnswer(INVALID_ARGUMENTS)
        return text


def opened(
    item: Item, documents: Documents, wrapped: frozenset[str], crossing: Crossing
) -> OpenItem:
    """The item that begins."""
    match item.type:
        case "message" if documents.takes(item):
            return Speech(crossing)
        case "reasoning":
            return Thought()
        case "function_call" | "custom_tool_call":
            return Calling(item, wrapped, crossing)
    return Quiet()
