"""An answer is the same whether it comes whole or as a stream, read and written."""

from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.common.signatures import GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.responses import RESPONSES
from gateway.errors import GatewayError
from gateway.neutral.events import (
    Citation,
    ClientToolKind,
    Ending,
    Format,
    Message,
    Part,
    Prompt,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from gateway.neutral.fold import build_message, message_events
from gateway.wire.sse import Splitter
from tests.dialects.chat import conversions as upstream
from tests.dialects.responses import wires as client
from tests.fakes.responses import (
    make_citation,
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
    make_text_part,
    make_web_search,
)

WORDS = st.sampled_from(["", "\n\n", "a", "é b", "END", "x END y", "EN", '{"code":"1"}'])
ARGUMENTS = st.sampled_from(
    ["", " ", "null", "{}", '{"x": 1.0}', '{"code":"1"}', '{"input":"free"}', "{", "[]"]
)

# --- read -----------------------------------------------------------------------------------------

CONTENT = (
    st.builds(make_text_part, WORDS)
    | st.builds(make_refusal, WORDS)
    | st.just(
        make_text_part("it is so", make_citation("https://a", "A", 3, 5), {"type": "file_citation"})
    )
)
ITEMS = st.one_of(
    st.lists(CONTENT, max_size=3).map(lambda content: make_message(*content)),
    CONTENT.map(lambda part: make_message(part, phase="commentary")),
    st.builds(make_reasoning, WORDS, WORDS, encrypted=st.none() | st.just("blob")),
    st.builds(make_reasoning, words=st.tuples(WORDS, WORDS)),
    st.builds(
        make_function_call, st.sampled_from("cd"), st.sampled_from(["f", "wrapped", ""]), ARGUMENTS
    ),
    st.builds(make_custom_call, st.just("e"), st.sampled_from("fg"), WORDS),
    st.just(make_web_search()),
    st.just({"id": "ig", "type": "image_generation_call", "status": "completed", "result": "A"}),
)
ENDINGS = st.sampled_from([
    {}, {"service_tier": "priority", "usage": None},
    *({"status": "incomplete", "incomplete_details": {"reason": why}}
      for why in ("max_output_tokens", "content_filter", "steered")),
])  # fmt: skip


def asked(stops: tuple[str, ...], sources: bool, document: bool) -> Conversion:
    """A conversion whose upstream knows the client's tool of free text as a function."""
    prompt = Prompt("m", [], tools=[Tool("f"), Tool("wrapped", custom=True)])
    prompt.web_search = WebSearch() if sources else None
    prompt.format = Format("json_object") if document else None
    way = upstream.conversion(prompt, Capability(custom_tools=False))
    way.local_stops = stops
    return way


def read_whole(items: list[dict[str, Any]], ending: dict[str, Any], way: Conversion) -> object:
    """The answer, or its fault."""
    try:
        return RESPONSES.read_message(msgspec.json.encode(make_response(*items, **ending)), way)
    except GatewayError as error:
        return type(error), error.message


def read_stream(items: list[dict[str, Any]], ending: dict[str, Any], way: Conversion) -> object:
    """The same from a stream."""
    reader = RESPONSES.reader(way)
    try:
        frames = Splitter().feed(make_script(*items, **ending).stream_bytes)
        events = [event for frame in frames for event in reader.read(frame)]
        return build_message([*events, *reader.finish()])
    except GatewayError as error:
        return type(error), error.message


@settings(max_examples=300, deadline=None)
@given(
    st.lists(ITEMS, max_size=5), ENDINGS, st.sampled_from([(), ("END",)]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_a_whole_answer_is_read_as_its_stream(
    items: list[dict[str, Any]],
    ending: dict[str, Any],
    stops: tuple[str, ...],
    sources: bool,
    document: bool,
) -> None:
    way, other = asked(stops, sources, document), asked(stops, sources, document)
    whole, streamed = read_whole(items, ending, way), read_stream(items, ending, other)
    if isinstance(whole, Message) and whole.ending.stop == "stop_sequence":
        # a stream that is cut has not come to what it would say of the whole
        whole.ending = Ending("stop_sequence", whole.ending.stop_sequence)
    elif isinstance(whole, Message):
        assert sorted(way.notes.entries) == sorted(other.notes.entries)
    assert whole == streamed


def test_a_custom_tools_own_json_is_kept() -> None:
    items = [make_function_call("c", "wrapped", '{"code":"1"}')]
    for read in (read_whole, read_stream):
        found = read(items, {}, asked((), sources=False, document=False))
        assert isinstance(found, Message)
        assert found.parts == [ToolCall("c", "wrapped", '{"code":"1"}', custom=True)]


def test_a_call_that_the_limit_cut_is_dropped_unless_it_was_told_already() -> None:
    items = [make_function_call("c", "f", '{"x', status="incomplete")]
    whole, streamed = (
        read(items, {"status": "incomplete"}, asked((), sources=False, document=False))
        for read in (read_whole, read_stream)
    )
    assert isinstance(whole, Message)
    assert isinstance(streamed, Message)
    assert (whole.parts, streamed.parts) == ([], [ToolCall("c", "f", '{"x')])


# --- written --------------------------------------------------------------------------------------

CITATIONS = st.lists(
    st.sampled_from([Citation(Raw(b"{}"), "https://a", "A", span=(0, 1)), Citation(Raw(b"{}"))]),
    max_size=2,
)
ORIGINS = st.sampled_from(["messages", "responses", GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE])
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS, citations=CITATIONS),
    st.builds(Refusal, WORDS),
    st.builds(Thinking, WORDS),
    st.builds(Thinking, WORDS, st.sampled_from(["sig", "rs_1 sig"]), ORIGINS),
    st.builds(Redacted, st.just("data"), ORIGINS),
    st.builds(
        ToolCall, st.sampled_from(["", "c", "d"]), st.sampled_from(["f", "sh", "free", "json"]),
        ARGUMENTS | st.just('{"commands":["ls"]}'), st.booleans(),
    ),
    st.just(ServerTool("words", "web_search", Raw(b"{}"))),
)  # fmt: skip
STOPS: Any = st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence"])
CLIENT_TOOLS = [
    Tool("f"),
    Tool("sh", form=ClientToolKind("shell", "shell")),
    Tool("free", custom=True, form=ClientToolKind("custom", "exec", "ns")),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=6), STOPS, st.none() | st.just(Usage(3, 4, 1)))
def test_a_whole_answer_is_what_its_stream_ends_with(
    parts: list[Part], stop: Any, usage: Usage | None
) -> None:
    answer = Message("id", "up", parts, Ending(stop, usage=usage))
    way, other = (
        client.conversion(Prompt("m", [], tools=CLIENT_TOOLS), answer_tool="json") for _ in "ab"
    )
    with (
        patch("gateway.dialects.responses.answer.secrets.token_hex", return_value="0"),
        patch("gateway.dialects.responses.answer.time.time", return_value=1),
    ):
        whole = msgspec.json.decode(RESPONSES.write_message(answer, way))
        streamed = client.written(list(message_events(answer)), other)
    last = msgspec.json.decode(Splitter().feed(streamed)[-1].data)
    assert last["response"] == whole
    assert way.notes.entries == other.notes.entries
