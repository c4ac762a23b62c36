from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.counting.dialects import MESSAGES_COUNTING
from gateway.counting.estimate import estimate_tokens
from gateway.counting.families import ModelFamily, get_family
from gateway.counting.texts import Tokenizers, count_by_script
from gateway.neutral.events import (
    Audio,
    Document,
    Format,
    Image,
    Opaque,
    Part,
    Prompt,
    Redacted,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    WebSearch,
)
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import split_object

PLAIN = ModelFamily(match="*")
WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "input_schema": {
        "type": "object",
        "properties": {
            "location": {
                "type": "string",
                "description": "The city and state, e.g. San Francisco, CA",
            }
        },
        "required": ["location"],
    },
}


def read(**members: Any) -> Prompt:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello, Claude"}]} | members
    return MESSAGES_COUNTING.read_prompt(split_object(msgspec.json.encode(body)), LossReport())


def said(*parts: Part, **members: Any) -> Prompt:
    return Prompt("m", [Turn("user", list(parts))], **members)


def letters(text: str) -> int:
    return len(text)


def test_the_published_example_of_a_plain_prompt() -> None:
    length = Tokenizers().get_counter("o200k_base")
    prompt = read(system="You are a scientist")
    assert (
        estimate_tokens(prompt, msgspec.structs.replace(get_family("claude-x"), factor=1.0), length)
        == 14
    )


def test_the_published_example_of_a_tool() -> None:
    length = Tokenizers().get_counter("o200k_base")
    question = [{"role": "user", "content": "What is the weather like in San Francisco?"}]
    prompt = read(messages=question, tools=[WEATHER])
    plain = msgspec.structs.replace(get_family("claude-x"), factor=1.0)
    assert estimate_tokens(prompt, plain, length) == pytest.approx(403, rel=0.05)


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (Text("12345"), 5),
        (Text(""), 0),
        (Refusal("123"), 3),
        (Thinking("1234"), 4),
        (Redacted("x" * 40), 10),
        (ServerTool("12", "t", Raw(b"{}")), 2),
        (Opaque("t", Raw(b'{"a":1}'), "x"), 7),
        (ToolCall("id", "ab", '{"a":1}'), 8 + 2 + 7),
        (ToolResult("id", [Text("123"), Image(url="u")]), 8 + 3 + 1600),
        (SearchResult("12", "345", [Text("6789")]), 9),
        (Image(url="u"), 1600),
        (Document(text="1234", title="ab", context="c"), 7),
        (Document(parts=[Text("12")], title="ab"), 4),
        (Document(url="u"), 5 * 3600),
        (Audio("x" * 4001, "wav"), 3),
        (Audio(id="a"), 0),
    ],
)
def test_every_part_has_its_tokens(part: Part, tokens: int) -> None:
    prompt = Prompt("m", [Turn("assistant", [part])])
    assert estimate_tokens(prompt, PLAIN, letters) == 3 + 4 + tokens


def test_a_turn_a_system_prompt_and_an_answers_schema_weigh_too() -> None:
    heavy = ModelFamily(match="*", base=100, turn=10, system=1000, factor=2.0)
    prompt = said(Text("1"), system=[Text("12")], format=Format("json_schema", Raw(b"{}")))
    prompt.turns.append(Turn("assistant", [Text("123")]))
    assert estimate_tokens(prompt, heavy, letters) == 100 + 2 * 10 + 1000 + 2 * (1 + 2 + 2 + 3)


def test_tools_weigh_as_compact_json_and_once_together() -> None:
    tooled = ModelFamily(match="*", tools=300)
    compact = '{"name":"f","description":"d","input_schema":{"type":"object"}}'
    spaced = Raw(b'{ "type" :\n "object" }')
    prompt = said(Text("1"), tools=[Tool("f", "d", spaced), Tool("g", custom=True)])
    length = 7 + 1 + 300 + 8 + len(compact) + 8 + len('{"name":"g"}')
    assert estimate_tokens(prompt, tooled, letters) == length
    prompt.tools[1].grammar = ("lark", "abc")
    assert estimate_tokens(prompt, tooled, letters) == length + len(',"grammar":"abc"')
    assert estimate_tokens(said(web_search=WebSearch()), tooled, letters) == 7 + 300 + 8 + 21


