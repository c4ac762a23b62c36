"""Which texts of a prompt are given, and in which order."""

from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Part,
    Prompt,
    Redacted,
    Refusal,
    SearchResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.texts import prompt_texts


def test_every_text_comes_in_order() -> None:
    said: list[Part] = [
        Thinking("thought"),
        Text("said"),
        Refusal("no"),
        ToolCall("1", "f", '{"a":1}'),
    ]
    answered: list[Part] = [
        ToolResult("1", [Text("result"), Image(data="aGk="), Document(text="of a file")]),
        SearchResult("s", "title", [Text("found")]),
        Document(title="t", context="c", parts=[Text("nested")]),
    ]
    prompt = Prompt(
        "m", [Turn("assistant", said), Turn("user", answered)], system=[Text("one"), Text("two")]
    )
    assert prompt_texts(prompt) == [
        "one", "two", "thought", "said", "no", '{"a":1}', "result", "of a file", "title", "found",
        "t", "c", "nested",
    ]  # fmt: skip


def test_what_holds_no_text_is_passed_over() -> None:
    parts: list[Part] = [
        Text(""),
        Image(url="u"),
        Audio(data="x"),
        Redacted("r"),
        ToolCall("1", "f"),
    ]
    assert prompt_texts(Prompt("m", [Turn("user", parts)])) == []
