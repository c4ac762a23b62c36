"""Tools and their choice, as the Messages API takes them (`ToolUnionParam`, `ToolChoiceParam`)."""

from msgspec import Raw

from gateway.dialect import Block, Crossing
from gateway.dialects.common.schema import closed, root_object
from gateway.dialects.messages import keys
from gateway.dialects.messages.blocks_out import control
from gateway.neutral.events import Prompt, Tool, WebSearch

ANSWER_TOOL = "json_output"
"""Its input is the answer where the model cannot be held to a schema otherwise."""

_FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_USES = {"low": 1, "medium": 5, "high": 10}


def write_tools(crossing: Crossing) -> list[Block]:
    """The `tools` member, the upstream's own web search last."""
    prompt = crossing.prompt
    if not prompt.tools and prompt.web_search is None:
        return []
    tools = [_tool(tool, f"tools.{at}", crossing) for at, tool in enumerate(prompt.tools)]
    if prompt.web_search is not None:
        if crossing.capability.web_search == "web_search_tool":
            tools.append(_web_search(prompt.web_search, crossing))
        else:
            crossing.notes.drop("web_search")
    return tools


def _tool(tool: Tool, path: str, crossing: Crossing) -> Block:
    block: Block = {"name": crossing.names.sent(tool.name)}
    if words := _description(tool):
        block["description"] = words
    if tool.custom:
        block["input_schema"] = _FREE_TEXT
    else:
        block |= _schema(tool, path, crossing)
    if tool.examples:
        block["input_examples"] = keys.examples(tool.examples, tool.name, crossing)
    if tool.cache is not None:
        block["cache_control"] = control(tool.cache)
    return block


def _description(tool: Tool) -> str:
    words = tool.description or ""
    if tool.grammar is None:
        return words
    syntax, definition = tool.grammar
    return f"{words}\nInput must match this {syntax} grammar:\n{definition}".lstrip("\n")


def _schema(tool: Tool, path: str, crossing: Crossing) -> Block:
    notes = crossing.notes
    schema = root_object(tool.schema, notes, f"{path}.input_schema")
    schema = keys.renamed(schema, tool.name, f"{path}.input_schema", crossing)
    if not tool.strict:
        return {"input_schema": schema}
    narrowed = (
        closed(schema, notes, f"{path}.input_schema") if crossing.capability.strict_tools else None
    )
    if narrowed is None:
        notes.drop(f"{path}.strict")
        return {"input_schema": schema}
    return {"input_schema": narrowed, "strict": True}


def _web_search(search: WebSearch, crossing: Crossing) -> Block:
    block: Block = {"type": "web_search_20250305", "name": "web_search"}
    if search.max_uses is not None:
        block["max_uses"] = search.max_uses
    elif search.context in _USES:
        block["max_uses"] = _USES[search.context]
        crossing.notes.note("web_search.search_context_size", "approximated_by_max_uses")
    if search.location:
        block["user_location"] = {"type": "approximate", **search.location}
    if search.allowed_domains:
        block["allowed_domains"] = search.allowed_domains
    elif search.blocked_domains:
        block["blocked_domains"] = search.blocked_domains
    return block


def write_tool_choice(crossing: Crossing) -> Block | None:
    """The `tool_choice` member; models that cannot be forced get to choose, with a note."""
    prompt = crossing.prompt
    choice = prompt.tool_choice
    block: Block | None = None
    if choice is not None:
        block = {"type": choice.mode}
        if choice.mode == "tool":
            block["name"] = crossing.names.sent(choice.name or "")
        if choice.mode in ("any", "tool") and not crossing.capability.forced_tool:
            crossing.notes.drop("tool_choice", "forced_tool_use_downgraded")
            block = {"type": "auto"}
    if prompt.parallel_tools is False and (block is None or block["type"] != "none"):
        block = {**(block or {"type": "auto"}), "disable_parallel_tool_use": True}
    return block


def is_forced(prompt: Prompt) -> bool:
    """Whether the client demands that a tool be called."""
    return prompt.tool_choice is not None and prompt.tool_choice.mode in ("any", "tool")


def answer_tool(schema: Raw, description: str | None, crossing: Crossing) -> Block:
    """A tool whose input is the client's answer."""
    path = "response_format.schema"
    root = root_object(schema, crossing.notes, path)
    return {
        "name": ANSWER_TOOL,
        "description": description or "Give the final answer in this form.",
        "input_schema": keys.renamed(root, ANSWER_TOOL, path, crossing),
    }


def limit_marks(fields: list[list[Block]], most: int) -> int:
    """Takes away all cache marks but the last `most`, in the order of the prompt; says how many."""
    marked = [block for blocks in fields for block in blocks if "cache_control" in block]
    extra = marked[: max(0, len(marked) - most)]
    for block in extra:
        del block["cache_control"]
    return len(extra)
