"""Server-sent events, whole and cut anywhere."""

import re
import time

import pytest
from hypothesis import given, strategies as st

from gateway.errors import BadAnswer
from gateway.wire.sse import BOM, Frame, Splitter, data_frame, data_of, events_in, frame


def split(chunks: list[bytes], limit: int = 1 << 24) -> list[Frame]:
    splitter = Splitter(limit)
    frames = [found for chunk in chunks for found in splitter.feed(chunk)]
    return frames + splitter.finish()


def by_byte(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


def reference(wire: bytes) -> list[Frame]:
    """The rules one line at a time."""
    frames: list[Frame] = []
    event = b""
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", wire.removeprefix(BOM)), b""]:
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if line == b"":
            frames += [Frame(event, b"\n".join(data))] if data else []
            event, data = b"", []
        elif name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return frames


CASES = {
    "unnamed": (b"data: a\n\n", [Frame(b"", b"a")]),
    "named": (b"event: ping\ndata: {}\n\n", [Frame(b"ping", b"{}")]),
    "name after data": (b"data: {}\nevent: ping\n\n", [Frame(b"ping", b"{}")]),
    "no space": (b"event:ping\ndata:{}\n\n", [Frame(b"ping", b"{}")]),
    "one space goes": (b"data:  a \n\n", [Frame(b"", b" a ")]),
    "colon in value": (b"data: a:b\n\n", [Frame(b"", b"a:b")]),
    "no colon": (b"data\n\n", [Frame(b"", b"")]),
    "many data lines": (b"data: a\ndata:\ndata: b\n\n", [Frame(b"", b"a\n\nb")]),
    "comment": (b": OPENROUTER PROCESSING\n\ndata: a\n\n", [Frame(b"", b"a")]),
    "comment inside": (b"data: a\n: hush\ndata: b\n\n", [Frame(b"", b"a\nb")]),
    "other fields": (b"id: 1\nretry: 5\ndata: a\nx: y\n\n", [Frame(b"", b"a")]),
    "event without data": (b"event: ping\n\ndata: a\n\n", [Frame(b"", b"a")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [Frame(b"", b"a"), Frame(b"", b"b")]),
    "CRLF": (b"event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", [Frame(b"x", b"a"), Frame(b"", b"b")]),
    "CR": (b"data: a\r\rdata: b\r\r", [Frame(b"", b"a"), Frame(b"", b"b")]),
    "mixed": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", [Frame(b"", b"%c" % x) for x in b"abc"]),
    "BOM": (BOM + b"data: a\n\n", [Frame(b"", b"a")]),
    "BOM later is no BOM": (b"data: a\n\n" + BOM + b"data: b", [Frame(b"", b"a")]),
    "U+2028": ('data: "\u2028\u0085"\n\n'.encode(), [Frame(b"", '"\u2028\u0085"'.encode())]),
    "no last blank line": (b"data: a\n\ndata: [DONE]", [Frame(b"", b"a"), Frame(b"", b"[DONE]")]),
    "no last blank line, LF": (b"data: a\n", [Frame(b"", b"a")]),
    "empty": (b"", []),
    "only a BOM": (BOM, []),
    "half a BOM": (BOM[:2], []),
    "case 31": (
        '\ufeffdata: {"a":"a\u2028b"}\r\n\r\ndata: [DONE]'.encode(),
        [Frame(b"", '{"a":"a\u2028b"}'.encode()), Frame(b"", b"[DONE]")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_whole_and_byte_by_byte(name: str) -> None:
    wire, frames = CASES[name]
    assert reference(wire) == frames
    assert split([wire]) == frames
    assert split(by_byte(wire)) == frames
    assert split([b"", *(piece for byte in by_byte(wire) for piece in (byte, b""))]) == frames


PIECES = [
    b"data: ",
    b"data:",
    b"event: x",
    b": c",
    b"a",
    b":",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    BOM,
    b"\n\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.data())
def test_any_cutting_gives_the_same(pieces: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(pieces)
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=8).map(sorted))
    cuts = zip([0, *places], [*places, len(wire)], strict=True)
    expected = reference(wire)
    assert split([wire]) == expected
    assert split([wire[start:end] for start, end in cuts]) == expected
    assert split(by_byte(wire)) == expected


def test_an_event_comes_with_its_blank_line_and_not_later() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: a\n") == []
    assert splitter.feed(b"\n") == [Frame(b"", b"a")]
    assert splitter.feed(b"data: b\r\r") == [Frame(b"", b"b")]
    assert splitter.feed(b"data: c\r\n\r") == [Frame(b"", b"c")]
    assert splitter.feed(b"\ndata: d\r\n") == []
    assert splitter.feed(b"\r\n") == [Frame(b"", b"d")]
    assert splitter.finish() == []


def test_an_event_over_the_limit_is_a_bad_answer() -> None:
    splitter = Splitter(limit=10)
    assert splitter.feed(b"data: 1234") == []
    with pytest.raises(BadAnswer, match="more than 10 bytes"):
        splitter.feed(b"5")
    with pytest.raises(BadAnswer):
        Splitter(limit=10).feed(b"data: a\n\ndata: 12345")


def test_the_limit_is_for_each_event() -> None:
    splitter = Splitter(limit=10)
    frames = [
        found for _ in range(5) for found in splitter.feed(b"data: 12") + splitter.feed(b"\n\n")
    ]
    assert frames == [Frame(b"", b"12")] * 5


def test_a_large_event_takes_linear_time() -> None:
    chunk = b"x" * 65536
    splitter = Splitter(limit=32 << 20)
    began = time.perf_counter()
    splitter.feed(b"data: ")
    for _ in range(256):
        assert splitter.feed(chunk) == []
    (found,) = splitter.feed(b"\n\n")
    assert len(found.data) == 16 << 20
    assert time.perf_counter() - began < 2


def test_what_is_written_is_read() -> None:
    assert frame(b"ping", b"{}") == b"event: ping\ndata: {}\n\n"
    assert data_frame(b"[DONE]") == b"data: [DONE]\n\n"
    assert split([frame(b"a", b"1") + data_frame(b"2")]) == [Frame(b"a", b"1"), Frame(b"", b"2")]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_events_are_cut_behind_their_blank_lines(end: bytes) -> None:
    events = [b"data: a" + end, b": c" + end, b"event: x" + end[: len(end) // 2] + b"data: b" + end]
    assert events_in(b"".join(events)) == events
    assert events_in(b"".join(events) + b"data: c") == [*events, b"data: c"]
    assert events_in(b"") == []
    assert [data_of(event) for event in events] == [b"a", b"", b"b"]
