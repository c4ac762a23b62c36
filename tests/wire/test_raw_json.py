"""JSON of the wire, with what msgspec refuses."""

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.errors import InvalidRequest
from gateway.wire.raw_json import NotUtf8, decode, member, split_object
from gateway.wire.sse import BOM

SURROGATE = b'{"a": {"t": "x\\ud83d", "n": 1e3}, "b" : 1.0}'


def members(body: bytes) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in split_object(body).items()}


def test_each_value_keeps_its_bytes() -> None:
    body = b' {"n": 1e3 ,"f":1.0, "o" : { "b" : 1, "a": [ ] },"s":"\\u0041", "z": null} '
    assert members(body) == {
        "n": b"1e3",
        "f": b"1.0",
        "o": b'{ "b" : 1, "a": [ ] }',
        "s": b'"\\u0041"',
        "z": b"null",
    }
    assert members(b"{}") == {}


def test_of_equal_keys_the_last_wins() -> None:
    assert members(b'{"a":1,"b":2,"a":3}') == {"a": b"3", "b": b"2"}
    assert members(b'{"a":1,"b":"\\ud83d","a":3}') == {"a": b"3", "b": b'"\\ud83d"'}


def test_a_lone_surrogate_stays_as_it_was_written() -> None:
    assert members(SURROGATE) == {"a": b'{"t": "x\\ud83d", "n": 1e3}', "b": b"1.0"}
    assert members(b'{"\\ud83d":1}') == {"\ufffd": b"1"}
    assert members(b' {  "s" : "\\ud83d" }\n') == {"s": b'"\\ud83d"'}


def test_a_number_may_have_any_length() -> None:
    digits = b"1" * 5000
    assert members(b'{"a":"\\ud83d","b":' + digits + b"}")["b"] == digits
    assert members(b'{"b":' + digits + b"}")["b"] == digits


def test_a_byte_order_mark_is_dropped() -> None:
    assert members(BOM + b'{"a":1.0,"b":[]}') == {"a": b"1.0", "b": b"[]"}
    assert members(BOM + b" { } ") == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (BOM + b"[1]", "must be a JSON object"),
        (b'{"a":1', "not JSON: Expecting ',' delimiter at line 1, column 7"),
        (b'{"a":1} x', "Extra data at line 1"),
        (b'{"a":\n NaN}', "NaN is not JSON at line 2, column 2"),
        (b'{"a":"\\"NaN","b":[1,-Infinity]}', "-Infinity is not JSON at line 1, column 21"),
        (b'{"a":"\xff"} x', "not UTF-8 at byte 6"),
        (b'{"a":"\\ud83d","b":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused_with_the_place(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        split_object(body)


def test_decode_to_a_type() -> None:
    assert decode(b'{"a":1}', dict[str, int]) == {"a": 1}
    assert decode(Raw(b"1e3"), float) == 1000.0
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"a":"x"}', dict[str, int])


def test_decode_mends_lone_surrogates() -> None:
    assert decode(b'{"\\ud83d":["x\\ud83d", 1, null]}', dict[str, object]) == {
        "\ufffd": ["x\ufffd", 1, None]
    }
    assert decode(b'"\\ud83d\\ude00"', str) == "\U0001f600"
    assert decode(b'["\\ud83d\\ude00\\ude00"]', list[str]) == ["\U0001f600\ufffd"]
    assert decode(BOM + b"1", int) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"{",
        b"",
        b"[" * 100_000 + b"]" * 100_000,
        b'["\\ud83d",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
    ],
)
def test_what_decode_cannot_read_is_a_validation_error(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(body, object)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_the_slow_path_finds_the_same_bytes(value: dict[str, object]) -> None:
    body = msgspec.json.encode(value)
    assert members(BOM + body) == members(body)
    assert decode(BOM + body, dict[str, object]) == value


def test_a_text_that_is_not_utf_8_is_no_value_and_the_edge_is_told() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'"a\xff"', str)
    with pytest.raises(NotUtf8) as caught:
        member(Raw(b'"a\xff"'), str, "model")
    assert isinstance(caught.value, UnicodeDecodeError)
    assert caught.value.start == 1
