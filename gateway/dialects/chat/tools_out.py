"""Tools and their choice, as a Chat upstream takes them (`ChatCompletionToolUnionParam`)."""

from msgspec import Raw

from gateway.dialect import Block, Crossing
from gateway.dialects.common.schema import strict_subset
from gateway.neutral.events import Tool

_NO_PARAMETERS = {"type": "object", "properties": {}}
_FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def write_tools(crossing: Crossing) -> list[Block]:
    """The `tools` member."""
    if not crossing.prompt.tools:
        return []
    return [_tool(tool, f"tools.{at}", crossing) for at, tool in enumerate(crossing.prompt.tools)]


def _tool(tool: Tool, path: str, crossing: Crossing) -> Block:
    name = crossing.names.sent(tool.name)
    words = _description(tool)
    if tool.custom and crossing.capability.custom_tools:
        custom: Block = {"name": name}
        if tool.description:
            custom["description"] = tool.description
        if tool.grammar is not None:
            syntax, definition = tool.grammar
            grammar = {"syntax": syntax, "definition": definition}
            custom["format"] = {"type": "grammar", "grammar": grammar}
        return {"type": "custom", "custom": custom}
    function: Block = {"name": name} | ({"description": words} if words else {})
    function["parameters"] = _FREE_TEXT if tool.custom else _parameters(tool.schema)
    if tool.strict and not tool.custom:
        if crossing.capability.strict_tools and tool.schema and strict_subset(tool.schema):
            function["strict"] = True
        else:
            crossing.notes.drop(f"{path}.strict", "schema_or_target_not_strict")
    return {"type": "function", "function": function}


def _parameters(schema: Raw | None) -> object:
    return _NO_PARAMETERS if schema is None or bytes(schema) in (b"{}", b"null") else schema


def _description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.custom and tool.grammar is not None:
        syntax, definition = tool.grammar
        words += f"\nInput must match this {syntax} grammar:\n{definition}"
    if tool.examples:
        lines = (bytes(example).decode("utf-8", "replace") for example in tool.examples)
        words += "\n\nExamples:\n" + "\n".join(lines)
    return words.lstrip("\n")


def write_choice(crossing: Crossing, tools: list[Block], hints: list[str]) -> Block:
    """`tool_choice` and `parallel_tool_calls`; OpenAI refuses both where there are no tools."""
    if not tools:
        return {}
    said: Block = {}
    prompt, capability = crossing.prompt, crossing.capability
    if prompt.tool_choice is not None:
        said["tool_choice"] = _choice(crossing, hints)
    if prompt.parallel_tools is False:
        if capability.parallel_param:
            said["parallel_tool_calls"] = False
        else:
            crossing.notes.drop("parallel_tool_calls")
    return said


def _choice(crossing: Crossing, hints: list[str]) -> object:
    choice, capability = crossing.prompt.tool_choice, crossing.capability
    assert choice is not None
    if choice.mode in ("auto", "none"):
        return choice.mode
    if not capability.forced_tool:
        crossing.notes.drop("tool_choice", "forced_tool_unsupported")
        return "auto"
    if choice.mode == "any":
        if capability.tool_choice_required:
            return "required"
        crossing.notes.note("tool_choice", "as_instruction")
        hints.append("You must call one of the tools.")
        return "auto"
    name = {"name": crossing.names.sent(choice.name or "")}
    custom = any(tool.custom for tool in crossing.prompt.tools if tool.name == choice.name)
    kind = "custom" if custom and capability.custom_tools else "function"
    return {"type": kind, kind: name}
