"""Documents and passages as plain text."""

import pytest

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.common.passages import decoded, passage, wrapped
from gateway.dialects.gemini import GEMINI
from gateway.dialects.responses import RESPONSES
from gateway.errors import UnusableMedia
from gateway.neutral.events import Document, Image, Prompt, SearchResult, Text, Turn
from tests.dialects.chat.crossings import crossing


def test_a_document_tells_its_title_and_context() -> None:
    assert wrapped(Document(), "x") == "<document>\nx\n</document>"
    told = wrapped(Document(title="T", context="C"), "x")
    assert told == '<document title="T" context="C">\nx\n</document>'


def test_a_passage_tells_its_source() -> None:
    found = SearchResult("s", "t", [Text("a"), Image(), Text("b")])
    assert passage(found) == '<search_result source="s" title="t">\na\nb\n</search_result>'


def test_base64_becomes_text_or_is_refused() -> None:
    assert decoded(Document(data="aGk="), crossing()) == "hi"
    assert decoded(Document(data="/w=="), crossing()) == "\ufffd"
    with pytest.raises(UnusableMedia):
        decoded(Document(data="a"), crossing())


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, GEMINI], ids=lambda dialect: dialect.name)
def test_a_title_may_hold_any_character(dialect: Dialect) -> None:
    nested = Document(title="a\0b", parts=[Text("x")])
    way = crossing(Prompt("m", [Turn("user", [nested])]))
    said = b"".join(dialect.write_prompt(way).values())
    assert rb'<document title=\"a\u0000b\">"' in said
    assert b'"</document>"' in said
