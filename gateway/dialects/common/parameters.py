"""Request parameters that several dialects share: limits, sampling, identity, format."""

import hashlib

from gateway.dialect import Block, Conversion
from gateway.dialects.common.instructions import JSON_INSTRUCTION, render_schema_instruction
from gateway.dialects.common.schema import is_strict_schema
from gateway.neutral.events import WebSearch

_USER_ID_LIMIT = 128
_CACHE_KEY_LIMIT = 64
_CONTEXT_OF_MAX_USES = ((1, "low"), (5, "medium"))


def write_max_tokens(conversion: Conversion, word: str, least: int = 1) -> Block:
    """The limit on output tokens as the member `word`; empty if the client sets none."""
    wanted, most = conversion.prompt.max_tokens, conversion.capability.max_output
    if wanted is None:
        return {}
    if wanted < 1:
        conversion.notes.refuse("max_tokens", "this provider cannot warm a cache without an answer")
    given = most if most is not None and wanted > most else wanted
    if given < least:  # `min` and `max` cost 4,000 instructions
        given = least
    if given != wanted:
        conversion.notes.note("max_tokens", "clamped")
    return {word: given}


def write_stop_sequences(conversion: Conversion, member: str) -> Block:
    """As many stop sequences as the upstream supports; the gateway scans for the others."""
    if not conversion.prompt.stop:
        return {}
    stops = [stop for stop in dict.fromkeys(conversion.prompt.stop) if stop]
    most = conversion.capability.stop_max
    conversion.local_stops = tuple(stops[most:])
    return {member: stops[:most]} if stops[:most] else {}


def write_sampling(conversion: Conversion) -> Block:
    """Sampling parameters that the model supports."""
    prompt, capability = conversion.prompt, conversion.capability
    wanted: Block = {}
    if prompt.temperature is not None:
        wanted["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        wanted["top_p"] = prompt.top_p
    if prompt.top_k is not None:
        if capability.top_k:
            wanted["top_k"] = prompt.top_k
        else:
            conversion.notes.drop("top_k")
    if prompt.seed is not None and capability.seed != "none":
        wanted[capability.seed] = prompt.seed
    elif prompt.seed:
        conversion.notes.drop("seed")
    if prompt.frequency_penalty is not None or prompt.presence_penalty is not None:
        wanted |= _write_penalties(conversion)
    if capability.sampling == "all":
        return wanted
    for name in ("top_p", "temperature"):
        if name in wanted and not _is_sampling_allowed(name, wanted, capability.sampling):
            value = wanted.pop(name)
            if value != 1:  # the default, which has no effect
                conversion.notes.drop(name, "unsupported_by_model")
    return wanted


def _write_penalties(conversion: Conversion) -> Block:
    prompt = conversion.prompt
    given = {
        "frequency_penalty": prompt.frequency_penalty,
        "presence_penalty": prompt.presence_penalty,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if conversion.capability.penalties and conversion.capability.sampling in (
        "all",
        "temp_xor_top_p",
    ):
        return wanted
    for name, value in wanted.items():
        if value:  # 0 has no effect
            conversion.notes.drop(name, "unsupported_by_model")
    return {}


def _is_sampling_allowed(name: str, wanted: Block, sampling: str) -> bool:
    """Whether a model with that `sampling` capability supports the member."""
    if sampling == "temp_xor_top_p":
        return name == "temperature" or "temperature" not in wanted
    return sampling == "temp1" and name == "temperature" and wanted[name] == 1


def write_response_format(conversion: Conversion, hints: list[str]) -> Block:
    """`response_format`; instructions that replace it are added to `hints`."""
    shape = conversion.prompt.format
    if shape is None:
        return {}
    support = conversion.capability.schema
    if shape.kind == "json_schema" and shape.schema is not None:
        if support == "native":
            schema: Block = {"name": shape.name or "output"}
            if shape.description:
                schema["description"] = shape.description
            schema |= {"schema": shape.schema, "strict": is_strict_schema(shape.schema)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        conversion.notes.note("response_format", "schema_as_instruction")
        hints.append(render_schema_instruction(shape.schema))
    else:
        hints.append(JSON_INSTRUCTION)
    return {} if support == "none" else {"response_format": {"type": "json_object"}}


def write_user_identity(conversion: Conversion) -> Block:
    """The members for the user and for the session's prompt cache."""
    prompt, capability = conversion.prompt, conversion.capability
    who: Block = {}
    if prompt.user is not None and capability.user_field != "none":
        user = prompt.user
        if len(user) > _USER_ID_LIMIT:
            user = _sha256(user)
        who[capability.user_field] = user
    elif prompt.user:
        conversion.notes.note("user", "target_takes_no_user")
    if prompt.session is not None and capability.prompt_cache_key:
        session = prompt.session
        who["prompt_cache_key"] = (
            session if len(session) <= _CACHE_KEY_LIMIT else _sha256(session)[:32]
        )
    return who


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def choose_search_context(search: WebSearch) -> str | None:
    """The search context size: low, medium or high."""
    if search.context is None and search.max_uses is not None:
        return next(
            (word for most, word in _CONTEXT_OF_MAX_USES if search.max_uses <= most), "high"
        )
    return search.context


def write_cache_options(conversion: Conversion) -> Block:
    """`prompt_cache_options`: whether the upstream may place marks itself."""
    prompt, marked = conversion.prompt, conversion.capability.cache == "breakpoints"
    if prompt.cache_implicit and not marked:
        conversion.notes.note("cache_control", "left_to_the_target")
    if not marked or not (prompt.cache_explicit or prompt.cache_implicit):
        return {}
    return {"prompt_cache_options": {"mode": "explicit" if prompt.cache_explicit else "implicit"}}


SERVICE_TIERS = {"default": "default", "priority": "priority"}
"""Neutral service tiers of an answer and their names in OpenAI's dialects."""
