"""A tool's arguments where the wire wants an object and the neutral form has text, and back."""

import secrets

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.shapes import is_json_object
from gateway.wire.raw_json import decode


def write_arguments_object(text: str) -> Raw | dict[str, str]:
    """A tool's input: the JSON object as it is spelled, or the text that is none, kept whole."""
    if not text.strip():
        return {}
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return {"_raw_arguments": text}
    return Raw(text.encode())


def custom_tool_names(conversion: Conversion) -> frozenset[str]:
    """The client's tools that take free text; upstream they take an object with one member."""
    return frozenset(tool.name for tool in conversion.prompt.tools if tool.custom)


INVALID_ARGUMENTS = "upstream produced invalid tool arguments"


class _CustomToolInput(msgspec.Struct):
    """The arguments of a function that stands for a custom tool."""

    input: str


def read_custom_input(arguments: str) -> str:
    """The free text of a custom tool that was sent as a function."""
    try:
        return decode(arguments.encode(), _CustomToolInput).input
    except (msgspec.MsgspecError, RecursionError):
        return arguments


def wrapped_tool_names(conversion: Conversion) -> frozenset[str]:
    """The client's names of the custom tools that the upstream knows as functions."""
    if conversion.capability.custom_tools:
        return frozenset()
    return frozenset(tool.name for tool in conversion.prompt.tools if tool.custom)


def make_call_id() -> str:
    """An id for a call that came without one."""
    return f"call_{secrets.token_hex(12)}"


class ToolArguments(msgspec.Struct):
    """Tool arguments as JSON text, and whether they were none before."""

    text: str
    repaired: bool = False


def normalize_arguments(arguments: str | dict[str, Raw] | None) -> ToolArguments:
    """The arguments as the text of one object; what is none is kept as a string inside one."""
    if isinstance(arguments, dict):
        return ToolArguments(msgspec.json.encode(arguments).decode())
    if arguments is None or not arguments.strip() or arguments.strip() == "null":
        return ToolArguments("")
    if is_json_object(arguments):
        return ToolArguments(arguments)
    return ToolArguments(msgspec.json.encode({"_raw_arguments": arguments}).decode(), repaired=True)
