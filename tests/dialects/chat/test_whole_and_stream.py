"""A whole answer and a stream of it say the same, whatever is read or written."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from openai.lib.streaming._deltas import accumulate_delta

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
)
from gateway.errors import GatewayError
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Prompt,
    Redacted,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from gateway.neutral.fold import build_message, message_events
from gateway.wire.sse import Frame, Splitter
from tests.dialects.chat.conversions import conversion

WORDS = st.sampled_from(["a", "b c", " ", "\n\n", "é😀", "<think>hm</think>x", "x END y", "EN"])
ORIGINS = st.sampled_from(
    ["chat", "messages", CALL_SIGNATURE, GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE, LONE_SIGNATURE]
)
SPANS = st.none() | st.just((0, 1))
CITATIONS = st.builds(
    Citation, st.just(Raw(b"{}")), st.sampled_from(["https://x", None]), st.just("X"), span=SPANS
)
TOOLS = st.sampled_from(["f", "g", "patch", "json_output"])


# --- written --------------------------------------------------------------------------------------

PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS | st.just(""), citations=st.lists(CITATIONS, max_size=2)),
    st.builds(Thinking, WORDS, st.none() | st.just("sig"), ORIGINS),
    st.builds(Redacted, st.just("blob"), ORIGINS),
    st.builds(Refusal, WORDS),
    st.builds(ToolCall, st.just("i"), TOOLS, st.sampled_from(["", " ", '{"x":1}']), st.booleans()),
)
STOPS: list[Stop] = [
    "end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn", "refusal",
]  # fmt: skip
MESSAGES = st.builds(
    Message, st.just("msg_1"), st.just("m"), st.lists(PARTS, max_size=5),
    st.builds(
        Ending, st.sampled_from(STOPS), st.none() | st.just("END"), st.none() | st.just("bio"),
        st.none() | st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
    ),
)  # fmt: skip


def asking(*, legacy: bool, answer_tool: str | None) -> Conversion:
    way = conversion(Prompt("m", [], legacy_functions=legacy, include_usage=True))
    way.answer_tool = answer_tool
    return way


def written_whole(message: Message, way: Conversion) -> dict[str, Any]:
    """The answer's one choice, and its usage."""
    body = msgspec.json.decode(CHAT.write_message(message, way), type=dict[str, Any])
    choice: dict[str, Any] = body["choices"][0]
    return choice | {"usage": body["usage"]}


def written_as_a_stream(message: Message, way: Conversion) -> dict[str, Any]:
    """The same, as the official SDK puts it together."""
    writer = CHAT.writer(way)
    wire = b"".join([writer.write(event) for event in message_events(message)])
    *frames, done = Splitter().feed(wire)
    assert done.data == b"[DONE]"
    *chunks, counted = [msgspec.json.decode(frame.data) for frame in frames]
    told: dict[object, object] = {}
    for chunk in chunks:
        told = accumulate_delta(told, chunk["choices"][0]["delta"])
    last: dict[str, Any] = chunks[-1]["choices"][0]
    del last["delta"]
    return last | {"message": told, "usage": counted["usage"]}


def without_index(items: Any) -> list[dict[str, Any]]:
    """Items without the member that only deltas have."""
    return [{name: value for name, value in item.items() if name != "index"} for item in items]