def test_only_what_was_thought_since_the_last_question_counts() -> None:
    old, new = Thinking("x" * 100), Thinking("y" * 10)
    turns = [
        Turn("user", [Text("a")]),
        Turn("assistant", [old, Redacted("z" * 400), Text("b")]),
        Turn("user", [Text("c")]),
        Turn("assistant", [new, ToolCall("id", "f", "{}")]),
        Turn("user", [ToolResult("id", [Text("d")])]),
    ]
    assert estimate_tokens(Prompt("m", turns), PLAIN, letters) == 3 + 5 * 4 + 4 + 10 + (8 + 3) + 8
    assert estimate_tokens(Prompt("m", [Turn("assistant", [old])]), PLAIN, letters) == 107


@given(st.lists(st.text()), st.text())
def test_the_estimate_grows_with_the_text(texts: list[str], more: str) -> None:
    parts: list[Part] = [Text(text) for text in texts]
    longer: list[Part] = [Text(text + more) for text in texts]
    for model in ("claude-opus-4-8", "gpt-5", "unheard-of"):
        known = get_family(model)
        less = estimate_tokens(said(*parts), known, count_by_script)
        assert less <= estimate_tokens(said(*longer), known, count_by_script)
        assert less <= estimate_tokens(said(*parts, Text(more)), known, count_by_script)


@pytest.mark.parametrize(
    ("model", "vocabulary", "factor", "images"),
    [
        ("claude-3-7-sonnet-latest", "o200k_base", 1.15, "claude"),
        ("claude-sonnet-4-20250514", "o200k_base", 1.15, "claude"),
        ("claude-sonnet-4-5", "o200k_base", 1.15, "claude"),
        ("anthropic/claude-sonnet-4.5", "o200k_base", 1.15, "claude"),
        ("claude-sonnet-4-5-20250929", "o200k_base", 1.15, "claude"),
        ("claude-opus-4-8", "o200k_base", 1.35, "claude-large"),
        ("Claude-Opus-5.5", "o200k_base", 1.35, "claude-large"),
        ("gpt-4", "cl100k_base", 1.0, "tiles"),
        ("gpt-4-turbo", "cl100k_base", 1.0, "tiles"),
        ("openai/gpt-4o-mini", "o200k_base", 1.0, "tiles"),
        ("o3", "o200k_base", 1.0, "tiles"),
        ("gpt-6.1", "o200k_base", 1.0, "patches"),
        ("gpt-oss-120b", "gpt-oss", 1.0, "unknown"),
        ("gemini-2.5-pro", "o200k_base", 1.0, "gemini-tiles"),
        ("gemini-3-pro", "o200k_base", 1.0, "gemini"),
        ("deepseek/deepseek-chat", "deepseek-v3", 1.0, "unknown"),
        ("qwen3:32b", "qwen3", 1.0, "unknown"),
        ("meta-llama/llama-3.3-70b", "llama3", 1.0, "unknown"),
        ("mixtral-8x7b", "mistral_v3", 1.0, "unknown"),
        ("kimi-k2", "kimi", 1.0, "unknown"),
        ("glm-4.6", "glm4", 1.0, "unknown"),
        ("phi-4", "phi4", 1.0, "unknown"),
        ("gemma-3-27b", "gemma3", 1.0, "unknown"),
        ("house-model", "o200k_base", 1.1, "unknown"),
        ("", "o200k_base", 1.1, "unknown"),
    ],
)
def test_a_models_family_is_known_by_its_id(
    model: str, vocabulary: str, factor: float, images: str
) -> None:
    found = get_family(model)
    assert (found.vocabulary, found.factor, found.images) == (vocabulary, factor, images)
