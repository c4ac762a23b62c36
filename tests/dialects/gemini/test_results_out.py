"""Tool results as objects, and their pictures."""

import pytest

from gateway.dialects.gemini.results_out import write_result
from gateway.neutral.events import Document, Image, Text, ToolResult
from tests.dialects.gemini.conversions import NEW, OLD, conversion, encoded

PNG = Image("image/png", "AAA")
TEXTS = [
    ("ok", False, b'{"output":"ok"}'),
    ("", False, b'{"output":""}'),
    ('{"a": 1.0}', False, b'{"a": 1.0}'),
    ("[1]", False, b'{"output":"[1]"}'),
    ("{x", False, b'{"output":"{x"}'),
    ('{"$ref": "a"}', False, b'{"output":"{\\"$ref\\": \\"a\\"}"}'),
    ("ENOENT", True, b'{"error":"ENOENT"}'),
    ("", True, b'{"error":"Error"}'),
]


@pytest.mark.parametrize(("text", "is_error", "told"), TEXTS)
def test_a_result_is_an_object(text: str, is_error: bool, told: bytes) -> None:
    result = ToolResult("a", [Text(text)] if text else [], is_error)
    block, shown = write_result(result, "f", conversion())
    assert encoded(block["functionResponse"]["response"]) == told
    assert shown == []


def test_pictures_stand_within_where_the_model_takes_them() -> None:
    result = ToolResult("a", [Text("x"), PNG, Text("y"), Document(text="z")])
    inline = {"inlineData": {"mimeType": "image/png", "data": "AAA"}}
    block, shown = write_result(result, "f", conversion(model=NEW))
    said = "x\ny\n<document>\nz\n</document>"
    assert block["functionResponse"] == {
        "name": "f", "response": {"output": said}, "id": "a", "parts": [inline],
    }  # fmt: skip
    assert shown == []
    block, shown = write_result(result, "f", conversion(model=OLD))
    assert block["functionResponse"] == {"name": "f", "response": {"output": said}}
    assert shown == [{"text": "Output of tool call a:"}, inline]
