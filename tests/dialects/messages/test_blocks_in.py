"""Reading content blocks of a Messages request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    CacheMark,
    Document,
    Image,
    Opaque,
    Redacted,
    SearchResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.neutral.notes import LossReport
from tests.dialects.messages.wires import fields, parts_of

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
TEXT = {"type": "text", "text": "t"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (TEXT, Text("t")),
        (
            {**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text("t", cache=CacheMark("1h")),
        ),
        ({**TEXT, "cache_control": {"type": "ephemeral"}}, Text("t", cache=CacheMark())),
        ({"type": "image", "source": PNG}, Image("image/png", "iVBORw0KGgo=")),
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, Image(url="https://x")),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, Image(file_id="f")),
        (
            {
                "type": "document",
                "source": PDF,
                "title": "T",
                "context": "C",
                "citations": {"enabled": True},
            },
            Document("application/pdf", "JVBERi0=", title="T", context="C", cited=True),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x"}},
            Document(url="https://x"),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "d"},
            },
            Document("text/plain", text="d"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [TEXT]}},
            Document(parts=[Text("t")]),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "s"}},
            Document(parts=[Text("s")]),
        ),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, Document(file_id="f")),
        (
            {"type": "search_result", "source": "S", "title": "T", "content": [TEXT]},
            SearchResult("S", "T", [Text("t")]),
        ),
        (
            {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": True},
            ToolResult("a", [Text("x")], is_error=True),
        ),
        ({"type": "tool_result", "tool_use_id": "a"}, ToolResult("a", [])),
        (
            {
                "type": "tool_result",
                "tool_use_id": "a",
                "content": [
                    TEXT,
                    {"type": "image", "source": PNG},
                    {"type": "document", "source": PDF},
                    {"type": "tool_reference", "tool_name": "g"},
                    {"type": "browser_state", "tabs": []},
                ],
            },
            ToolResult(
                "a",
                [
                    Text("t"),
                    Image("image/png", "iVBORw0KGgo="),
                    Document("application/pdf", "JVBERi0="),
                    Text("Tool now available: g"),
                    Text('{"type":"browser_state","tabs":[]}'),
                ],
            ),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            Thinking("hm", "sig", "messages"),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": ""},
            Thinking("hm", None, "messages"),
        ),
        ({"type": "redacted_thinking", "data": "xx"}, Redacted("xx", "messages")),
    ],
)
def test_a_block_as_a_part(block: dict[str, Any], part: object) -> None:
    assert parts_of([block]) == [part]


def test_tool_input_keeps_its_spelling() -> None:
    raw = (
        b'[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f",'
        b'"input":{"n": 1e3, "a":[1.0]},"caller":{"type":"direct"}}]}]'
    )
    got = MESSAGES.read_prompt({**fields(), "messages": Raw(raw)}, LossReport())
    assert got.turns[0].parts == [ToolCall("a", "f", '{"n": 1e3, "a":[1.0]}')]


@pytest.mark.parametrize("type_", ["mcp_tool_listing", "fallback"])
def test_blocks_outside_the_prompt_vanish(type_: str) -> None:
    notes = LossReport()
    assert parts_of([{"type": type_}, TEXT], "assistant", notes) == [Text("t")]
    assert notes.entries == []


@pytest.mark.parametrize(
    ("block", "note"),
    [
        ({"type": "brand_new", "x": 1}, "messages.0.content.0:unknown_block"),
        (
            {"type": "container_upload", "file_id": "f"},
            "messages.0.content.0:unsupported_by_target",
        ),
    ],
)
def test_an_unknown_block_is_kept_and_noted(block: dict[str, Any], note: str) -> None:
    notes = LossReport()
    (part,) = parts_of([block], notes=notes)
    assert isinstance(part, Opaque)
    assert (part.type, part.origin) == (block["type"], "messages")
    assert notes.entries == [note]


def test_citations_and_transformations_are_noted() -> None:
    notes = LossReport()
    parts_of(
        [
            {**TEXT, "citations": [{"type": "char_location"}]},
            {"type": "image", "source": PNG, "transformations": {"crop": 1}},
        ],
        notes=notes,
    )
    assert notes.entries == [
        "messages.0.content.0.citations:unsupported_by_target",
        "messages.0.content.1.transformations:unsupported_by_target",
    ]


def test_empty_text_is_no_part() -> None:
    assert parts_of([{"type": "text", "text": ""}, TEXT]) == [Text("t")]


@pytest.mark.parametrize(
    ("block", "param"),
    [
        (3, ""),
        ({}, ".type"),
        ({"type": 3}, ".type"),
        ({"type": "text"}, ".text"),
        ({"type": "text", "text": 3}, ".text"),
        ({**TEXT, "cache_control": 3}, ".cache_control"),
        ({"type": "image"}, ".source"),
        ({"type": "image", "source": {**PNG, "data": 3}}, ".source.data"),
        ({"type": "image", "source": {"type": "base64", "data": "x"}}, ".source.media_type"),
        ({"type": "image", "source": {"type": "base64", "media_type": "x"}}, ".source.data"),
        ({"type": "image", "source": {"type": "url"}}, ".source.url"),
        ({"type": "image", "source": {"type": "text", "data": "x"}}, ".source.type"),
        ({"type": "document", "source": {"type": "odd"}}, ".source.type"),
        ({"type": "tool_use", "id": "a", "name": "f", "input": "x"}, ".input"),
        ({"type": "tool_use", "name": "f", "input": {}}, ".id"),
        ({"type": "tool_result", "content": "x"}, ".tool_use_id"),
        (
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]},
            ".content.0.text",
        ),
        ({"type": "thinking", "thinking": None}, ".thinking"),
        ({"type": "redacted_thinking"}, ".data"),
        ({"type": "search_result", "source": "s", "title": "t"}, ".content"),
    ],
)
def test_a_wrong_block_is_named_by_its_path(block: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parts_of([TEXT, block])
    assert caught.value.param == "messages.0.content.1" + param
    assert caught.value.message.startswith("messages.0.content.1" + param + ": ")
