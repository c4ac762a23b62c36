"""The neutral prompt as a Responses upstream's request (`ResponseCreateParams`).

Nothing is stored there: the client holds the conversation, and gets the reasoning encrypted so that
it can bring it back.
"""

from gateway.dialect import Block, Crossing, Fields
from gateway.dialects.common.names import settle_names
from gateway.dialects.common.parameters import answer_format, caching, identity, limits, sampling
from gateway.dialects.responses.items_out import write_items
from gateway.dialects.responses.reasoning import write_reasoning
from gateway.dialects.responses.tools_out import write_choice, write_tools
from gateway.dialects.responses.wire import UNKNOWN
from gateway.wire.raw_json import encoded

_BYTES_PER_TOKEN = 4


def write_prompt(crossing: Crossing) -> Fields:
    """The request; it also settles the crossing's names, local stops and input estimate."""
    settle_names(crossing)
    # the dialect has no such member
    crossing.local_stops = tuple(dict.fromkeys(stop for stop in crossing.prompt.stop if stop))
    request: Block = {"model": crossing.model}
    hints: list[str] = []  # instructions that stand in for members the upstream does not take
    tools = write_tools(crossing)
    choice = write_choice(crossing, tools, hints)
    text = _text(crossing, hints)
    request["input"] = write_items(crossing, hints)
    if tools:
        request["tools"] = tools
    request |= choice | text | _sampling(crossing)
    request |= limits(crossing, "max_output_tokens", crossing.capability.min_output)
    request |= write_reasoning(crossing) | identity(crossing) | _rest(crossing)
    fields = encoded(request)
    size = sum(memoryview(fields[name]).nbytes for name in ("input", "tools") if name in fields)
    crossing.input_estimate = -(-size // _BYTES_PER_TOKEN)
    return fields


def _text(crossing: Crossing, hints: list[str]) -> Block:
    """The `text` member: the answer's shape and its length in words."""
    text: Block = {}
    shape = answer_format(crossing, hints).get("response_format")
    if shape is not None:
        text["format"] = {"type": shape["type"], **shape.get("json_schema", {})}
    if crossing.prompt.verbosity is not None:
        if crossing.capability.verbosity:
            text["verbosity"] = crossing.prompt.verbosity
        else:
            crossing.notes.drop("verbosity")
    return {"text": text} if text else {}


def _sampling(crossing: Crossing) -> Block:
    wanted = sampling(crossing)
    for name, value in wanted.items():
        if name in UNKNOWN and value:  # 0 asks for nothing
            crossing.notes.drop(name)
    return {name: value for name, value in wanted.items() if name not in UNKNOWN}


def _rest(crossing: Crossing) -> Block:
    prompt, capability = crossing.prompt, crossing.capability
    rest: Block = {"store": False}
    if capability.encrypted_reasoning:
        rest["include"] = ["reasoning.encrypted_content"]
    if prompt.service_tier is not None:
        if capability.service_tier:
            rest["service_tier"] = prompt.service_tier
        elif prompt.service_tier == "fast":
            crossing.notes.drop("service_tier")
    rest |= caching(crossing)
    if prompt.stream:
        rest["stream"] = True
        if capability.obfuscation_off:
            rest["stream_options"] = {"include_obfuscation": False}
    return rest
