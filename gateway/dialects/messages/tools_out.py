"""Tools and their choice, as the Messages API takes them (`ToolUnionParam`, `ToolChoiceParam`)."""

from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.schema import close_schema, ensure_object_root
from gateway.dialects.messages import input_keys as keys
from gateway.dialects.messages.blocks_out import write_cache_control
from gateway.neutral.events import Prompt, Tool, WebSearch

ANSWER_TOOL = "json_output"
"""Name of the forced tool whose input is the answer, for models without structured output."""

_CUSTOM_TOOL_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_MAX_USES_OF_CONTEXT = {"low": 1, "medium": 5, "high": 10}


def write_tools(conversion: Conversion) -> list[Block]:
    """The `tools` member, the upstream's own web search last."""
    prompt = conversion.prompt
    if not prompt.tools and prompt.web_search is None:
        return []
    tools = [_write_tool(tool, f"tools.{at}", conversion) for at, tool in enumerate(prompt.tools)]
    if prompt.web_search is not None:
        if conversion.capability.web_search == "web_search_tool":
            tools.append(_write_web_search(prompt.web_search, conversion))
        else:
            conversion.notes.drop("web_search")
    return tools


def _write_tool(tool: Tool, path: str, conversion: Conversion) -> Block:
    block: Block = {"name": conversion.names.to_upstream(tool.name)}
    if words := _write_description(tool):
        block["description"] = words
    if tool.custom:
        block["input_schema"] = _CUSTOM_TOOL_SCHEMA
    else:
        block |= _write_schema(tool, path, conversion)
    if tool.examples:
        block["input_examples"] = keys.adapt_examples(tool.examples, tool.name, conversion)
    if tool.cache is not None:
        block["cache_control"] = write_cache_control(tool.cache)
    return block


def _write_description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.grammar is None:
        return words
    syntax, definition = tool.grammar
    return f"{words}\nInput must match this {syntax} grammar:\n{definition}".lstrip("\n")


def _write_schema(tool: Tool, path: str, conversion: Conversion) -> Block:
    notes = conversion.notes
    schema = ensure_object_root(tool.schema, f"{path}.input_schema", notes)
    schema = keys.adapt_schema(schema, tool.name, f"{path}.input_schema", conversion)
    if not tool.strict:
        return {"input_schema": schema}
    narrowed = (
        close_schema(schema, f"{path}.input_schema", notes)
        if conversion.capability.strict_tools
        else None
    )
    if narrowed is None:
        notes.drop(f"{path}.strict")
        return {"input_schema": schema}
    return {"input_schema": narrowed, "strict": True}


def _write_web_search(search: WebSearch, conversion: Conversion) -> Block:
    block: Block = {"type": "web_search_20250305", "name": "web_search"}
    if search.max_uses is not None:
        block["max_uses"] = search.max_uses
    elif search.context in _MAX_USES_OF_CONTEXT:
        block["max_uses"] = _MAX_USES_OF_CONTEXT[search.context]
        conversion.notes.note("web_search.search_context_size", "approximated_by_max_uses")
    if search.location:
        block["user_location"] = {"type": "approximate", **search.location}
    if search.allowed_domains:
        block["allowed_domains"] = search.allowed_domains
    elif search.blocked_domains:
        block["blocked_domains"] = search.blocked_domains
    return block


def write_tool_choice(conversion: Conversion) -> Block | None:
    """The `tool_choice` member; `auto`, with a note, for models that cannot be forced."""
    prompt = conversion.prompt
    choice = prompt.tool_choice
    block: Block | None = None
    if choice is not None:
        block = {"type": choice.mode}
        if choice.mode == "tool":
            block["name"] = conversion.names.to_upstream(choice.name or "")
        if choice.mode in ("any", "tool") and not conversion.capability.forced_tool:
            conversion.notes.drop("tool_choice", "forced_tool_use_downgraded")
            block = {"type": "auto"}
    if prompt.parallel_tools is False and (block is None or block["type"] != "none"):
        block = {**(block or {"type": "auto"}), "disable_parallel_tool_use": True}
    return block


def is_forced(prompt: Prompt) -> bool:
    """Whether the client forces a tool call."""
    return prompt.tool_choice is not None and prompt.tool_choice.mode in ("any", "tool")


def make_answer_tool(schema: Raw, description: str | None, conversion: Conversion) -> Block:
    """A tool whose input is the client's answer."""
    path = "response_format.schema"
    root = ensure_object_root(schema, path, conversion.notes)
    return {
        "name": ANSWER_TOOL,
        "description": description or "Give the final answer in this form.",
        "input_schema": keys.adapt_schema(root, ANSWER_TOOL, path, conversion),
    }


def drop_extra_marks(fields: list[list[Block]], most: int) -> int:
    """Removes all but the last `most` cache marks, in prompt order; returns how many."""
    marked = [block for blocks in fields for block in blocks if "cache_control" in block]
    extra = marked[: max(0, len(marked) - most)]
    for block in extra:
        del block["cache_control"]
    return len(extra)
