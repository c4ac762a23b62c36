"""Tools and their choice, as Gemini takes them (`Tool`, `ToolConfig`)."""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.schema import root_object
from gateway.dialects.gemini.schema_out import is_bare, narrowed
from gateway.neutral.events import Tool

_FREE_TEXT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}


def write_tools(crossing: Crossing) -> list[Block]:
    """`tools`: all functions in one, or the upstream's own search."""
    prompt = crossing.prompt
    tools = [_tool(tool, f"tools.{at}", crossing) for at, tool in enumerate(prompt.tools)]
    if prompt.web_search is None:
        return [{"functionDeclarations": tools}] if tools else []
    if tools:
        crossing.notes.drop("web_search", "not_with_functions")
        return [{"functionDeclarations": tools}]
    return _search(crossing)


def _search(crossing: Crossing) -> list[Block]:
    search, notes = crossing.prompt.web_search, crossing.notes
    assert search is not None
    if crossing.capability.web_search != "google_search":
        notes.drop("web_search")
        return []
    if search.allowed_domains or search.blocked_domains:
        notes.drop("web_search.domains")
    if search.location:
        notes.drop("web_search.user_location")
    if search.max_uses is not None or search.context is not None:
        notes.note("web_search", "as_much_as_the_model_likes")
    return [{"googleSearch": {}}]


def _tool(tool: Tool, path: str, crossing: Crossing) -> Block:
    notes = crossing.notes
    block: Block = {"name": crossing.names.sent(tool.name)}
    if words := _description(tool):
        block["description"] = words
    if tool.custom:
        block["parametersJsonSchema"] = _FREE_TEXT
    elif tool.schema is not None:
        where = f"{path}.parameters"
        schema = narrowed(root_object(tool.schema, notes, where), notes, where)
        if not is_bare(schema):  # docs: left unset for a function without parameters
            block["parametersJsonSchema"] = schema
    if tool.strict and not tool.custom and not crossing.capability.strict_tools:
        notes.drop(f"{path}.strict")
    return block


def _description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.grammar is not None:
        syntax, definition = tool.grammar
        words += f"\nInput must match this {syntax} grammar:\n{definition}"
    if tool.examples:
        lines = (bytes(example).decode("utf-8", "replace") for example in tool.examples)
        words += "\n\nExamples:\n" + "\n".join(lines)
    return words.lstrip("\n")


def write_choice(crossing: Crossing, tools: list[Block]) -> Block | None:
    """`toolConfig`; None where the model may do as it likes."""
    if not tools or "functionDeclarations" not in tools[0]:
        return None
    prompt = crossing.prompt
    if prompt.parallel_tools is False:
        crossing.notes.drop("parallel_tool_calls")
    choice = prompt.tool_choice
    mode = _MODES[choice.mode] if choice is not None else "AUTO"
    config: Block = {"mode": mode}
    if choice is not None and choice.mode == "tool":
        config["allowedFunctionNames"] = [crossing.names.sent(choice.name or "")]
    if mode == "AUTO":
        if crossing.capability.strict_tools and any(tool.strict for tool in prompt.tools):
            config["mode"] = "VALIDATED"  # docs: arguments are held to their schemas
        elif choice is None:
            return None
    return {"functionCallingConfig": config}
