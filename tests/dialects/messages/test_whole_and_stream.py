"""A whole answer and a stream of the same answer say the same, read and written."""

from typing import Any

import msgspec
import pytest
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialect import Conversion, ToolNames
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    Ending,
    Event,
    Message,
    MessageEnd,
    MessageStart,
    Opaque,
    Part,
    PartEnd,
    Prompt,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    TextDelta,
    TextStart,
    Thinking,
    Tool,
    ToolCall,
    ToolStart,
    Usage,
    WebSearch,
)
from gateway.neutral.fold import build_message, message_events
from gateway.wire.sse import Splitter
from tests.dialects.messages.wires import conversion, in_pieces, sse

# --- written --------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
COUNTS = st.integers(0, 999)
CITATIONS = st.builds(
    Citation,
    st.just(Raw(b"{}")),
    st.sampled_from([None, "https://x"]),
    st.sampled_from([None, "T"]),
)
ARGUMENTS = st.sampled_from(["", "{}", " ", '{"a":1.0}', '{"b": [true, null]}'])
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS, citations=st.lists(CITATIONS, max_size=2)),
    st.builds(Refusal, WORDS),
    st.builds(Thinking, WORDS, st.sampled_from([None, "sig"]), st.sampled_from(["messages", "o"])),
    st.builds(Redacted, WORDS, st.sampled_from(["messages", "chat"])),
    st.builds(ToolCall, st.sampled_from(["", "a", "b"]), st.just("f"), ARGUMENTS),
    st.builds(ToolCall, st.just("c"), st.just("g"), WORDS, custom=st.just(True)),
)
ENDINGS = st.builds(
    Ending,
    st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence"]),
    st.sampled_from([None, "END"]),
    st.sampled_from([None, "why"]),
    st.none() | st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, st.none() | COUNTS),
    st.sampled_from([None, "default", "priority"]),
)


def way(*, searched: bool = False) -> Conversion:
    """A conversion whose upstream counted no tokens of the prompt yet."""
    search = WebSearch() if searched else None
    return conversion(Prompt("m", [], web_search=search), input_estimate=7)


def unsealed(value: Any, crossed: Conversion) -> Any:
    """The answer with what its seals hold: each seal is another."""
    if isinstance(value, dict):
        return {name: unsealed(each, crossed) for name, each in value.items()}
    if isinstance(value, list):
        return [unsealed(each, crossed) for each in value]
    return (crossed.unsealed(value) or value) if isinstance(value, str) else value


def accumulated(wire: bytes) -> dict[str, Any]:
    """The message that the official client has at the end of the stream."""
    message: Any = None
    buffers: dict[int, bytes] = {}
    for event in SSEDecoder().iter_bytes(iter([wire])):
        if event.event != "ping":
            message = accumulate_event(
                event=event.json(), current_snapshot=message, json_bufs=buffers
            )
    got: dict[str, Any] = message.to_dict()
    # what the client's own type adds, or does not take over from the last event
    got["usage"].pop("service_tier", None)
    return {name: value for name, value in got.items() if value is not None}


@given(parts=st.lists(PARTS, max_size=6), ending=ENDINGS, searched=st.booleans())
@settings(deadline=None)
def test_a_whole_answer_is_what_the_client_makes_of_the_stream(
    parts: list[Part], ending: Ending, *, searched: bool
) -> None:
    message = Message("chatcmpl-1", "up", parts, ending)
    crossed, other = way(searched=searched), way(searched=searched)
    whole = msgspec.json.decode(MESSAGES.write_message(message, crossed))
    writer = MESSAGES.writer(other)
    streamed = accumulated(b"".join(writer.write(event) for event in message_events(message)))
    whole["usage"].pop("service_tier", None)
    whole = {name: value for name, value in whole.items() if value is not None}
    assert unsealed(whole, crossed) == unsealed(streamed, crossed)
    assert crossed.notes.entries == other.notes.entries


@given(text=WORDS, ending=ENDINGS)
@settings(deadline=None)
def test_one_text_is_written_the_short_way_as_the_long_one(text: str, ending: Ending) -> None:
    short = Message("chatcmpl-1", "up", [Text(text)], ending)
    long = Message("chatcmpl-1", "up", [Text(text), Text("")], ending)
    assert MESSAGES.write_message(short, way()) == MESSAGES.write_message(long, way())


def test_nothing_is_written_after_the_end() -> None:
    late: list[Event] = [
        ToolStart("a", "f"),
        ArgumentsDelta("{}"),
        PartEnd(),
        TextStart(),
        TextDelta("x"),
    ]
    events: list[Event] = [
        MessageStart("msg_1", "up"),
        MessageEnd(Ending("stop_sequence", "END")),
        *late,
    ]
    writer = MESSAGES.writer(way())
    wire = b"".join(writer.write(event) for event in events)
    assert wire.endswith(b'data: {"type":"message_stop"}\n\n')
    message = build_message(events)
    assert message is not None
    assert message.parts == []


def test_a_local_stop_and_a_call_in_one_chunk_end_the_message() -> None:
    crossed = way()
    crossed.local_stops = ("END",)
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    chunk = {"id": "1", "choices": [{"delta": {"content": "x END", "tool_calls": [call]}}]}
    reader, writer = CHAT.reader(crossed), MESSAGES.writer(crossed)
    (frame,) = Splitter().feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    wire = b"".join(writer.write(event) for event in reader.read(frame))
    assert wire.endswith(b'data: {"type":"message_stop"}\n\n')


