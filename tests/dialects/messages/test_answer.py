"""Ids, stops and citations that whole and streamed answers share."""

import pytest
from msgspec import Raw

from gateway.dialects.messages.answer import (
    make_message_id,
    make_tool_use_id,
    read_citation,
    read_service_tier,
    short_hash,
    write_service_tier,
)
from gateway.neutral.events import Citation


def test_ids() -> None:
    assert make_message_id("msg_x") == "msg_x"
    assert make_message_id("chatcmpl-1") == "msg_" + short_hash("chatcmpl-1")
    assert make_message_id("chatcmpl-1") != make_message_id("chatcmpl-2")
    assert len(short_hash("")) == 24
    assert short_hash("x").isalnum()
    assert make_tool_use_id("call_1", "m", 0) == "call_1"
    assert make_tool_use_id("", "m", 0) != make_tool_use_id("", "m", 1)


@pytest.mark.parametrize(
    ("raw", "citation"),
    [
        (
            b'{"url":"u","title":"t","cited_text":"c"}',
            Citation(Raw(b'{"url":"u","title":"t","cited_text":"c"}'), "u", "t", "c"),
        ),
        (
            b'{"document_title":"d","cited_text":"c"}',
            Citation(Raw(b'{"document_title":"d","cited_text":"c"}'), None, "d", "c"),
        ),
        (b"3", Citation(Raw(b"3"))),
    ],
)
def test_citations(raw: bytes, citation: Citation) -> None:
    assert read_citation(Raw(raw)) == citation


def test_tiers_have_words_in_both_dialects() -> None:
    assert [read_service_tier(tier) for tier in ("standard", "priority", "batch", None)] == [
        "default",
        "priority",
        None,
        None,
    ]
    assert write_service_tier("default") == {"service_tier": "standard"}
    assert write_service_tier("priority") == {"service_tier": "priority"}
    assert write_service_tier("flex") == {}
