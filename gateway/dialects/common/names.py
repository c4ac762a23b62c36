"""Tool names and call ids in the grammar that the upstream accepts, and back.

Names are rewritten by a bijection made for each request, since answers must restore them. Ids are
rewritten by a pure function: the same id gets the same spelling in every turn, in call and result.
"""

import hashlib
import re
import string
from collections.abc import Iterable

from gateway.dialect import Conversion, ToolNames
from gateway.neutral.events import ToolCall

_BASE62_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_MESSAGES_ILLEGAL_CHARS = re.compile(r"[^a-zA-Z0-9_-]")
_MISTRAL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_OPENAI_ID_LIMIT = 40


def assign_tool_names(conversion: Conversion) -> None:
    """Sets the conversion's mapping of tool names, for definitions, history and choice."""
    prompt, capability = conversion.prompt, conversion.capability
    names = [tool.name for tool in prompt.tools]
    for turn in prompt.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                names.append(part.name)  # noqa: PERF401  # most turns have none
    if prompt.tool_choice is not None and prompt.tool_choice.name:
        names.append(prompt.tool_choice.name)
    if names:
        conversion.names = sanitize_names(names, capability.tool_name, capability.tool_name_length)


def sanitize_names(names: Iterable[str], pattern: str, limit: int) -> ToolNames:
    """The mapping to unique names that match `pattern` and are at most `limit` long."""
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
        sent[name] = _make_unique(_sanitize_name(name, grammar, limit), limit, taken)
        taken.add(sent[name])
    return ToolNames(sent)


def _sanitize_name(name: str, grammar: re.Pattern[str], limit: int) -> str:
    legal = "".join(char if grammar.fullmatch("a" + char) else "_" for char in name)
    if not legal or not grammar.fullmatch(legal[0]):
        legal = "t_" + legal
    if len(legal) > limit:
        legal = f"{legal[: limit - 9]}_{_sha256(name).hex()[:8]}"
    return legal


def _make_unique(name: str, limit: int, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        suffix = f"_{number}"
        candidate = name[: limit - len(suffix)] + suffix
        number += 1
    return candidate


def adapt_tool_id(id: str, form: str) -> str:
    """The id as `form` accepts it: "any", "messages", "mistral" or "openai"."""
    if form == "messages":
        legal = _MESSAGES_ILLEGAL_CHARS.sub("_", id)
        # without the digest, `a.b` and `a:b` would become one id
        return id if id and legal == id else f"{legal}_{_sha256(id).hex()[:6]}"
    if form == "mistral":
        return id if _MISTRAL_ID.fullmatch(id) else _encode_base62(_sha256(id), 9)
    if form == "openai":
        return id if 0 < len(id) <= _OPENAI_ID_LIMIT else f"call_{_sha256(id).hex()[:24]}"
    return id


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _encode_base62(digest: bytes, length: int) -> str:
    number = int.from_bytes(digest, "big")
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62_DIGITS[digit])
    return "".join(digits)
