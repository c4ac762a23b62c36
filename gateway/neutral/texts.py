"""The texts of a prompt, for whoever looks for words in it."""

from collections.abc import Iterable, Iterator

from gateway.neutral.events import (
    Document,
    Part,
    Prompt,
    Refusal,
    SearchResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def prompt_texts(prompt: Prompt) -> list[str]:
    """Return every text of the prompt in order: system, messages, tool calls and their results.

    Tool arguments are JSON text, as the client wrote it. Text inside images, audio and encoded
    files is not looked into. Empty texts are left out.
    """
    texts = [part.text for part in prompt.system]
    for turn in prompt.turns:
        texts += _part_texts(turn.parts)
    return [text for text in texts if text]


def _part_texts(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        match part:
            case Text() | Thinking() | Refusal():
                yield part.text
            case ToolCall():
                yield part.arguments
            case ToolResult():
                yield from _part_texts(part.parts)
            case Document():
                yield from _document_texts(part)
            case SearchResult():
                yield part.title
                yield from _part_texts(part.parts)
            case _:
                pass  # pictures, sound and parts of unknown kinds hold no text to read


def _document_texts(document: Document) -> Iterator[str]:
    yield from (text for text in (document.title, document.context, document.text) if text)
    yield from _part_texts(document.parts or [])
