"""The tools a Chat client offers, and its choice among them (`ChatCompletionToolUnionParam`)."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.chat.wire import (
    ApproximateLocation,
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
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import Shape, decode, member, present

_TOOLS_SHAPE: Shape[list[ToolParam]] = Shape(list[ToolParam])


def read_tools(fields: Fields, prompt: Prompt, notes: LossReport) -> None:
    """Fills `tools`, `web_search`, `parallel_tools` and `legacy_functions`."""
    for at, item in enumerate(_parse_tools(fields)):
        tool = _read_tool(item, f"tools.{at}", prompt, notes)
        if tool is not None:
            prompt.tools.append(tool)
    functions = _read_list(fields, "functions")
    for at, raw in enumerate(functions):
        path = f"functions.{at}"
        prompt.tools.append(_read_function(member(raw, FunctionTool, path), None, path))
    prompt.legacy_functions = bool(functions)
    if _has_member(fields, "parallel_tool_calls"):
        prompt.parallel_tools = member(fields["parallel_tool_calls"], bool, "parallel_tool_calls")


def _parse_tools(fields: Fields) -> Sequence[ToolParam | Raw]:
    """The tools in one pass; a web search is read again, for other members of it."""
    if not _has_member(fields, "tools"):
        return []
    try:
        tools = decode(fields["tools"], _TOOLS_SHAPE)
    except msgspec.ValidationError:
        return _read_list(fields, "tools")
    if any((tool.type or "").startswith("web_search") for tool in tools):
        return _read_list(fields, "tools")
    return tools


def _read_list(fields: Fields, name: str) -> list[Raw]:
    return member(fields[name], list[Raw], name) if _has_member(fields, name) else []


def _has_member(fields: Fields, name: str) -> bool:
    return name in fields and present(fields[name])


def _read_tool(item: ToolParam | Raw, path: str, prompt: Prompt, notes: LossReport) -> Tool | None:
    found = member(item, ToolParam, path) if isinstance(item, Raw) else item
    kind = found.type or ("function" if found.function is not None else "messages")
    if kind == "function":
        if found.function is None:
            raise InvalidRequest(f"{path}.function: Field required", param=f"{path}.function")
        return _read_function(found.function, found.cache_control, f"{path}.function")
    if kind == "custom" and not present(found.input_schema):
        if found.custom is None:
            raise InvalidRequest(f"{path}.custom: Field required", param=f"{path}.custom")
        return _read_custom_tool(found.custom, f"{path}.custom")
    if found.name and present(found.input_schema):
        # a Messages tool, which other gateways take from Chat clients
        schema = _read_schema(found.input_schema, f"{path}.input_schema")
        mark = read_cache_mark(found.cache_control)
        return Tool(found.name, found.description, schema, cache=mark)
    if kind.startswith("web_search") and isinstance(item, Raw):
        prompt.web_search = read_web_search(member(item, WebSearchOptions, path))
        return None
    notes.drop(f"{path}.type", "unknown_tool")
    return None


def _read_function(found: FunctionTool, mark: CacheControl | None, path: str) -> Tool:
    _require_name(found.name, path)
    schema = _read_schema(found.parameters, f"{path}.parameters")
    cache = read_cache_mark(mark or found.cache_control)
    return Tool(found.name, found.description, schema, found.strict, cache=cache)


def _read_schema(raw: Raw, path: str) -> Raw | None:
    if not present(raw):
        return None
    member(raw, dict[str, Raw], path)
    return Raw(bytes(raw))


def _read_custom_tool(found: CustomTool, path: str) -> Tool:
    _require_name(found.name, path)
    grammar = found.format.grammar if found.format is not None else None
    rule = (grammar.syntax, grammar.definition) if grammar is not None else None
    return Tool(found.name, found.description, custom=True, grammar=rule)


def _require_name(name: str, path: str) -> None:
    if not name:
        raise InvalidRequest(f"{path}.name: must not be empty", param=f"{path}.name")


def read_cache_mark(control: CacheControl | None) -> CacheMark | None:
    """The cache mark that a `cache_control` member makes."""
    return CacheMark(control.ttl) if control is not None else None


def read_web_search(found: WebSearchOptions) -> WebSearch:
    """`WebSearchOptions`, or the Messages tool of that purpose."""
    place = found.user_location
    where = (place.approximate or place) if place is not None else ApproximateLocation()
    names = ("city", "country", "region", "timezone")
    return WebSearch(
        found.search_context_size,
        found.max_uses,
        {name: getattr(where, name) for name in names if getattr(where, name)},
        found.allowed_domains or [],
        found.blocked_domains or [],
    )


_TOOL_CHOICE_MODES = {"none": "none", "auto": "auto", "required": "any", "any": "any"}


def read_choice(fields: Fields, prompt: Prompt) -> None:
    """Fills `tool_choice`; `allowed_tools` also leaves only the tools it lists."""
    if _has_member(fields, "tool_choice"):
        name = "tool_choice"
    elif _has_member(fields, "function_call"):
        name = "function_call"
    else:
        return
    raw = fields[name]
    if bytes(raw)[:1] == b'"':
        prompt.tool_choice = _read_mode(member(raw, str, name), name)
    elif name == "function_call":
        prompt.tool_choice = ToolChoice("tool", member(raw, Named, name).name)
    else:
        _read_choice_object(member(raw, ToolChoiceParam, name), prompt)


def _read_mode(word: str, path: str) -> ToolChoice:
    if word not in _TOOL_CHOICE_MODES:
        raise InvalidRequest(f"{path}: unknown value {word!r}", param=path)
    return ToolChoice(_TOOL_CHOICE_MODES[word])  # type: ignore[arg-type]


def _read_choice_object(found: ToolChoiceParam, prompt: Prompt) -> None:
    if found.type == "allowed_tools":
        allowed = found.allowed_tools
        if allowed is None:
            path = "tool_choice.allowed_tools"
            raise InvalidRequest(f"{path}: Field required", param=path)
        names = {
            (tool.function or tool.custom or Named(tool.name or "")).name for tool in allowed.tools
        }
        prompt.tools = [tool for tool in prompt.tools if tool.name in names]
        prompt.tool_choice = _read_mode(allowed.mode, "tool_choice.allowed_tools.mode")
        return
    named = found.function or found.custom or (Named(found.name) if found.name else None)
    if named is not None:
        prompt.tool_choice = ToolChoice("tool", named.name)
    elif found.type in _TOOL_CHOICE_MODES:
        prompt.tool_choice = _read_mode(found.type, "tool_choice.type")  # as Messages writes it
    else:
        path = "tool_choice.function" if found.type == "function" else "tool_choice.type"
        raise InvalidRequest(f"{path}: a tool must be named", param=path)
