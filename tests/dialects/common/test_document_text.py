"""Documents and passages as plain text."""

import pytest

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.common.document_text import (
    decode_document,
    render_search_result,
    wrap_document,
)
from gateway.dialects.gemini import GEMINI
from gateway.dialects.responses import RESPONSES
from gateway.errors import UnusableMedia
from gateway.neutral.events import Document, Image, Prompt, SearchResult, Text, Turn
from tests.dialects.chat.conversions import conversion


def test_a_document_tells_its_title_and_context() -> None:
    assert wrap_document(Document(), "x") == "<document>\nx\n</document>"
    told = wrap_document(Document(title="T", context="C"), "x")
    assert told == '<document title="T" context="C">\nx\n</document>'


def test_a_passage_tells_its_source() -> None:
    found = SearchResult("s", "t", [Text("a"), Image(), Text("b")])
    assert (
        render_search_result(found)
        == '<search_result source="s" title="t">\na\nb\n</search_result>'
    )


def test_base64_becomes_text_or_is_refused() -> None:
    assert decode_document(Document(data="aGk="), conversion()) == "hi"
    assert decode_document(Document(data="/w=="), conversion()) == "\ufffd"
    with pytest.raises(UnusableMedia):
        decode_document(Document(data="a"), conversion())


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, GEMINI], ids=lambda dialect: dialect.name)
def test_a_title_may_hold_any_character(dialect: Dialect) -> None:
    nested = Document(title="a\0b", parts=[Text("x")])
    way = conversion(Prompt("m", [Turn("user", [nested])]))
    said = b"".join(dialect.write_prompt(way).values())
    assert rb'<document title=\"a\u0000b\">"' in said
    assert b'"</document>"' in said
