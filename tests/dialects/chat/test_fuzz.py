"""Whatever arrives, the dialect says what is wrong in its own errors."""

import contextlib

import msgspec
from hypothesis import given, settings, strategies as st

from gateway.dialects.chat import CHAT
from gateway.errors import GatewayError, InvalidRequest
from gateway.neutral.notes import LossReport
from gateway.wire.sse import Frame
from tests.dialects.chat.conversions import conversion, fields

WORDS = (
    "choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments", "id",
    "index", "finish_reason", "usage", "prompt_tokens", "error", "code", "reasoning_details",
    "type", "text", "role", "image_url", "url", "messages", "tools", "tool_choice", "custom",
    "reasoning", "annotations", "detail", "base_resp", "response_format", "thinking", "stop",
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(["text", "function", "user", "assistant", "tool", "stop", "{}", "image_url"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(OBJECTS | VALUES, max_size=4))
def test_streams(chunks: list[object]) -> None:
    reader = CHAT.reader(conversion())
    with contextlib.suppress(GatewayError):
        for chunk in chunks:
            reader.read(Frame(b"", msgspec.json.encode(chunk)))
        reader.finish()


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=2).map(lambda found: {"choices": found}) | OBJECTS | VALUES)
def test_answers_and_errors(body: object) -> None:
    data = msgspec.json.encode(body)
    CHAT.summarize(data)
    CHAT.stream_error(Frame(b"error", data))
    assert CHAT.read_error(500, data).status >= 400
    with contextlib.suppress(GatewayError):
        CHAT.read_message(data, conversion())


@settings(max_examples=300, deadline=None)
@given(OBJECTS, st.lists(OBJECTS, min_size=1, max_size=3))
def test_requests(members: dict[str, object], messages: list[object]) -> None:
    body = fields(**(members | {"model": "m", "messages": messages}))
    with contextlib.suppress(InvalidRequest):
        CHAT.read_prompt(body, LossReport())


def test_numbers_out_of_range_beside_a_lone_surrogate() -> None:
    data = b'{"choices":[{"delta":{"content":"\\ud83d"}}],"x":' + b"9" * 40 + b"}"
    with contextlib.suppress(GatewayError):
        CHAT.reader(conversion()).read(Frame(b"", data))
