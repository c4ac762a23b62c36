"""Reading in one pass says what reading by way of raw members says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.dialects.chat import CHAT, tools_in, turns_in
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import split_object

PARTS: list[dict[str, Any]] = [
    {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}, "new": 1},
    {"text": "type last", "type": "text"},
    {"type": "input_text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}},
    {"type": "output_text", "text": "hi"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    {"type": "image_url", "image_url": "https://h/i"},
    {"type": "image_url", "image_url": {"url": "data:image/png,abc"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64"}},
    {"type": "image_url", "image_url": {"url": "ftp://h"}},
    {"type": "input_audio", "input_audio": {"data": "aa", "format": "wav"}},
    {"type": "file", "file": {"file_id": "f"}},
    {"type": "file", "file": {}},
    {"type": "refusal", "refusal": "no"},
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    {"type": "thinking", "thinking": "hm"},
    {"type": "brand_new", "x": 1.0},
    {"type": "text"},
    {"type": "text", "text": 1},
    {"type": ""},
    {"text": "no type"},
]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(
            ["user", "assistant", "user", "assistant", "system", "developer", "tool", "function",
             "nobody"]
        ),
        "content": st.one_of(
            st.sampled_from(["", "plain", None, 1]),
            st.lists(st.sampled_from(PARTS), max_size=4),
        ),
    },
    optional={
        "name": st.sampled_from(["ann", None, 1]),
        "tool_calls": st.sampled_from([[CALL], [], None, [{"id": ""}], [{"id": "c"}]]),
        "tool_call_id": st.just("c"),
        "function_call": st.just({"name": "f", "arguments": "{"}),
        "reasoning_content": st.just("hm"),
        "reasoning_details": st.just([{"type": "reasoning.text", "text": "hm"}]),
        "refusal": st.just("no"),
        "audio": st.just({"id": "a"}),
        "annotations": st.just([1.0]),
        "index": st.just(0),
        "brand_new": st.just({"x": 1.0}),
    },
)  # fmt: skip
TOOLS = st.lists(
    st.sampled_from(
        [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
            {"function": {"name": "f", "parameters": []}},
            {"name": "g", "input_schema": {"type": "object"}},
            {"type": "web_search_preview", "search_context_size": "low"},
            {"type": "custom", "custom": {"name": "c"}},
            {"type": "brand_new"},
            {"type": "function"},
            {"type": 1},
        ]
    ),
    max_size=3,
)


def read(body: bytes, *, strict: bool) -> object:
    notes = LossReport(strict=strict)
    try:
        return CHAT.read_prompt(split_object(body), notes), sorted(notes.entries)
    except InvalidRequest as fault:
        return fault.message, fault.param


def by_raw_members(body: bytes, *, strict: bool) -> object:
    def refuse(raw: Raw, shape: Any) -> Any:
        raise msgspec.ValidationError("not in one pass")

    with pytest.MonkeyPatch.context() as patched:
        for module in (turns_in, tools_in):
            patched.setattr(module, "decode", refuse)
        return read(body, strict=strict)


@given(st.lists(MESSAGE, min_size=1, max_size=4), TOOLS, st.booleans())
def test_both_ways_read_the_same(messages: list[Any], tools: list[Any], strict: bool) -> None:
    body = msgspec.json.encode({"model": "m", "messages": messages, "tools": tools})
    assert read(body, strict=strict) == by_raw_members(body, strict=strict)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_reads_the_same(part: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": [part]}]
    body = msgspec.json.encode({"model": "m", "messages": messages})
    assert read(body, strict=False) == by_raw_members(body, strict=False)


def test_a_lone_surrogate_reads_the_same() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}'
    assert read(body, strict=False) == by_raw_members(body, strict=False)
