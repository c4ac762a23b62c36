from collections.abc import Mapping
from typing import Any

import pytest

from gateway.admin.yaml import render_yaml


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "{}\n"),
        ({"a": 1, "b": 1.5, "c": True, "d": None}, "a: 1\nb: 1.5\nc: true\nd: null\n"),
        ({"a": {"b": {"c": "d"}}}, "a:\n  b:\n    c: d\n"),
        ({"a": {}, "b": []}, "a: {}\nb: []\n"),
        (
            {"a": ["x", {"b": 1, "c": 2}, [1, 2]]},
            "a:\n  - x\n  - b: 1\n    c: 2\n  -\n    - 1\n    - 2\n",
        ),
        ({"a": "https://h:1/v1"}, "a: https://h:1/v1\n"),
        ({"a": "sha256:abc"}, "a: sha256:abc\n"),
        ({"a": "2024-01-15T10:00:00"}, "a: '2024-01-15T10:00:00'\n"),
        ({"a": "true", "b": "No", "null": "~"}, "a: 'true'\nb: 'No'\n'null': '~'\n"),
        ({"a": "it's: x"}, "a: 'it''s: x'\n"),
        ({"a": "x #y", "b": " x", "c": ""}, "a: 'x #y'\nb: ' x'\nc: ''\n"),
        ({"a": 'é"\n'}, 'a: "\\u00e9\\u0022\\u000a"\n'),
        ({"a": "\U0001f600"}, 'a: "\\U0001f600"\n'),
        ({"12": "0x1f"}, "'12': '0x1f'\n"),
    ],
)
def test_a_table_becomes_a_document_that_reads_back(data: Mapping[str, Any], text: str) -> None:
    assert render_yaml(data) == text
