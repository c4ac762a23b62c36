"""Names and ids that the other side's grammar refuses, and back.

Names are rewritten by a bijection made for each request, since answers must restore them. Ids are
rewritten by a pure function: the same id gets the same spelling in every turn, in call and result.
"""

import hashlib
import re
import string
from collections.abc import Iterable

from gateway.dialect import Crossing, Names
from gateway.neutral.events import ToolCall

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_MESSAGES_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_MISTRAL = re.compile(r"[a-zA-Z0-9]{9}")
_OPENAI_LONGEST = 40


def settle_names(crossing: Crossing) -> None:
    """Fixes the bijection of tool names over definitions, history and choice."""
    prompt, capability = crossing.prompt, crossing.capability
    names = [tool.name for tool in prompt.tools]
    for turn in prompt.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                names.append(part.name)  # noqa: PERF401  # most turns have none
    if prompt.tool_choice is not None and prompt.tool_choice.name:
        names.append(prompt.tool_choice.name)
    if names:
        crossing.names = sanitised(names, capability.tool_name, capability.tool_name_length)


def sanitised(names: Iterable[str], pattern: str, limit: int) -> Names:
    """The bijection under which every name meets `pattern` and `limit`."""
    grammar = re.compile(pattern)
    wrong: dict[str, None] = {}  # in order and once each
    taken: set[str] = set()
    for name in names:
        if len(name) <= limit and grammar.fullmatch(name):
            taken.add(name)
        else:
            wrong[name] = None
    sent: dict[str, str] = {}
    for name in wrong:
        sent[name] = _untaken(_legal(name, grammar, limit), limit, taken)
        taken.add(sent[name])
    return Names(sent)


def _legal(name: str, grammar: re.Pattern[str], limit: int) -> str:
    legal = "".join(char if grammar.fullmatch("a" + char) else "_" for char in name)
    if not legal or not grammar.fullmatch(legal[0]):
        legal = "t_" + legal
    if len(legal) > limit:
        legal = f"{legal[: limit - 9]}_{_digest(name).hex()[:8]}"
    return legal


def _untaken(name: str, limit: int, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        suffix = f"_{number}"
        candidate = name[: limit - len(suffix)] + suffix
        number += 1
    return candidate


def tool_id(id: str, form: str) -> str:
    """The id in the spelling that `form` takes: "any", "messages", "mistral" or "openai"."""
    if form == "messages":
        legal = _MESSAGES_ILLEGAL.sub("_", id)
        # without the digest, `a.b` and `a:b` would become one id
        return id if id and legal == id else f"{legal}_{_digest(id).hex()[:6]}"
    if form == "mistral":
        return id if _MISTRAL.fullmatch(id) else _base62(_digest(id), 9)
    if form == "openai":
        return id if 0 < len(id) <= _OPENAI_LONGEST else f"call_{_digest(id).hex()[:24]}"
    return id


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _base62(digest: bytes, length: int) -> str:
    number = int.from_bytes(digest, "big")
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(digits)
