"""Tools and tool choice of a Gemini request (`Tool`, `ToolConfig`)."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.schema import ensure_object_root
from gateway.dialects.gemini.schema_out import has_no_parameters, narrow_schema
from gateway.neutral.events import Tool

_CUSTOM_TOOL_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
_CHOICE_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}


def write_tools(conversion: Conversion) -> list[Block]:
    """`tools`: all functions in one tool, or the upstream's own search."""
    prompt = conversion.prompt
    tools = [_write_tool(tool, f"tools.{at}", conversion) for at, tool in enumerate(prompt.tools)]
    if prompt.web_search is None:
        return [{"functionDeclarations": tools}] if tools else []
    if tools:
        conversion.notes.drop("web_search", "not_with_functions")
        return [{"functionDeclarations": tools}]
    return _write_web_search(conversion)


def _write_web_search(conversion: Conversion) -> list[Block]:
    search, notes = conversion.prompt.web_search, conversion.notes
    assert search is not None
    if conversion.capability.web_search != "google_search":
        notes.drop("web_search")
        return []
    if search.allowed_domains or search.blocked_domains:
        notes.drop("web_search.domains")
    if search.location:
        notes.drop("web_search.user_location")
    if search.max_uses is not None or search.context is not None:
        notes.note("web_search", "as_much_as_the_model_likes")
    return [{"googleSearch": {}}]


def _write_tool(tool: Tool, path: str, conversion: Conversion) -> Block:
    notes = conversion.notes
    block: Block = {"name": conversion.names.to_upstream(tool.name)}
    if words := _write_description(tool):
        block["description"] = words
    if tool.custom:
        block["parametersJsonSchema"] = _CUSTOM_TOOL_SCHEMA
    elif tool.schema is not None:
        where = f"{path}.parameters"
        schema = narrow_schema(ensure_object_root(tool.schema, where, notes), where, notes)
        if not has_no_parameters(schema):  # docs: left unset for a function without parameters
            block["parametersJsonSchema"] = schema
    if tool.strict and not tool.custom and not conversion.capability.strict_tools:
        notes.drop(f"{path}.strict")
    return block


def _write_description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.grammar is not None:
        syntax, definition = tool.grammar
        words += f"\nInput must match this {syntax} grammar:\n{definition}"
    if tool.examples:
        lines = (bytes(example).decode("utf-8", "replace") for example in tool.examples)
        words += "\n\nExamples:\n" + "\n".join(lines)
    return words.lstrip("\n")


def write_tool_choice(conversion: Conversion, tools: list[Block]) -> Block | None:
    """`toolConfig`; None for the default, automatic choice."""
    if not tools or "functionDeclarations" not in tools[0]:
        return None
    prompt = conversion.prompt
    if prompt.parallel_tools is False:
        conversion.notes.drop("parallel_tool_calls")
    choice = prompt.tool_choice
    mode = _CHOICE_MODES[choice.mode] if choice is not None else "AUTO"
    config: Block = {"mode": mode}
    if choice is not None and choice.mode == "tool":
        config["allowedFunctionNames"] = [conversion.names.to_upstream(choice.name or "")]
    if mode == "AUTO":
        if conversion.capability.strict_tools and any(tool.strict for tool in prompt.tools):
            config["mode"] = "VALIDATED"  # docs: arguments follow their schemas
        elif choice is None:
            return None
    return {"functionCallingConfig": config}
