"""Whatever a client or an upstream sends, the answer is a GatewayError or a result."""

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import GatewayError, InvalidRequest
from gateway.neutral.notes import LossReport
from gateway.wire.sse import Frame
from tests.dialects.messages.wires import conversion, fields

WORDS = st.sampled_from(
    [
        "text",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "base64",
        "url",
        "file",
        "content",
        "user",
        "assistant",
        "system",
        "server_tool_use",
        "web_search_tool_result",
        "mcp_tool_use",
        "compaction",
        "tool_addition",
        "tool_removal",
        "search_result",
        "tool_definition",
        "bash_20250124",
        "x",
    ]
)
KEYS = st.sampled_from(
    [
        "type",
        "text",
        "source",
        "data",
        "media_type",
        "url",
        "content",
        "id",
        "name",
        "input",
        "tool_use_id",
        "is_error",
        "thinking",
        "signature",
        "citations",
        "cache_control",
        "role",
        "tool",
        "definition",
        "title",
        "error",
        "usage",
        "code",
        "message",
    ]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
WHOLE = {"id": "a", "name": "f", "input": {}, "tool_use_id": "a", "text": "t", "thinking": "t"}
BLOCK = st.dictionaries(KEYS, ANY, max_size=3).flatmap(
    lambda odd: WORDS.map(lambda tag: {**WHOLE, **odd, "type": tag})
)
MESSAGE = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    st.lists(BLOCK, max_size=3) | ANY,
)


def names_a_member(fault: InvalidRequest) -> None:
    assert fault.param
    assert fault.message.startswith(fault.param)


@given(messages=st.lists(MESSAGE, min_size=1, max_size=4), tools=st.lists(ANY, max_size=2))
@settings(max_examples=200, deadline=None)
def test_any_request(messages: list[Any], tools: list[Any]) -> None:
    try:
        prompt = MESSAGES.read_prompt(fields(messages=messages, tools=tools), LossReport())
        MESSAGES.write_prompt(conversion(prompt))
    except InvalidRequest as fault:
        names_a_member(fault)


@given(
    name=st.sampled_from(
        ["system", "tool_choice", "thinking", "output_config", "metadata", "thread"]
    ),
    value=ANY,
)
@settings(max_examples=200, deadline=None)
def test_any_member(name: str, value: object) -> None:
    given_ = {**fields(), name: Raw(msgspec.json.encode(value))}
    try:
        MESSAGES.read_prompt(given_, LossReport())
    except InvalidRequest as fault:
        names_a_member(fault)


EVENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
                "error",
                "ping",
            ]
        )
    },
    optional={
        "index": st.sampled_from([0, 1, None, "x"]),
        "delta": st.dictionaries(KEYS, ANY, max_size=3),
        "content_block": BLOCK | ANY,
        "message": ANY,
        "usage": ANY,
    },
)


@given(events=st.lists(EVENT, max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_stream(events: list[Any]) -> None:
    crossed = conversion()
    reader, writer = MESSAGES.reader(crossed), MESSAGES.writer(crossed)
    try:
        for event in events:
            for read in reader.read(Frame(b"", msgspec.json.encode(event))):
                writer.write(read)
    except GatewayError:
        return


@given(
    body=ANY | st.builds(lambda block: {"content": [block]}, BLOCK),
    status=st.sampled_from([200, 400, 503]),
)
@settings(max_examples=200, deadline=None)
def test_any_answer(body: object, status: int) -> None:
    wire = msgspec.json.encode(body)
    crossed = conversion()
    MESSAGES.summarize(wire)
    MESSAGES.stream_error(Frame(b"", wire))
    MESSAGES.write_error(MESSAGES.read_error(status, wire), "r")
    try:
        MESSAGES.write_message(MESSAGES.read_message(wire, crossed), crossed)
    except GatewayError:
        return
