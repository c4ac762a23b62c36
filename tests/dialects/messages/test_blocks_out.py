"""Writing content blocks of a Messages request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Audio,
    CacheMark,
    Document,
    Image,
    Opaque,
    Part,
    Prompt,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from tests.dialects.messages.wires import conversion, messages_of, written

PNG, JPEG, PDF = "iVBORw0KGgo=", "/9j/4AAQ", "JVBERi0xLjc="
TEXT = {"type": "text", "text": "t"}


def block_of(part: Part, **members: Any) -> Any:
    return messages_of([Turn("user", [Text("t"), part])], **members)[0]["content"][1]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Text("x", CacheMark("1h")),
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ),
        (
            Image("image/png", PNG),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
            },
        ),
        (
            Image("image/png", JPEG),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": JPEG},
            },
        ),
        (
            Image("application/pdf", PDF),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            },
        ),
        (
            Image(url="https://x", cache=CacheMark()),
            {
                "type": "image",
                "source": {"type": "url", "url": "https://x"},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            Document(None, PDF, title="T", context="C", cited=True),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "T",
                "context": "C",
                "citations": {"enabled": True},
            },
        ),
        (
            Document("text/csv", "YSxi"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
            },
        ),
        (
            Document(text="d"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "d"},
            },
        ),
        (
            Document(url="https://x"),
            {"type": "document", "source": {"type": "url", "url": "https://x"}},
        ),
        (
            Document(parts=[Text("t")]),
            {"type": "document", "source": {"type": "content", "content": [TEXT]}},
        ),
        (
            SearchResult("S", "T", [Text("t")]),
            {"type": "search_result", "source": "S", "title": "T", "content": [TEXT]},
        ),
        (Refusal("no"), {"type": "text", "text": "no"}),
        (
            ServerTool("[web_search: q]", "x", Raw(b"{}")),
            {"type": "text", "text": "[web_search: q]"},
        ),
    ],
)
def test_a_part_as_a_block(part: Part, block: dict[str, Any]) -> None:
    assert block_of(part) == block


@pytest.mark.parametrize(
    ("part", "members"),
    [
        (Audio("x", "wav"), {}),
        (Image(file_id="f"), {}),
        (Document(file_id="f"), {}),
        (Image("image/bmp", "Qk0="), {}),
        (Image(url="https://x"), {"capability": {"image_urls": False}}),
        (Document("application/zip", "UEsD"), {}),
        (Document(None, PDF), {"capability": {"files": "none"}}),
    ],
)
def test_what_the_api_cannot_read_is_refused(part: Part, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        block_of(part, **members)
    assert caught.value.param == "messages.0.content.1"


@pytest.mark.parametrize(
    ("part", "members", "note"),
    [
        (
            Image("image/png", PNG),
            {"capability": {"images": False}},
            "messages.0.content.1:images_unsupported",
        ),
        (
            Opaque("odd", Raw(b"{}"), "responses"),
            {},
            "messages.0.content.1:unknown_part_odd",
        ),
    ],
)
def test_what_is_left_out_is_noted(part: Part, members: dict[str, Any], note: str) -> None:
    crossed = conversion(Prompt("m", [Turn("user", [Text("t"), part])]), **members)
    assert written(crossed)["messages"] == [{"role": "user", "content": "t"}]
    assert crossed.notes.entries == [note]


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ("", {}),
        (" ", {}),
        ('{"a":1}', {"a": 1}),
        ('{"a":', {"_raw_arguments": '{"a":'}),
        ("[1]", {"_raw_arguments": "[1]"}),
        ('"x"', {"_raw_arguments": '"x"'}),
    ],
)
def test_arguments_are_never_lost(arguments: str, input_: dict[str, Any]) -> None:
    turns = [
        Turn("user", [Text("t")]),
        Turn("assistant", [ToolCall("a", "f", arguments)]),
        Turn("user", [ToolResult("a", [Text("t")])]),
    ]
    crossed = conversion(Prompt("m", turns))
    assert written(crossed)["messages"][1]["content"][0]["input"] == input_
    noted = ["messages.1.content.0.arguments:invalid_json_kept_as_text"]
    assert crossed.notes.entries == (noted if "_raw_arguments" in input_ else [])


def test_arguments_keep_their_spelling() -> None:
    turns = [
        Turn("user", [Text("t")]),
        Turn("assistant", [ToolCall("a", "f", '{"n": 1e3,"b":1.0}')]),
        Turn("user", [ToolResult("a", [Text("t")])]),
    ]
    got = MESSAGES.write_prompt(conversion(Prompt("m", turns)))["messages"]
    assert b'"input":{"n": 1e3,"b":1.0}' in bytes(got)


def test_a_custom_call_is_wrapped() -> None:
    turns = [
        Turn("user", [Text("t")]),
        Turn("assistant", [ToolCall("a", "f", "free\ntext", custom=True)]),
        Turn("user", [ToolResult("a", [])]),
    ]
    got = written(conversion(Prompt("m", turns, tools=[Tool("f", custom=True)])))["messages"]
    assert got[1]["content"][0]["input"] == {"input": "free\ntext"}
    assert got[2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]


def test_a_result_holds_pictures_and_flags() -> None:
    turns = [
        Turn("user", [Text("t")]),
        Turn("assistant", [ToolCall("a", "f")]),
        Turn(
            "user",
            [
                ToolResult(
                    "a", [Text("t"), Image("image/png", PNG)], is_error=True, cache=CacheMark()
                )
            ],
        ),
    ]
    assert messages_of(turns)[2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [
                TEXT,
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                },
            ],
            "is_error": True,
            "cache_control": {"type": "ephemeral"},
        }
    ]
