import random
import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, strategies as st

from providers.bedrock.eventstream import (
    MAX_HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    EventStreamDecoder,
    EventStreamMessage,
)
from tests.providers.bedrock.frames import chunk, exception, raw, said, strings

NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
HEADERS = st.dictionaries(NAME, st.text(max_size=60), max_size=6)
EVERY_TYPE = b"".join(
    bytes([len(name)]) + name + bytes([kind]) + value
    for name, kind, value in [
        (b"yes", 0, b""), (b"no", 1, b""), (b"byte", 2, b"\x7f"), (b"short", 3, b"\x00\x01"),
        (b"int", 4, b"\x00" * 4), (b"long", 5, b"\x00" * 8), (b"bytes", 6, b"\x00\x02ab"),
        (b"string", 7, b"\x00\x02hi"), (b"time", 8, b"\x00" * 8), (b"uuid", 9, b"\x00" * 16),
    ]
)  # fmt: skip


def read(data: bytes, *cuts: int) -> tuple[list[EventStreamMessage], EventStreamDecoder]:
    """The messages of the bytes, fed in pieces."""
    unframer = EventStreamDecoder()
    found: list[EventStreamMessage] = []
    at = 0
    for cut in (*cuts, len(data)):
        found += unframer.feed(data[at:cut])
        at = cut
    return found, unframer


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=300)), max_size=5), st.randoms())
def test_what_botocore_reads_is_what_is_read(
    messages: list[tuple[dict[str, str], bytes]], rand: random.Random
) -> None:
    data = b"".join(raw(strings(headers), payload) for headers, payload in messages)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    expected = [EventStreamMessage(dict(event.headers), event.payload) for event in theirs]
    cuts = sorted(rand.randrange(len(data) + 1) for _ in range(rand.randrange(8)))
    found, unframer = read(data, *cuts)
    assert found == expected == [EventStreamMessage(h, p) for h, p in messages]
    assert not unframer.has_pending
    assert unframer.fault is None


def test_a_message_may_be_cut_at_every_byte() -> None:
    data = b"".join(said()) + exception("throttlingException", "slow down")
    whole, _ = read(data)
    for cut in range(len(data)):
        found, unframer = read(data, cut)
        assert found == whole
        assert not unframer.has_pending
    assert read(data, *range(len(data)))[0] == whole


def test_headers_of_every_type_are_stepped_over() -> None:
    ((message,), _) = read(raw(EVERY_TYPE, b"x"))
    assert message == EventStreamMessage({"string": "hi"}, b"x")
    buffer = EventStreamBuffer()
    buffer.add_data(raw(EVERY_TYPE, b"x"))
    assert next(buffer).headers["string"] == "hi"


def test_every_damaged_byte_is_found() -> None:
    first, second = chunk(b'{"type":"ping"}'), chunk(b'{"type":"pong"}')
    for at in range(len(second)):
        damaged = second[:at] + bytes([second[at] ^ 0x20]) + second[at + 1 :]
        found, unframer = read(first + damaged)
        assert len(found) == 1
        assert unframer.fault is not None
        assert unframer.feed(first) == []  # nothing is believed after it


def prelude(length: int, headers: int) -> bytes:
    head = struct.pack(">II", length, headers)
    return head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize(
    ("length", "headers"),
    [
        (15, 0), (0, 0), (MAX_MESSAGE_BYTES + 1, 0), (2**32 - 1, 0), (20, 5),
        (MAX_MESSAGE_BYTES, MAX_HEADER_BYTES + 1),
    ],
)  # fmt: skip
def test_a_length_over_the_limits_is_not_waited_for(length: int, headers: int) -> None:
    found, unframer = read(prelude(length, headers))
    assert found == []
    assert unframer.fault is not None


def test_the_largest_message_is_waited_for() -> None:
    found, unframer = read(prelude(MAX_MESSAGE_BYTES, MAX_HEADER_BYTES))
    assert (found, unframer.fault, unframer.has_pending) == ([], None, True)


@pytest.mark.parametrize(
    "headers",
    [
        b"\x04name",  # no type
        b"\x01a\x07\x00\x05hi",  # a value that is longer than its place
        b"\x01a\x0a",  # a type that is none
        b"\x01a\x07\x00",  # half a length
        b"\x01\xff\x00",  # a name that is no UTF-8
        b"\x09abc",
    ],
)
def test_headers_that_cannot_be_read_are_a_fault(headers: bytes) -> None:
    found, unframer = read(raw(headers, b""))
    assert found == []
    assert unframer.fault is not None
    assert "headers" in unframer.fault.message


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 255))
def test_whatever_arrives_is_a_message_or_a_fault(noise: bytes, at: int, flip: int) -> None:
    good = b"".join(said()[:2])
    damaged = bytearray(good + noise)
    damaged[at % len(damaged)] ^= flip
    found, unframer = read(bytes(damaged), at % len(damaged))
    assert len(found) <= 2
    assert found == read(good)[0][: len(found)]
    assert unframer.fault is not None or unframer.has_pending or len(found) == 2
