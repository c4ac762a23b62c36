"""Tools of a Responses request (`ToolParam`), and which of them the model must use."""

import msgspec
from msgspec import Raw

from gateway.dialects.responses.forms import Forms, action_tool, is_action
from gateway.dialects.responses.wire import ToolChoiceParam, ToolParam
from gateway.errors import InvalidRequest
from gateway.neutral.events import Form, Prompt, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import member, present

_SEARCHES = (
    "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
)  # fmt: skip
_MODES = {"none": "none", "auto": "auto", "required": "any"}
_ANY_OBJECT = Raw(msgspec.json.encode({"type": "object", "properties": {}}))


class ToolReading:
    """Fills a prompt's tools, from the request's list and from the items that bring more."""

    def __init__(self, prompt: Prompt, forms: Forms, notes: Notes) -> None:
        self._prompt = prompt
        self._forms = forms
        self._notes = notes

    def add_all(self, tools: list[Raw], path: str) -> None:
        """Those of one list; a tool that is known already stays as it is."""
        for at, raw in enumerate(tools):
            self._add(raw, f"{path}.{at}", None)

    def _add(self, raw: Raw, path: str, namespace: str | None) -> None:
        tool = member(raw, ToolParam, path)
        kind = tool.type
        if kind in ("function", "custom"):
            self._keep(self._called(tool, path, namespace))
        elif kind == "namespace" and namespace is None:
            self._namespace(tool, path)
        elif is_action(kind):
            self._keep(action_tool(kind, self._forms))
        elif kind == "tool_search" and tool.execution == "client":
            self._keep(self._tool_search(tool))
        elif kind in _SEARCHES:
            self._prompt.web_search = _web_search(tool)
        else:
            self._notes.drop(path, f"{kind}_unsupported_by_target")

    def _keep(self, tool: Tool) -> None:
        if all(tool.name != known.name for known in self._prompt.tools):
            self._prompt.tools.append(tool)

    def _namespace(self, tool: ToolParam, path: str) -> None:
        if not tool.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        for at, raw in enumerate(tool.tools or ()):
            self._add(raw, f"{path}.tools.{at}", tool.name)

    def _called(self, tool: ToolParam, path: str, namespace: str | None) -> Tool:
        if not tool.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        custom = tool.type == "custom"
        form = Form("custom" if custom else "function", tool.name, namespace)
        name = self._forms.name(form)
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

    def _tool_search(self, tool: ToolParam) -> Tool:
        form = Form("tool_search", "tool_search")
        schema = Raw(bytes(tool.parameters)) if present(tool.parameters) else _ANY_OBJECT
        return Tool(self._forms.name(form), tool.description, schema, form=form)


def _web_search(tool: ToolParam) -> WebSearch:
    place, filters = tool.user_location, tool.filters
    names = ("city", "country", "region", "timezone")
    location = {name: value for name in names if (value := getattr(place, name, None))}
    return WebSearch(
        tool.search_context_size,
        location=location,
        allowed_domains=(filters.allowed_domains if filters else None) or [],
        blocked_domains=(filters.blocked_domains if filters else None) or [],
    )


def read_choice(raw: Raw, prompt: Prompt, forms: Forms, notes: Notes) -> None:
    """Fills `tool_choice`; `allowed_tools` also leaves only the tools it lists."""
    if bytes(raw)[:1] == b'"':
        prompt.tool_choice = _mode(member(raw, str, "tool_choice"), "tool_choice")
        return
    choice = member(raw, ToolChoiceParam, "tool_choice")
    if choice.type == "allowed_tools":
        _allowed(choice, prompt, forms)
        return
    form = _form(choice)
    if form is None:
        # A tool that only OpenAI runs is not there to be chosen.
        notes.drop("tool_choice", f"{choice.type}_unsupported_by_target")
        return
    prompt.tool_choice = ToolChoice("tool", _known(form, prompt, forms))


def _known(form: Form, prompt: Prompt, forms: Forms) -> str:
    """The name of the chosen tool; a choice has no member for the tool's namespace."""
    name = forms.name(form)
    if any(tool.name == name for tool in prompt.tools):
        return name
    inside = (tool for tool in prompt.tools if tool.form is not None)
    return next((tool.name for tool in inside if tool.form.name == form.name), name)  # type: ignore[union-attr]


def _form(choice: ToolChoiceParam) -> Form | None:
    if choice.type in ("function", "custom"):
        if not choice.name:
            raise InvalidRequest("tool_choice.name: Field required", param="tool_choice.name")
        kind = "custom" if choice.type == "custom" else "function"
        return Form(kind, choice.name, choice.namespace)  # type: ignore[arg-type]
    if is_action(choice.type) or choice.type == "tool_search":
        return Form(choice.type, choice.type)  # type: ignore[arg-type]
    return None


def _mode(word: str | None, path: str) -> ToolChoice:
    if word not in _MODES:
        raise InvalidRequest(f"{path}: unknown value {word!r}", param=path)
    return ToolChoice(_MODES[word])  # type: ignore[arg-type]


def _allowed(choice: ToolChoiceParam, prompt: Prompt, forms: Forms) -> None:
    found = [
        member(raw, ToolChoiceParam, f"tool_choice.tools.{at}")
        for at, raw in enumerate(choice.tools or ())
    ]
    names = {forms.name(form) for tool in found if (form := _form(tool)) is not None}
    searching = any(tool.type in _SEARCHES for tool in found)
    prompt.tools = [tool for tool in prompt.tools if tool.name in names]
    prompt.web_search = prompt.web_search if searching else None
    prompt.tool_choice = _mode(choice.mode, "tool_choice.mode")
