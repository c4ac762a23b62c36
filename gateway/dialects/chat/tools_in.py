"""The tools a Chat client offers, and its choice among them (`ChatCompletionToolUnionParam`)."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.chat.wire import (
    Approximate,
    CacheControl,
    CustomTool,
    FunctionTool,
    Named,
    ToolChoiceParam,
    ToolParam,
    WebSearchOptions,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import CacheMark, Prompt, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import Shape, decode, member, present

_TOOLS: Shape[list[ToolParam]] = Shape(list[ToolParam])


def read_tools(fields: Fields, prompt: Prompt, notes: Notes) -> None:
    """Fills `tools`, `web_search`, `parallel_tools` and `legacy_functions`."""
    for at, item in enumerate(_tools(fields)):
        tool = _tool(item, f"tools.{at}", prompt, notes)
        if tool is not None:
            prompt.tools.append(tool)
    functions = _list(fields, "functions")
    for at, raw in enumerate(functions):
        path = f"functions.{at}"
        prompt.tools.append(_function(member(raw, FunctionTool, path), None, path))
    prompt.legacy_functions = bool(functions)
    if _given(fields, "parallel_tool_calls"):
        prompt.parallel_tools = member(fields["parallel_tool_calls"], bool, "parallel_tool_calls")


def _tools(fields: Fields) -> Sequence[ToolParam | Raw]:
    """The tools in one pass; a web search is read again, for other members of it."""
    if not _given(fields, "tools"):
        return []
    try:
        tools = decode(fields["tools"], _TOOLS)
    except msgspec.ValidationError:
        return _list(fields, "tools")
    if any((tool.type or "").startswith("web_search") for tool in tools):
        return _list(fields, "tools")
    return tools


def _list(fields: Fields, name: str) -> list[Raw]:
    return member(fields[name], list[Raw], name) if _given(fields, name) else []


def _given(fields: Fields, name: str) -> bool:
    return name in fields and present(fields[name])


def _tool(item: ToolParam | Raw, path: str, prompt: Prompt, notes: Notes) -> Tool | None:
    found = member(item, ToolParam, path) if isinstance(item, Raw) else item
    kind = found.type or ("function" if found.function is not None else "messages")
    if kind == "function":
        if found.function is None:
            raise InvalidRequest(f"{path}.function: Field required", param=f"{path}.function")
        return _function(found.function, found.cache_control, f"{path}.function")
    if kind == "custom" and not present(found.input_schema):
        if found.custom is None:
            raise InvalidRequest(f"{path}.custom: Field required", param=f"{path}.custom")
        return _custom(found.custom, f"{path}.custom")
    if found.name and present(found.input_schema):
        # a Messages tool, which other gateways take from Chat clients
        schema = _schema(found.input_schema, f"{path}.input_schema")
        mark = mark_of(found.cache_control)
        return Tool(found.name, found.description, schema, cache=mark)
    if kind.startswith("web_search") and isinstance(item, Raw):
        prompt.web_search = web_search(member(item, WebSearchOptions, path))
        return None
    notes.drop(f"{path}.type", "unknown_tool")
    return None


def _function(found: FunctionTool, mark: CacheControl | None, path: str) -> Tool:
    _named(found.name, path)
    schema = _schema(found.parameters, f"{path}.parameters")
    cache = mark_of(mark or found.cache_control)
    return Tool(found.name, found.description, schema, found.strict, cache=cache)


def _schema(raw: Raw, path: str) -> Raw | None:
    if not present(raw):
        return None
    member(raw, dict[str, Raw], path)
    return Raw(bytes(raw))


def _custom(found: CustomTool, path: str) -> Tool:
    _named(found.name, path)
    grammar = found.format.grammar if found.format is not None else None
    rule = (grammar.syntax, grammar.definition) if grammar is not None else None
    return Tool(found.name, found.description, custom=True, grammar=rule)


def _named(name: str, path: str) -> None:
    if not name:
        raise InvalidRequest(f"{path}.name: must not be empty", param=f"{path}.name")


def mark_of(control: CacheControl | None) -> CacheMark | None:
    """The cache mark that a `cache_control` member makes."""
    return CacheMark(control.ttl) if control is not None else None


def web_search(found: WebSearchOptions) -> WebSearch:
    """`WebSearchOptions`, or the Messages tool of that purpose."""
    place = found.user_location
    where = (place.approximate or place) if place is not None else Approximate()
    names = ("city", "country", "region", "timezone")
    return WebSearch(
        found.search_context_size,
        found.max_uses,
        {name: getattr(where, name) for name in names if getattr(where, name)},
        found.allowed_domains or [],
        found.blocked_domains or [],
    )


_MODES = {"none": "none", "auto": "auto", "required": "any", "any": "any"}


def read_choice(fields: Fields, prompt: Prompt) -> None:
    """Fills `tool_choice`; `allowed_tools` also leaves only the tools it lists."""
    if _given(fields, "tool_choice"):
        name = "tool_choice"
    elif _given(fields, "function_call"):
        name = "function_call"
    else:
        return
    raw = fields[name]
    if bytes(raw)[:1] == b'"':
        prompt.tool_choice = _mode(member(raw, str, name), name)
    elif name == "function_call":
        prompt.tool_choice = ToolChoice("tool", member(raw, Named, name).name)
    else:
        _chosen(member(raw, ToolChoiceParam, name), prompt)


def _mode(word: str, path: str) -> ToolChoice:
    if word not in _MODES:
        raise InvalidRequest(f"{path}: unknown value {word!r}", param=path)
    return ToolChoice(_MODES[word])  # type: ignore[arg-type]


def _chosen(found: ToolChoiceParam, prompt: Prompt) -> None:
    if found.type == "allowed_tools":
        allowed = found.allowed_tools
        if allowed is None:
            path = "tool_choice.allowed_tools"
            raise InvalidRequest(f"{path}: Field required", param=path)
        names = {
            (tool.function or tool.custom or Named(tool.name or "")).name for tool in allowed.tools
        }
        prompt.tools = [tool for tool in prompt.tools if tool.name in names]
        prompt.tool_choice = _mode(allowed.mode, "tool_choice.allowed_tools.mode")
        return
    named = found.function or found.custom or (Named(found.name) if found.name else None)
    if named is not None:
        prompt.tool_choice = ToolChoice("tool", named.name)
    elif found.type in _MODES:
        prompt.tool_choice = _mode(found.type, "tool_choice.type")  # as Messages writes it
    else:
        path = "tool_choice.function" if found.type == "function" else "tool_choice.type"
        raise InvalidRequest(f"{path}: a tool must be named", param=path)