def shown(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice without what only one of the two has: `index` in lists, an empty content."""
    said = choice["message"]
    lists = {name: without_index(value) for name, value in said.items() if isinstance(value, list)}
    plain = {"content": said["content"] or None, "refusal": said.get("refusal")}
    return choice | {"message": said | lists | plain}


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.booleans(), st.sampled_from([None, "json_output"]))
def test_what_is_written(message: Message, legacy: bool, answer_tool: str | None) -> None:
    whole_way = asking(legacy=legacy, answer_tool=answer_tool)
    stream_way = asking(legacy=legacy, answer_tool=answer_tool)
    whole = shown(written_whole(message, whole_way))
    assert whole == shown(written_as_a_stream(message, stream_way))
    assert whole_way.notes.entries == stream_way.notes.entries


# --- read -----------------------------------------------------------------------------------------

ARGUMENTS = st.sampled_from(['{"x":1}', '{"input":"a"}', "{}", "", " ", "null", "bare", '{"x'])
CUSTOM_CALL = {"id": "k", "type": "custom", "custom": {"name": "patch", "input": "ab"}}
CALLS = st.lists(
    st.builds(
        lambda call_id, function: {"id": call_id, "type": "function", "function": function},
        st.sampled_from(["i", "j", None]),
        st.fixed_dictionaries({"name": TOOLS, "arguments": ARGUMENTS}),
    )
    | st.just(CUSTOM_CALL),
    max_size=3,
)
DETAILS = [
    {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0},
    {"type": "reasoning.encrypted", "data": "d", "index": 1},
]
REASONING: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.builds(lambda text: {"reasoning_content": text}, WORDS),
    st.just({"reasoning_details": DETAILS}),
    st.just({"reasoning_content": "t", "reasoning_details": DETAILS}),
)
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://x", "start_index": 0, "end_index": 1},
}
SAID = st.fixed_dictionaries(
    {},
    optional={
        "content": WORDS | st.none(),
        "annotations": st.just([CITED]),
        "refusal": WORDS | st.none(),
        "tool_calls": CALLS,
    },
)
ORDER = (
    "reasoning_content", "reasoning_details", "content", "annotations", "refusal", "tool_calls",
)  # fmt: skip
"""The order in which a model says what an answer holds."""


def reading(*, think_tags: bool, stops: bool) -> Conversion:
    tools = [Tool("patch", custom=True), Tool("f"), Tool("g")]
    prompt = Prompt("m", [], tools=tools, stop=["END"], web_search=WebSearch())
    way = conversion(prompt, Capability(think_tags=think_tags))
    way.local_stops = ("END",) if stops else ()
    return way


def read_whole(said: dict[str, Any], finish: str, way: Conversion) -> Message | str:
    body = {"id": "c", "model": "m", "choices": [{"message": said, "finish_reason": finish}]}
    try:
        return CHAT.read_message(msgspec.json.encode(body), way)
    except GatewayError as error:
        return error.message


def deltas(said: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """A message cut into deltas, its strings into pieces."""
    out: list[dict[str, Any]] = []
    for name, value in [(name, said[name]) for name in ORDER if name in said]:
        if name == "tool_calls":
            for index, call in enumerate(value):
                out += [{name: [piece | {"index": index}]} for piece in fragments(call, size)]
        elif isinstance(value, str):
            out += [{name: value[at : at + size]} for at in range(0, len(value), size)]
        else:
            out.append({name: value})
    return out


def fragments(call: dict[str, Any], size: int) -> list[dict[str, Any]]:
    kind = call["type"]
    member = "input" if kind == "custom" else "arguments"
    text = call[kind][member]
    if text == "null":
        return [call]
    rest = [{kind: {member: text[at : at + size]}} for at in range(0, len(text), size)]
    return [call | {kind: call[kind] | {member: ""}}, *rest]


def read_as_a_stream(chunks: list[Any], way: Conversion) -> Message | str:
    reader = CHAT.reader(way)
    try:
        events = [
            event
            for chunk in chunks
            for event in reader.read(Frame(b"", msgspec.json.encode(chunk)))
        ]
        message = build_message([*events, *reader.finish()])
    except GatewayError as error:
        return error.message
    assert message is not None
    return message


def chunk_of(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "model": "m", "choices": [choice]}


@settings(max_examples=500, deadline=None)
@given(
    st.builds(dict.__or__, REASONING, SAID),
    st.sampled_from(["stop", "tool_calls", "novel"]),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)
def test_what_is_read(
    said: dict[str, Any], finish: str, size: int, think_tags: bool, stops: bool
) -> None:
    whole_way = reading(think_tags=think_tags, stops=stops)
    stream_way = reading(think_tags=think_tags, stops=stops)
    chunks = [*map(chunk_of, deltas(said, size)), chunk_of({}, finish)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.dialects.chat.calls.make_call_id", lambda: "?")
        whole = read_whole(said, finish, whole_way)
        assert whole == read_as_a_stream(chunks, stream_way)
    if isinstance(whole, Message):
        assert whole_way.notes.entries == stream_way.notes.entries
