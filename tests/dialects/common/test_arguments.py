"""Arguments of tools as objects, and free texts within them."""

import pytest
from msgspec import Raw

from gateway.dialects.common.arguments import arguments, custom_names, unwrapped
from gateway.neutral.events import Prompt, Tool
from tests.dialects.chat.crossings import crossing

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
    assert arguments(text) == expected


def test_free_text_is_taken_out_of_its_object() -> None:
    assert unwrapped('{"input":"a\\nb"}') == "a\nb"
    assert unwrapped('{"other":1}') == '{"other":1}'
    assert unwrapped("bare") == "bare"
    prompt = Prompt("m", [], tools=[Tool("f"), Tool("p", custom=True)])
    assert custom_names(crossing(prompt)) == {"p"}
