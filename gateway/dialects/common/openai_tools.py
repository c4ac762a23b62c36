"""Tools and tool choice in OpenAI's dialects, as Chat has them (`ChatCompletionToolUnionParam`)."""

from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.schema import is_strict_schema
from gateway.neutral.events import Tool

_NO_PARAMETERS = {"type": "object", "properties": {}}
_FREE_TEXT_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def write_tools(conversion: Conversion) -> list[Block]:
    """The `tools` member."""
    if not conversion.prompt.tools:
        return []
    return [
        _write_tool(tool, f"tools.{at}", conversion)
        for at, tool in enumerate(conversion.prompt.tools)
    ]


def _write_tool(tool: Tool, path: str, conversion: Conversion) -> Block:
    name = conversion.names.to_upstream(tool.name)
    words = _write_description(tool)
    if tool.custom and conversion.capability.custom_tools:
        custom: Block = {"name": name}
        if tool.description:
            custom["description"] = tool.description
        if tool.grammar is not None:
            syntax, definition = tool.grammar
            grammar = {"syntax": syntax, "definition": definition}
            custom["format"] = {"type": "grammar", "grammar": grammar}
        return {"type": "custom", "custom": custom}
    function: Block = {"name": name} | ({"description": words} if words else {})
    function["parameters"] = (
        _FREE_TEXT_PARAMETERS if tool.custom else _write_parameters(tool.schema)
    )
    if tool.strict and not tool.custom:
        if conversion.capability.strict_tools and tool.schema and is_strict_schema(tool.schema):
            function["strict"] = True
        else:
            conversion.notes.drop(f"{path}.strict", "schema_or_target_not_strict")
    return {"type": "function", "function": function}


def _write_parameters(schema: Raw | None) -> object:
    return _NO_PARAMETERS if schema is None or bytes(schema) in (b"{}", b"null") else schema


def _write_description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.custom and tool.grammar is not None:
        syntax, definition = tool.grammar
        words += f"\nInput must match this {syntax} grammar:\n{definition}"
    if tool.examples:
        lines = (bytes(example).decode("utf-8", "replace") for example in tool.examples)
        words += "\n\nExamples:\n" + "\n".join(lines)
    return words.lstrip("\n")


def write_choice(conversion: Conversion, tools: list[Block], hints: list[str]) -> Block:
    """`tool_choice` and `parallel_tool_calls`; OpenAI refuses both where there are no tools."""
    if not tools:
        return {}
    members: Block = {}
    prompt, capability = conversion.prompt, conversion.capability
    if prompt.tool_choice is not None:
        members["tool_choice"] = _write_choice_value(conversion, hints)
    if prompt.parallel_tools is False:
        if capability.parallel_param:
            members["parallel_tool_calls"] = False
        else:
            conversion.notes.drop("parallel_tool_calls")
    return members


def _write_choice_value(conversion: Conversion, hints: list[str]) -> object:
    choice, capability = conversion.prompt.tool_choice, conversion.capability
    assert choice is not None
    if choice.mode in ("auto", "none"):
        return choice.mode
    if not capability.forced_tool:
        conversion.notes.drop("tool_choice", "forced_tool_unsupported")
        return "auto"
    if choice.mode == "any":
        if capability.tool_choice_required:
            return "required"
        conversion.notes.note("tool_choice", "as_instruction")
        hints.append("You must call one of the tools.")
        return "auto"
    name = {"name": conversion.names.to_upstream(choice.name or "")}
    custom = any(tool.custom for tool in conversion.prompt.tools if tool.name == choice.name)
    kind = "custom" if custom and capability.custom_tools else "function"
    return {"type": kind, kind: name}
