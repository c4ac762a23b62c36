"""Tools of a Responses request (`ToolParam`), and which of them the model must use."""

import msgspec
from msgspec import Raw

from gateway.dialects.responses.client_tools import (
    ClientToolNames,
    is_action_tool,
    make_action_tool,
)
from gateway.dialects.responses.wire import ToolChoiceParam, ToolParam
from gateway.errors import InvalidRequest
from gateway.neutral.events import ClientToolKind, Prompt, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member, present

_SEARCH_TOOLS = (
    "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
)  # fmt: skip
_TOOL_CHOICE_MODES = {"none": "none", "auto": "auto", "required": "any"}
_ANY_OBJECT_SCHEMA = Raw(msgspec.json.encode({"type": "object", "properties": {}}))


class ToolsReader:
    """Fills a prompt's tools, from the request's list and from the items that bring more."""

    def __init__(self, prompt: Prompt, forms: ClientToolNames, notes: LossReport) -> None:
        self._prompt = prompt
        self._tool_names = forms
        self._notes = notes

    def read_tools(self, tools: list[Raw], path: str) -> None:
        """Those of one list; a tool that is known already stays as it is."""
        for at, raw in enumerate(tools):
            self._read_tool(raw, f"{path}.{at}", None)

    def _read_tool(self, raw: Raw, path: str, namespace: str | None) -> None:
        tool = member(raw, ToolParam, path)
        kind = tool.type
        if kind in ("function", "custom"):
            self._add_tool(self._read_named_tool(tool, path, namespace))
        elif kind == "namespace" and namespace is None:
            self._read_namespace(tool, path)
        elif is_action_tool(kind):
            self._add_tool(make_action_tool(kind, self._tool_names))
        elif kind == "tool_search" and tool.execution == "client":
            self._add_tool(self._read_tool_search(tool))
        elif kind in _SEARCH_TOOLS:
            self._prompt.web_search = _read_web_search(tool)
        else:
            self._notes.drop(path, f"{kind}_unsupported_by_target")

    def _add_tool(self, tool: Tool) -> None:
        if all(tool.name != known.name for known in self._prompt.tools):
            self._prompt.tools.append(tool)

    def _read_namespace(self, tool: ToolParam, path: str) -> None:
        if not tool.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        for at, raw in enumerate(tool.tools or ()):
            self._read_tool(raw, f"{path}.tools.{at}", tool.name)

    def _read_named_tool(self, tool: ToolParam, path: str, namespace: str | None) -> Tool:
        if not tool.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        custom = tool.type == "custom"
        form = ClientToolKind("custom" if custom else "function", tool.name, namespace)
        name = self._tool_names.assign_name(form)
        plain = not custom and name == tool.name
        found = Tool(name, tool.description, form=None if plain else form)
        if custom:
            found.custom = True
            shape = tool.format
            if shape is not None and shape.syntax and shape.definition is not None:
                found.grammar = (shape.syntax, shape.definition)
            return found
        if present(tool.parameters):
            member(tool.parameters, dict[str, Raw], f"{path}.parameters")
            found.schema = Raw(bytes(tool.parameters))
        found.strict = tool.strict
        return found

    def _read_tool_search(self, tool: ToolParam) -> Tool:
        form = ClientToolKind("tool_search", "tool_search")
        schema = Raw(bytes(tool.parameters)) if present(tool.parameters) else _ANY_OBJECT_SCHEMA
        return Tool(self._tool_names.assign_name(form), tool.description, schema, form=form)


def _read_web_search(tool: ToolParam) -> WebSearch:
    place, filters = tool.user_location, tool.filters
    names = ("city", "country", "region", "timezone")
    location = {name: value for name in names if (value := getattr(place, name, None))}
    return WebSearch(
        tool.search_context_size,
        location=location,
        allowed_domains=(filters.allowed_domains if filters else None) or [],
        blocked_domains=(filters.blocked_domains if filters else None) or [],
    )


def read_tool_choice(raw: Raw, prompt: Prompt, forms: ClientToolNames, notes: LossReport) -> None:
    """Fills `tool_choice`; `allowed_tools` also leaves only the tools it lists."""
    if bytes(raw)[:1] == b'"':
        prompt.tool_choice = _read_mode(member(raw, str, "tool_choice"), "tool_choice")
        return
    choice = member(raw, ToolChoiceParam, "tool_choice")
    if choice.type == "allowed_tools":
        _read_allowed_tools(choice, prompt, forms)
        return
    form = _read_tool_kind(choice)
    if form is None:
        # A tool that only OpenAI runs is not there to be chosen.
        notes.drop("tool_choice", f"{choice.type}_unsupported_by_target")
        return
    prompt.tool_choice = ToolChoice("tool", _resolve_name(form, prompt, forms))


def _resolve_name(form: ClientToolKind, prompt: Prompt, forms: ClientToolNames) -> str:
    """The name of the chosen tool; a choice has no member for the tool's namespace."""
    name = forms.assign_name(form)
    if any(tool.name == name for tool in prompt.tools):
        return name
    view = (tool for tool in prompt.tools if tool.form is not None)
    return next((tool.name for tool in view if tool.form.name == form.name), name)  # type: ignore[union-attr]


def _read_tool_kind(choice: ToolChoiceParam) -> ClientToolKind | None:
    if choice.type in ("function", "custom"):
        if not choice.name:
            raise InvalidRequest("tool_choice.name: Field required", param="tool_choice.name")
        kind = "custom" if choice.type == "custom" else "function"
        return ClientToolKind(kind, choice.name, choice.namespace)  # type: ignore[arg-type]
    if is_action_tool(choice.type) or choice.type == "tool_search":
        return ClientToolKind(choice.type, choice.type)  # type: ignore[arg-type]
    return None


def _read_mode(mode: str | None, path: str) -> ToolChoice:
    if mode not in _TOOL_CHOICE_MODES:
        raise InvalidRequest(f"{path}: unknown value {mode!r}", param=path)
    return ToolChoice(_TOOL_CHOICE_MODES[mode])  # type: ignore[arg-type]


def _read_allowed_tools(choice: ToolChoiceParam, prompt: Prompt, forms: ClientToolNames) -> None:
    found = [
        member(raw, ToolChoiceParam, f"tool_choice.tools.{at}")
        for at, raw in enumerate(choice.tools or ())
    ]
    names = {
        forms.assign_name(form) for tool in found if (form := _read_tool_kind(tool)) is not None
    }
    searching = any(tool.type in _SEARCH_TOOLS for tool in found)
    prompt.tools = [tool for tool in prompt.tools if tool.name in names]
    prompt.web_search = prompt.web_search if searching else None
    prompt.tool_choice = _read_mode(choice.mode, "tool_choice.mode")
