"""Reading in one pass says what reading by way of raw members says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.dialects.messages import MESSAGES, tools_in, turns_in
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import split_object

CACHED = {"type": "ephemeral", "ttl": "1h"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "hi", "cache_control": CACHED, "new": 1},
    {"text": "type last", "type": "text"},
    {"type": "text", "text": "x", "citations": [{"type": "char_location"}]},
    {"type": "image", "source": PNG, "transformations": {"a": 1}},
    {"type": "image", "source": {"type": "base64", "data": "x"}},
    {"type": "image", "source": {"type": "url", "url": "https://h/i"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "d"}]}},
    {"type": "search_result", "source": "s", "title": "t",
     "content": [{"type": "text", "text": "found"}]},
    {"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1.0}},
    {"type": "tool_use", "id": "a", "name": "f", "input": []},
    {"type": "tool_result", "tool_use_id": "a", "content": "done", "is_error": True},
    {"type": "tool_result", "tool_use_id": "a",
     "content": [{"type": "text", "text": "x"}, {"type": "image", "source": PNG}]},
    {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "brand_new", "x": 1.0}]},
    {"type": "tool_result", "tool_use_id": "a", "content": None},
    {"type": "tool_result"},
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "redacted_thinking", "data": "zz"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
    {"type": "brand_new", "x": 1.0},
    {"type": "compaction", "content": "so far"},
    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}},
    {"type": "text"},
    {"type": "text", "text": 1},
    {"type": ""},
    {"text": "no type"},
]  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "user", "assistant", "system", "nobody"]),
        "content": st.one_of(
            st.sampled_from(["", "plain", None, 1]),
            st.lists(st.sampled_from(BLOCKS), max_size=4),
        ),
    },
    optional={"new": st.just({"a": 1}), "clear_at": st.just("next_user_message")},
)
TOOLS = st.lists(
    st.sampled_from(
        [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}},
            {"type": "custom", "name": "g", "cache_control": CACHED},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
            {"type": "code_execution_20250825", "name": "x"},
            {"name": ""},
            {"name": 1},
        ]
    ),
    max_size=3,
)
SYSTEM = st.one_of(
    st.sampled_from(["", "be kind", None]), st.lists(st.sampled_from(BLOCKS[:4]), max_size=2)
)


def read(body: bytes, *, strict: bool) -> object:
    notes = LossReport(strict=strict)
    try:
        return MESSAGES.read_prompt(split_object(body), notes), notes.entries
    except InvalidRequest as fault:
        return fault.message, fault.param


def by_raw_members(body: bytes, *, strict: bool) -> object:
    def refuse(raw: Raw, shape: Any) -> Any:
        raise msgspec.ValidationError("not in one pass")

    with pytest.MonkeyPatch.context() as patched:
        for module in (turns_in, tools_in):
            patched.setattr(module, "decode", refuse)
        return read(body, strict=strict)


@given(st.lists(MESSAGE, min_size=1, max_size=4), TOOLS, SYSTEM, st.booleans())
def test_both_ways_read_the_same(
    messages: list[Any], tools: list[Any], system: Any, strict: bool
) -> None:
    body = msgspec.json.encode(
        {"model": "m", "max_tokens": 1, "messages": messages, "tools": tools, "system": system}
    )
    assert read(body, strict=strict) == by_raw_members(body, strict=strict)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_reads_the_same(block: dict[str, Any]) -> None:
    for content in ([block], [{"type": "tool_result", "tool_use_id": "a", "content": [block]}]):
        body = msgspec.json.encode(
            {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": content}]}
        )
        assert read(body, strict=False) == by_raw_members(body, strict=False)


def test_a_lone_surrogate_reads_the_same() -> None:
    body = (
        b'{"model":"m","max_tokens":1,'
        b'"messages":[{"role":"user","content":[{"type":"text","text":"\\ud83d"}]}]}'
    )
    assert read(body, strict=False) == by_raw_members(body, strict=False)
