"""Whatever an upstream sends, it is read or it is a fault of the gateway's own kind."""

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st

from gateway.dialects.responses import RESPONSES
from gateway.errors import GatewayError
from gateway.wire.sse import Frame
from tests.dialects.chat.conversions import conversion
from tests.dialects.chat.test_reader import check_order
from tests.fakes.responses import (
    make_custom_call,
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
)

ITEMS = (
    make_reasoning("why", encrypted="g", words=("w",)), make_message("ab", make_refusal("no")),
    make_function_call("a", "f", '{"x":1}'), make_custom_call("b", "g", "t"),
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
EVENTS = make_script(*ITEMS).events
MEMBERS = sorted({name for event in EVENTS for name in event})


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The events of a stream in any order, some of them left out, doubled, or with odd members."""
    chosen: list[dict[str, Any]] = draw(st.lists(st.sampled_from(EVENTS), max_size=25))
    odd = draw(
        st.dictionaries(st.integers(0, 24), st.tuples(st.sampled_from(MEMBERS), JSON), max_size=2)
    )
    return [
        event | ({odd[at][0]: odd[at][1]} if at in odd else {}) for at, event in enumerate(chosen)
    ]


@settings(max_examples=300, deadline=None)
@given(streams(), st.booleans())
def test_any_stream_is_told_in_order_or_is_a_fault(
    events: list[dict[str, Any]], stopping: bool
) -> None:
    way = conversion()
    way.local_stops = ("b",) if stopping else ()
    reader, told = RESPONSES.reader(way), []
    try:
        for event in events:
            told += reader.read(Frame(b"", msgspec.json.encode(event)))
        told += reader.finish()
    except GatewayError:
        return
    check_order(told)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(make_response())), JSON), JSON)
def test_any_answer_is_read_or_is_a_fault(odd: dict[str, Any], item: Any) -> None:
    for body in (
        make_response(*ITEMS) | odd,
        make_response(item),
        make_response(make_message("a") | {"content": item}),
    ):
        try:
            RESPONSES.read_message(msgspec.json.encode(body), conversion())
        except GatewayError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_a_fault(data: bytes) -> None:
    for read in (
        lambda: RESPONSES.reader(conversion()).read(Frame(b"", data)),
        lambda: RESPONSES.read_message(data, conversion()),
    ):
        try:
            read()
        except GatewayError:
            continue
