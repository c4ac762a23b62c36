"""The top level of a Gemini request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.gemini import GEMINI
from gateway.errors import InvalidRequest
from gateway.neutral.events import CacheMark, Format, Text
from tests.dialects.gemini.conversions import (
    NEWEST,
    OLD,
    asked,
    config,
    conversion,
    encoded,
    said,
    tools,
    written,
)

SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')


def test_bytes_of_a_small_request() -> None:
    way = conversion(asked(said("hé"), system=[Text("A")], max_tokens=5, stream=True), OLD)
    assert encoded(GEMINI.write_prompt(way)).decode() == (
        '{"model":"gemini-2.5-flash","systemInstruction":{"parts":[{"text":"A"}]},'
        '"contents":[{"role":"user","parts":[{"text":"hé"}]}],'
        '"generationConfig":{"maxOutputTokens":5},"stream":true}'
    )
    assert way.input_estimate == 17


SAMPLING: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    (OLD, {"temperature": 1.5, "top_p": 0.9, "top_k": 3, "seed": 7},
     {"temperature": 1.5, "topP": 0.9, "topK": 3, "seed": 7}, []),
    (OLD, {"frequency_penalty": 0.5, "presence_penalty": 0.0}, {},
     ["frequency_penalty:unsupported_by_model"]),
    ("gemini-2.0-flash", {"frequency_penalty": 0.5, "presence_penalty": -0.5},
     {"frequencyPenalty": 0.5, "presencePenalty": -0.5}, []),
    (NEWEST, {"temperature": 1.0, "top_p": 0.9, "top_k": 1}, {},
     ["top_p:unsupported_by_model", "top_k:unsupported_by_model"]),
    (NEWEST, {"seed": 2**40 + 5}, {"seed": 5}, ["seed:reduced_to_31_bits"]),
    (OLD, {"max_tokens": 999999}, {"maxOutputTokens": 65536}, ["max_tokens:clamped"]),
    (OLD, {"stop": ["a", "a", "", "b"]}, {"stopSequences": ["a", "b"]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("model", "members", "expected", "entries"), SAMPLING)
def test_sampling(
    model: str, members: dict[str, Any], expected: dict[str, Any], entries: list[str]
) -> None:
    assert config(model, **members) == (expected, entries)


def test_case_32_stops_over_five_are_enforced_here() -> None:
    way = conversion(asked(stop=list("abcdefg")))
    assert written(way)["generationConfig"]["stopSequences"] == list("abcde")
    assert way.local_stops == ("f", "g")


JSON = {"responseMimeType": "application/json"}
FORMATS: list[tuple[str, Format, bool, dict[str, Any], bool]] = [
    (OLD, Format("json_object"), False, JSON, False),
    (OLD, Format("json_schema", SCHEMA), False,
     JSON | {"responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}}},
     False),
    (OLD, Format("json_object"), True, {}, True),
    (OLD, Format("json_schema", SCHEMA), True, {}, True),
    (NEWEST, Format("json_object"), True, JSON, False),
    ("gemma-3-27b-it", Format("json_schema", SCHEMA), False, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(("model", "format", "with_tools", "expected", "asked_for"), FORMATS)
def test_formats(
    model: str, format: Format, with_tools: bool, expected: dict[str, Any], asked_for: bool
) -> None:
    way = conversion(asked(format=format, tools=tools("f") if with_tools else []), model)
    got = written(way)
    assert got.get("generationConfig", {}) == expected
    hint = "".join(part["text"] for part in got.get("systemInstruction", {"parts": []})["parts"])
    assert hint.startswith("Respond with one JSON object") == asked_for
    assert ('"properties"' in hint) == (asked_for and format.kind == "json_schema")


TIERS: list[tuple[str, str, str | None, list[str]]] = [
    (NEWEST, "auto", None, []),
    (NEWEST, "default", "standard", []),
    (NEWEST, "fast", "priority", []),
    (OLD, "default", None, []),
    (OLD, "fast", None, ["service_tier:unsupported_by_target"]),
]


@pytest.mark.parametrize(("model", "tier", "expected", "entries"), TIERS)
def test_tiers(model: str, tier: Any, expected: str | None, entries: list[str]) -> None:
    way = conversion(asked(service_tier=tier), model)
    assert written(way).get("serviceTier") == expected
    assert way.notes.entries == entries


def test_what_cannot_be_said_is_told_or_refused() -> None:
    marked = Text("s", CacheMark())
    way = conversion(
        asked(verbosity="low", user="u", session="s", cache_implicit=True, system=[marked])
    )
    written(way)
    assert way.notes.entries == [
        "verbosity:unsupported_by_target",
        "user:target_takes_no_user",
        "cache_control:left_to_the_target",
        "cache_control:target_takes_no_marks",
    ]
    with pytest.raises(InvalidRequest, match="max_tokens"):
        written(conversion(asked(max_tokens=0)))
