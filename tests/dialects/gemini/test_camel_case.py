"""Names of members in either spelling."""

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.gemini.camel_case import rename_members, to_camel_case


@pytest.mark.parametrize(
    ("given", "made"), [("inline_data", "inlineData"), ("topK", "topK"), ("a_b_c", "aBC")]
)
def test_a_name(given: str, made: str) -> None:
    assert to_camel_case(given) == made


def test_the_apis_names_are_renamed_and_the_clients_are_not() -> None:
    given = {
        "function_call": {"name": "a_b", "args": {"file_path": {"x_y": 1}}},
        "inline_data": {"mime_type": "text/x_y"},
        "parts": [{"thought_signature": "s_s"}],
    }
    made = {
        "functionCall": {"name": "a_b", "args": {"file_path": {"x_y": 1}}},
        "inlineData": {"mimeType": "text/x_y"},
        "parts": [{"thoughtSignature": "s_s"}],
    }
    assert msgspec.json.decode(rename_members(Raw(msgspec.json.encode(given)))) == made


def test_what_is_spelled_so_already_is_not_touched() -> None:
    raw = Raw(b'{"text": "a \\"b_c\\": d", "x" : 1.0}')
    assert rename_members(raw) is raw


def test_of_two_spellings_the_apis_own_wins() -> None:
    for raw in (b'{"mime_type":"a","mimeType":"b"}', b'{"mimeType":"b","mime_type":"a"}'):
        assert msgspec.json.decode(rename_members(Raw(raw))) == {"mimeType": "b"}


def test_the_clients_own_names_alone_change_nothing() -> None:
    raw = Raw(b'[ {"parts":[ {"functionCall":{"name":"f","args":{"file_path": 1.0}}} ]} ]')
    assert rename_members(raw) is raw
