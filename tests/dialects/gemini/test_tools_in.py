"""The tools a Gemini client offers, and its choice among them."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.errors import InvalidRequest
from gateway.neutral.events import Tool, ToolChoice, WebSearch
from gateway.neutral.notes import LossReport
from tests.dialects.gemini.sent import prompt_of

F = {"name": "f", "description": "does f", "parameters": {"type": "OBJECT"}}
G = {"name": "g", "parametersJsonSchema": {"type": "object", "x": 1.0}}
BOTH = [{"functionDeclarations": [F]}, {"functionDeclarations": [G]}]


def test_functions_of_several_tools_are_one_list() -> None:
    assert prompt_of(tools=BOTH).tools == [
        Tool("f", "does f", Raw(b'{"type":"object"}')),
        Tool("g", None, Raw(b'{"type":"object","x":1.0}')),
    ]


@pytest.mark.parametrize("name", ["googleSearch", "google_search", "googleSearchRetrieval"])
def test_a_search_is_a_search(name: str) -> None:
    assert prompt_of(tools=[{name: {}}]).web_search == WebSearch()


def test_a_search_may_leave_out_domains() -> None:
    notes = LossReport()
    given = {"excludeDomains": ["a.b"], "timeRangeFilter": {"startTime": "t"}}
    got = prompt_of(notes, tools=[{"googleSearch": given}])
    assert got.web_search == WebSearch(blocked_domains=["a.b"])
    assert notes.entries == ["tools.0.googleSearch.timeRangeFilter:unsupported_by_target"]


@pytest.mark.parametrize("name", ["codeExecution", "urlContext", "computerUse", "mcpServers"])
def test_what_only_google_runs_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prompt_of(tools=[{name: {}}])
    assert refused.value.param == f"tools.0.{name}"


def test_an_unknown_tool_is_noted() -> None:
    notes = LossReport()
    prompt_of(notes, tools=[{"brandNew": {}, "googleMaps": None}])
    assert notes.entries == ["tools.0.brandNew:unknown_tool"]


@pytest.mark.parametrize(
    ("declared", "param"),
    [
        ({}, "name"),
        ({"name": "f", "parameters": []}, "parameters"),
        ({"name": "f", "parametersJsonSchema": 1}, "parametersJsonSchema"),
    ],
)
def test_a_function_that_is_none(declared: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prompt_of(tools=[{"functionDeclarations": [declared]}])
    assert refused.value.param == f"tools.0.functionDeclarations.0.{param}"


@pytest.mark.parametrize(
    ("config", "choice", "left"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto"), ["f", "g"]),
        ({"mode": "NONE"}, ToolChoice("none"), ["f", "g"]),
        ({"mode": "ANY"}, ToolChoice("any"), ["f", "g"]),
        ({"mode": "any", "allowedFunctionNames": ["g"]}, ToolChoice("tool", "g"), ["f", "g"]),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "h"]}, ToolChoice("any"), ["g"]),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice("auto"), ["f"]),
        ({"mode": "MODE_UNSPECIFIED"}, None, ["f", "g"]),
    ],
)
def test_the_choice(config: Any, choice: ToolChoice | None, left: list[str]) -> None:
    got = prompt_of(tools=BOTH, toolConfig={"functionCallingConfig": config})
    assert got.tool_choice == choice
    assert [tool.name for tool in got.tools] == left


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        prompt_of(toolConfig={"functionCallingConfig": {"mode": "MAYBE"}})
    assert refused.value.param == "toolConfig.functionCallingConfig.mode"


def test_what_guides_googles_own_tools_is_noted() -> None:
    notes = LossReport()
    config = {"retrievalConfig": {"languageCode": "de"}, "includeServerSideToolInvocations": True}
    prompt_of(notes, toolConfig=config)
    assert notes.entries == [
        "toolConfig.retrievalConfig:unsupported_by_target",
        "toolConfig.includeServerSideToolInvocations:unsupported_by_target",
    ]
