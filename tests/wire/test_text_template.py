"""The short cut and the long way must never differ: that is all that can be wrong with it."""

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import Prompt, TextDelta
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Frame
from gateway.wire.text_template import TextDeltaTemplate

CHUNK = b'{"id":"c","choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}'


def learned() -> TextDeltaTemplate:
    groove = TextDeltaTemplate(b'"content":')
    groove.learn(CHUNK % b'"a"', "a")
    return groove


@given(st.text())
def test_a_chunk_that_differs_in_the_text_alone_is_read(text: str) -> None:
    assert learned().text(CHUNK % msgspec.json.encode(text)) == text


@pytest.mark.parametrize(
    "value",
    [
        b'"a","refusal":"b"',  # another member after the text
        b'"a"},"x":{"y":"z"',
        b"null",
        b"1",
        b'["a"]',
        b"",
        b'"\\ud83d"',  # a lone surrogate: the long way mends it
    ],
)
def test_any_other_chunk_takes_the_long_way(value: bytes) -> None:
    assert learned().text(CHUNK % value) is None


VALUES = st.one_of(
    st.text().map(msgspec.json.encode),
    st.sampled_from(
        [
            b'"a","b"', b'"a', b'b"', b'b","c"', b"", b" ", b"null", b"1", b'["a"]', b'"\\ud83d"',
            b'"\\u0061"', b' "a"', b'"a\\"', b'"a\\n"', b'"a\n"', b'"\xff"', b'"","', b'"',
        ]
    ),
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_many_chunks_say_what_each_of_them_says(values: list[bytes]) -> None:
    groove, chunks = learned(), [CHUNK % value for value in values]
    each = [groove.text(chunk) for chunk in chunks]
    assert groove.texts(chunks) == (None if None in each else each)


def test_among_many_one_that_runs_elsewhere_sends_all_the_long_way() -> None:
    chunks = [CHUNK % b'"a"', b'{"id":"c","choices":[]}', CHUNK % b'"b"']
    assert learned().texts(chunks) is None
    assert learned().texts(chunks[::2]) == ["a", "b"]


def test_a_short_chunk_that_begins_and_ends_right_takes_the_long_way() -> None:
    groove = TextDeltaTemplate(b'"content":')
    groove.learn(b'{"content":"a"}', "a")
    assert groove.text(b'{"content":}') is None
    assert groove.text(b'{"content":"b"}') == "b"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"content":"\\u0061"}', "a"),  # spelled otherwise
        (b'{"content":"a","x":{"content":"b"}}', "a"),  # the member comes twice
        (b'{"text":"a"}', "a"),
    ],
)
def test_what_could_mislead_teaches_nothing(data: bytes, text: str) -> None:
    groove = TextDeltaTemplate(b'"content":')
    groove.learn(data, text)
    assert groove.text(data) is None


def test_a_blank_after_the_colon_is_learned() -> None:
    groove = TextDeltaTemplate(b'"content":')
    groove.learn(b'{"content": "a", "x": 1}', "a")
    assert groove.text(b'{"content": "b", "x": 1}') == "b"


def test_a_server_that_changes_every_chunk_is_not_learned_from_for_ever() -> None:
    groove = TextDeltaTemplate(b'"content":')
    for number in range(40):
        groove.learn(b'{"n":%d,"content":"a"}' % number, "a")
    assert groove.text(b'{"n":39,"content":"b"}') is None


def conversion() -> Conversion:
    return Conversion(Prompt("m", []), "p", "m", "m", Capability(), LossReport(), Seal(b"k"))


def chat_frames(texts: list[str], extra: bytes = b"") -> list[Frame]:
    head = b'{"id":"c","choices":[{"index":0,"delta":{"content":'
    bodies = [head + msgspec.json.encode(text) + b"}}]" + extra + b"}" for text in texts]
    return [Frame(b"", body) for body in bodies]


def messages_frames(texts: list[str]) -> list[Frame]:
    start = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    head = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
    deltas = [Frame(b"content_block_delta", head + msgspec.json.encode(t) + b"}}") for t in texts]
    return [Frame(b"content_block_start", start), *deltas]


@given(st.lists(st.text(), max_size=12))
def test_both_readers_say_the_same_with_and_without_it(texts: list[str]) -> None:
    for dialect, frames in ((CHAT, chat_frames(texts)), (MESSAGES, messages_frames(texts))):
        short, long = dialect.reader(conversion()), dialect.reader(conversion())
        long._template._tries = 1_000_000  # type: ignore[attr-defined]  # it learns no more
        for frame in frames:
            assert short.read(frame) == long.read(frame)


def test_the_short_cut_is_taken() -> None:
    for dialect, frames in ((CHAT, chat_frames(["a"] * 3)), (MESSAGES, messages_frames(["a"] * 3))):
        reader = dialect.reader(conversion())
        for frame in frames[:-1]:
            reader.read(frame)
        groove: TextDeltaTemplate = reader._template  # type: ignore[attr-defined]
        assert groove.text(frames[-1].data) == "a"
        assert reader.read(frames[-1]) == [TextDelta("a")]
