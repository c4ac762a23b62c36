"""Texts, pictures, files and sound as parts of a Gemini request."""

import pytest
from msgspec import Raw

from gateway.dialects.gemini.parts_out import write_parts
from gateway.errors import UnusableMedia
from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
    ToolCall,
)
from tests.dialects.gemini.conversions import Json, conversion

FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
PARTS: list[tuple[Part, list[Json]]] = [
    (Text("a"), [{"text": "a"}]),
    (Text(""), []),
    (Refusal("no"), [{"text": "no"}]),
    (ServerTool("[search]", "x", Raw(b"{}")), [{"text": "[search]"}]),
    (Image("image/webp", "AAA"), [{"inlineData": {"mimeType": "image/webp", "data": "AAA"}}]),
    (Image(None, "AAA"), [{"inlineData": {"mimeType": "image/png", "data": "AAA"}}]),
    (Image(url="https://a.example/b.png?x=1"),
     [{"fileData": {"fileUri": "https://a.example/b.png?x=1", "mimeType": "image/png"}}]),
    (Image(url="https://a.example/b"),
     [{"fileData": {"fileUri": "https://a.example/b", "mimeType": "image/jpeg"}}]),
    (Image(url=FILE), [{"fileData": {"fileUri": FILE}}]),
    (Document("application/pdf", url="gs://a/b"),
     [{"fileData": {"fileUri": "gs://a/b", "mimeType": "application/pdf"}}]),
    (Document("application/pdf", "AAA"),
     [{"inlineData": {"mimeType": "application/pdf", "data": "AAA"}}]),
    (Document("application/pdf", "AAA", title="t", context="c"),
     [{"text": '<document title="t" context="c">'},
      {"inlineData": {"mimeType": "application/pdf", "data": "AAA"}}, {"text": "</document>"}]),
    (Document("text/csv", "YSxi", title="t"), [{"text": '<document title="t">\na,b\n</document>'}]),
    (Document(text="x"), [{"text": "<document>\nx\n</document>"}]),
    (Document(parts=[Text("x"), Image("image/png", "AAA")]),
     [{"text": "<document>"}, {"text": "x"},
      {"inlineData": {"mimeType": "image/png", "data": "AAA"}}, {"text": "</document>"}]),
    (Audio("AAA", "mp3"), [{"inlineData": {"mimeType": "audio/mp3", "data": "AAA"}}]),
    (SearchResult("s", "t", [Text("x")]),
     [{"text": '<search_result source="s" title="t">\nx\n</search_result>'}]),
]  # fmt: skip


@pytest.mark.parametrize(("part", "blocks"), PARTS)
def test_parts(part: Part, blocks: list[Json]) -> None:
    assert write_parts([part], conversion()) == blocks


UNUSABLE: list[tuple[Part, dict[str, object]]] = [
    (Image(file_id="file-1"), {}),
    (Document(file_id="file-1"), {}),
    (Image(url="https://a.example/b.png"), {"image_urls": False}),
    (Document("application/zip", "AAA"), {"files": "none"}),
    (Document("text/plain", "A"), {}),
    (Audio(id="a"), {}),
    (Audio("AAA", "wav"), {"audio": False}),
]


@pytest.mark.parametrize(("part", "capability"), UNUSABLE)
def test_what_cannot_be_carried_is_refused(part: Part, capability: dict[str, object]) -> None:
    with pytest.raises(UnusableMedia):
        write_parts([part], conversion(**capability))  # type: ignore[arg-type]


NOTED: list[tuple[Part, dict[str, object], str]] = [
    (Image("image/png", "AAA"), {"images": False}, "messages.image:unsupported_by_model"),
    (Image(url="https://a.example/b"), {}, "messages.image.media_type:taken_for_image/jpeg"),
    (Document(text="x", cited=True), {}, "messages.document.citations:unsupported_by_target"),
    (Opaque("new", Raw(b"{}"), "messages"), {}, "messages.new:unknown"),
    (ToolCall("a", "f"), {}, "messages.toolcall:unsupported_by_target"),
]


@pytest.mark.parametrize(("part", "capability", "entry"), NOTED)
def test_losses_are_told(part: Part, capability: dict[str, object], entry: str) -> None:
    way = conversion(**capability)  # type: ignore[arg-type]
    write_parts([part], way)
    assert way.notes.entries == [entry]
