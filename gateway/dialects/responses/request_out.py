"""The neutral prompt as a Responses upstream's request (`ResponseCreateParams`).

Nothing is stored there: the client holds the conversation, and gets the reasoning encrypted so that
it can bring it back.
"""

from gateway.dialect import Block, Conversion, Fields
from gateway.dialects.common.names import assign_tool_names
from gateway.dialects.common.parameters import (
    write_cache_options,
    write_max_tokens,
    write_response_format,
    write_sampling,
    write_user_identity,
)
from gateway.dialects.common.token_estimate import estimate_input
from gateway.dialects.responses.items_out import write_turns
from gateway.dialects.responses.reasoning import write_reasoning
from gateway.dialects.responses.tools_out import write_tool_choice, write_tools
from gateway.dialects.responses.wire import CHAT_ONLY_MEMBERS
from gateway.wire.raw_json import encoded


def write_prompt(conversion: Conversion) -> Fields:
    """The request; it also settles the conversion's names, local stops and input estimate."""
    assign_tool_names(conversion)
    # the dialect has no such member
    conversion.local_stops = tuple(dict.fromkeys(stop for stop in conversion.prompt.stop if stop))
    request: Block = {"model": conversion.model}
    hints: list[str] = []  # instructions that stand in for members the upstream does not take
    tools = write_tools(conversion)
    choice = write_tool_choice(conversion, tools, hints)
    text = _write_text_config(conversion, hints)
    request["input"] = write_turns(conversion, hints)
    if tools:
        request["tools"] = tools
    request |= choice | text | _write_sampling(conversion)
    request |= write_max_tokens(conversion, "max_output_tokens", conversion.capability.min_output)
    request |= (
        write_reasoning(conversion)
        | write_user_identity(conversion)
        | _write_other_members(conversion)
    )
    fields = encoded(request)
    conversion.input_estimate = estimate_input(fields, "input", "tools")
    return fields


def _write_text_config(conversion: Conversion, hints: list[str]) -> Block:
    """The `text` member: the answer's format and its verbosity."""
    text: Block = {}
    shape = write_response_format(conversion, hints).get("response_format")
    if shape is not None:
        text["format"] = {"type": shape["type"], **shape.get("json_schema", {})}
    if conversion.prompt.verbosity is not None:
        if conversion.capability.verbosity:
            text["verbosity"] = conversion.prompt.verbosity
        else:
            conversion.notes.drop("verbosity")
    return {"text": text} if text else {}


def _write_sampling(conversion: Conversion) -> Block:
    wanted = write_sampling(conversion)
    for name, value in wanted.items():
        if name in CHAT_ONLY_MEMBERS and value:  # 0 asks for nothing
            conversion.notes.drop(name)
    return {name: value for name, value in wanted.items() if name not in CHAT_ONLY_MEMBERS}


def _write_other_members(conversion: Conversion) -> Block:
    prompt, capability = conversion.prompt, conversion.capability
    rest: Block = {"store": False}
    if capability.encrypted_reasoning:
        rest["include"] = ["reasoning.encrypted_content"]
    if prompt.service_tier is not None:
        if capability.service_tier:
            rest["service_tier"] = prompt.service_tier
        elif prompt.service_tier == "fast":
            conversion.notes.drop("service_tier")
    rest |= write_cache_options(conversion)
    if prompt.stream:
        rest["stream"] = True
        if capability.obfuscation_off:
            rest["stream_options"] = {"include_obfuscation": False}
    return rest
