"""Tools and tool choice of a Gemini client (`Tool`, `ToolConfig`)."""

from msgspec import Raw

from gateway.dialects.gemini.camel_case import rename_members, to_camel_case
from gateway.dialects.gemini.schema_in import read_schema
from gateway.dialects.gemini.wire_in import FunctionDeclaration, GoogleSearch, ToolConfig
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member, present

_SEARCH_TOOLS = frozenset({"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"})
_SERVER_TOOLS = frozenset({
    "codeExecution", "computerUse", "fileSearch", "googleMaps", "mcpServers", "retrieval",
    "urlContext", "parallelAiSearch", "exaAiSearch",
})  # fmt: skip
"""Tools that Google runs itself; refused, as the answer would be wrong without them."""


def read_tools(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads `tools` and `web_search`; the functions of all tools are in one list."""
    for index, item in enumerate(member(raw, list[Raw], "tools")):
        for given, value in member(item, dict[str, Raw], f"tools.{index}").items():
            name = to_camel_case(given)
            path = f"tools.{index}.{name}"
            if not present(value):
                continue
            if name == "functionDeclarations":
                prompt.tools += _read_functions(value, path, notes)
            elif name in _SEARCH_TOOLS:
                prompt.web_search = _read_web_search(value, path, notes)
            elif name in _SERVER_TOOLS:
                notes.refuse(path, "this tool is not available from this provider")
            else:
                notes.drop(path, "unknown_tool")


def _read_functions(raw: Raw, path: str, notes: LossReport) -> list[Tool]:
    declared = member(raw, list[Raw], path)
    return [_read_function(each, f"{path}.{at}", notes) for at, each in enumerate(declared)]


def _read_function(raw: Raw, path: str, notes: LossReport) -> Tool:
    found = member(rename_members(raw), FunctionDeclaration, path)
    if not found.name:
        raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
    schema = None
    if present(found.parameters_json_schema):
        where = f"{path}.parametersJsonSchema"
        member(found.parameters_json_schema, dict[str, Raw], where)
        schema = Raw(bytes(found.parameters_json_schema))
    elif present(found.parameters):
        schema = read_schema(found.parameters, f"{path}.parameters")
    return Tool(found.name, found.description, schema)


def _read_web_search(raw: Raw, path: str, notes: LossReport) -> WebSearch:
    found = member(rename_members(raw), GoogleSearch, path)
    if found.time_range_filter is not None:
        notes.drop(f"{path}.timeRangeFilter")
    return WebSearch(blocked_domains=found.exclude_domains or [])


def read_tool_choice(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads `tool_choice`; tools that are not among the allowed functions are removed."""
    found = member(rename_members(raw), ToolConfig, "toolConfig")
    if present(found.retrieval_config):
        notes.drop("toolConfig.retrievalConfig")
    if found.include_server_side_tool_invocations:
        notes.drop("toolConfig.includeServerSideToolInvocations")
    config = found.function_calling_config
    if config is None:
        return
    path = "toolConfig.functionCallingConfig"
    mode = (config.mode or "AUTO").upper()
    names = config.allowed_function_names or []
    if mode == "ANY" and len(names) == 1:
        prompt.tool_choice = ToolChoice("tool", names[0])
        return
    if names and mode in ("ANY", "VALIDATED"):
        prompt.tools = [tool for tool in prompt.tools if tool.name in names]
    if mode == "ANY":
        prompt.tool_choice = ToolChoice("any")
    elif mode == "NONE":
        prompt.tool_choice = ToolChoice("none")
    elif mode == "VALIDATED":
        notes.note(f"{path}.mode", "approximated_by_auto")
        prompt.tool_choice = ToolChoice("auto")
    elif mode == "AUTO":
        prompt.tool_choice = ToolChoice("auto")
    elif mode != "MODE_UNSPECIFIED":
        raise InvalidRequest(f"{path}.mode: unknown value {config.mode!r}", param=f"{path}.mode")
