"""Reading the members of a Gemini request, each with its verdict."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.gemini import GEMINI
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning, Text, Turn
from gateway.neutral.notes import LossReport
from tests.dialects.gemini.sent import config_of, fields, prompt_of, said


def test_a_plain_request_in_full() -> None:
    got = prompt_of(
        stream=True,
        systemInstruction={"role": "model", "parts": [{"text": "be brief"}, {"text": "and kind"}]},
        serviceTier="STANDARD",
        generationConfig={
            "maxOutputTokens": 100.0,
            "temperature": 1,
            "topP": 0.5,
            "topK": 4.0,
            "seed": 7,
            "presencePenalty": 0.25,
            "frequencyPenalty": -1,
            "stopSequences": ["A", " ", ""],
            "candidateCount": 1,
            "responseModalities": ["TEXT"],
        },
    )
    assert got == Prompt(
        "m",
        [Turn("user", [Text("hi")])],
        system=[Text("be brief"), Text("and kind")],
        max_tokens=100,
        temperature=1.0,
        top_p=0.5,
        top_k=4,
        seed=7,
        presence_penalty=0.25,
        frequency_penalty=-1.0,
        stop=["A", " "],
        stream=True,
        service_tier="default",
    )


def test_a_request_in_the_other_spelling_reads_the_same() -> None:
    given: dict[str, Any] = {
        "system_instruction": {"parts": [{"text": "s"}]},
        "generation_config": {
            "max_output_tokens": 9,
            "thinking_config": {"include_thoughts": True, "thinking_budget": 2048},
            "response_mime_type": "application/json",
            "response_schema": {"type": "OBJECT", "any_of": [{"max_items": "2"}]},
        },
        "tool_config": {"function_calling_config": {"mode": "any"}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"a_b": 1}}]}],
        "service_tier": "standard",
    }
    spelled: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "generationConfig": {
            "maxOutputTokens": 9,
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048},
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "anyOf": [{"maxItems": "2"}]},
        },
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"a_b": 1}}]}],
        "serviceTier": "standard",
    }
    assert prompt_of(**given) == prompt_of(**spelled)
    assert prompt_of(**given).tools[0].schema == Raw(b'{"a_b":1}')


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({"includeThoughts": True}, Reasoning("adaptive", display="summarized")),
        ({"thinkingBudget": -1}, Reasoning("adaptive", display="omitted")),
        ({"thinkingBudget": 0}, Reasoning("disabled", display="omitted")),
        (
            {"thinkingBudget": 512.0, "includeThoughts": True},
            Reasoning("enabled", 512, display="summarized"),
        ),
        ({"thinkingLevel": "HIGH"}, Reasoning(effort="high", display="omitted")),
        ({"thinkingLevel": "minimal"}, Reasoning(effort="minimal", display="omitted")),
        ({"thinkingLevel": "XHIGH"}, Reasoning(effort="xhigh", display="omitted")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning("adaptive", display="omitted")),
    ],
)
def test_how_hard_to_think(config: dict[str, Any], reasoning: Reasoning) -> None:
    assert config_of(thinkingConfig=config).reasoning == reasoning


def test_who_says_nothing_of_thinking_leaves_it_to_the_model() -> None:
    assert prompt_of().reasoning is None


@pytest.mark.parametrize(
    ("config", "format"),
    [
        ({"responseMimeType": "application/json"}, Format("json_object")),
        ({"responseMimeType": "text/plain"}, None),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            Format("json_schema", Raw(b'{"type":"string"}')),
        ),
        (
            {"responseJsonSchema": {"type": "object", "properties": {"a_b": {}}}},
            Format("json_schema", Raw(b'{"type":"object","properties":{"a_b":{}}}')),
        ),
    ],
)
def test_the_shape_of_the_answer(config: dict[str, Any], format: Format | None) -> None:
    assert config_of(**config).format == format


def test_a_json_schema_keeps_its_bytes() -> None:
    raw = b'{"responseJsonSchema":{"b": 1.0, "a":1}}'
    got = GEMINI.read_prompt(fields() | {"generationConfig": Raw(raw)}, LossReport())
    assert got.format == Format("json_schema", Raw(b'{"b": 1.0, "a":1}'))


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"safetySettings": [{"category": "C", "threshold": "T"}]}, "safetySettings"),
        ({"store": True}, "store"),
        ({"serviceTier": "FLEX"}, "serviceTier"),
        ({"generationConfig": {"responseLogprobs": True}}, "generationConfig.responseLogprobs"),
        ({"generationConfig": {"logprobs": 3}}, "generationConfig.logprobs"),
        ({"generationConfig": {"mediaResolution": "LOW"}}, "generationConfig.mediaResolution"),
        (
            {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {}}},
            "generationConfig.responseMimeType",
        ),
    ],
)
def test_what_cannot_be_said_is_noted_and_refused_where_strict(
    members: dict[str, Any], note: str
) -> None:
    notes = LossReport()
    prompt_of(notes, **members)
    assert notes.entries == [f"{note}:unsupported_by_target"]
    with pytest.raises(InvalidRequest) as refused:
        prompt_of(LossReport(strict=True), **members)
    assert refused.value.param == note


def test_what_nobody_knows_is_noted_so() -> None:
    notes = LossReport()
    prompt_of(notes, brandNew={"x": 1}, generationConfig={"brandNewer": 1})
    assert notes.entries == ["generationConfig.brandNewer:unknown", "brandNew:unknown"]


def test_what_asks_for_nothing_is_no_loss() -> None:
    prompt_of(
        LossReport(strict=True),
        safetySettings=[],
        store=False,
        cachedContent=None,
        labels={"team": "a"},
        toolConfig={},
        generationConfig={"responseLogprobs": False, "candidateCount": 0, "speechConfig": {}},
    )


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"continuationToken": "x"}, "continuationToken"),
        ({"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
        (
            {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
            "generationConfig.responseModalities",
        ),
        ({"generationConfig": {"speechConfig": {"a": 1}}}, "generationConfig.speechConfig"),
        ({"generationConfig": {"maxOutputTokens": 1.5}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"temperature": "x"}}, "generationConfig.temperature"),
        ({"generationConfig": {"responseSchema": []}}, "generationConfig.responseSchema"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}},
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"contents": []}, "contents"),
        ({"contents": "hi"}, "contents"),
        ({"contents": [1]}, "contents.0"),
        ({"contents": [{"role": "bot", "parts": []}]}, "contents.0.role"),
        ({"contents": [said({"text": 1})]}, "contents.0.parts.0.text"),
        ({"model": ""}, "model"),
        ({"tools": {}}, "tools"),
        ({"generationConfig": []}, "generationConfig"),
        ({"generation_config": []}, "generationConfig"),
    ],
)
def test_what_is_refused_names_its_place(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prompt_of(**members)
    assert refused.value.param == param
    assert refused.value.message.startswith(f"{param}: ")


def test_contents_must_be_there() -> None:
    bare = fields()
    del bare["contents"]
    with pytest.raises(InvalidRequest, match="contents: Field required"):
        GEMINI.check(bare)


def test_a_lone_surrogate_is_read_as_a_replacement() -> None:
    raw = Raw(b'[{"parts":[{"text":"a\\ud83d"}]}]')
    got = GEMINI.read_prompt(fields() | {"contents": raw}, LossReport())
    assert got.turns == [Turn("user", [Text("a\ufffd")])]


def test_a_system_instruction_may_be_bare_text_and_keeps_only_text() -> None:
    notes = LossReport()
    assert prompt_of(systemInstruction="s").system == [Text("s")]
    blob = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    got = prompt_of(notes, systemInstruction={"parts": [{"text": ""}, blob, {"text": "t"}]})
    assert got.system == [Text("t")]
    assert notes.entries == ["systemInstruction.parts.1:not_text"]


def test_members_are_left_as_they_are() -> None:
    given = fields(generation_config={"temperature": 1})
    before = {name: bytes(raw) for name, raw in given.items()}
    GEMINI.read_prompt(given, LossReport())
    assert {name: bytes(raw) for name, raw in given.items()} == before
    assert msgspec.json.decode(before["generation_config"]) == {"temperature": 1}
