"""Arguments of tools as objects, and free texts within them."""

import pytest
from msgspec import Raw

from gateway.dialects.common.arguments import (
    custom_tool_names,
    read_custom_input,
    write_arguments_object,
)
from gateway.neutral.events import Prompt, Tool
from tests.dialects.chat.conversions import conversion

GIVEN: list[tuple[str, Raw | dict[str, str]]] = [
    ("", {}),
    (" \n", {}),
    ('{"b":1.0, "a":1e3}', Raw(b'{"b":1.0, "a":1e3}')),
    ("[1]", {"_raw_arguments": "[1]"}),
    ('{"a":', {"_raw_arguments": '{"a":'}),
    ("\ud83d", {"_raw_arguments": "\ud83d"}),
    ('{"a":' * 5000, {"_raw_arguments": '{"a":' * 5000}),
]


@pytest.mark.parametrize(("text", "expected"), GIVEN)
def test_case_16_arguments_keep_their_spelling(text: str, expected: Raw | dict[str, str]) -> None:
    assert write_arguments_object(text) == expected


def test_free_text_is_taken_out_of_its_object() -> None:
    assert read_custom_input('{"input":"a\\nb"}') == "a\nb"
    assert read_custom_input('{"other":1}') == '{"other":1}'
    assert read_custom_input("bare") == "bare"
    prompt = Prompt("m", [], tools=[Tool("f"), Tool("p", custom=True)])
    assert custom_tool_names(conversion(prompt)) == {"p"}
