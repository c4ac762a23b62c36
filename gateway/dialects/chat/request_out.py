"""The neutral prompt as a Chat upstream's request, in the words its capability record names."""

from gateway.dialect import Block, Crossing, Fields
from gateway.dialects.chat.reasoning_out import write_reasoning
from gateway.dialects.chat.tools_out import write_choice, write_tools
from gateway.dialects.chat.turns_out import write_turns
from gateway.dialects.common.names import settle_names
from gateway.dialects.common.parameters import (
    answer_format,
    caching,
    context_size,
    identity,
    limits,
    sampling,
)
from gateway.neutral.events import Prompt
from gateway.wire.raw_json import encoded

_BYTES_PER_TOKEN = 4


def write_prompt(crossing: Crossing) -> Fields:
    """The request; it also settles the crossing's names, local stops and input estimate."""
    settle_names(crossing)
    request: Block = {"model": crossing.model}
    hints: list[str] = []  # instructions that stand in for members the upstream does not take
    tools = write_tools(crossing)
    choice = write_choice(crossing, tools, hints)
    shape = answer_format(crossing, hints)
    messages, continued = write_turns(crossing, hints)
    request["messages"] = messages
    if tools:
        request["tools"] = tools
    for members in (
        choice, shape, continued, limits(crossing, crossing.capability.token_param),
        sampling(crossing), _stops(crossing), write_reasoning(crossing), identity(crossing),
        _search(crossing), _rest(crossing),
    ):  # fmt: skip
        request |= members
    fields = encoded(request)
    size = memoryview(fields["messages"]).nbytes
    if tools:
        size += memoryview(fields["tools"]).nbytes
    crossing.input_estimate = -(-size // _BYTES_PER_TOKEN)
    return fields


def _stops(crossing: Crossing) -> Block:
    if not crossing.prompt.stop:
        return {}
    stops = [stop for stop in dict.fromkeys(crossing.prompt.stop) if stop]
    most = crossing.capability.stop_max
    crossing.local_stops = tuple(stops[most:])
    return {"stop": stops[:most]} if stops[:most] else {}


def _search(crossing: Crossing) -> Block:
    search = crossing.prompt.web_search
    if search is None:
        return {}
    if crossing.capability.web_search != "web_search_options":
        crossing.notes.drop("web_search")
        return {}
    if search.allowed_domains or search.blocked_domains:
        crossing.notes.drop("web_search.domains")
    options: Block = {}
    if context := context_size(search):
        options["search_context_size"] = context
    if search.location:
        options["user_location"] = {"type": "approximate", "approximate": search.location}
    return {"web_search_options": options}


def _rest(crossing: Crossing) -> Block:
    prompt, capability = crossing.prompt, crossing.capability
    rest: Block = {}
    if prompt.verbosity is not None:
        if capability.verbosity:
            rest["verbosity"] = prompt.verbosity
        else:
            crossing.notes.drop("verbosity")
    if prompt.service_tier is not None:
        if capability.service_tier:
            rest["service_tier"] = prompt.service_tier
        elif prompt.service_tier == "fast":
            crossing.notes.drop("service_tier")
    if prompt.cache_implicit or prompt.cache_explicit:
        rest |= caching(crossing)
    if prompt.stream:
        rest |= _streamed(prompt, crossing)
    return rest


def _streamed(prompt: Prompt, crossing: Crossing) -> Block:
    options: Block = {}
    if crossing.capability.stream_usage:
        options["include_usage"] = True  # the gateway counts, whether or not the client asks
    if crossing.capability.obfuscation_off:
        options["include_obfuscation"] = False
    return {"stream": prompt.stream} | ({"stream_options": options} if options else {})
