"""Tools of a Messages request (`ToolUnionParam`, `ToolChoiceParam`)."""

import msgspec
from msgspec import Raw

from gateway.dialects.messages.anthropic_tools import find_anthropic_tool
from gateway.dialects.messages.blocks_in import read_cache_mark
from gateway.dialects.messages.wire import ToolChange, ToolChoiceParam, ToolDefinition
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import Shape, decode, member, present

_TOOLS_SHAPE: Shape[list[ToolDefinition]] = Shape(list[ToolDefinition])


def read_tools(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the tools into the prompt. Raises InvalidRequest for those that only Messages runs."""
    try:
        tools = decode(raw, _TOOLS_SHAPE)  # one pass; each raw member would cost another
    except msgspec.ValidationError:
        for index, item in enumerate(member(raw, list[Raw], "tools")):
            read_tool(item, f"tools.{index}", prompt, notes)
        return
    for index, tool in enumerate(tools):
        _read_tool(tool, f"tools.{index}", prompt, notes)


def read_tool(raw: Raw, path: str, prompt: Prompt, notes: LossReport) -> None:
    """Reads one tool into the prompt."""
    _read_tool(member(raw, ToolDefinition, path), path, prompt, notes)


def _read_tool(tool: ToolDefinition, path: str, prompt: Prompt, notes: LossReport) -> None:
    tag = tool.type or "custom"
    if tool.allowed_callers and "direct" not in tool.allowed_callers:
        notes.drop(path, "not_callable_by_the_model")
    elif tag == "custom":
        prompt.tools.append(_read_custom_tool(tool, path))
    elif found := find_anthropic_tool(tool):
        name, words, schema = found
        prompt.tools.append(Tool(name, words, schema, cache=read_cache_mark(tool.cache_control)))
    elif tag.startswith("web_search_"):
        prompt.web_search = _read_web_search(tool)
    elif tag.startswith("tool_search_"):
        notes.drop(path, "all_tools_are_loaded_at_once")
    else:
        notes.refuse(path, f"tool type '{tag}' is not available from this provider")


def _read_custom_tool(tool: ToolDefinition, path: str) -> Tool:
    if not tool.name:
        raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
    return Tool(
        tool.name,
        tool.description,
        tool.input_schema if present(tool.input_schema) else None,
        tool.strict,
        tool.input_examples or [],
        read_cache_mark(tool.cache_control),
    )


def _read_web_search(tool: ToolDefinition) -> WebSearch:
    place = tool.user_location
    members = {} if place is None else {
        "city": place.city,
        "region": place.region,
        "country": place.country,
        "timezone": place.timezone,
    }  # fmt: skip
    return WebSearch(
        max_uses=tool.max_uses,
        location={name: value for name, value in members.items() if value is not None},
        allowed_domains=tool.allowed_domains or [],
        blocked_domains=tool.blocked_domains or [],
    )


def read_tool_choice(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the tool choice and whether calls may be parallel."""
    choice = member(raw, ToolChoiceParam, "tool_choice")
    match choice.type:
        case "auto" | "any" | "none":
            prompt.tool_choice = ToolChoice(choice.type)
        case "tool":
            if not choice.name:
                raise InvalidRequest("tool_choice.name: Field required", param="tool_choice.name")
            prompt.tool_choice = ToolChoice("tool", choice.name)
        case other:
            where = "tool_choice.type"
            raise InvalidRequest(f"{where}: Input tag '{other}' is not known", param=where)
    if choice.disable_parallel_tool_use:
        prompt.parallel_tools = False


class ToolChanges:
    """Applies the tool changes in later system messages (`BetaSystemMessageParam`)."""

    __slots__ = ("_known_tools", "_notes", "_prompt")

    def __init__(self, prompt: Prompt, notes: LossReport) -> None:
        self._prompt = prompt
        self._notes = notes
        self._known_tools = {tool.name: tool for tool in prompt.tools}

    def add_tool(self, raw: Raw, path: str) -> None:
        """Adds a tool that was removed before, or a new definition."""
        tool = member(raw, ToolChange, path).tool
        tools = self._prompt.tools
        self._notes.note(path, "tools_changed_for_the_whole_conversation")
        if present(tool.definition):
            count = len(tools)
            read_tool(tool.definition, f"{path}.tool.definition", self._prompt, self._notes)
            self._known_tools |= {added.name: added for added in tools[count:]}
            self._drop_tools({added.name for added in tools[count:]}, keep_last=True)
        elif tool.name in self._known_tools and all(tool.name != known.name for known in tools):
            tools.append(self._known_tools[tool.name])

    def remove_tool(self, raw: Raw, path: str) -> None:
        """Removes a tool."""
        tool = member(raw, ToolChange, path).tool
        self._notes.note(path, "tools_changed_for_the_whole_conversation")
        self._drop_tools({tool.name})

    def _drop_tools(self, names: set[str], *, keep_last: bool = False) -> None:
        tools = self._prompt.tools
        kept = tools[-len(names) :] if keep_last and names else []
        rest = tools[: len(tools) - len(kept)]
        tools[:] = [tool for tool in rest if tool.name not in names] + kept