def test_an_unknown_usage_is_estimated_in_both_forms() -> None:
    message = Message("1", "up", [], Ending("end_turn"))
    whole = msgspec.json.decode(MESSAGES.write_message(message, way()))
    assert whole["usage"]["input_tokens"] == 7


# --- read -----------------------------------------------------------------------------------------

INPUTS = st.dictionaries(WORDS, st.none() | st.booleans() | WORDS, max_size=3)
CITED = {"type": "web_search_result_location", "url": "https://x", "title": "T"}
BLOCKS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": WORDS},
        optional={"citations": st.sampled_from([None, [], [CITED]])},
    ),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": WORDS, "signature": WORDS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": WORDS}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_use"),
            "id": st.sampled_from(["a", "b", ""]),
            "name": st.sampled_from(["f", "foo_bar", "json_output"]),
            "input": INPUTS | st.fixed_dictionaries({"input": WORDS}),
        }
    ),
    st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}),
    st.just({"type": "brand_new", "data": {"text": 1}, "text": 1}),
)
REASONS = ["end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "pause_turn", "new"]
ANSWERS = st.fixed_dictionaries(
    {
        "content": st.lists(BLOCKS, max_size=5),
        "stop_reason": st.sampled_from(REASONS),
        "stop_sequence": st.sampled_from([None, "END"]),
        "usage": st.fixed_dictionaries(
            {"input_tokens": st.none() | COUNTS, "output_tokens": COUNTS},
            optional={"service_tier": st.sampled_from(["standard", "batch"])},
        ),
    }
)
DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "signature": ("signature_delta", "signature"),
    "input": ("input_json_delta", "partial_json"),
}


def streamed(answer: dict[str, Any], cut: int) -> bytes:
    """The answer as a stream; each member of a block comes in two deltas, parted at `cut`."""
    start = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(answer["content"]):
        events += _block_events(index, block, cut)
    ending = {name: answer[name] for name in ("stop_reason", "stop_sequence")}
    events.append({"type": "message_delta", "delta": ending, "usage": answer["usage"]})
    return sse(*events, {"type": "message_stop"})


def _block_events(index: int, block: dict[str, Any], cut: int) -> list[dict[str, Any]]:
    if block["type"] not in ("text", "thinking", "tool_use"):
        return [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        ]
    empty = {"text": "", "thinking": "", "signature": "", "input": {}}
    start = {name: empty.get(name, value) for name, value in block.items() if name != "citations"}
    deltas: list[dict[str, Any]] = []
    for name, (kind, member) in DELTAS.items():
        if name in block:
            value = block[name]
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            deltas += [{"type": kind, member: piece} for piece in (text[:cut], text[cut:])]
    cited = block.get("citations") or []
    deltas += [{"type": "citations_delta", "citation": each} for each in cited]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": each} for each in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def custom_way(answer_tool: str | None) -> Conversion:
    """A conversion with a custom tool and, perhaps, a tool whose input is the answer."""
    prompt = Prompt("m", [], tools=[Tool("foo/bar", custom=True)])
    names = ToolNames({"foo/bar": "foo_bar"})
    return conversion(prompt, names=names, answer_tool=answer_tool)


@given(answer=ANSWERS, cut=st.integers(0, 9), cuts=st.lists(st.integers(0, 2000), max_size=5),
       answer_tool=st.sampled_from([None, "json_output"]))  # fmt: skip
@settings(deadline=None)
def test_a_whole_answer_is_read_as_its_stream(
    answer: dict[str, Any], cut: int, cuts: list[int], answer_tool: str | None
) -> None:
    answer = {"id": "msg_1", "type": "message", "model": "claude", **answer}
    crossed, other = custom_way(answer_tool), custom_way(answer_tool)
    whole = MESSAGES.read_message(msgspec.json.encode(answer), crossed)
    reader, splitter = MESSAGES.reader(other), Splitter()
    chunks = in_pieces(streamed(answer, cut), cuts)
    events = [
        event for chunk in chunks for frame in splitter.feed(chunk) for event in reader.read(frame)
    ]
    message = build_message([*events, *reader.finish()])
    assert message is not None
    # a stream has no events for these; no client is shown them
    whole.parts = [part for part in whole.parts if not isinstance(part, ServerTool | Opaque)]
    assert whole == message
    assert crossed.notes.entries == other.notes.entries


@given(text=WORDS, answer=ANSWERS, answer_tool=st.sampled_from([None, "json_output"]))
@settings(deadline=None)
def test_one_text_is_read_the_short_way_as_the_long_one(
    text: str, answer: dict[str, Any], answer_tool: str | None
) -> None:
    read = []
    for empty in ([], [{"type": "text", "text": ""}]):
        body = {**answer, "type": "message", "content": [{"type": "text", "text": text}, *empty]}
        read.append(MESSAGES.read_message(msgspec.json.encode(body), custom_way(answer_tool)))
    assert read[0] == read[1]


@pytest.mark.parametrize("reason", [None, ""])
def test_a_whole_answer_without_a_stop_reason_has_ended(reason: str | None) -> None:
    body: dict[str, Any] = {"type": "message", "content": [], "stop_reason": reason}
    message = MESSAGES.read_message(msgspec.json.encode(body), conversion())
    assert message.ending == Ending("end_turn")


def test_a_block_of_tomorrow_may_spell_members_its_own_way() -> None:
    block = {"type": "brand_new", "text": {"a": 1}, "id": 3}
    reader = MESSAGES.reader(conversion())
    (frame,) = Splitter().feed(
        sse({"type": "content_block_start", "index": 0, "content_block": block})
    )
    assert reader.read(frame) == [MessageStart("", "upstream-model")]
