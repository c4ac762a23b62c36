"""Parts of messages as content."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Prompt,
    SearchResult,
    Text,
    ToolCall,
    Turn,
)
from tests.dialects.chat.conversions import conversion, plain


def shown(part: Part, capability: Capability | None = None) -> tuple[list[Any], list[str]]:
    """The blocks after a first text, and the notes."""
    way = conversion(Prompt("m", [Turn("user", [Text("see"), part])]), capability)
    content = plain(RESPONSES.write_prompt(way))["input"][0]["content"]  # type: ignore[index]
    return ([] if content == "see" else content[1:]), way.notes.entries


def text(said: str) -> dict[str, str]:
    return {"type": "input_text", "text": said}


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        (Image("image/webp", "AA=="),
         [{"type": "input_image", "image_url": "data:image/webp;base64,AA==", "detail": "auto"}]),
        (Image(data="AA=="),
         [{"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}]),
        (Image(url="https://a/b.png"),
         [{"type": "input_image", "image_url": "https://a/b.png", "detail": "auto"}]),
        (Document("application/pdf", "JVBE", title="a.pdf"),
         [{"type": "input_file", "filename": "a.pdf",
           "file_data": "data:application/pdf;base64,JVBE"}]),
        (Document(url="https://a/b.pdf"), [{"type": "input_file", "file_url": "https://a/b.pdf"}]),
        (Document(text="T", title="N", context="C"),
         [text('<document title="N" context="C">\nT\n</document>')]),
        (Document("text/plain", "VA=="), [text("<document>\nT\n</document>")]),
        (Document(parts=[Text("T"), Image(url="https://a")]),
         [text("<document>"), text("T"),
          {"type": "input_image", "image_url": "https://a", "detail": "auto"},
          text("</document>")]),
        (SearchResult("S", "N", [Text("a"), Text("b")]),
         [text('<search_result source="S" title="N">\na\nb\n</search_result>')]),
    ],
)  # fmt: skip
def test_parts(part: Part, blocks: list[dict[str, str]]) -> None:
    assert shown(part) == (blocks, [])


@pytest.mark.parametrize(
    ("part", "capability", "note"),
    [
        (Image(file_id="f"), None, "messages.image.source.file_id:files_are_not_portable"),
        (Document(file_id="f"), None, "messages.document.source.file_id:files_are_not_portable"),
        (Image(url="https://a"), Capability(images=False), "messages.image:unsupported_by_model"),
        (Opaque("odd", Raw(b"{}"), "x"), None, "messages.odd:unknown"),
        (Audio("AA==", "wav"), None, "messages.audio:unsupported_by_target"),
        (ToolCall("a", "f"), None, "messages.toolcall:unsupported_by_target"),
    ],
)
def test_parts_that_are_lost_are_told(part: Part, capability: Capability | None, note: str) -> None:
    assert shown(part, capability) == ([], [note])


@pytest.mark.parametrize(
    ("part", "capability"),
    [
        (Image(url="https://a"), Capability(image_urls=False)),
        (Document("application/pdf", "JVBE"), Capability(files="none")),
        (Document(url="https://a"), Capability(files="none")),
        (Document("application/zip", "UEs="), None),
        (Document("text/plain", "A"), None),
    ],
)
def test_parts_that_cannot_go_are_refused(part: Part, capability: Capability | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shown(part, capability)
    assert caught.value.kind == "multi_modal_error"


def test_citations_of_a_document_are_not_asked_for() -> None:
    assert shown(Document(text="T", cited=True)) == (
        [text("<document>\nT\n</document>")],
        ["messages.document.citations:unsupported_by_target"],
    )


def test_an_empty_turn_is_no_item() -> None:
    way = conversion(Prompt("m", [Turn("user", [Text("")]), Turn("user", [Text("a")])]))
    assert plain(RESPONSES.write_prompt(way))["input"] == [
        {"type": "message", "role": "user", "content": "a"}
    ]
