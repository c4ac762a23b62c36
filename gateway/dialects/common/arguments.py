"""Tool arguments: text in the neutral form, a JSON object or a string of one on the wire."""

import secrets

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.shapes import is_json_object
from gateway.neutral.events import ToolCall
from gateway.wire.raw_json import decode


def write_arguments_object(text: str) -> Raw | dict[str, str]:
    """The JSON object with its bytes unchanged; other text as the member `_raw_arguments`."""
    if not text.strip():
        return {}
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return {"_raw_arguments": text}
    return Raw(text.encode())


INVALID_ARGUMENTS = "upstream produced invalid tool arguments"


class _CustomToolInput(msgspec.Struct):
    """The arguments of a function that replaces a custom tool."""

    input: str


def read_custom_input(arguments: str) -> str:
    """The free text of a custom tool that the upstream has as a function."""
    try:
        return decode(arguments.encode(), _CustomToolInput).input
    except (msgspec.MsgspecError, RecursionError):
        return arguments


def custom_tool_names(conversion: Conversion) -> frozenset[str]:
    """The client's names of its custom tools, which take free text instead of an object."""
    return frozenset(tool.name for tool in conversion.prompt.tools if tool.custom)


def wrapped_tool_names(conversion: Conversion) -> frozenset[str]:
    """The names of the custom tools that the upstream has as functions; none if it knows both."""
    return frozenset() if conversion.capability.custom_tools else custom_tool_names(conversion)


def write_function_arguments(call: ToolCall) -> str:
    """The arguments of a call in a request; the free text of a custom tool as a member of them."""
    if call.custom:
        return msgspec.json.encode({"input": call.arguments}).decode()
    return call.arguments.strip() or "{}"


def make_call_id() -> str:
    """A random id for a call that came without one."""
    return f"call_{secrets.token_hex(12)}"


class ToolArguments(msgspec.Struct):
    """Tool arguments as JSON text; `repaired` if the text they came as was no JSON object."""

    text: str
    repaired: bool = False


def normalize_arguments(arguments: str | dict[str, Raw] | None) -> ToolArguments:
    """The arguments as text of one JSON object; other text is its member `_raw_arguments`."""
    if isinstance(arguments, dict):
        return ToolArguments(msgspec.json.encode(arguments).decode())
    if arguments is None or not arguments.strip() or arguments.strip() == "null":
        return ToolArguments("")
    if is_json_object(arguments):
        return ToolArguments(arguments)
    return ToolArguments(msgspec.json.encode({"_raw_arguments": arguments}).decode(), repaired=True)
