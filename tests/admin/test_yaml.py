"""YAML that any reader of it reads back."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from gateway.admin.yaml import render_yaml


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "{}\n"),
        ({"a": 1, "b": 1.5, "c": True, "d": None}, "a: 1\nb: 1.5\nc: true\nd: null\n"),
        ({"b": {"z": {"c": "d"}}, "a": 1}, "b:\n  z:\n    c: d\na: 1\n"),
        ({"a": {}, "b": []}, "a: {}\nb: []\n"),
        ({"a": ["x", {"b": 1, "c": 2}]}, "a:\n- x\n- b: 1\n  c: 2\n"),
        ({"a": ("x", [1, 2])}, "a:\n- x\n- - 1\n  - 2\n"),
        ({"a": "https://h:1/v1"}, "a: https://h:1/v1\n"),
        ({"a": "2024-01-15T10:00:00"}, "a: '2024-01-15T10:00:00'\n"),
        ({"a": "true", "b": "No", "null": "~"}, "a: 'true'\nb: 'No'\n'null': '~'\n"),
        ({"a": "it's: x", "b": " x", "c": ""}, "a: 'it''s: x'\nb: ' x'\nc: ''\n"),
        ({"é": "\U0001f600"}, "é: \U0001f600\n"),
        ({"12": "0x1f"}, "'12': '0x1f'\n"),
    ],
)
def test_a_table_becomes_a_document_that_reads_back(data: Mapping[str, Any], text: str) -> None:
    assert render_yaml(data) == text
    read = yaml.safe_load(text)
    assert read == {key: [*each] if isinstance(each, tuple) else each for key, each in data.items()}


def test_the_library_is_imported_with_the_first_document() -> None:
    code = "import sys, gateway.app, gateway.admin.yaml; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
