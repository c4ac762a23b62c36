"""Request parameters that several dialects write alike: limits, sampling, identity, format."""

import hashlib

from gateway.dialect import Block, Crossing
from gateway.dialects.common.schema import strict_subset
from gateway.neutral.events import WebSearch

_LONGEST_ID = 128


_LONGEST_KEY = 64


_CONTEXTS = ((1, "low"), (5, "medium"))


def limits(crossing: Crossing, word: str, least: int = 1) -> Block:
    """The most tokens of the answer, as the member `word`; nothing where the client names none."""
    wanted, most = crossing.prompt.max_tokens, crossing.capability.max_output
    if wanted is None:
        return {}
    if wanted < 1:
        crossing.notes.refuse("max_tokens", "this provider cannot warm a cache without an answer")
    given = most if most is not None and wanted > most else wanted
    if given < least:  # `min` and `max` take 4,000 instructions for it
        given = least
    if given != wanted:
        crossing.notes.note("max_tokens", "clamped")
    return {word: given}


def sampling(crossing: Crossing) -> Block:
    """`temperature`, `top_p` and `top_k` as far as the model takes them."""
    prompt, capability = crossing.prompt, crossing.capability
    wanted: Block = {}
    if prompt.temperature is not None:
        wanted["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        wanted["top_p"] = prompt.top_p
    if prompt.top_k is not None:
        if capability.top_k:
            wanted["top_k"] = prompt.top_k
        else:
            crossing.notes.drop("top_k")
    if prompt.seed is not None and capability.seed != "none":
        wanted[capability.seed] = prompt.seed
    elif prompt.seed:
        crossing.notes.drop("seed")
    if prompt.frequency_penalty is not None or prompt.presence_penalty is not None:
        wanted |= _penalties(crossing)
    if capability.sampling == "all":
        return wanted
    for name in ("top_p", "temperature"):
        if name in wanted and not _taken(name, wanted, capability.sampling):
            value = wanted.pop(name)
            if value != 1:  # the default, which changes nothing
                crossing.notes.drop(name, "unsupported_by_model")
    return wanted


def _penalties(crossing: Crossing) -> Block:
    prompt = crossing.prompt
    given = {
        "frequency_penalty": prompt.frequency_penalty,
        "presence_penalty": prompt.presence_penalty,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if crossing.capability.penalties and crossing.capability.sampling in ("all", "temp_xor_top_p"):
        return wanted
    for name, value in wanted.items():
        if value:  # 0 changes nothing
            crossing.notes.drop(name, "unsupported_by_model")
    return {}


def _taken(name: str, wanted: Block, sampling: str) -> bool:
    """Whether a model of that kind of sampling takes the member."""
    if sampling == "temp_xor_top_p":
        return name == "temperature" or "temperature" not in wanted
    return sampling == "temp1" and name == "temperature" and wanted[name] == 1


def answer_format(crossing: Crossing, hints: list[str]) -> Block:
    """`response_format`; `hints` gets in words what the server takes no member for."""
    shape = crossing.prompt.format
    if shape is None:
        return {}
    support = crossing.capability.schema
    if shape.kind == "json_schema" and shape.schema is not None:
        if support == "native":
            schema: Block = {"name": shape.name or "output"}
            if shape.description:
                schema["description"] = shape.description
            schema |= {"schema": shape.schema, "strict": strict_subset(shape.schema)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        crossing.notes.note("response_format", "schema_as_instruction")
        hints.append(
            "Respond with one JSON object and nothing else. It must meet this JSON Schema:\n"
            + bytes(shape.schema).decode("utf-8", "replace")
        )
    else:
        hints.append("Respond with one JSON object and nothing else.")
    return {} if support == "none" else {"response_format": {"type": "json_object"}}


def identity(crossing: Crossing) -> Block:
    """Who asks, and the key of the session's prompt cache."""
    prompt, capability = crossing.prompt, crossing.capability
    who: Block = {}
    if prompt.user is not None and capability.user_field != "none":
        user = prompt.user
        if len(user) > _LONGEST_ID:
            user = _digest(user)
        who[capability.user_field] = user
    elif prompt.user:
        crossing.notes.note("user", "target_takes_no_user")
    if prompt.session is not None and capability.prompt_cache_key:
        session = prompt.session
        who["prompt_cache_key"] = session if len(session) <= _LONGEST_KEY else _digest(session)[:32]
    return who


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def context_size(search: WebSearch) -> str | None:
    """How much a search may bring: low, medium or high."""
    if search.context is None and search.max_uses is not None:
        return next((word for most, word in _CONTEXTS if search.max_uses <= most), "high")
    return search.context


def caching(crossing: Crossing) -> Block:
    """`prompt_cache_options`: whether only the client's own marks count."""
    prompt, marked = crossing.prompt, crossing.capability.cache == "breakpoints"
    if prompt.cache_implicit and not marked:
        crossing.notes.note("cache_control", "left_to_the_target")
    if not marked or not (prompt.cache_explicit or prompt.cache_implicit):
        return {}
    return {"prompt_cache_options": {"mode": "explicit" if prompt.cache_explicit else "implicit"}}


TIERS = {"default": "default", "priority": "priority"}
"""Service tiers of an answer, as the neutral form says them."""
