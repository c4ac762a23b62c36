"""Events to a whole message, and a whole message to events, for every dialect."""

from collections.abc import Iterable, Iterator

from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Event,
    Message,
    MessageEnd,
    MessageStart,
    Part,
    PartEnd,
    Redacted,
    RedactedThinking,
    Refusal,
    RefusalDelta,
    Signature,
    Text,
    TextDelta,
    TextStart,
    Thinking,
    ThinkingDelta,
    ThinkingStart,
    ToolCall,
    ToolStart,
)


class MessageBuilder:
    """Gathers the events of one answer; `message` is set once the answer is whole."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._parts: list[Part] = []
        self._pieces: list[str] = []  # of the open part: joined once, when it ends
        self.message: Message | None = None

    def add_part(self, part: Part | None) -> None:
        """Takes in a part that no event can tell of, if there is one."""
        if part is not None:
            self._parts.append(part)

    def add(self, event: Event) -> None:
        """Takes one event in; what follows the end of the message is no part of it."""
        if self.message is not None:
            return
        match event:
            case TextDelta() | ThinkingDelta() | ArgumentsDelta():
                self._pieces.append(event.text)
            case TextStart():
                self._parts.append(Text(""))
            case ThinkingStart():
                self._parts.append(Thinking(""))
            case ToolStart():
                self._parts.append(ToolCall(event.id, event.name, "", event.custom))
            case PartEnd():
                self._close()
            case MessageStart():
                self._id, self._model = event.id, event.model
            case MessageEnd():
                self.message = Message(self._id, self._model, self._parts, event.ending)
            case _:
                self._add_rare(event)

    def _add_rare(self, event: Event) -> None:
        last = self._parts[-1] if self._parts else None
        match event:
            case RedactedThinking():
                self._parts.append(Redacted(event.data, event.origin))
            case Signature() if isinstance(last, Thinking):
                last.signature, last.origin = event.signature, event.origin
            case CitationAdded() if isinstance(last, Text):
                last.citations.append(event.citation)
            case RefusalDelta() if isinstance(last, Refusal):
                last.text += event.text
            case RefusalDelta():
                self._parts.append(Refusal(event.text))
            case _:
                pass  # a sign of life says nothing of the answer

    def _close(self) -> None:
        text, self._pieces = "".join(self._pieces), []
        last = self._parts[-1]
        if isinstance(last, Text | Thinking):
            last.text = text
        elif isinstance(last, ToolCall):
            last.arguments = text


def build_message(events: Iterable[Event]) -> Message | None:
    """The message that the events make, or None where they do not end."""
    gathered = MessageBuilder()
    for event in events:
        gathered.add(event)
    return gathered.message


def message_events(message: Message) -> Iterator[Event]:
    """The events of a whole message, each part in one delta."""
    yield MessageStart(message.id, message.model, message.ending.usage)
    for part in message.parts:
        yield from part_events(part)
    yield MessageEnd(message.ending)


def part_events(part: Part) -> Iterator[Event]:
    """The events of one part; none for server tools and parts that only a prompt has."""
    match part:
        case Text():
            yield TextStart()
            if part.text:
                yield TextDelta(part.text)
            for citation in part.citations:
                yield CitationAdded(citation)
            yield PartEnd()
        case Thinking():
            yield ThinkingStart()
            if part.text:
                yield ThinkingDelta(part.text)
            if part.signature is not None:
                yield Signature(part.signature, part.origin)
            yield PartEnd()
        case ToolCall():
            yield ToolStart(part.id, part.name, part.custom)
            if part.arguments:
                yield ArgumentsDelta(part.arguments)
            yield PartEnd()
        case Redacted():
            yield RedactedThinking(part.data, part.origin)
        case Refusal():
            yield RefusalDelta(part.text)
        case _:
            pass  # each writer decides what it says of these
