"""Whatever a Responses client sends, and whatever an answer is made of, it is read and written."""

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
    Usage,
)
from gateway.neutral.fold import build_message
from gateway.neutral.notes import LossReport
from tests.dialects.responses.wires import conversion, fields, frames_of, prompt_of, written

WORDS = st.sampled_from([
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
    "custom_tool_call_output", "local_shell_call", "local_shell_call_output", "shell_call",
    "shell_call_output", "apply_patch_call", "apply_patch_call_output", "tool_search_call",
    "tool_search_output", "additional_tools", "configuration_update", "item_reference",
    "compaction", "web_search_call", "file_search_call", "code_interpreter_call", "mcp_call",
    "computer_call", "image_generation_call", "input_text", "output_text", "refusal",
    "input_image", "input_file", "function", "custom", "namespace", "web_search", "shell", "user",
    "assistant", "developer", "auto", "allowed_tools", "json_schema", "grammar", "x", "",
])  # fmt: skip
KEYS = st.sampled_from([
    "type", "role", "content", "text", "id", "call_id", "name", "namespace", "arguments", "input",
    "output", "action", "operation", "summary", "encrypted_content", "tools", "execution", "status",
    "image_url", "file_data", "file_id", "parameters", "format", "syntax", "definition", "mode",
    "query", "queries", "results", "outputs", "commands", "effort", "schema", "tool_choice",
])  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
WHOLE = {"id": "a", "call_id": "c", "name": "f", "role": "user", "content": "t", "text": "t"}
ITEM = st.dictionaries(KEYS, ANY, max_size=3).flatmap(
    lambda odd: WORDS.map(lambda tag: {**WHOLE, **odd, "type": tag})
)
UPSTREAMS = st.sampled_from([CHAT, MESSAGES, GEMINI])
MEMBERS = [
    "instructions", "include", "reasoning", "text", "tool_choice", "tools", "metadata", "store",
    "max_output_tokens", "moderation", "prompt_cache_options", "service_tier", "truncation", "odd",
]  # fmt: skip


def names_a_member(fault: InvalidRequest) -> None:
    assert fault.param


@given(
    items=st.lists(ITEM | ANY, max_size=5), tools=st.lists(ITEM | ANY, max_size=3),
    upstream=UPSTREAMS,
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_request(items: list[Any], tools: list[Any], upstream: Dialect) -> None:
    try:
        given = fields(input=items, tools=tools)
        RESPONSES.check(given)
        prompt = RESPONSES.read_prompt(given, LossReport())
        upstream.write_prompt(conversion(prompt))
    except InvalidRequest as fault:
        names_a_member(fault)


@given(name=st.sampled_from(MEMBERS), value=ANY)
@settings(max_examples=150, deadline=None)
def test_any_member(name: str, value: object) -> None:
    try:
        body = {**fields(), name: Raw(msgspec.json.encode(value))}
        RESPONSES.check(body)
        prompt = RESPONSES.read_prompt(body, LossReport())
    except InvalidRequest as fault:
        names_a_member(fault)
        return
    # what the answer repeats of it does not break the answer
    written(
        [MessageStart("id", "m"), MessageEnd(Ending("end_turn", usage=Usage()))], conversion(prompt)
    )


TEXTS = st.lists(st.text(max_size=4), max_size=3)
NAMES = st.sampled_from(["f", "ns__g", "exec", "shell", "local_shell", "tool_search", "json"])
PART = st.one_of(
    st.builds(
        lambda texts, cite: [
            TextStart(), *map(TextDelta, texts),
            *([CitationAdded(Citation(Raw(b"{}"), "https://e.org"))] if cite else []), PartEnd(),
        ],
        TEXTS, st.booleans(),
    ),
    st.builds(
        lambda texts, signed: [
            ThinkingStart(), *map(ThinkingDelta, texts),
            *([Signature("s", "messages")] if signed else []), PartEnd(),
        ],
        TEXTS, st.booleans(),
    ),
    st.builds(
        lambda call, name, texts, custom: [
            ToolStart(call, name, custom), *map(ArgumentsDelta, texts), PartEnd(),
        ],
        st.sampled_from(["a", "b", ""]), NAMES, TEXTS, st.booleans(),
    ),
    st.builds(lambda text: [RefusalDelta(text)], st.text(max_size=3)),
    st.just([RedactedThinking("d", "call")]),
)  # fmt: skip
STOPS = st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"])
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "f"}, {"type": "custom", "name": "exec"}, {"type": "shell"},
    {"type": "local_shell"}, {"type": "tool_search", "execution": "client"},
    {"type": "namespace", "name": "ns", "description": "d",
     "tools": [{"type": "function", "name": "g"}]},
]  # fmt: skip
PROMPT = prompt_of(tools=TOOLS)


@given(parts=st.lists(PART, max_size=5), stop=STOPS, answers=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_stream_and_a_whole_answer_say_the_same(
    parts: list[list[Event]], stop: Any, answers: bool
) -> None:
    events: list[Event] = [MessageStart("id", "m"), *(event for part in parts for event in part)]
    events.append(MessageEnd(Ending(stop, explanation="no", usage=Usage(1, 2))))
    tool = "json" if answers else None
    frames = frames_of(written(events, conversion(PROMPT, answer_tool=tool)))
    streamed = frames[-1]["response"]
    done = [frame["item"] for frame in frames if frame["type"].endswith("output_item.done")]
    assert done == streamed["output"]
    message = build_message(events)
    assert message is not None
    whole = msgspec.json.decode(
        RESPONSES.write_message(message, conversion(PROMPT, answer_tool=tool))
    )
    assert [_said(item) for item in streamed["output"]] == [_said(item) for item in whole["output"]]
    assert streamed["status"] == whole["status"]


def _said(item: dict[str, Any]) -> Any:
    """What an item says, but for its ids, which are drawn anew, and a seal over its text."""
    drawn = ("id", "call_id", "encrypted_content")
    return {name: value for name, value in item.items() if name not in drawn}
