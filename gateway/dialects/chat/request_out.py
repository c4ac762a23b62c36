"""The neutral prompt as a Chat upstream's request, in the words its capability record names."""

from gateway.dialect import Block, Conversion, Fields
from gateway.dialects.chat.reasoning_out import write_reasoning
from gateway.dialects.chat.turns_out import write_turns
from gateway.dialects.common.names import assign_tool_names
from gateway.dialects.common.openai_tools import write_choice, write_tools
from gateway.dialects.common.parameters import (
    choose_search_context,
    write_cache_options,
    write_max_tokens,
    write_response_format,
    write_sampling,
    write_stop_sequences,
    write_user_identity,
)
from gateway.dialects.common.token_estimate import estimate_input
from gateway.neutral.events import Prompt
from gateway.wire.raw_json import encoded


def write_prompt(conversion: Conversion) -> Fields:
    """The request; it also settles the conversion's names, local stops and input estimate."""
    assign_tool_names(conversion)
    request: Block = {"model": conversion.model}
    hints: list[str] = []  # instructions that stand in for members the upstream does not take
    tools = write_tools(conversion)
    choice = write_choice(conversion, tools, hints)
    shape = write_response_format(conversion, hints)
    messages, continued = write_turns(conversion, hints)
    request["messages"] = messages
    if tools:
        request["tools"] = tools
    for members in (
        choice,
        shape,
        continued,
        write_max_tokens(conversion, conversion.capability.token_param),
        write_sampling(conversion),
        write_stop_sequences(conversion, "stop"),
        write_reasoning(conversion),
        write_user_identity(conversion),
        _write_web_search(conversion),
        _write_other_members(conversion),
    ):
        request |= members
    fields = encoded(request)
    conversion.input_estimate = estimate_input(fields, "messages", "tools")
    return fields


def _write_web_search(conversion: Conversion) -> Block:
    search = conversion.prompt.web_search
    if search is None:
        return {}
    if conversion.capability.web_search != "web_search_options":
        conversion.notes.drop("web_search")
        return {}
    if search.allowed_domains or search.blocked_domains:
        conversion.notes.drop("web_search.domains")
    options: Block = {}
    if context := choose_search_context(search):
        options["search_context_size"] = context
    if search.location:
        options["user_location"] = {"type": "approximate", "approximate": search.location}
    return {"web_search_options": options}


def _write_other_members(conversion: Conversion) -> Block:
    prompt, capability = conversion.prompt, conversion.capability
    rest: Block = {}
    if prompt.verbosity is not None:
        if capability.verbosity:
            rest["verbosity"] = prompt.verbosity
        else:
            conversion.notes.drop("verbosity")
    if prompt.service_tier is not None:
        if capability.service_tier:
            rest["service_tier"] = prompt.service_tier
        elif prompt.service_tier == "fast":
            conversion.notes.drop("service_tier")
    if prompt.cache_implicit or prompt.cache_explicit:
        rest |= write_cache_options(conversion)
    if prompt.stream:
        rest |= _write_stream_options(prompt, conversion)
    return rest


def _write_stream_options(prompt: Prompt, conversion: Conversion) -> Block:
    options: Block = {}
    if conversion.capability.stream_usage:
        options["include_usage"] = True  # the gateway counts, whether or not the client asks
    if conversion.capability.obfuscation_off:
        options["include_obfuscation"] = False
    return {"stream": prompt.stream} | ({"stream_options": options} if options else {})
