"""Parts of user turns, which three dialects write by the same rules."""

from typing import Any

import msgspec
import pytest

from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.responses import RESPONSES
from gateway.errors import UnusableMedia
from gateway.neutral.events import Document, Opaque, Part, Prompt, Text, Turn
from tests.dialects.gemini.sent import conversion

DIALECTS = (CHAT, GEMINI, RESPONSES)


def written(dialect: Dialect, *parts: Part, **capability: Any) -> tuple[str, list[str]]:
    """The whole request as JSON, and the notes."""
    prompt = Prompt("m", [Turn("user", [Text("before"), *parts])])
    way = conversion(prompt, capability=Capability(**capability))
    fields = dialect.write_prompt(way)
    return msgspec.json.encode(fields).decode(), way.notes.entries


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
class TestEachDialect:
    def test_a_text_document_is_text(self, dialect: Dialect) -> None:
        body, notes = written(dialect, Document("text/plain", data="aGVsbG8=", title="T"))
        assert r"<document title=\"T\">\nhello\n</document>" in body
        assert notes == []

    def test_a_nested_document_stands_between_two_tags(self, dialect: Dialect) -> None:
        body, _ = written(dialect, Document(parts=[Text("inner")], context="C"))
        assert body.index(r"<document context=\"C\">") < body.index("inner")
        assert body.index("inner") < body.index("</document>")

    def test_a_file_needs_a_model_that_reads_files(self, dialect: Dialect) -> None:
        with pytest.raises(UnusableMedia):
            written(dialect, Document("application/pdf", data="JVBERi0="), files="none")

    def test_citations_and_unknown_parts_are_noted(self, dialect: Dialect) -> None:
        cited = Document(text="hello", cited=True)
        _, notes = written(dialect, cited, Opaque("novel", msgspec.Raw(b"{}"), "chat"))
        assert notes == [
            "messages.document.citations:unsupported_by_target", "messages.novel:unknown",
        ]  # fmt: skip
