"""Tools and their choice as a Responses upstream takes them (`ToolParam`, `ToolChoice`).

They are those of Chat, flattened. `strict` is always written: a function without the
member is taken for a strict one where it can be.
"""

from gateway.dialect import Block, Conversion
from gateway.dialects.common import openai_tools
from gateway.dialects.common.parameters import choose_search_context
from gateway.neutral.events import WebSearch


def write_tools(conversion: Conversion) -> list[Block]:
    """The `tools` member, the upstream's own web search last."""
    tools = [_flatten_tool(tool) for tool in openai_tools.write_tools(conversion)]
    search = conversion.prompt.web_search
    if search is not None:
        if conversion.capability.web_search == "web_search_tool":
            tools.append(_write_web_search(search, conversion))
        else:
            conversion.notes.drop("web_search")
    return tools


def _flatten_tool(tool: Block) -> Block:
    kind = tool["type"]
    flat: Block = {"type": kind, **tool[kind]}
    if kind == "function":
        flat.setdefault("strict", False)
    elif "format" in flat:
        flat["format"] = {"type": "grammar", **flat["format"]["grammar"]}
    return flat


def _write_web_search(search: WebSearch, conversion: Conversion) -> Block:
    block: Block = {"type": "web_search"}
    if search.max_uses is not None:
        conversion.notes.note("web_search.max_uses", "approximated_by_search_context_size")
    if context := choose_search_context(search):
        block["search_context_size"] = context
    if search.location:
        block["user_location"] = {"type": "approximate", **search.location}
    if search.allowed_domains:
        block["filters"] = {"allowed_domains": search.allowed_domains}
    if search.blocked_domains:
        conversion.notes.drop("web_search.blocked_domains")
    return block


def write_tool_choice(conversion: Conversion, tools: list[Block], hints: list[str]) -> Block:
    """`tool_choice` and `parallel_tool_calls`; `hints` gets the rest as instructions."""
    members = openai_tools.write_choice(conversion, tools, hints)
    choice = members.get("tool_choice")
    if isinstance(choice, dict):
        kind = choice["type"]
        members["tool_choice"] = {"type": kind, **choice[kind]}
    return members
